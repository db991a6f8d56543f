-- clock: Redis's own clock is the only one that decides; iso() writes it for people.
local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

-- ISO 8601 UTC with milliseconds and Z. The date by eras of 400 years (146097 days) that begin on 1 March.
local function iso(ms)
  local floor = math.floor
  local day = floor(ms / 86400000)
  local rest = ms - day * 86400000
  local z = day + 719468
  local era = floor(z / 146097)
  local doe = z - era * 146097
  local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
  local mp = floor((5 * doy + 2) / 153)
  local d = doy - floor((153 * mp + 2) / 5) + 1
  local m = mp < 10 and mp + 3 or mp - 9
  local y = yoe + era * 400 + (m <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', y, m, d, floor(rest / 3600000), floor(rest / 60000) % 60,
    floor(rest / 1000) % 60, rest % 1000)
end

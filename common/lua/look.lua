#!lua flags=no-writes
-- look: a batch of streams as operators are shown them.
-- keys: 3+ args: 3+
-- include: clock
-- KEYS  for each stream: 1 stream  2 events  3 viewers
-- ARGV  1 stale_threshold ms: a node that was silent for longer has no viewers  2 bytes of events that counting may bring up
--       (0 = nothing is counted)  3 the names of the record's fields: one without the first is none
-- Returns {now ms, then for each stream {viewers, events in the log, events ever added to it, the fields' values}}, {} for what is
-- no record. Events added is -1 for what was not counted: XINFO brings up the first and the last event whole, so a batch of
-- streams with large ones comes to its bound. A key of another type counts as none.
local stale, budget = tonumber(ARGV[1]), tonumber(ARGV[2])
local fields = {unpack(ARGV, 3)}
local ms = now_ms()

local function viewers_of(key)
  local said, sum = redis.pcall('HGETALL', key), 0
  if said.err then return 0 end
  for i = 2, #said, 2 do
    local count, at = string.match(said[i], '^(%d+) (%d+)$')
    if count and tonumber(at) > ms - stale then sum = sum + tonumber(count) end
  end
  return sum
end

local function size_of(entry)
  local sum = 0
  for _, text in ipairs(entry and entry[2] or {}) do sum = sum + #text end
  return sum
end

local function added_to(key)
  if budget <= 0 then return -1 end
  local info, added = redis.pcall('XINFO', 'STREAM', key), -1
  if info.err then return -1 end
  for i = 1, #info, 2 do
    if info[i] == 'entries-added' then added = info[i + 1] end
    if info[i] == 'first-entry' or info[i] == 'last-entry' then budget = budget - size_of(info[i + 1]) end
  end
  return added
end

local reply = {ms}
for i = 1, #KEYS, 3 do
  local values, length = redis.pcall('HMGET', KEYS[i], unpack(fields)), redis.pcall('XLEN', KEYS[i + 1])
  if values.err or not values[1] then
    reply[#reply + 1] = {}
  else
    if type(length) == 'table' then length = 0 end
    reply[#reply + 1] = {viewers_of(KEYS[i + 2]), length, length > 0 and added_to(KEYS[i + 1]) or 0, unpack(values, 1, #fields)}
  end
end
return reply

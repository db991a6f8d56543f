-- producer: who may write to a stream, and what was written already. Includes check and record.

-- The record to write to: rec, or nil and the reply to give. An unknown stream is opened if the caller may (create = '1').
local function record_for_producer(k, user, create, ms, p)
  local rec = read_record(k)
  if rec then
    if user ~= '' and rec.user ~= '' and rec.user ~= user then return nil, {-3} end
    if adopt(k, rec, ms, p) then rec = read_record(k) end
    return rec
  end
  if redis.call('EXISTS', k.completion) == 1 then
    adopt(k, nil, ms, p)
    local c = redis.call('HMGET', k.completion, 'terminalEventType', 'eventId')
    return nil, {-2, c[1], c[2]}
  end
  if create ~= '1' then return nil, {-1} end
  redis.call('DEL', k.events)
  return register(k, 'generation', user, '{}', '', ms, p)
end

local RESERVED = {connected = true, gap = true, orphaned = true}

-- An event type that a producer may use: it stands in the push's first line, so it must not break it.
local function producible(kind)
  return valid_type(kind) and not RESERVED[kind]
end

-- The arguments with which publish and end begin alike. Without a producer's name its number means nothing.
local function malformed_call(pid)
  return malformed({valid_id, nil, valid_user, nil, pid ~= '' and valid_producer or nil, pid ~= '' and valid_number or nil, valid_count,
    valid_count, valid_count})
end

-- What producer pid stored with number n: its first id and its last, and the producer's last number; or nil if n is new. A number
-- below the last one is misuse: its ids, no longer known, are ''.
local function repeated(k, pid, n)
  if pid == '' then return nil end
  local note = redis.call('HGET', k.stream, 'p:' .. pid)
  if not note then return nil end
  local last_n, first_id, last_id = string.match(note, '^(%d+) (%S+) %d+ (%S+)$')
  if tonumber(n) > tonumber(last_n) then return nil end
  if tonumber(n) < tonumber(last_n) then return '', '', tonumber(last_n) end
  return first_id, last_id, tonumber(last_n)
end

-- Remember the number, as "n first-id count last-id". At most 256 producers of a stream are remembered; then half of the others is forgotten,
-- by the age of what they stored, so that a stream fed by one-shot programs does not grow for ever. "r:" are the names of requests that
-- nobody else can repeat: they go first.
local function remember(k, pid, n, first_id, last_id, count)
  if pid == '' then return end
  redis.call('HSET', k.stream, 'p:' .. pid, n .. ' ' .. first_id .. ' ' .. count .. ' ' .. last_id)
  if redis.call('HLEN', k.stream) <= 256 + 16 then return end
  local all = redis.call('HGETALL', k.stream)
  local notes = {}
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 2) == 'p:' and all[i] ~= 'p:' .. pid then
      local ms, seq = string.match(all[i + 1], '^%d+ (%d+)-(%d+) ')
      notes[#notes + 1] = {field = all[i], one_shot = string.sub(all[i], 3, 4) == 'r:', ms = tonumber(ms), seq = tonumber(seq)}
    end
  end
  table.sort(notes, function(a, b)
    if a.one_shot ~= b.one_shot then return a.one_shot end
    return a.ms < b.ms or (a.ms == b.ms and a.seq < b.seq)
  end)
  for i = 1, math.floor(#notes / 2) do redis.call('HDEL', k.stream, notes[i].field) end
end

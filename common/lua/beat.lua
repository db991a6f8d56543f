-- beat: signs of life for a batch of streams, from a responder that has viewers of them, or from a producer.
-- keys: 6+ args: 8+
-- contract: 1
-- include: clock event record check
-- KEYS  1 active  2 orphaned, then for each stream: 3 stream  4 completion  5 events  6 viewers
-- ARGV  1 node ('' = the producer itself)  2 channel prefix  3 log_events  4 stream_ttl ms  5 completion_ttl ms,
--       then for each stream: 6 stream id  7 lease epoch ('' = any; of a node: its viewers of the stream)
--       8 owner ('' = not checked; else '=' and the owner as the caller knows it)
-- Returns for each stream two values, code and last event id ('0-0': none):
--   1 alive   -1 was orphaned or detached, active again   2 ended   0 unknown, or another owner's
--   -4 the lease has a newer epoch   -9 one of its keys holds another type
--   {-5, i} alone: the i-th argument is malformed, or missing: nothing is changed
-- A viewer's beat keeps an unleased stream alive; a leased one only its producer does.
local node, channel_prefix = ARGV[1], ARGV[2]
local p = {log_events = ARGV[3], stream_ttl = tonumber(ARGV[4]), completion_ttl = tonumber(ARGV[5])}
local ms = now_ms()

local wrong = malformed({nil, nil, valid_count, valid_count, valid_count})
if wrong then return {-5, wrong} end
if #ARGV < 5 + (#KEYS - 2) / 4 * 3 then return {-5, #ARGV + 1} end

local function beat(k, value, owner)
  local rec = read_record(k)
  if redis.call('EXISTS', k.completion) == 1 and adopt(k, rec, ms, p) then
    return 2, redis.call('HGET', k.completion, 'eventId')
  end
  if not rec then
    out_of_indexes(k)
    return 0, '0-0'
  end
  if owner ~= '' and owner ~= '=' .. rec.user then return 0, '0-0' end
  local last = rec.last or '0-0'
  if ENDED[rec.state] then return 2, last end
  if node == '' then
    if value ~= '' and value ~= rec.producer then return -4, last end
  else
    redis.call('HSET', k.viewers, node, value .. ' ' .. ms)
    redis.call('PEXPIRE', k.viewers, p.stream_ttl)
    if rec.producer then return 1, last end
  end
  keep_alive(k, rec, ms, p)
  return (rec.state == 'active' and not rec.detached) and 1 or -1, last
end

-- A key of another type stops its own stream only: the others of the batch are alive, and must not be taken for dead.
local function beat_safely(k, value, owner)
  local ok, code, last = pcall(beat, k, value, owner)
  if ok then return code, last end
  local message = type(code) == 'table' and code.err or tostring(code)
  if not string.find(message, 'WRONGTYPE', 1, true) then return nil, message end
  return -9, '0-0'
end

local reply = {}
for i = 1, (#KEYS - 2) / 4 do
  local at, id = 4 * i - 1, ARGV[3 + 3 * i]
  local code, last = beat_safely({id = id, channel = channel_prefix .. id, active = KEYS[1], orphaned = KEYS[2], stream = KEYS[at],
    completion = KEYS[at + 1], events = KEYS[at + 2], viewers = KEYS[at + 3]}, ARGV[4 + 3 * i], ARGV[5 + 3 * i])
  if not code then return redis.error_reply(last) end
  reply[#reply + 1] = code
  reply[#reply + 1] = last
end
return reply

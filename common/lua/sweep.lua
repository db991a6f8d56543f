-- sweep: judge a batch of streams. Each is looked at again here, so a beat that came in between always wins.
-- keys: 7+ args: 9+
-- include: clock event record
-- KEYS  1 guardian  2 active  3 orphaned, then for each stream: stream, completion, events, viewers
-- ARGV  1 proof_window ms  2 canary gap ms  3 stale_threshold ms  4 orphan_grace ms  5 channel prefix
--       6 log_events  7 stream_ttl ms  8 completion_ttl ms, then the ids
-- Returns {-9, ms proven}: Redis was not provably writable for the whole window, nothing was done
--         {1, code, ...} for each stream: 1 marked orphaned   2 ended before, taken out of the indexes
--         3 a foreign completion was adopted   4 orphaned past its grace: ended as failed
--         0 alive, or nothing due   -1 no record (or something else under its keys), taken out of the indexes
local proof, gap, stale, grace, channel_prefix = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local p = {log_events = ARGV[6], stream_ttl = tonumber(ARGV[7]), completion_ttl = tonumber(ARGV[8])}
local ms = now_ms()

local canary = redis.call('HMGET', KEYS[1], 'since', 'last')
local since, last = tonumber(canary[1] or ms), tonumber(canary[2] or 0)
if ms - last > gap or last > ms then return {-9, 0} end
if ms - since < proof then return {-9, ms - since} end

local function mark(k, rec)
  redis.call('HSET', k.stream, 'state', 'orphaned', 'orphanedAt', iso(ms))
  redis.call('ZREM', k.active, k.id)
  if rec.producer then
    redis.call('ZADD', k.orphaned, ms, k.id)
    redis.call('PEXPIRE', k.orphaned, 2 * p.stream_ttl)
  end
  local beat = redis.call('HGET', k.stream, 'lastHeartbeat')
  local told = {}
  if beat and string.find(beat, '^[%dTZ:.-]+$') then told = '{"lastHeartbeat":"' .. beat .. '"}' else told = '{}' end
  note_event(k, rec, append(k, rec.last or '0-0', 'orphaned', told, p.log_events))
  redis.call('PEXPIRE', k.stream, p.stream_ttl)
  redis.call('PEXPIRE', k.events, p.stream_ttl)
  return 1
end

local function judge(k)
  local rec = read_record(k)
  if redis.call('EXISTS', k.completion) == 1 and adopt(k, rec, ms, p) then return 3 end
  if not rec or ENDED[rec.state] then
    out_of_indexes(k)
    return rec and 2 or -1
  end
  local beat = tonumber(redis.call('ZSCORE', k.active, k.id) or nil)
  if beat then
    if beat > ms - stale then
      -- Registered anew after its record had expired as an orphan: an old due date must not end it.
      if rec.state == 'active' then redis.call('ZREM', k.orphaned, k.id) end
      return 0
    end
    if rec.state == 'orphaned' and rec.orphaned_at then
      redis.call('ZREM', k.active, k.id)
      return 0
    end
    return mark(k, rec)
  end
  local orphaned_at = tonumber(redis.call('ZSCORE', k.orphaned, k.id) or nil)
  if not orphaned_at then return 0 end
  if rec.state ~= 'orphaned' or not rec.producer then
    redis.call('ZREM', k.orphaned, k.id)
    return 0
  end
  if orphaned_at > ms - grace then return 0 end
  finish(k, rec, 'failed', '{"reason":"orphaned"}', ms, p)
  return 4
end

-- One stream whose key holds another type must not keep the others of its batch, and every later one, from being judged.
-- Other errors (no memory, no right) are the caller's business: nil, message.
local function judge_safely(k)
  local ok, verdict = pcall(judge, k)
  if ok then return verdict end
  local message = type(verdict) == 'table' and verdict.err or tostring(verdict)
  if not string.find(message, 'WRONGTYPE', 1, true) then return nil, message end
  out_of_indexes(k)
  return -1
end

local reply = {1}
for i = 1, (#KEYS - 3) / 4 do
  local at, id = 4 * i, ARGV[8 + i]
  local verdict, message = judge_safely({id = id, channel = channel_prefix .. id, active = KEYS[2], orphaned = KEYS[3],
    stream = KEYS[at], completion = KEYS[at + 1], events = KEYS[at + 2], viewers = KEYS[at + 3]})
  if not verdict then return redis.error_reply(message) end
  reply[i + 1] = verdict
end
return reply

-- publish: store a batch of events, all or none, and tell the viewers. Counts as a sign of life. The last event may be terminal
-- (completed, failed, cancelled): it ends the stream in the same step.
-- keys: 6 args: 11+
-- contract: 1
-- include: clock event record check producer
-- KEYS  1 active  2 orphaned  3 stream  4 completion  5 events  6 viewers
-- ARGV  1 stream id  2 channel  3 user ('' = not checked)  4 create (1 = open an unknown stream, for the user)
--       5 producer ('' = no protection against repeats)  6 n, rising by batch
--       7 log_events  8 stream_ttl ms  9 completion_ttl ms, then for each event: 10 type  11 data
-- Returns {1, id, ...} stored   {0, id, ...} a repeat: the ids of the first time, of which a trimmed log has lost the
--         first ones but never the last; {0} alone: n is below the producer's last number
--         {-1} unknown   {-2, type, event id} ended   {-3} another user's
--         {-4, i} the i-th event's type is malformed or reserved, or it is terminal and not the last: nothing is stored
--         {-5, i} the i-th argument is malformed, or missing: nothing is stored
--         {-6, n} the call ends the stream, which is alive: its number was used for something else. n is the producer's last one;
--         nothing is stored
local k = {id = ARGV[1], channel = ARGV[2], active = KEYS[1], orphaned = KEYS[2], stream = KEYS[3], completion = KEYS[4],
  events = KEYS[5], viewers = KEYS[6]}
local user, create, pid, n = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local p = {log_events = ARGV[7], stream_ttl = tonumber(ARGV[8]), completion_ttl = tonumber(ARGV[9])}
local ms = now_ms()

local wrong = malformed_call(pid)
if wrong then return {-5, wrong} end
if #ARGV < 11 or #ARGV % 2 == 0 then return {-5, #ARGV + 1} end
local ends = false
for i = 10, #ARGV, 2 do
  ends = ENDED[ARGV[i]]
  if not producible(ARGV[i]) or ends and i + 1 < #ARGV then return {-4, (i - 8) / 2} end
end

local rec, refusal = record_for_producer(k, user, create, ms, p)
if not rec then return refusal end
local first_id, last_id, last_n = repeated(k, pid, n)
if first_id and ends and not ENDED[rec.state] then return {-6, last_n} end
if first_id then
  local reply = {0}
  if first_id == '' then return reply end
  for _, entry in ipairs(first_id == last_id and {} or redis.call('XRANGE', k.events, first_id, last_id)) do reply[#reply + 1] = entry[1] end
  if reply[#reply] ~= last_id then reply[#reply + 1] = last_id end
  return reply
end
if ENDED[rec.state] then return {-2, rec.state, rec.last} end

local reply = {1}
for i = 10, ends and #ARGV - 2 or #ARGV, 2 do
  rec.last = append(k, rec.last or '0-0', ARGV[i], ARGV[i + 1], p.log_events)
  reply[#reply + 1] = rec.last
end
if #reply > 1 and not rec.first then
  rec.first = reply[2]
  redis.call('HSET', k.stream, 'firstEventId', rec.first)
end
if ends then
  reply[#reply + 1] = finish(k, rec, ARGV[#ARGV - 1], ARGV[#ARGV], ms, p)
else
  redis.call('HSET', k.stream, 'lastEventId', rec.last)
  keep_alive(k, rec, ms, p)
end
remember(k, pid, n, reply[2], reply[#reply], #reply - 1)
return reply

-- detach: viewers left. The last viewer of an unleased stream unregisters it.
-- keys: 6 args: 7
-- include: clock event record
-- KEYS  1 active  2 orphaned  3 stream  4 completion  5 events  6 viewers
-- ARGV  1 stream id  2 node  3 viewers that remain at the node  4 stale_threshold ms  5 how long a log without viewers is
--       kept, ms  6 drain (1 = the viewers are about to come back elsewhere: never unregister)
--       7 '=' .. owner as the node knows it ('' = not checked): another owner's stream is left alone
-- Returns 1 unregistered, 0 not (other viewers, a producer's lease, an ended stream, a drain)
local k = {id = ARGV[1], active = KEYS[1], orphaned = KEYS[2], stream = KEYS[3], events = KEYS[5], viewers = KEYS[6]}
local node, remaining, stale, keep, drain = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local ms = now_ms()

if remaining ~= '0' then
  redis.call('HSET', k.viewers, node, remaining .. ' ' .. ms)
  redis.call('PEXPIRE', k.viewers, keep)
  return 0
end
redis.call('HDEL', k.viewers, node)
local others = redis.call('HGETALL', k.viewers)
for i = 1, #others, 2 do
  local count, said = string.match(others[i + 1], '^(%d+) (%d+)$')
  if count and count ~= '0' and ms - tonumber(said) <= stale then return 0 end
  redis.call('HDEL', k.viewers, others[i])
end
local rec = read_record(k)
if rec and ARGV[7] ~= '' and ARGV[7] ~= '=' .. rec.user then return 0 end
if drain == '1' or not rec or rec.producer or ENDED[rec.state] then return 0 end
out_of_indexes(k)
if rec.last then
  redis.call('HSET', k.stream, 'detachedAt', iso(ms))
  redis.call('PEXPIRE', k.stream, keep)
  redis.call('PEXPIRE', k.events, keep)
else
  redis.call('DEL', k.stream, k.events)
end
return 1

-- node: a responder or guardian says that it is alive, and its counters, for operators.
-- keys: 2 args: 4+
-- include: clock
-- KEYS  1 nodes  2 node
-- ARGV  1 name  2 ttl ms, then field, value pairs
-- Returns the number of nodes alive
local name, ttl = ARGV[1], tonumber(ARGV[2])
local ms = now_ms()
redis.call('HSET', KEYS[2], 'node', name, 'seenAt', iso(ms))
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[2], ttl)
redis.call('ZADD', KEYS[1], ms, name)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (ms - ttl))
redis.call('PEXPIRE', KEYS[1], ttl)
return redis.call('ZCARD', KEYS[1])

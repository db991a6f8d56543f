-- canary: prove that Redis can be written, once a second, by any guardian. What was proven is kept here for all of them.
-- keys: 1 args: 3+
-- include: clock
-- KEYS  1 guardian
-- ARGV  1 the longest gap between two canaries that proves nothing was broken, ms  2 run id of the Redis server  3 ttl ms,
--       then field, value pairs to keep beside it (a guardian's report of its last pass)
-- Returns ms for which Redis was provably writable without a break
local gap, run, ttl = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local ms = now_ms()
local f = redis.call('HMGET', KEYS[1], 'since', 'last', 'run')
local since, last = tonumber(f[1] or nil), tonumber(f[2] or nil)
if not since or not last or ms - last > gap or ms < last or f[3] ~= run then since = ms end
redis.call('HSET', KEYS[1], 'since', since, 'last', ms, 'run', run)
for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], ttl)
return ms - since

#!lua flags=no-writes
-- stale: what a guardian should look at.
-- keys: 2 args: 3
-- include: clock
-- KEYS  1 active  2 orphaned
-- ARGV  1 stale_threshold ms  2 orphan_grace ms  3 at most so many ids of each kind
-- Returns {now ms, members of active, stale ones among them, {stale ids}, {ids orphaned for longer than the grace},
--          ms until the next orphan's grace ends, -1 if there is none}
local stale, grace, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local ms = now_ms()
local cutoff = ms - stale
local later = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. (ms - grace), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {ms, redis.call('ZCARD', KEYS[1]), redis.call('ZCOUNT', KEYS[1], '-inf', cutoff),
  redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', cutoff, 'LIMIT', 0, limit),
  redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ms - grace, 'LIMIT', 0, limit), later[2] and tonumber(later[2]) + grace - ms or -1}

-- node: a responder or guardian says that it is alive, for operators. What it has counted since it said so last is added to
-- totals, which outlive it: they never go down because a process ended, however it ended.
-- keys: 3 args: 6+
-- include: clock
-- KEYS  1 nodes  2 node  3 totals
-- ARGV  1 name  2 ttl ms  3 totals' ttl ms  4 1: it leaves, and is forgotten  5 what this returned last, 0 at first
--       6 number of counters, then for each: name, value since the start, value when this returned last; then field, value pairs
-- Returns ms, when totals were last added to
-- A reply can be lost, and the node's hash can expire: what is in totals already is the larger of the hash's value and the caller's.
-- Totals that are older than the caller has seen them (a restore, a failover) begin anew, as a counter does; what Redis lost
-- would look like a leap to whoever computes rates.
local name, ttl, totals_ttl, leaves, known, counters = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1', tonumber(ARGV[5]), tonumber(ARGV[6])
local ms = now_ms()

-- A count that we wrote; anybody else may have written anything.
local function count(text)
  return text and #text <= 15 and string.find(text, '^%d+$') and tonumber(text) or 0
end

local function add(counter, value, confirmed)
  local before = math.max(count(redis.call('HGET', KEYS[2], counter)), count(confirmed))
  local more = count(value) - before
  if more > 0 then
    redis.call('HSET', KEYS[3], counter, string.format('%.0f', count(redis.call('HGET', KEYS[3], counter)) + more))
  end
  redis.call('HSET', KEYS[2], counter, value)
end

redis.call('HSET', KEYS[2], 'node', name, 'seenAt', iso(ms))
redis.call('PEXPIRE', KEYS[2], ttl)
for i = 7 + 3 * counters, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call('ZADD', KEYS[1], ms, name)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (ms - ttl))
redis.call('PEXPIRE', KEYS[1], ttl)

local last = count(redis.call('HGET', KEYS[3], 'at'))
if last < known then redis.call('DEL', KEYS[3]) end
local at = math.max(ms, last, known)
redis.call('HSET', KEYS[3], 'at', string.format('%.0f', at))
redis.call('PEXPIRE', KEYS[3], totals_ttl)
for i = 7, 6 + 3 * counters, 3 do add(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end

if leaves then
  redis.call('DEL', KEYS[2])
  redis.call('ZREM', KEYS[1], name)
end
return at

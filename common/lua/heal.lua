-- heal: give a TTL to keys that have none, and put records that fell out of their index back.
-- keys: 3+ args: 2+
-- include: clock
-- KEYS  1 active  2 orphaned, then the keys to look at
-- ARGV  1 ttl ms, then for each key the stream id if the key is a stream's record, else ''
-- Returns {keys that got a TTL, records that got their place in an index back}
local ttl = tonumber(ARGV[1])
local ms = now_ms()
local timed, indexed = 0, 0

local function put_back(id, key)
  local f = redis.call('HMGET', key, 'userId', 'state', 'producer', 'detachedAt')
  if not f[1] or f[4] then return end
  if f[2] == 'active' and not redis.call('ZSCORE', KEYS[1], id) then
    redis.call('ZADD', KEYS[1], ms, id)
    redis.call('PEXPIRE', KEYS[1], 2 * ttl)
    indexed = indexed + 1
  elseif f[2] == 'orphaned' and f[3] and not redis.call('ZSCORE', KEYS[2], id) and not redis.call('ZSCORE', KEYS[1], id) then
    redis.call('ZADD', KEYS[2], ms, id)
    redis.call('PEXPIRE', KEYS[2], 2 * ttl)
    indexed = indexed + 1
  end
end

for i = 3, #KEYS do
  if redis.call('PTTL', KEYS[i]) == -1 then
    redis.call('PEXPIRE', KEYS[i], ttl)
    timed = timed + 1
  end
  if ARGV[i - 1] ~= '' and redis.call('TYPE', KEYS[i]).ok == 'hash' then put_back(ARGV[i - 1], KEYS[i]) end
end
return {timed, indexed}

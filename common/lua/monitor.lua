#!lua flags=no-writes
-- monitor: what is to be known of all processes at once, for operators. Bounded, whatever is in Redis.
-- keys: 5 args: 2
-- include: clock
-- KEYS  1 nodes  2 active  3 orphaned  4 guardian  5 totals
-- ARGV  1 what stands before a node's name in the name of its key  2 at most so many nodes, those that were seen last
-- Returns {now ms, members of active, members of orphaned, {guardian's field, value, ...}, {totals' counter, value, ...},
--          {{ms since the node was seen, {field, value, ...}}, ...}}
-- -1 stands for an index that holds another type, {} for such a hash or one of more than 64 fields; words are cut at 128 bytes.
local stem, limit = ARGV[1], tonumber(ARGV[2])
local ms = now_ms()

local function size(key)
  local n = redis.pcall('ZCARD', key)
  return type(n) == 'number' and n or -1
end

local function fields(key)
  local n = redis.pcall('HLEN', key)
  if type(n) ~= 'number' or n == 0 or n > 64 then return {} end
  local words = redis.call('HGETALL', key)
  for i, word in ipairs(words) do words[i] = string.sub(word, 1, 128) end
  return words
end

local nodes = {}
local names = redis.pcall('ZREVRANGE', KEYS[1], 0, limit - 1, 'WITHSCORES')
for i = 1, #names, 2 do
  local words = fields(stem .. names[i])
  local seen = math.max(0, math.min(ms, tonumber(names[i + 1]) or ms))
  if #words > 0 then nodes[#nodes + 1] = {ms - seen, words} end
end
return {ms, size(KEYS[2]), size(KEYS[3]), fields(KEYS[4]), fields(KEYS[5]), nodes}

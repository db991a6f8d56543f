#!lua flags=no-writes
-- lost: which of these streams ended in this way, and when.
-- keys: 1+ args: 3+
-- KEYS  the completions
-- ARGV  1 type of the end  2 its data, to the byte  3 the names of the completion's fields
-- Returns for each key an array of its fields' values, nil for one that it does not have; {} if it ended otherwise, or not at all
-- The length is compared first: data can be large.
local kind, data = ARGV[1], ARGV[2]
local fields = {unpack(ARGV, 3)}
local reply = {}
for i, key in ipairs(KEYS) do
  reply[i] = {}
  if redis.pcall('HSTRLEN', key, 'terminalEventData') == #data then
    local ended = redis.call('HMGET', key, 'terminalEventType', 'terminalEventData')
    if ended[1] == kind and ended[2] == data then reply[i] = redis.call('HMGET', key, unpack(fields)) end
  end
end
return reply

#!lua flags=no-writes
-- records: fields of a batch of streams' records, for operators.
-- keys: 1+ args: 1+
-- KEYS  the records
-- ARGV  the names of the fields
-- Returns for each key an array of its fields' values, nil for one that it does not have; {} if the key is no hash
local reply = {}
for i, key in ipairs(KEYS) do
  local values = redis.pcall('HMGET', key, unpack(ARGV))
  reply[i] = values.err and {} or values
end
return reply

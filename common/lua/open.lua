-- open: a producer opens a stream, with a lease if it will beat for it.
-- keys: 6 args: 9
-- contract: 1
-- include: clock event record check
-- KEYS  1 active  2 orphaned  3 stream  4 completion  5 events  6 viewers
-- ARGV  1 stream id  2 channel  3 type ('' = generation, or as it is)  4 user  5 metadata ('' = {}, or as it is)
--       6 lease (1 = yes)  7 log_events  8 stream_ttl ms  9 completion_ttl ms
-- Returns {1, lease epoch or ''} created   {0, lease epoch or ''} existed   {-2, state} ended   {-3} another user's
--         {-5, i} the i-th argument is malformed, or missing: nothing is changed
-- A lease on an existing stream is taken over: its epoch rises, and beats with the old one are refused.
local k = {id = ARGV[1], channel = ARGV[2], active = KEYS[1], orphaned = KEYS[2], stream = KEYS[3], completion = KEYS[4],
  events = KEYS[5], viewers = KEYS[6]}
local kind, user, metadata, lease = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local p = {log_events = ARGV[7], stream_ttl = tonumber(ARGV[8]), completion_ttl = tonumber(ARGV[9])}
local ms = now_ms()

local wrong = malformed({valid_id, nil, function(text) return text == '' or valid_type(text) end, valid_user, nil, nil, valid_count,
  valid_count, valid_count})
if wrong then return {-5, wrong} end
if #ARGV < 9 then return {-5, #ARGV + 1} end
local rec = read_record(k)
if rec and user ~= '' and rec.user ~= '' and rec.user ~= user then return {-3} end
if adopt(k, rec, ms, p) then rec = read_record(k) end
if rec and ENDED[rec.state] then return {-2, rec.state} end
if not rec and redis.call('EXISTS', k.completion) == 1 then return {-2, redis.call('HGET', k.completion, 'terminalEventType') or ''} end

local created = 0
if rec then
  keep_alive(k, rec, ms, p)
  if kind ~= '' then redis.call('HSET', k.stream, 'streamType', kind) end
  if metadata ~= '' then redis.call('HSET', k.stream, 'metadata', metadata) end
  if user ~= '' then redis.call('HSET', k.stream, 'userId', user) end
else
  redis.call('DEL', k.events)
  register(k, kind ~= '' and kind or 'generation', user, metadata ~= '' and metadata or '{}', '', ms, p)
  created = 1
end
if lease == '1' then redis.call('HINCRBY', k.stream, 'producer', 1) end
return {created, redis.call('HGET', k.stream, 'producer') or ''}

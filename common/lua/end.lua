-- end: the terminal event. The first one wins and is never changed.
-- keys: 6 args: 11
-- contract: 1
-- include: clock event record check producer
-- KEYS  1 active  2 orphaned  3 stream  4 completion  5 events  6 viewers
-- ARGV  1 stream id  2 channel  3 user ('' = not checked)  4 create (1 = open an unknown stream, for the user)
--       5 producer  6 n  7 log_events  8 stream_ttl ms  9 completion_ttl ms  10 type  11 data
-- Returns {1, id} stored   {0, id} a repeat   {-1} unknown   {-2, type, event id} ended before   {-3} another user's
--         {-4, 1} the type does not end a stream: nothing is stored
--         {-5, i} the i-th argument is malformed, or missing: nothing is stored
--         {-6, n} the stream is alive: the number was used for something else. n is the producer's last one; nothing is stored
local k = {id = ARGV[1], channel = ARGV[2], active = KEYS[1], orphaned = KEYS[2], stream = KEYS[3], completion = KEYS[4],
  events = KEYS[5], viewers = KEYS[6]}
local user, create, pid, n, kind, data = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[10], ARGV[11]
local p = {log_events = ARGV[7], stream_ttl = tonumber(ARGV[8]), completion_ttl = tonumber(ARGV[9])}
local ms = now_ms()

local wrong = malformed_call(pid)
if wrong then return {-5, wrong} end
if #ARGV < 11 then return {-5, #ARGV + 1} end
if not ENDED[kind] then return {-4, 1} end
local rec, refusal = record_for_producer(k, user, create, ms, p)
if not rec then return refusal end
local first_id, _, last_n = repeated(k, pid, n)
if first_id and not ENDED[rec.state] then return {-6, last_n} end
if first_id then return {0, first_id} end
if ENDED[rec.state] then return {-2, rec.state, rec.last} end
local id = finish(k, rec, kind, data, ms, p)
remember(k, pid, n, id, id, 1)
return {1, id}

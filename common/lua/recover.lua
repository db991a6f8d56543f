#!lua flags=no-writes
-- recover: what became of a stream, for a client that missed the end.
-- keys: 2 args: 2
-- KEYS  1 stream  2 completion
-- ARGV  1 user  2 anonymous (1 = ownerless streams may be read)
-- Returns {1 live, state, startedAt, lastHeartbeat, last event id, type, first event id ever or ''}
--         {2 ended, terminal type, terminal data, completedAt, event id or '', first event id ever or ''}
--         {3 ended and its result expired, state, endedAt}   {-1} unknown   {-3} another user's
local user, anonymous = ARGV[1], ARGV[2]
local f = redis.call('HMGET', KEYS[1], 'userId', 'state', 'startedAt', 'lastHeartbeat', 'lastEventId', 'streamType', 'endedAt', 'firstEventId')
local c = redis.call('HMGET', KEYS[2], 'terminalEventType', 'terminalEventData', 'completedAt', 'eventId', 'userId')
if not f[1] and not c[1] then return {-1} end
local owner = f[1] or c[5] or ''
if not (owner == user and user ~= '' or owner == '' and anonymous == '1') then return {-3} end
local state = f[2] or 'active'
-- A completion without an event id is another program's: of a stream that had its end before, it is not the first end.
if c[1] and (c[4] or not f[7]) then return {2, c[1], c[2] or '{}', c[3] or '', c[4] or '', f[8] or ''} end
if state == 'completed' or state == 'failed' or state == 'cancelled' then return {3, state, f[7] or ''} end
return {1, state, f[3] or '', f[4] or '', f[5] or '0-0', f[6] or '', f[8] or ''}

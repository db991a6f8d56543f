-- attach: a viewer comes to a stream. Registers the stream if nobody did, and says where the viewer's reading begins.
-- keys: 6 args: 14
-- include: clock event record
-- KEYS  1 active  2 orphaned  3 stream  4 completion  5 events  6 viewers
-- ARGV  1 stream id  2 channel  3 user  4 anonymous (1 = ownerless streams may be read)  5 node
--       6 viewers of this stream at the node, the new one included
--       7 mode: register = create an unknown stream; join = do not; revive = the node held it before Redis lost it
--       8 position: '' = from the start, now = only what comes, else an event id
--       9 type, 10 metadata, 11 startedAt ('' = now): for a created record
--       12 log_events  13 stream_ttl ms  14 completion_ttl ms
-- Returns {1 created | 0 attached, state, last, from, gap, next, leased 0|1, type, metadata, startedAt, owner}
--         {2 ended, state, event id of the end, from, gap, next, terminal type, terminal data}
--         {3 ended and its result expired, state, last event id}
--         {-1} unknown (join)   {-3} another user's
-- next is the first event to read, '' when there is none: if it is no longer there at the read, the log was trimmed since.
-- gap is '' or the reason why events between the position and `from` may be missing: trimmed, lost, rewound.
local k = {id = ARGV[1], channel = ARGV[2], active = KEYS[1], orphaned = KEYS[2], stream = KEYS[3], completion = KEYS[4],
  events = KEYS[5], viewers = KEYS[6]}
local user, anonymous, node, count, mode, position = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local kind, metadata, started = ARGV[9], ARGV[10], ARGV[11]
local p = {log_events = ARGV[12], stream_ttl = tonumber(ARGV[13]), completion_ttl = tonumber(ARGV[14])}
local ms = now_ms()

local function before(a, b)
  local ams, aseq = string.match(a, '^(%d+)-(%d+)$')
  local bms, bseq = string.match(b, '^(%d+)-(%d+)$')
  if #ams ~= #bms then return #ams < #bms end
  if ams ~= bms then return ams < bms end
  if #aseq ~= #bseq then return #aseq < #bseq end
  return aseq < bseq
end

-- The position from which reading begins, and the gap's reason. What is gone for good is announced, and reading goes on with
-- what there is: the log's head if it was trimmed, its end if it is lost.
local function place(first, last)
  last = last or '0-0'
  if position == 'now' then return last, '' end
  if position == '' or position == '0-0' then
    local head = redis.call('XRANGE', k.events, '-', '+', 'COUNT', 1)[1]
    if not first or (head and head[1] == first) then return '0-0', '' end
    if head then return '0-0', 'trimmed' end
    return last, 'lost'
  end
  if position == last or #redis.call('XRANGE', k.events, position, position, 'COUNT', 1) > 0 then return position, '' end
  if before(last, position) then return last, 'rewound' end
  if redis.call('EXISTS', k.events) == 1 then return position, 'trimmed' end
  return last, 'lost'
end

local function locate(first, last)
  local from, gap = place(first, last)
  local following = redis.call('XRANGE', k.events, from == '0-0' and '-' or '(' .. from, '+', 'COUNT', 1)[1]
  return from, gap, following and following[1] or ''
end

local function ended(state, rec)
  local c = redis.call('HMGET', k.completion, 'terminalEventType', 'terminalEventData', 'eventId')
  if not c[3] then return {3, state, rec and rec.last or '0-0'} end
  local from, gap, following = locate(rec and rec.first, c[3])
  return {2, state, c[3], from, gap, following, c[1], c[2] or '{}'}
end

local rec = read_record(k)
if not rec then
  local owner = redis.call('HMGET', k.completion, 'streamId', 'userId')
  if owner[1] then
    if not allowed(owner[2] or '', user, anonymous) then return {-3} end
    adopt(k, nil, ms, p)
    return ended('completed', nil)
  end
  if mode == 'join' then return {-1} end
elseif not allowed(rec.user, user, anonymous) then
  return {-3}
elseif adopt(k, rec, ms, p) then
  rec = read_record(k)
end
if rec and ENDED[rec.state] then return ended(rec.state, rec) end

local created, dropped = 0, false
if not rec then
  -- A log without a record has no owner that could be checked: a new owner never reads it. Whoever held the stream before
  -- Redis lost its record shows it by an event that is in the log.
  if mode ~= 'revive' or position == 'now' or position == '0-0' or #redis.call('XRANGE', k.events, position, position, 'COUNT', 1) == 0 then
    dropped = redis.call('DEL', k.events) == 1 and mode == 'revive'
  end
  rec = register(k, kind, user, metadata, started, ms, p)
  local head = redis.call('XRANGE', k.events, '-', '+', 'COUNT', 1)[1]
  if head then
    rec.first, rec.last = head[1], redis.call('XREVRANGE', k.events, '+', '-', 'COUNT', 1)[1][1]
    redis.call('HSET', k.stream, 'firstEventId', rec.first, 'lastEventId', rec.last)
  end
  created = 1
elseif not rec.producer then
  keep_alive(k, rec, ms, p)
  rec.state = 'active'
end
redis.call('HSET', k.viewers, node, count .. ' ' .. ms)
redis.call('PEXPIRE', k.viewers, p.stream_ttl)

local from, gap, following = locate(rec.first, rec.last)
if dropped and gap == '' then gap = 'lost' end
local about = redis.call('HMGET', k.stream, 'streamType', 'metadata', 'startedAt')
return {created, rec.state, rec.last or '0-0', from, gap, following, rec.producer and 1 or 0, about[1] or '', about[2] or '{}',
  about[3] or '', rec.user}

-- record: the life of one stream's hash, its place in the indexes, and its end. Includes clock and event.
-- p is the policy: log_events, stream_ttl, completion_ttl (milliseconds).

local ENDED = {completed = true, failed = true, cancelled = true}

-- The fields that decide, or nil; k.owner is set with them. A hash without userId is no record: HSET on an expired key leaves such ghosts.
local function read_record(k)
  local f = redis.call('HMGET', k.stream, 'userId', 'state', 'lastEventId', 'firstEventId', 'producer', 'detachedAt', 'orphanedAt', 'endedAt')
  if not f[1] then return nil end
  k.owner = f[1]
  return {user = f[1], state = f[2] or 'active', last = f[3], first = f[4], producer = f[5], detached = f[6], orphaned_at = f[7],
    ended_at = f[8]}
end

-- A stream without an owner ('') is for everybody where anonymous = allow, and for nobody else.
local function allowed(owner, user, anonymous)
  if owner == '' then return anonymous == '1' end
  return owner == user
end

local function into_index(k, ms, p)
  redis.call('ZADD', k.active, ms, k.id)
  redis.call('PEXPIRE', k.active, 2 * p.stream_ttl)
end

local function out_of_indexes(k)
  redis.call('ZREM', k.active, k.id)
  redis.call('ZREM', k.orphaned, k.id)
end

-- A sign of life: renews the record, and makes an orphaned or detached stream active again.
local function keep_alive(k, rec, ms, p)
  redis.call('HSET', k.stream, 'state', 'active', 'lastHeartbeat', iso(ms))
  if rec.orphaned_at or rec.detached then
    redis.call('HDEL', k.stream, 'orphanedAt', 'detachedAt')
    redis.call('ZREM', k.orphaned, k.id)
  end
  redis.call('PEXPIRE', k.stream, p.stream_ttl)
  redis.call('PEXPIRE', k.events, p.stream_ttl)
  into_index(k, ms, p)
end

-- Create the record. started: '' = now, else what the record said before Redis lost it.
local function register(k, kind, user, metadata, started, ms, p)
  local at = iso(ms)
  k.owner = user
  redis.call('DEL', k.stream)
  redis.call('HSET', k.stream, 'streamId', k.id, 'streamType', kind, 'userId', user, 'startedAt', started ~= '' and started or at,
    'lastHeartbeat', at, 'state', 'active', 'metadata', metadata)
  redis.call('PEXPIRE', k.stream, p.stream_ttl)
  into_index(k, ms, p)
  return {user = user, state = 'active', last = false, first = false, producer = false}
end

-- Write the new end of the log into the record.
local function note_event(k, rec, id)
  redis.call('HSET', k.stream, 'lastEventId', id)
  if not rec.first then redis.call('HSET', k.stream, 'firstEventId', id) end
end

-- The record and the log of a stream that has just ended.
local function close_record(k, rec, state, id, ms, p)
  redis.call('HSET', k.stream, 'state', state, 'endedAt', iso(ms))
  note_event(k, rec, id)
  redis.call('HDEL', k.stream, 'orphanedAt', 'detachedAt')
  redis.call('PEXPIRE', k.stream, p.stream_ttl)
  redis.call('PEXPIRE', k.events, p.completion_ttl)
  redis.call('DEL', k.viewers)
  out_of_indexes(k)
end

-- The one way to end a stream: log, record, completion and push in one step.
local function finish(k, rec, kind, data, ms, p)
  local id = append(k, rec.last or '0-0', kind, data, p.log_events)
  redis.call('DEL', k.completion)
  redis.call('HSET', k.completion, 'streamId', k.id, 'terminalEventType', kind, 'terminalEventData', data, 'completedAt', iso(ms),
    'userId', rec.user, 'eventId', id)
  redis.call('PEXPIRE', k.completion, p.completion_ttl)
  close_record(k, rec, kind, id, ms, p)
  return id
end

-- A completion that another program stored has no event id. Give it its place in the log, so that every viewer gets it
-- as an event, and end the record. rec may be nil. Returns true if there was such a completion. A record that has an end with
-- a date keeps it, the first end wins; one without a date was ended by such a program, which wrote the completion beside it.
local function adopt(k, rec, ms, p)
  if rec and ENDED[rec.state] and rec.ended_at then return false end
  local c = redis.call('HMGET', k.completion, 'terminalEventType', 'terminalEventData', 'eventId')
  if not c[1] or c[3] then return false end
  local kind = c[1]
  if #kind > 64 or not string.find(kind, '^[%w_.:-]+$') then kind = 'completed' end
  local id = append(k, rec and rec.last or '0-0', kind, c[2] or '{}', p.log_events)
  redis.call('HSET', k.completion, 'eventId', id)
  if redis.call('PTTL', k.completion) < 0 then redis.call('PEXPIRE', k.completion, p.completion_ttl) end
  if rec then
    redis.call('HSET', k.completion, 'userId', rec.user)
    close_record(k, rec, ENDED[kind] and kind or ENDED[rec.state] and rec.state or 'completed', id, ms, p)
  else
    redis.call('PEXPIRE', k.events, p.completion_ttl)
    out_of_indexes(k)
  end
  return true
end

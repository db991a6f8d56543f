-- event: the log of one stream and the live push.
-- k is the stream's own table: id, channel, and the keys stream, completion, events, viewers, active, orphaned.

-- Above this many bytes the push carries only the ids, and viewers' processes read the event from the log: a large event
-- would fill the Pub/Sub output buffer of every process that has a viewer of it.
local PUSH_MAX = 16384

-- Store one event, then tell the viewers: "id prev type owner\ndata" on the channel. prev is the id of the event before it in
-- this log ('0-0': none), by which a viewer's process sees that it missed one. owner is the record's userId (k.owner): a process
-- whose viewers belong to somebody else, because the id was given away since, does not pass the event on.
local function append(k, prev, kind, data, log_events)
  local id = redis.call('XADD', k.events, 'MAXLEN', '~', log_events, '*', 'type', kind, 'data', data)
  redis.call('PUBLISH', k.channel, id .. ' ' .. prev .. ' ' .. kind .. ' ' .. (k.owner or '') .. '\n' .. (#data <= PUSH_MAX and data or ''))
  return id
end

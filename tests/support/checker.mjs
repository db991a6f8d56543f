// What must hold at any time, and what a client must have received, held against the log in Redis.
import assert from 'node:assert/strict';
import { TERMINAL } from './sse.mjs';

const fieldsOf = (flat) => Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]));

/** The event log of a stream: [{id, type, data}]. */
export async function readLog(redis, id, prefix = 'sse:') {
  return (await redis.xrange(`${prefix}events:${id}`, '-', '+')).map(([eventId, flat]) => {
    const { type, data } = fieldsOf(flat);
    return { id: eventId, type, data };
  });
}

export function compareIds(a, b) {
  const [[ams, aseq], [bms, bseq]] = [a, b].map((id) => id.split('-').map(BigInt));
  if (ams !== bms) return ams < bms ? -1 : 1;
  return aseq === bseq ? 0 : aseq < bseq ? -1 : 1;
}

/** Ids strictly rise: each once, in order. */
export function assertRising(ids, who) {
  for (let i = 1; i < ids.length; i++) {
    assert.ok(compareIds(ids[i - 1], ids[i]) < 0, `${who}: ${ids[i]} came after ${ids[i - 1]} (event ${i} of ${ids.length})`);
  }
}

/**
 * One client's events (`connected` aside) against the log it read from.
 * Without a gap event they are the log, each once, in order. With gaps: each names the event before it, and what follows is the log from there on.
 * ended: the stream has ended, so there is exactly one terminal event, the last one.
 */
export function assertDelivered({ who, events: received, log, ended = true, gapsAllowed = false }) {
  const events = received.filter((event) => event.json?.type !== 'connected');
  const gaps = events.filter((event) => event.json?.type === 'gap');
  const real = events.filter((event) => event.json?.type !== 'gap');
  if (!gapsAllowed) assert.equal(gaps.length, 0, `${who}: a gap event where nothing was lost: ${gaps[0]?.data}`);
  assertRising(real.map((event) => event.id), who);

  const inLog = new Map(log.map((entry) => [entry.id, entry]));
  for (const event of real) {
    const entry = inLog.get(event.id);
    if (!entry) {
      assert.ok(gaps.length, `${who}: ${event.id} (${event.json?.type}) is not in the log`);
      continue; // trimmed since
    }
    assert.equal(event.json.type, entry.type, `${who}: type of ${event.id}`);
    assert.deepEqual(event.json.data, JSON.parse(entry.data), `${who}: data of ${event.id}`);
  }
  if (gaps.length === 0) {
    const got = new Set(real.map((event) => event.id));
    const missing = log.filter((entry) => !got.has(entry.id)).map((entry) => `${entry.id} ${entry.type}`);
    assert.deepEqual(missing.slice(0, 5), [], `${who}: ${missing.length} of ${log.length} events were never received`);
  } else {
    assertGaps(who, events, log);
  }
  if (ended) {
    const ends = real.filter((event) => TERMINAL.includes(event.json.type));
    assert.equal(ends.length, 1, `${who}: exactly one terminal event, got ${JSON.stringify(ends.map((event) => event.json.type))}`);
    assert.equal(real.at(-1), ends[0], `${who}: something came after the terminal event`);
  }
}

function assertGaps(who, events, log) {
  events.forEach((event, i) => {
    if (event.json?.type !== 'gap') return;
    const before = events.slice(0, i).reverse().find((earlier) => earlier.json?.type !== 'gap')?.id ?? '0-0';
    assert.equal(event.json.data.after, before, `${who}: a gap names the last event before it`);
    assert.equal(typeof event.json.data.reason, 'string', `${who}: a gap says why`);
  });
  const last = events.findLastIndex((event) => event.json?.type === 'gap');
  const rest = events.slice(last + 1).map((event) => event.id);
  if (rest.length === 0) return;
  const expected = log.map((entry) => entry.id).filter((id) => compareIds(id, rest[0]) >= 0);
  const kept = rest.filter((id) => log.length && compareIds(id, log[0].id) >= 0);
  assert.deepEqual(kept, expected, `${who}: after the gap the log goes on without holes`);
}

/** Every event that a producer saw confirmed is in the log, once; the log has no others but `also`. */
export function assertStored({ who, acked, log, also = TERMINAL }) {
  const produced = log.filter((entry) => !also.includes(entry.type)).map((entry) => entry.id);
  assert.deepEqual(produced, acked, `${who}: the log holds exactly the confirmed events`);
}

export async function allKeys(redis, pattern) {
  const keys = new Set();
  let cursor = '0';
  do {
    const [next, found] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', 1000);
    found.forEach((key) => keys.add(key));
    cursor = next;
  } while (cursor !== '0');
  return [...keys].sort();
}

async function pipelined(redis, commands) {
  const replies = await redis.pipeline(commands).exec();
  return replies.map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}

/** No key without a TTL; no member of the index without an active record. */
export async function assertKeys(redis, { prefix = 'sse:' } = {}) {
  const keys = await allKeys(redis, '*');
  const ttls = await pipelined(redis, keys.map((key) => ['pttl', key]));
  const immortal = keys.filter((_, i) => ttls[i] === -1);
  assert.deepEqual(immortal, [], 'keys without a TTL');
  const foreign = keys.filter((key) => !key.startsWith(prefix));
  assert.deepEqual(foreign, [], 'keys without the prefix');

  const active = await redis.zrange(`${prefix}active`, 0, -1);
  const states = await pipelined(redis, active.map((id) => ['hget', `${prefix}stream:${id}`, 'state']));
  const ghosts = active.filter((_, i) => states[i] !== 'active').map((id) => `${id}: ${states[active.indexOf(id)]}`);
  assert.deepEqual(ghosts, [], 'members of the index whose record is not active');
}

/** Everything stored, for "nothing was changed": type and value of each key, and whether it has a TTL. */
export async function dump(redis) {
  const keys = await allKeys(redis, '*');
  const values = {};
  for (const key of keys) {
    values[key] = { ttl: await redis.pttl(key) > 0, value: (await redis.dumpBuffer(key)).toString('base64') };
  }
  return values;
}

/** States of many streams at once. */
export const statesOf = (redis, ids, prefix = 'sse:') => pipelined(redis, ids.map((id) => ['hget', `${prefix}stream:${id}`, 'state']));

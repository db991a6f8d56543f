// The main job with the default configuration: what a browser, a page and an operator get, byte by byte where it is a contract.
import assert from 'node:assert/strict';
import { assertDelivered, assertKeys, readLog } from '../support/checker.mjs';
import { DEFAULTS, story } from '../support/world.mjs';
import { until } from '../support/wait.mjs';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const EVENT_ID = /^\d{13}-\d+$/;
const plain = { base: DEFAULTS, guardian: false };

/** A completed stream of three words. */
async function completedStream(world, id) {
  const viewer = await world.viewer(id);
  const ids = [];
  for (const word of ['one', 'two', 'three']) ids.push(await world.ctl('emit', id, 'token', JSON.stringify({ word })));
  ids.push(await world.ctl('complete', id, '{"words":3}'));
  await viewer.end();
  return { viewer, ids };
}

story('a stream from its first byte to its end', plain, async (world) => {
  const { viewer, ids } = await completedStream(world, 'demo');
  assert.equal(viewer.headers['content-type'], 'text/event-stream');
  assert.equal(viewer.headers['cache-control'], 'no-cache, no-transform');
  assert.equal(viewer.headers['x-accel-buffering'], 'no');
  assert.equal(viewer.headers['x-stream-id'], 'demo');

  const guard = viewer.raw.match(/^:\nevent: sse-reset\nretry: (\d+)\nid: 0-0\n\n/);
  assert.ok(guard, `the first block is the guard: ${JSON.stringify(viewer.raw.slice(0, 80))}`);
  assert.ok(guard[1] >= 2000 && guard[1] <= 4000, `retry is between 2 and 4 s, it is ${guard[1]} ms`);
  const blocks = viewer.raw.slice(guard[0].length).replace(/\n\n$/, '').split('\n\n');
  assert.deepEqual(blocks, [
    'id: 0-0\ndata: {"type":"connected","streamId":"demo"}',
    `id: ${ids[0]}\ndata: {"type":"token","data":{"word":"one"}}`,
    `id: ${ids[1]}\ndata: {"type":"token","data":{"word":"two"}}`,
    `id: ${ids[2]}\ndata: {"type":"token","data":{"word":"three"}}`,
    `id: ${ids[3]}\ndata: {"type":"completed","data":{"words":3}}`,
  ]);
  assert.equal(await viewer.end(), 'end', 'the response ends properly');
  ids.forEach((id) => assert.match(id, EVENT_ID));
  assertDelivered({ who: 'the viewer', events: viewer.events, log: await readLog(world.redis, 'demo') });
});

story('after the end: the whole log again, the missed part, or 204', plain, async (world) => {
  const { ids } = await completedStream(world, 'done');
  const again = await world.stream('done').ready();
  assert.equal(await again.end(), 'end');
  assert.deepEqual(again.types, ['token', 'token', 'token', 'completed'], 'no connected for a stream that has ended');
  assert.match(again.raw, /^:\nevent: sse-reset\n/);
  for (const how of [{ lastEventId: ids[1] }, { query: `lastEventId=${ids[1]}` }]) {
    const missed = await world.stream('done', how).ready();
    await missed.end();
    assert.deepEqual(missed.events.map((event) => event.id), ids.slice(2), JSON.stringify(how));
  }
  const both = await world.stream('done', { lastEventId: ids[2], query: `lastEventId=${ids[0]}` }).ready();
  await both.end();
  assert.deepEqual(both.events.map((event) => event.id), [ids[3]], 'the header goes before the query');
  const last = await world.stream('done', { lastEventId: ids[3] }).ready({ status: 204 });
  assert.equal(last.headers['content-type'], undefined);
  assert.equal(last.raw, '');
});

story('recover tells each state apart', plain, async (world) => {
  const answers = async (id, status, query = '') => {
    const answer = await world.get(`/api/stream/${id}/recover${query}`);
    assert.match(answer.headers['content-type'], /^application\/json/);
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.json.streamId, id);
    return answer.json;
  };
  assert.equal((await answers('never', 404)).status, 'not_found');

  const viewer = await world.viewer('r1');
  const first = await world.ctl('emit', 'r1', 'token', '{"n":1}');
  const active = await answers('r1', 200);
  assert.equal(active.status, 'active');
  assert.match(active.startedAt, ISO);
  assert.match(active.lastHeartbeat, ISO);
  assert.equal(active.lastEventId, first);

  const second = await world.ctl('emit', 'r1', 'token', '{"n":2}');
  const end = await world.ctl('fail', 'r1', '{"why":"quota"}');
  await viewer.end();
  const failed = await answers('r1', 200, `?after=${first}`);
  assert.equal(failed.status, 'failed');
  assert.equal(failed.terminalEventType, 'failed');
  assert.deepEqual(failed.terminalEventData, { why: 'quota' });
  assert.match(failed.completedAt, ISO);
  assert.deepEqual(failed.events, [{ id: second, type: 'token', data: { n: 2 } }, { id: end, type: 'failed', data: { why: 'quota' } }]);
  assert.equal((await world.get('/api/stream/r1/recover?after=zzz')).status, 400);

  await world.ctl('open', 'r2', '--user', 'u1');
  await world.ctl('cancel', 'r2');
  assert.equal((await answers('r2', 200)).status, 'cancelled');

  await world.redis.del('sse:completion:r1', 'sse:events:r1'); // as their TTL would
  assert.equal((await answers('r1', 410)).status, 'expired');
  await world.stream('r1').ready({ status: 204 });
});

story('records in Redis: names, fields, dates and lifetimes', plain, async (world) => {
  const { redis } = world;
  const viewer = await world.viewer('k1');
  const ttl = async (key, from, to) => {
    const left = await redis.ttl(key);
    assert.ok(left > from && left <= to, `TTL of ${key} is ${left}, expected up to ${to}`);
  };
  await ttl('sse:stream:k1', 3590, 3600);
  await world.ctl('emit', 'k1', 'token', '{}');
  const record = await redis.hgetall('sse:stream:k1');
  assert.equal(record.streamId, 'k1');
  assert.equal(record.streamType, 'generation');
  assert.equal(record.userId, 'u1');
  assert.equal(record.state, 'active');
  assert.deepEqual(JSON.parse(record.metadata), {});
  assert.match(record.startedAt, ISO);
  assert.match(record.lastHeartbeat, ISO);
  assert.equal(Number(await redis.zscore('sse:active', 'k1')), Date.parse(record.lastHeartbeat), 'the score is the last heartbeat in ms');
  await ttl('sse:events:k1', 3590, 3600);
  assert.equal(await redis.hlen('sse:viewers:k1'), 1, 'one node has viewers');

  const end = await world.ctl('complete', 'k1', '{"ok":true}');
  await viewer.end();
  const completion = await redis.hgetall('sse:completion:k1');
  assert.equal(completion.streamId, 'k1');
  assert.equal(completion.terminalEventType, 'completed');
  assert.deepEqual(JSON.parse(completion.terminalEventData), { ok: true });
  assert.match(completion.completedAt, ISO);
  assert.equal(completion.userId, 'u1');
  assert.equal(completion.eventId, end);
  await ttl('sse:completion:k1', 290, 300);
  await ttl('sse:events:k1', 290, 300);
  await ttl('sse:stream:k1', 3590, 3600);
  assert.equal(await redis.hget('sse:stream:k1', 'state'), 'completed');
  assert.equal(await redis.zscore('sse:active', 'k1'), null);
  await assertKeys(redis);
});

story('no step leaves a key without a TTL, and no guardian has to heal it', plain, async (world) => {
  const steps = {
    'a producer opens': () => world.ctl('open', 't1', '--user', 'u1'),
    'with a lease': () => world.ctl('open', 't2', '--user', 'u1', '--lease'),
    'an event opens': () => world.ctl('emit', 't3', 'token', '{}', '--user', 'u1'),
    'an event': () => world.ctl('emit', 't1', 'token', '{}'),
    'a beat': () => world.ctl('beat', 't2'),
    'a viewer registers': () => world.viewer('t4'),
    'a viewer joins': () => world.viewer('t1'),
    'a viewer leaves': () => world.clients.at(-1).close(),
    'the end': () => world.ctl('complete', 't1'),
    'the end of an unviewed one': () => world.ctl('cancel', 't2'),
    'a viewer of what has ended': () => world.stream('t2').ready(),
  };
  for (const [name, step] of Object.entries(steps)) {
    await step();
    await assertKeys(world.redis).catch((error) => { throw new Error(`after ${name}: ${error.message}`); });
  }
  assert.notEqual(await world.redis.zcard('sse:active'), 0, 'the index was part of it');
});

story('who comes late, and where reading begins', plain, async (world) => {
  const early = await world.viewer('late');
  const ids = [await world.ctl('emit', 'late', 'token', '1'), await world.ctl('emit', 'late', 'token', '2')];
  const late = await world.stream('late').ready();
  assert.equal((await late.next()).json.type, 'connected');
  assert.equal((await late.next()).id, ids[0]);
  assert.equal((await late.next()).id, ids[1]);
  const resumed = await world.stream('late', { lastEventId: ids[0] }).ready();
  assert.deepEqual([await resumed.next(), await resumed.next()].map((event) => event.id), [ids[0], ids[1]], 'connected carries the position');
  const fromNow = await world.stream('late', { query: 'from=now' }).ready();
  assert.equal((await fromNow.next()).id, ids[1]);
  const fromZero = await world.stream('late', { lastEventId: '0-0' }).ready();
  assert.deepEqual([await fromZero.next(), await fromZero.next()].map((event) => event.id), ['0-0', ids[0]]);
  const badHeader = await world.stream('late', { lastEventId: 'not-an-id' }).ready();
  assert.deepEqual([await badHeader.next(), await badHeader.next()].map((event) => event.id), ['0-0', ids[0]], 'a bad header is ignored');
  for (const query of ['lastEventId=not-an-id', 'lastEventId=1', 'lastEventId=-1-0', 'lastEventId=1-0x', 'from=yesterday']) {
    assert.equal((await world.get(`/api/stream/late?${query}`)).status, 400, query);
  }
  const third = await world.ctl('emit', 'late', 'token', '3');
  for (const viewer of [early, late, resumed, fromNow, fromZero, badHeader]) {
    await until(() => viewer.events.at(-1).id === third, { what: 'the third event for each viewer' });
  }
  assert.deepEqual(fromNow.types, ['connected', 'token']);
});

story('HEAD, OPTIONS, health and ready', { base: DEFAULTS, guardian: false, conf: { cors_origins: 'https://app.example.org' } }, async (world) => {
  assert.equal((await world.get('/api/stream/-/health')).status, 200);
  assert.equal((await world.get('/api/stream/-/ready')).status, 200);
  await world.viewer('h1');
  const head = await world.get('/api/stream/h1', { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.headers['content-type'], 'text/event-stream');
  assert.equal(head.text, '');
  assert.equal((await world.get('/api/stream/h1/recover', { method: 'HEAD' })).status, 200);
  await world.get('/api/stream/h2', { method: 'HEAD' });
  assert.equal(await world.redis.exists('sse:stream:h2'), 0, 'HEAD registers nothing');
  assert.equal((await world.get('/api/stream/h1', { method: 'HEAD', user: 'u2' })).status, 404);

  const options = await world.get('/api/stream/h1', { method: 'OPTIONS' });
  assert.ok([200, 204].includes(options.status), `OPTIONS: ${options.status}`);
  assert.match(options.headers.allow ?? '', /GET/);
  const preflight = (origin) => world.get('/api/stream/h1', {
    method: 'OPTIONS', user: '', headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'last-event-id' },
  });
  const allowed = await preflight('https://app.example.org');
  assert.equal(allowed.headers['access-control-allow-origin'], 'https://app.example.org');
  assert.match(allowed.headers.vary ?? '', /origin/i);
  assert.match(allowed.headers['access-control-allow-headers'] ?? '', /last-event-id/i);
  assert.equal((await preflight('https://evil.example.org')).headers['access-control-allow-origin'], undefined);
  const cors = await world.stream('h1', { headers: { origin: 'https://app.example.org' } }).ready();
  assert.equal(cors.headers['access-control-allow-origin'], 'https://app.example.org');
});

story('without a user: 401 that says what to configure; with anonymous = allow the id is enough', { base: DEFAULTS, guardian: false }, async (world) => {
  const refused = await world.get('/api/stream/a1', { user: '' });
  assert.equal(refused.status, 401);
  assert.match(refused.headers['content-type'], /^application\/json/);
  assert.match(refused.text, /user_variable|anonymous/);
  assert.equal((await world.recover('a1', { user: '' })).status, 401);
  assert.equal(await world.redis.exists('sse:stream:a1'), 0);

  await world.killResponder(0, 'SIGTERM');
  world.configure({ anonymous: 'allow' });
  await world.startResponder();
  const viewer = await world.viewer('a1', { user: '' });
  await world.ctl('complete', 'a1');
  await viewer.end();
  assert.deepEqual(viewer.types, ['connected', 'completed']);
});

story('a heartbeat comment every 15 s keeps an idle stream open', { ...plain, timeout: 60000 }, async (world) => {
  const viewer = await world.viewer('idle');
  const start = performance.now();
  const at = [];
  for (let i = 0; i < 2; i++) {
    await viewer.heartbeat({ deadline: 20000 });
    at.push((performance.now() - start) / 1000);
  }
  assert.ok(at[0] > 10 && at[0] < 18, `the first heartbeat came after ${at[0].toFixed(1)} s`);
  assert.ok(at[1] - at[0] > 12 && at[1] - at[0] < 18, `the second one ${(at[1] - at[0]).toFixed(1)} s later`);
  assert.match(viewer.raw, /\n: heartbeat\n\n/);
  assert.equal(viewer.ended, undefined);
});

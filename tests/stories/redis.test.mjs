// Redis breaks in every way it can while streams are live: none is closed, nothing is lost, doubled or orphaned.
import assert from 'node:assert/strict';
import { assertKeys, statesOf } from '../support/checker.mjs';
import { endFlow, guardianMarksBait, more, startFlow } from '../support/flow.mjs';
import { story } from '../support/world.mjs';
import { crowd, repeatedly, stays, until } from '../support/wait.mjs';

// The proof window covers a beat and the longest reconnect pause, as the default does.
const calm = { stale_threshold: '5s', beat_interval: '500ms', proof_window: '4s', check_interval: '500ms', pending_wait: '20s' };

story('kill -9 and restart during live streams with events', { processes: 2, conf: calm, timeout: 120000 }, async (world) => {
  const flow = await startFlow(world, { streams: crowd(200, 20) });
  await guardianMarksBait(world); // the guardian has its proof, so only the outage itself keeps it from marking
  await world.killRedis('SIGKILL');
  const streams = flow.followers.map((follower) => follower.current);
  const before = streams.map((stream) => stream.heartbeats);
  await until(() => streams.every((stream, i) => stream.heartbeats > before[i] || stream.ended), { what: 'a heartbeat on each stream while Redis is away' });
  assert.ok(streams.every((stream) => !stream.ended), 'no stream was closed');
  await world.readiness(503);
  assert.equal((await world.get('/api/stream/-/health')).status, 200);
  await world.startRedis();
  await more(flow, 5, 30000);
  await world.readiness(200);
  const states = await statesOf(world.redis, flow.ids);
  assert.ok(states.every((state) => state === 'active'), `all are active: ${[...new Set(states)]}`);
  await endFlow(world, flow);
  await guardianMarksBait(world);
});

story('SCRIPT FLUSH again and again', { processes: 2, conf: calm, timeout: 60000 }, async (world) => {
  const flow = await startFlow(world, { streams: crowd(50, 10) });
  let flushes = 0;
  const flushing = repeatedly(async () => { await world.redis.script('FLUSH'); flushes++; }, 30);
  await more(flow, 20);
  await flushing.stop();
  assert.ok(flushes > 20, `${flushes} flushes`);
  await endFlow(world, flow);
});

story('Redis stands still for longer than the stale threshold', { processes: 2, conf: calm, timeout: 90000 }, async (world) => {
  const flow = await startFlow(world, { streams: crowd(50, 10) });
  await guardianMarksBait(world);
  for (const seconds of [1.5, 6]) { // shorter and longer than the programs wait for a reply
    await world.redis.call('DEBUG', 'SLEEP', seconds);
    await more(flow, 3, 30000);
  }
  const streams = flow.followers.map((follower) => follower.current);
  world.server.process.signal('SIGSTOP');
  await stays(() => streams.every((stream) => !stream.ended), { during: 5500, what: 'all streams are open' });
  world.server.process.signal('SIGCONT');
  await more(flow, 3, 30000);
  await endFlow(world, flow);
  await guardianMarksBait(world);
});

story('connections to Redis are killed, one kind after the other', { processes: 2, conf: calm, timeout: 60000 }, async (world) => {
  const flow = await startFlow(world, { streams: crowd(50, 10) });
  for (let round = 0; round < 5; round++) {
    const pubsub = await world.redis.client('KILL', 'TYPE', 'pubsub', 'SKIPME', 'yes');
    assert.ok(round || pubsub === 2, `one Pub/Sub connection for each process, there were ${pubsub}`);
    await more(flow, 2);
    assert.ok(await world.redis.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes') > 0);
    await more(flow, 2);
  }
  await endFlow(world, flow);
});

story('the last event before a silence is published while the subscription is down', { guardian: false }, async (world) => {
  const [responder] = world.responders.list;
  const viewer = await world.viewer('silence');
  await world.ctl('emit', 'silence', 'token', '{"n":1}');
  await viewer.until('token');
  await responder.freeze();
  assert.equal(await world.redis.client('KILL', 'TYPE', 'pubsub'), 1);
  const last = await world.ctl('emit', 'silence', 'token', '{"n":2}');
  responder.signal('SIGCONT');
  assert.equal((await viewer.until('token')).id, last, 'nothing follows that would show the hole');
});

story('a request that comes while Redis is away is held, then served', { conf: { pending_wait: '20s', orphan_grace: '60s' } }, async (world) => {
  const id = 'held';
  await world.ctl('open', id, '--user', 'u1');
  const first = await world.ctl('emit', id, 'token', '{"n":1}');
  await world.killRedis();
  await world.readiness(503);
  const viewer = await world.stream(id).ready();
  await viewer.heartbeat({ more: 2 });
  assert.deepEqual(viewer.events, []);
  const recovery = await world.recover(id);
  assert.equal(recovery.status, 503);
  assert.match(recovery.headers['retry-after'] ?? '', /^\d+$/);
  assert.match(recovery.headers['content-type'], /^application\/json/);
  await world.startRedis();
  await viewer.until('connected');
  assert.equal((await viewer.next()).id, first);
});

story('held for pending_wait at most: then 200, retry and a clean end', { conf: { pending_wait: '1s' } }, async (world) => {
  await world.killRedis();
  await world.readiness(503);
  const start = performance.now();
  const viewer = await world.stream('late').ready();
  assert.equal(await viewer.end(), 'end');
  const took = performance.now() - start;
  assert.ok(took > 800 && took < 6000, `held for ${took.toFixed(0)} ms`);
  assert.ok(viewer.retries.length > 0, 'retry: tells the browser when to come back');
  assert.ok(viewer.comments.length > 0);
  assert.deepEqual(viewer.events, []);
  assert.match(viewer.raw, /\n\n$/, 'it ends after a whole block');
});

story('Redis comes back empty: live streams are registered again, and the loss is told', { conf: { ...calm }, timeout: 60000 }, async (world) => {
  const viewer = await world.viewer('survivor');
  const first = await world.ctl('emit', 'survivor', 'token', '{"n":1}');
  await viewer.until('token');
  const idle = await world.viewer('idle');
  const record = await world.redis.hgetall('sse:stream:survivor');
  await world.killRedis();
  await world.startRedis({ empty: true });
  await until(async () => (await statesOf(world.redis, ['survivor', 'idle'])).every((state) => state === 'active'),
    { deadline: 10000, what: 'both streams to be registered again' });
  const again = await world.redis.hgetall('sse:stream:survivor');
  assert.equal(again.userId, 'u1');
  assert.equal(again.startedAt, record.startedAt, 'with the time at which it started');
  const gap = await viewer.until('gap');
  assert.equal(gap.json.data.after, first);
  assert.ok(gap.json.data.reason);
  const next = await world.ctl('emit', 'survivor', 'token', '{"n":2}');
  assert.equal((await viewer.until('token')).id, next);
  const other = await world.ctl('emit', 'idle', 'token', '{"n":1}');
  assert.equal((await idle.next()).id, other, 'one that had received nothing lost nothing: no gap');

  const comesBack = await world.stream('survivor', { lastEventId: first }).ready();
  const types = [await comesBack.next(), await comesBack.next(), await comesBack.next()].map((event) => event.json.type);
  assert.deepEqual(types.sort(), ['connected', 'gap', 'token']);
  await stays(() => !viewer.ended && !idle.ended, { during: 600, what: 'both streams are open' });
  await assertKeys(world.redis);
});

story('an unknown id with a Last-Event-ID is waited for, never revived', { guardian: false, conf: { pending_wait: '1s' } }, async (world) => {
  const start = performance.now();
  const gone = await world.stream('zombie', { lastEventId: '1763920000000-0' }).ready({ status: 204 });
  const took = performance.now() - start;
  assert.ok(took > 800 && took < 6000, `its producer is waited for: ${took.toFixed(0)} ms`);
  assert.equal(gone.raw, '');
  assert.equal(await world.redis.exists('sse:stream:zombie'), 0);
});

story('an unknown id with a Last-Event-ID whose producer comes back is served', { guardian: false, conf: { pending_wait: '20s' } }, async (world) => {
  const waiting = world.stream('soon', { lastEventId: '1763920000000-0' });
  const late = world.stream('later', { lastEventId: '1763920000000-0' });
  await world.ctl('open', 'soon', '--user', 'u1');
  await world.ctl('emit', 'soon', 'token', '{"n":1}');
  await waiting.until('token');
  assert.equal(waiting.ofType('gap').length, 1, 'what it had seen is not there any more: it is told');
  await stays(() => !late.ended, { during: 1200, what: 'the other one is still waited for' });
  await world.ctl('open', 'later', '--user', 'u2');
  await until(() => late.status === 404, { what: () => `404, as it is a stranger's: ${late.status}` });
});

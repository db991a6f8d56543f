// Orderly ends: a drain, an aged connection, a new configuration. Viewers resume and lose nothing.
import assert from 'node:assert/strict';
import { assertDelivered, readLog } from '../support/checker.mjs';
import { endFlow, more, startFlow } from '../support/flow.mjs';
import { story } from '../support/world.mjs';
import { crowd, each, stays, until, within } from '../support/wait.mjs';

for (const signal of ['SIGTERM', 'SIGUSR1']) {
  story(`${signal} drains: retry, a clean end, exit 0, and the streams stay registered`, { guardian: false }, async (world) => {
    const idle = await world.viewer('idle');
    const fed = await world.viewer('fed');
    await world.ctl('open', 'leased', '--user', 'u1', '--lease');
    const leased = await world.viewer('leased');
    await world.ctl('emit', 'fed', 'token', '{"n":1}');
    await fed.until('token');
    const told = [idle, fed, leased].map((stream) => stream.retries.length);
    const exit = await world.killResponder(0, signal);
    assert.deepEqual(exit, { code: 0, signal: null });
    for (const [i, stream] of [idle, fed, leased].entries()) {
      assert.equal(await stream.end(), 'end', 'the response ends properly');
      assert.equal(stream.retries.length, told[i] + 1, `a retry: block before the end: ${JSON.stringify(stream.raw.slice(-80))}`);
      assert.match(stream.raw, /\n\n$/);
    }
    for (const id of ['idle', 'fed', 'leased']) {
      assert.equal(await world.redis.hget(`sse:stream:${id}`, 'state'), 'active', `${id} is still registered`);
      assert.notEqual(await world.redis.zscore('sse:active', id), null, id);
      assert.equal(await world.redis.exists(`sse:viewers:${id}`), 0, `${id}: its viewers are detached`);
    }
    await world.startResponder();
    const back = await world.stream('fed', { lastEventId: fed.lastId }).ready();
    await back.until('connected');
    await world.ctl('complete', 'fed');
    await back.until('completed');
    assert.equal(back.ofType('token').length, 0, 'nothing twice');
  });
}

story('one of two processes is drained while events flow: its viewers go on at the other', { processes: 2, timeout: 60000 }, async (world) => {
  const flow = await startFlow(world, { streams: crowd(60, 10) });
  const first = flow.followers.map((follower) => follower.current);
  await world.killResponder(0, 'SIGTERM');
  await until(() => first.some((stream) => stream.ended), { what: 'streams of the drained process to end' });
  await more(flow, 5);
  const moved = first.filter((stream) => stream.ended);
  assert.ok(moved.length < first.length, 'the other process held some, and keeps them');
  moved.forEach((stream) => assert.equal(stream.ended, 'end', 'each ended properly'));
  await endFlow(world, flow, { reconnects: true });
});

story('kill -9 of one of two processes while events flow: its viewers resume and lose nothing', { processes: 2, timeout: 60000 }, async (world) => {
  const flow = await startFlow(world, { streams: crowd(60, 10), prefix: 'cut' });
  const first = flow.followers.map((follower) => follower.current);
  await world.killResponder(1, 'SIGKILL');
  await until(() => first.some((stream) => stream.ended), { what: 'streams of the killed process to break' });
  await more(flow, 5);
  await endFlow(world, flow, { reconnects: true });
});

story('a connection that is old enough ends after a whole event, and resuming loses nothing',
  { guardian: false, conf: { max_connection_age: '1s' }, timeout: 60000 }, async (world) => {
    const flow = await startFlow(world, { streams: 10, every: 20, prefix: 'aged' });
    await until(() => flow.followers.every((follower) => follower.connections.length >= 4), { deadline: 20000, what: 'three resumptions of each viewer' });
    for (const follower of flow.followers) {
      follower.connections.slice(0, 3).forEach((stream) => {
        assert.equal(stream.ended, 'end');
        assert.equal(stream.status, 200);
      });
    }
    await endFlow(world, flow, { reconnects: true });
  });

story('ages are spread, so that a crowd does not come back at once', { guardian: false, conf: { max_connection_age: '4s', heartbeat_interval: '100ms' } }, async (world) => {
  const ages = await each(Array.from({ length: 20 }, (_, i) => `spread-${i}`), 20, async (id) => {
    const start = performance.now();
    await (await world.viewer(id)).end();
    return performance.now() - start;
  });
  assert.ok(Math.max(...ages) - Math.min(...ages) > 50, `all ended within ${(Math.max(...ages) - Math.min(...ages)).toFixed(0)} ms`);
  assert.ok(Math.min(...ages) > 2000 && Math.max(...ages) < 4000 + within(1000), `about 4 s: ${Math.min(...ages).toFixed(0)} to ${Math.max(...ages).toFixed(0)} ms`);
});

story('SIGHUP: a bad configuration is refused and the old one kept, a good one applies',
  { guardian: false, conf: { heartbeat_interval: '1m' } }, async (world) => {
    const [responder] = world.responders.list;
    const before = await world.viewer('before');
    world.configure({ heartbeat_interval: 'banana' });
    responder.signal('SIGHUP');
    await until(() => /level=(error|warn)[^\n]*heartbeat_interval/.test(world.log('fcgi')), { what: () => `a line about the bad value: ${world.log('fcgi')}` });
    await world.viewer('between');
    assert.ok(responder.running);
    world.configure({ heartbeat_interval: '300ms', retry_min: '700ms', retry_max: '750ms' });
    const lines = world.log('fcgi').split('\n').length;
    responder.signal('SIGHUP');
    await until(() => world.log('fcgi').split('\n').length > lines, { what: 'a line about the new configuration' });
    const after = await world.viewer('after');
    await after.heartbeat({ more: 2 });
    assert.ok(after.retries[0] >= 700 && after.retries[0] <= 750, `retry from the new range: ${after.retries[0]}`);
    await stays(() => !before.ended && !after.ended, { during: 300, what: 'streams stay open over a reload' });
    assert.equal(before.ofType('connected').length, 1);
  });

story('the guardian, too: SIGHUP applies, SIGTERM ends it with 0', { conf: { check_interval: '1m' } }, async (world) => {
  world.configure({ check_interval: 'soon' });
  world.guardian.signal('SIGHUP');
  await until(() => /level=(error|warn)[^\n]*check_interval/.test(world.log('guardian')), { what: () => `a line about the bad value: ${world.log('guardian')}` });
  world.configure({ check_interval: '300ms' });
  world.guardian.signal('SIGHUP');
  await world.redis.hset('sse:stream:x', { streamId: 'x', userId: 'u', state: 'active' });
  await world.redis.expire('sse:stream:x', 100);
  await world.redis.zadd('sse:active', 1, 'x');
  await until(async () => await world.redis.hget('sse:stream:x', 'state') === 'orphaned', { what: 'a round after the new, short interval' });
  assert.deepEqual(await world.guardian.kill('SIGTERM'), { code: 0, signal: null });
});

story('a viewer that reads late gets its end from the log', { guardian: false }, async (world) => {
  const follower = world.follow('tail');
  await until(() => follower.current?.ofType('connected').length, { what: 'connected' });
  await world.ctl('emit', 'tail', 'token', '{"n":1}');
  await until(() => follower.events.length === 1, { what: 'the first event' });
  await world.killResponder(0, 'SIGTERM');
  await world.ctl('emit', 'tail', 'token', '{"n":2}');
  await world.ctl('complete', 'tail', '{}');
  await world.startResponder();
  const resumed = await world.stream('tail', { lastEventId: follower.events[0].id }).ready();
  await resumed.end();
  assert.deepEqual(resumed.types, ['token', 'completed']);
  assertDelivered({ who: 'both halves', events: [...follower.events.slice(0, 1), ...resumed.events], log: await readLog(world.redis, 'tail') });
  follower.stop();
});

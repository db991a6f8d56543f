// Who comes first: attach against complete, viewer against viewer, user against user.
import assert from 'node:assert/strict';
import { assertDelivered, assertKeys, readLog } from '../support/checker.mjs';
import { DEFAULTS, story } from '../support/world.mjs';
import { setTimeout as delay } from 'node:timers/promises';
import { crowd, each, stays, until } from '../support/wait.mjs';

story('attach and complete at the same moment: exactly one terminal event for each client, and nobody hangs',
  { processes: 2, timeout: 90000 }, async (world) => {
    const rounds = Array.from({ length: crowd(200, 30) }, (_, i) => `race-${i}`);
    let liveFirst = 0, bias = 0; // to whoever lost last
    await each(rounds, 8, async (id, i) => {
      await world.ctl('open', id, '--user', 'u1');
      if (i % 3) await world.ctl('emit', id, 'token', `{"i":${i}}`);
      const lead = ((i * 7) % 25) - 8 + bias; // ms by which the clients are ahead of ssectl: either may win
      const ending = delay(Math.max(lead, 0)).then(() => world.ctl('complete', id, '{}'));
      await delay(Math.max(-lead, 0));
      const followers = [world.follow(id), world.follow(id)];
      await ending;
      for (const follower of followers) {
        assert.equal(await follower.closed({ deadline: 10000 }), 204, `${id}: told not to come back`);
        assertDelivered({ who: id, events: follower.events, log: await readLog(world.redis, id) });
      }
      const live = followers.filter((follower) => follower.connections[0].ofType('connected').length).length;
      bias += 3 * (1 - live);
      liveFirst += live;
    });
    const clients = 2 * rounds.length;
    assert.ok(liveFirst > clients / 50 && liveFirst < clients * 0.98, `both sides must win sometimes: ${liveFirst} of ${clients} came before the end`);
    await assertKeys(world.redis);
  });

story('a crowd attaches to a stream whose first event is its last: nobody misses it', { processes: 2, timeout: 90000 }, async (world) => {
  const rounds = Array.from({ length: crowd(80, 20) }, (_, i) => `crowd-${i}`);
  await each(rounds, 4, async (id, i) => {
    await world.ctl('open', id, '--user', 'u1');
    const ending = delay(i % 6).then(() => world.ctl('complete', id, '{}'));
    const followers = Array.from({ length: 12 }, () => world.follow(id));
    await ending;
    for (const follower of followers) {
      assert.equal(await follower.closed({ deadline: 10000 }), 204, `${id}: told not to come back`);
      assertDelivered({ who: id, events: follower.events, log: await readLog(world.redis, id) });
    }
  });
});

story('a push overtakes the answer to an attach', { guardian: false }, async (world) => {
  const [responder] = world.responders.list;
  const redis = world.server.process;
  for (const [id, events, last] of [['empty', 0, 'complete'], ['fed', 2, 'complete'], ['first', 0, 'emit'], ['third', 2, 'emit']]) {
    const first = await world.viewer(id);
    for (let i = 0; i < events; i++) await world.ctl('emit', id, 'token', '{}');
    const sockets = responder.sockets;
    await redis.freeze();
    const second = world.stream(id);
    await until(() => responder.sockets > sockets, { what: 'the second viewer to reach the responder' });
    await stays(() => !second.ended, { during: 100, what: 'its attach waits in front of Redis' });
    await responder.freeze();
    const pushed = last === 'complete' ? world.ctl('complete', id, '{}') : world.ctl('emit', id, 'token', '{}');
    redis.signal('SIGCONT'); // it answers the attach, then pushes: both wait in front of the responder
    await pushed;
    responder.signal('SIGCONT');
    if (last === 'emit') {
      await Promise.all([first, second].map((viewer) => until(() => viewer.ofType('token').length > events, { what: () => `the event on ${id}: ${viewer.types}` })));
      await world.ctl('complete', id, '{}');
    }
    const log = await readLog(world.redis, id);
    for (const viewer of [first, second]) {
      assert.equal(await viewer.end(), 'end');
      assertDelivered({ who: id, events: viewer.events, log });
    }
  }
});

story('many completions at once: the first wins, all clients see that one', { processes: 2 }, async (world) => {
  const viewers = await Promise.all([world.viewer('ends'), world.viewer('ends')]);
  const ends = await Promise.all(Array.from({ length: 12 }, (_, i) =>
    world.ssectl([['complete', 'fail', 'cancel'][i % 3], 'ends', JSON.stringify({ i })])));
  assert.equal(ends.filter((end) => end.code === 0).length, 1, 'one is confirmed');
  ends.filter((end) => end.code !== 0).forEach((end) => assert.equal(end.code, 65, end.stderr));
  for (const viewer of viewers) {
    await viewer.end();
    assertDelivered({ who: 'viewer', events: viewer.events, log: await readLog(world.redis, 'ends') });
  }
});

story('two processes share the viewers', { processes: 2, guardian: false }, async (world) => {
  const nodes = new Map();
  for (let i = 0; i < 40; i++) {
    await world.viewer(`share-${i}`);
    const [node] = await world.redis.hkeys(`sse:viewers:share-${i}`);
    nodes.set(node, (nodes.get(node) ?? 0) + 1);
  }
  const held = [...nodes.values()];
  assert.equal(held.length, 2, `both processes hold viewers: ${[...nodes]}`);
  assert.ok(Math.min(...held) >= 8, `of 40 viewers that came one after the other, the processes hold ${held.join(' and ')}`);
});

story('two viewers on two processes: one leaving keeps the registration, both leaving removes it', { processes: 2, guardian: false, base: DEFAULTS }, async (world) => {
  for (const [id, leave] of [['two-a', 'close'], ['two-b', 'destroy']]) {
    const one = await world.onlyAt(0, () => world.viewer(id));
    const other = await world.onlyAt(1, () => world.viewer(id));
    await until(async () => await world.redis.hlen(`sse:viewers:${id}`) === 2, { what: 'two nodes with viewers' });
    await world.redis.hset(`sse:stream:${id}`, 'marker', 'the same record');
    one[leave]();
    await until(async () => await world.redis.hlen(`sse:viewers:${id}`) === 1, { what: `the viewer that left (${leave}) to be taken out` });
    await stays(async () => await world.redis.hget(`sse:stream:${id}`, 'state') === 'active' && await world.redis.zscore('sse:active', id) !== null
      && await world.redis.hget(`sse:stream:${id}`, 'marker') !== null, { during: 700, what: `${id} is registered while a viewer is there` });
    other[leave]();
    await until(async () => await world.redis.exists(`sse:stream:${id}`) === 0, { what: 'the record to go with the last viewer' });
    assert.equal(await world.redis.zscore('sse:active', id), null);
    assert.equal(await world.redis.exists(`sse:viewers:${id}`), 0);
  }
});

story('the last viewer of a stream with events: its log stays for those who come back', { guardian: false }, async (world) => {
  const viewer = await world.viewer('left');
  const id = await world.ctl('emit', 'left', 'token', '{"n":1}');
  await viewer.until('token');
  viewer.close();
  await until(async () => await world.redis.zscore('sse:active', 'left') === null, { what: 'the stream to be out of the index' });
  const record = await world.redis.hgetall('sse:stream:left');
  assert.match(record.detachedAt ?? '', /^\d{4}-.*Z$/);
  assert.equal(record.userId, 'u1', 'the owner is kept');
  const left = await world.redis.pttl('sse:events:left');
  assert.ok(left > 290_000 && left <= 300_000, `the log is kept for 300 s, not ${left} ms`);
  assert.equal((await world.get('/api/stream/left', { user: 'u2' })).status, 404);
  const back = await world.stream('left').ready();
  await back.until('connected');
  assert.equal((await back.next()).id, id);
  assert.equal(await world.redis.hget('sse:stream:left', 'detachedAt'), null);
  assert.notEqual(await world.redis.zscore('sse:active', 'left'), null);
});

story('a stranger finds nothing: not while it lives, not when it ended, not when its result expired', { guardian: false }, async (world) => {
  const strangerSees = async (when) => {
    for (const [method, path] of [['GET', ''], ['HEAD', ''], ['GET', '/recover'], ['HEAD', '/recover'], ['GET', '?from=now']]) {
      const theirs = await world.get(`/api/stream/mine${path}`, { method, user: 'u2' });
      assert.equal(theirs.status, 404, `${method} ${path || '/'} ${when}`);
      if (path === '/recover' && method === 'GET') {
        const unknown = await world.get('/api/stream/none/recover', { user: 'u2' });
        assert.deepEqual({ ...theirs.json, streamId: '' }, { ...unknown.json, streamId: '' }, `${when}: the answer is that for an unknown stream`);
      }
    }
    const resumed = await world.get('/api/stream/mine', { user: 'u2', headers: { 'last-event-id': '1-0' } });
    assert.equal(resumed.status, 404, `with a Last-Event-ID ${when}`);
  };
  const viewer = await world.viewer('mine');
  await strangerSees('while it lives');
  await world.ctl('emit', 'mine', 'token', '{"secret":1}');
  const end = await world.ctl('complete', 'mine', '{"secret":2}');
  await viewer.end();
  await strangerSees('after the end');
  await world.redis.del('sse:stream:mine');
  await strangerSees('with the completion only');
  assert.equal((await world.recover('mine')).json.status, 'completed', 'the owner still gets it');
  await world.ctl('open', 'mine2', '--user', 'u1');
  await world.ctl('complete', 'mine2');
  await world.redis.del('sse:completion:mine2', 'sse:events:mine2');
  assert.equal((await world.get('/api/stream/mine2', { user: 'u2' })).status, 404, 'a tombstone has an owner');
  assert.equal((await world.recover('mine2')).status, 410);
  assert.ok(end);
});

// One Redis, two implementations: ours, and one that issues the commands of the TypeScript pattern. Each reads what the other writes.
import assert from 'node:assert/strict';
import { assertKeys } from '../support/checker.mjs';
import { SeedCompletionStore, SeedRegistry, seedGuardianCheck, seedHook } from '../support/seed.mjs';
import { story } from '../support/world.mjs';
import { stays, until } from '../support/wait.mjs';

const state = (world, id) => world.redis.hget(`sse:stream:${id}`, 'state');

story('its registry reads our streams', { guardian: false }, async (world) => {
  const registry = new SeedRegistry(world.redis);
  const viewer = await world.viewer('ours');
  const stream = await registry.getStream('ours');
  assert.equal(stream.streamId, 'ours');
  assert.equal(stream.streamType, 'generation');
  assert.equal(stream.userId, 'u1');
  assert.equal(stream.state, 'active');
  assert.deepEqual(stream.metadata, {});
  assert.ok(!Number.isNaN(stream.startedAt.getTime()) && stream.lastHeartbeat >= stream.startedAt);
  assert.equal(await registry.register({ streamId: 'ours', userId: 'u2' }), false, 'ours is there already');
  assert.equal(await registry.heartbeat('ours'), true);
  assert.deepEqual(await registry.getStaleStreams(30), []);
  await world.ctl('open', 'typed', '--type', 'export', '--user', 'u7', '--metadata', '{"rows":12}');
  const typed = await registry.getStream('typed');
  assert.equal(typed.streamType, 'export');
  assert.deepEqual(typed.metadata, { rows: 12 });

  assert.equal(await registry.unregister('ours'), true);
  await until(() => state(world, 'ours').then((now) => now === 'active'), { what: 'the next beat to register the stream of a live viewer again' });
  assert.equal((await registry.getStream('ours')).userId, 'u1', 'with its owner');
  assert.notEqual(await world.redis.zscore('sse:active', 'ours'), null);
  assert.equal(viewer.ended, undefined);
});

story('our programs read its streams', {}, async (world) => {
  const registry = new SeedRegistry(world.redis);
  await registry.register({ streamId: 'theirs', userId: 'u1', streamType: 'deploy', metadata: { step: 1 } });
  assert.equal((await world.recover('theirs')).json.status, 'active');
  assert.equal((await world.recover('theirs', { user: 'u2' })).status, 404);
  const shown = await world.json('show', 'theirs');
  assert.match(JSON.stringify(shown), /deploy/);
  const viewer = await world.viewer('theirs');
  assert.equal((await registry.getStream('theirs')).streamType, 'deploy', 'a viewer does not change what it joins');
  await world.ctl('emit', 'theirs', 'token', '{"n":1}');
  await viewer.until('token');
  assert.match(await world.ctl('list'), /theirs/);
});

story('its heartbeats keep a stream from our guardian, and their end does not', {}, async (world) => {
  const registry = new SeedRegistry(world.redis);
  await registry.register({ streamId: 'beaten', userId: 'u1' });
  await registry.register({ streamId: 'left', userId: 'u1' });
  await until(async () => {
    await registry.heartbeat('beaten');
    return await state(world, 'left') === 'orphaned';
  }, { what: 'our guardian to mark the one that nobody beats' });
  assert.equal(await state(world, 'beaten'), 'active');
  assert.equal(await world.redis.zscore('sse:active', 'left'), null);
  assert.deepEqual(await registry.getStaleStreams(0).then((all) => all.map((one) => one.streamId)), ['beaten']);
});

story('its completions are read by ours, before, during and after a viewer', { guardian: false }, async (world) => {
  const registry = new SeedRegistry(world.redis);
  const store = new SeedCompletionStore(world.redis);
  await registry.register({ streamId: 'before', userId: 'u1' });
  await store.storeCompletion({ streamId: 'before', data: { answer: 42 } });
  const late = await world.stream('before').ready();
  assert.equal(await late.end(), 'end');
  assert.deepEqual(late.events.map((event) => event.json), [{ type: 'completed', data: { answer: 42 } }]);
  const recovered = (await world.recover('before')).json;
  assert.equal(recovered.status, 'completed');
  assert.deepEqual(recovered.terminalEventData, { answer: 42 });
  assert.equal((await world.recover('before', { user: 'u2' })).status, 404);
  assert.equal((await world.get('/api/stream/before', { user: 'u2' })).status, 404);

  const live = world.follow('during');
  await until(() => live.current?.ofType('connected').length, { what: 'connected' });
  await world.ctl('emit', 'during', 'token', '{"n":1}');
  await until(() => live.events.length === 1, { what: 'the event before the end' });
  await store.storeCompletion({ streamId: 'during', type: 'failed', data: { why: 'theirs' } });
  assert.equal(await live.closed(), 204, 'a beat notices it, the stream ends, and the browser is told to stay away');
  assert.deepEqual(live.events.map((event) => event.json), [{ type: 'token', data: { n: 1 } }, { type: 'failed', data: { why: 'theirs' } }]);
  assert.equal((await store.getCompletion('during')).terminalEventType, 'failed');
});

story('a completion whose owner nobody knows is answered where ids are the secret', { guardian: false, conf: { anonymous: 'allow' } }, async (world) => {
  await new SeedCompletionStore(world.redis).storeCompletion({ streamId: 'alone', data: { n: 1 } });
  const viewer = await world.stream('alone', { user: '' }).ready();
  await viewer.end();
  assert.deepEqual(viewer.events.map((event) => event.json), [{ type: 'completed', data: { n: 1 } }]);
});

story('our completions are read by its store', { guardian: false }, async (world) => {
  const store = new SeedCompletionStore(world.redis);
  assert.equal(await store.getCompletion('c1'), null);
  for (const [command, type] of [['complete', 'completed'], ['fail', 'failed'], ['cancel', 'cancelled']]) {
    await world.ctl('open', type, '--user', 'u1');
    await world.ctl(command, type, '{"by":"ours"}');
    const stored = await store.getCompletion(type);
    assert.equal(stored.terminalEventType, type);
    assert.deepEqual(stored.terminalEventData, { by: 'ours' });
    assert.ok(Math.abs(stored.completedAt.getTime() - Date.now()) < 10000, `completedAt is now: ${stored.completedAt}`);
  }
});

story('its guardian marks, a live viewer revives', { guardian: false, conf: { beat_interval: '500ms' } }, async (world) => {
  const registry = new SeedRegistry(world.redis);
  const viewer = await world.viewer('alive');
  assert.deepEqual(await seedGuardianCheck(registry, 0), ['alive']);
  await until(() => state(world, 'alive').then((now) => now === 'active'), { what: 'a beat to revive the stream' });
  assert.notEqual(await world.redis.zscore('sse:active', 'alive'), null);
  await world.ctl('complete', 'alive');
  await viewer.end();
  assert.deepEqual(await seedGuardianCheck(registry, 0), [], 'a stream that ended is out of its reach');
  assert.equal(await state(world, 'alive'), 'completed');
});

story('our guardian heals what its races leave behind', {}, async (world) => {
  const { redis } = world;
  const registry = new SeedRegistry(redis);
  await registry.register({ streamId: 'immortal', userId: 'u1' });
  await redis.persist('sse:stream:immortal');
  await redis.hset('sse:stream:ghost', 'state', 'orphaned'); // an update after the record expired
  await redis.zadd('sse:active', Date.now() - 3600_000, 'nobody'); // a member whose record expired
  await registry.register({ streamId: 'lost', userId: 'u1' });
  await redis.zrem('sse:active', 'lost');
  const keepsBeating = async () => { await registry.heartbeat('immortal'); await redis.persist('sse:active'); };
  await until(async () => {
    await keepsBeating();
    return await redis.pttl('sse:stream:immortal') > 0 && await redis.pttl('sse:stream:ghost') > 0;
  }, { deadline: 15000, what: 'a TTL on the records that had none' });
  await until(async () => await redis.zscore('sse:active', 'nobody') === null, { deadline: 15000, what: 'the index without the member that has no record' });
  await until(async () => await redis.zscore('sse:active', 'lost') !== null || await state(world, 'lost') === 'orphaned',
    { deadline: 15000, what: 'the record that fell out of the index to be seen again' });
  await until(async () => await redis.pttl('sse:active') > 0, { deadline: 15000, what: 'a TTL on the index' });
  await assertKeys(redis);
});

story('its page works against ours: completed, failed, and completed before it came', { guardian: false }, async (world) => {
  const base = world.url('/api/stream');
  const connected = (id) => until(() => world.redis.exists(`sse:stream:${id}`), { what: `the page's stream ${id}` });

  const page = seedHook(base, 'p1');
  await connected('p1');
  await world.ctl('emit', 'p1', 'token', '{"text":"Hel"}');
  await world.ctl('complete', 'p1', '{"text":"Hello"}');
  const done = await page;
  assert.equal(done.status, 'completed');
  assert.deepEqual(done.data, { text: 'Hello' });
  assert.deepEqual(done.messages.map((message) => message.type), ['connected', 'token', 'completed']);
  assert.deepEqual(await seedHook(base, 'p1'), { status: 'completed', data: { text: 'Hello' }, messages: [] }, 'recover is enough');

  const failing = seedHook(base, 'p2');
  await connected('p2');
  await world.ctl('fail', 'p2', '{"why":"quota"}');
  assert.deepEqual((await failing).data, { why: 'quota' });
  const afterwards = await seedHook(base, 'p2'); // it does not look for failed in recover, and gets it from the stream
  assert.deepEqual(afterwards.messages, [{ type: 'failed', data: { why: 'quota' } }]);
});

story('a mixed crowd leaves nothing immortal', {}, async (world) => {
  const registry = new SeedRegistry(world.redis);
  const store = new SeedCompletionStore(world.redis);
  for (let i = 0; i < 20; i++) await registry.register({ streamId: `m${i}`, userId: 'u1' });
  const viewers = await Promise.all(Array.from({ length: 10 }, (_, i) => world.viewer(`m${i}`)));
  for (let i = 0; i < 5; i++) await store.storeCompletion({ streamId: `m${i}`, data: { i } });
  for (let i = 15; i < 20; i++) await registry.unregister(`m${i}`);
  await Promise.all(viewers.slice(0, 5).map((viewer) => viewer.until('completed')));
  await until(async () => (await Promise.all([10, 11, 12, 13, 14].map((i) => state(world, `m${i}`)))).every((now) => now === 'orphaned'),
    { what: 'the streams that nobody beats to be marked' });
  await stays(async () => (await Promise.all([5, 6, 7, 8, 9].map((i) => state(world, `m${i}`)))).every((now) => now === 'active'),
    { during: 1500, what: 'streams with our viewers are active' });
  await assertKeys(world.redis);
});

// Many streams with viewers and producers, events flowing, while something breaks: nothing may be lost, doubled, closed or orphaned.
import assert from 'node:assert/strict';
import { assertDelivered, assertKeys, assertStored, readLog } from './checker.mjs';
import { each, repeatedly, until } from './wait.mjs';

/** Streams `prefix`-0 .. n-1, each with a viewer that resumes like a browser and an `ssectl emit ID -` that feeds it. */
export async function startFlow(world, { streams, every = 100, prefix = 'flow', deadline = '60s' }) {
  const ids = Array.from({ length: streams }, (_, i) => `${prefix}-${i}`);
  const followers = [];
  const processes = world.responders.count; // each gets its share of the viewers
  for (let k = 0; k < processes; k++) {
    const share = ids.slice(Math.round(k * streams / processes), Math.round((k + 1) * streams / processes));
    followers.push(...await world.onlyAt(k, () => each(share, 20, async (id) => {
      const follower = world.follow(id);
      await until(() => follower.connections[0]?.ofType('connected').length, { what: `connected on ${id}` });
      return follower;
    })));
  }
  const producers = await each(ids, 10, async (id) => {
    const producer = world.producer(id, '--deadline', deadline);
    producer.emit('token', { n: 0 });
    await producer.confirmed(1);
    return producer;
  });
  // A tenth of the streams at each tick, so that events come evenly.
  const pump = repeatedly((turn) => {
    for (let i = turn % 10; i < streams; i += 10) producers[i].emit('token', { n: producers[i].sent });
  }, every / 10);
  const flow = { ids, followers, producers, pump };
  await more(flow, 3);
  return flow;
}

/** Until every viewer has `count` events more than now. */
export async function more({ followers, ids }, count, deadline = 20000) {
  const goals = followers.map((follower) => follower.events.length + count);
  const behind = () => ids.filter((_, i) => followers[i].events.length < goals[i]);
  await until(() => behind().length === 0, { deadline, what: () => `${count} more events for each viewer; behind: ${behind().length}, such as ${behind()[0]}` });
}

/** Stop the producers, complete the streams, and hold what each viewer received against the log. */
export async function endFlow(world, { ids, followers, producers, pump }, { reconnects = false } = {}) {
  await pump.stop();
  const acked = await Promise.all(producers.map((producer) => producer.finish({ deadline: 60000 })));
  await each(ids, 10, (id, i) => world.ctl('complete', id, JSON.stringify({ n: producers[i].sent })));
  await each(ids, 20, async (id, i) => {
    const follower = followers[i];
    assert.equal(await follower.closed({ deadline: 20000 }), 204, `${id}: after the end a browser is told not to come back`);
    const log = await readLog(world.redis, id);
    assert.equal(acked[i].length, producers[i].sent, `${id}: every event was confirmed`);
    assertStored({ who: id, acked: acked[i], log }); // an `orphaned` entry would show here
    assertDelivered({ who: id, events: follower.events, log });
    if (!reconnects) assert.equal(follower.connections.length, 2, `${id}: one stream to the end, then the 204`);
  });
  await assertKeys(world.redis);
}

/** A stale, unleased stream that any guardian who dares must mark: shows that the guardians are at work. */
export async function guardianMarksBait(world, { deadline = 15000 } = {}) {
  const id = `bait-${Math.random().toString(36).slice(2, 8)}`;
  const old = Date.now() - 3600_000;
  await world.redis.pipeline()
    .hset(`sse:stream:${id}`, { streamId: id, streamType: 'generation', userId: 'bait', state: 'active', metadata: '{}',
      startedAt: new Date(old).toISOString(), lastHeartbeat: new Date(old).toISOString() })
    .expire(`sse:stream:${id}`, 3600).zadd('sse:active', old, id).exec();
  await until(async () => await world.redis.hget(`sse:stream:${id}`, 'state') === 'orphaned', { deadline, what: 'a guardian that marks a stale stream' });
  return id;
}

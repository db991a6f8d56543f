// Crowds and slow clients: what they cost, and that they cost nobody else anything.
import assert from 'node:assert/strict';
import { allKeys, assertDelivered, assertKeys, readLog } from '../support/checker.mjs';
import { Peer } from '../support/fcgipeer.mjs';
import { needDescriptors, sanitized } from '../support/proc.mjs';
import { program, story } from '../support/world.mjs';
import { crowd, each, repeatedly, until } from '../support/wait.mjs';

const plainBuild = !sanitized(program('sse-fcgi'));

/** A viewer straight on the FastCGI socket, once it has its `connected`. */
async function directViewer(world, id, options) {
  const peer = Peer.request(world.fcgi, { path: `/api/stream/${id}` }, options);
  await peer.until('connected', { deadline: 20000 });
  return peer;
}

/** How often a heartbeat was written to the index so far (scripts' commands are counted, too). */
async function heartbeatsWritten(world) {
  return Number((await world.redis.info('commandstats')).match(/cmdstat_zadd:calls=(\d+)/)?.[1] ?? 0);
}

const loadConf = { heartbeat_interval: '2s', beat_interval: '2s', stale_threshold: '30s', max_streams: '20000' };

story('five thousand idle streams in one process: memory, connections, and all leaving at once',
  { guardian: false, lighttpd: false, conf: loadConf, timeout: 90000 }, async (world) => {
    const count = crowd(5000, 200);
    needDescriptors(count + 200);
    const [responder] = world.responders.list;
    const warm = await each(Array.from({ length: 100 }, (_, i) => `warm-${i}`), 20, (id) => directViewer(world, id));
    await Promise.all(warm.map((peer) => peer.heartbeat()));
    warm.forEach((peer) => peer.close());
    await until(async () => await world.redis.zcard('sse:active') === 0, { what: 'the first hundred to be gone' });
    const idle = { rss: responder.rssKiB, threads: responder.threads, sockets: responder.sockets };

    const opening = performance.now();
    const writes = await heartbeatsWritten(world);
    const peers = await each(Array.from({ length: count }, (_, i) => `idle-${i}`), 64, (id) => directViewer(world, id, { keepRaw: false }));
    const rounds = (performance.now() - opening) / 2000; // beat_interval
    const perViewer = (await heartbeatsWritten(world) - writes) / count;
    await until(() => peers.every((peer) => peer.heartbeats > 0), { deadline: 20000, what: 'a heartbeat on every stream' });
    assert.equal(await world.redis.zcard('sse:active'), count);
    assert.equal(responder.sockets - idle.sockets, count, 'one socket a stream');
    assert.equal(responder.threads, idle.threads, 'no thread of its own for any stream');
    const perStream = (responder.rssKiB - idle.rss) / count;
    console.log(`# ${count} idle streams: ${perStream.toFixed(2)} KiB of RSS each${plainBuild ? '' : ' (sanitizer build: not judged)'}`);
    assert.ok(perViewer <= 2 + rounds, `while they came, each stream was written ${perViewer.toFixed(1)} times to the index, in ${rounds.toFixed(1)} beats: a new viewer must not cost the others a beat`);
    if (plainBuild) assert.ok(perStream <= 1, `RSS grew by ${perStream.toFixed(2)} KiB a stream, from ${idle.rss} KiB`);
    const connections = (await world.redis.client('LIST')).trim().split('\n');
    const me = await world.redis.client('ID');
    assert.equal(connections.filter((line) => !line.startsWith(`id=${me} `)).length, 2, `one connection for commands, one for Pub/Sub:\n${connections.join('\n')}`);

    const start = performance.now();
    peers.forEach((peer) => peer.close());
    await until(async () => await world.redis.zcard('sse:active') === 0 && (await allKeys(world.redis, 'sse:viewers:*')).length === 0,
      { what: 'all streams and viewers to be gone from Redis' });
    console.log(`# all gone after ${(performance.now() - start).toFixed(0)} ms`);
    await until(() => responder.sockets === idle.sockets, { what: 'all sockets to be closed' });
    assert.deepEqual(await allKeys(world.redis, 'sse:stream:*'), [], 'nothing was published, nothing stays');
  });

/** Bulk events into a stream, some 250 bytes each, as fast as `reader` takes them: it is never far behind. */
async function emitMany(world, id, count, reader) {
  const producer = world.producer(id, '--deadline', '60s');
  const pad = 'x'.repeat(200);
  const before = reader.ofType('token').length;
  for (let n = 0; n < count; n++) {
    producer.emit('token', { n, pad });
    if (n % 400 !== 399 && n !== count - 1) continue;
    await until(() => reader.ofType('token').length === before + n + 1, { deadline: 20000, what: () => `a client that reads to get ${n + 1} events` });
  }
  return producer.finish();
}

/** A client that stops reading while events pass, beside one that reads on; the responder's memory must not follow. */
async function stoppedReader(world, id, events) {
  const [responder] = world.responders.list;
  await emitMany(world, 'warm', 4000, await directViewer(world, 'warm', { keepRaw: false }));
  const peer = await directViewer(world, id, { keepRaw: false });
  const other = await directViewer(world, id, { keepRaw: false });
  const first = await emitMany(world, id, 10, other);
  await until(() => peer.ofType('token').length === 10, { what: 'the first ten events' });
  peer.pause();
  const before = responder.rssKiB;
  let most = before;
  const watching = repeatedly(() => { most = Math.max(most, responder.rssKiB); }, 20);
  const acked = [...first, ...await emitMany(world, id, events, other)];
  await watching.stop();
  console.log(`# a client stood still for ${events} events: the responder went from ${before} to ${most} KiB`);
  if (plainBuild) assert.ok(most - before <= 2048, `RSS grew from ${before} to ${most} KiB`);
  else assert.ok(most < 8 * before, 'RSS has a bound, even with a sanitizer');
  return { peer, other, acked };
}

const slow = { guardian: false, lighttpd: false, timeout: 120000 };

story('a client that stopped reading gets every event once, when the log still has them', { ...slow, conf: { ...loadConf, log_events: '30000' } }, async (world) => {
  const events = crowd(20_000, 5000);
  const { peer, acked } = await stoppedReader(world, 'slow', events);
  assert.ok(peer.ofType('token').length < events / 2, 'it really stood still');
  peer.resume();
  const end = await world.ctl('complete', 'slow');
  await peer.end({ deadline: 30000 });
  assert.equal(peer.events.at(-1).id, end);
  assert.equal(acked.length, events + 10);
  assertDelivered({ who: 'the slow client', events: peer.events, log: await readLog(world.redis, 'slow') });
});

story('a client that stopped reading is told of the gap, when the log has moved on', { ...slow, conf: { ...loadConf, log_events: '500' } }, async (world) => {
  const events = crowd(20_000, 5000);
  const { peer, other } = await stoppedReader(world, 'slower', events);
  peer.resume();
  await until(() => peer.ofType('gap').length > 0, { deadline: 20000, what: 'a gap event' });
  await world.ctl('complete', 'slower');
  await Promise.all([peer.end({ deadline: 30000 }), other.end({ deadline: 30000 })]);
  const log = await readLog(world.redis, 'slower');
  assertDelivered({ who: 'the slow client', events: peer.events, log, gapsAllowed: true });
  const all = other.events.slice(1).map((event) => event.id);
  assert.equal(new Set(all).size, all.length);
  assert.equal(other.ofType('gap').length, 0, 'the one that reads lost nothing');
  const first = peer.events.slice(1, peer.events.findIndex((event) => event.json.type === 'gap')).map((event) => event.id);
  assert.deepEqual(first, all.slice(0, first.length), 'before the gap nothing is missing');
  await assertKeys(world.redis);
});

// The page's module, on Node's fetch, against the programs: over a network that cuts, over restarts, and after the end.
import assert from 'node:assert/strict';
import { openStream } from '../../client/src/index.js';
import { assertDelivered, readLog } from '../support/checker.mjs';
import { cutting } from '../support/cutting.mjs';
import { story } from '../support/world.mjs';
import { settled, until } from '../support/wait.mjs';

/** A page at `base`: relative URLs, as in a browser, so that the id goes as a header. */
function visit(world, id, { base = world.url(''), user = 'u1', ...options } = {}) {
  const events = [], statuses = [];
  const stream = openStream(`/api/stream/${id}`, { headers: { 'x-user-id': user }, fetch: (url, init) => fetch(base + url, init), ...options });
  stream.on('*', ({ id: eventId, type, data }) => events.push({ id: eventId, json: { type, data } }));
  stream.subscribe(({ status }) => statuses.at(-1) !== status && statuses.push(status));
  world.keep({ kill: async () => stream.close() });
  const is = (status, deadline = 15000) => until(() => stream.state.status === status, { deadline, what: () => `${status}, after ${statuses.join(' ')} (${JSON.stringify(stream.state.error)})` });
  return { stream, events, statuses, is, end: (deadline = 30000) => settled(stream.done, { deadline, what: () => `the end, after ${statuses.slice(-9).join(' ')}` }) };
}

/** Emit n events, wait until they are stored. */
async function emit(world, producer, n) {
  for (let i = 0; i < n; i++) producer.emit('token', { n: producer.sent, text: 'wörd\r\n'.repeat(producer.sent % 4) });
  await producer.confirmed(producer.sent, 20000);
}

async function complete(world, id, producer) {
  await producer.finish();
  await world.ctl('complete', id, '{"done":true}');
}

story('a network that cuts at any byte: what the page was told is the log', { guardian: false, timeout: 90000 }, async (world) => {
  const relay = world.keep(await cutting({ host: '127.0.0.1', port: world.port }, { from: 300, to: 2500 }));
  const pages = Array.from({ length: 5 }, (_, i) => visit(world, 'cut', { base: `http://127.0.0.1:${relay.port}`, credentials: 'same-origin', giveUpAfter: 600000 + i }));
  await Promise.all(pages.map((page) => until(() => page.stream.state.lastEventId, { what: 'the guard' })));
  const producer = world.producer('cut');
  for (let i = 0; i < 15; i++) {
    await emit(world, producer, 10);
    await until(() => pages.some((page) => page.events.length > 5 * i), { deadline: 20000, what: 'events at a page' });
  }
  await complete(world, 'cut', producer);
  const log = await readLog(world.redis, 'cut');
  for (const [i, page] of pages.entries()) {
    const { status, result } = await page.end();
    assert.deepEqual([status, result], ['completed', { done: true }]);
    assertDelivered({ who: `page ${i}`, events: page.events, log });
  }
  assert.ok(relay.cuts > 20, `${relay.cuts} cuts`);
});

story('the responder is killed, Redis is killed: the page goes on, and misses nothing', { conf: { stale_threshold: '20s', pending_wait: '20s' }, timeout: 90000 }, async (world) => {
  const page = visit(world, 'restart', { base: '', fetch: (url, init) => fetch(world.url(url), init) });
  await page.is('connected');
  const producer = world.producer('restart', '--deadline', '60s');
  await emit(world, producer, 5);
  await world.killResponder();
  await page.is('reconnecting');
  await emit(world, producer, 5);
  await world.startResponder();
  await until(() => page.events.length === 10, { deadline: 40000, what: 'the events of the time without a responder' });
  await page.is('connected');
  await world.killRedis();
  producer.emit('token', { n: 'while Redis is away' });
  await world.readiness(503);
  assert.equal(page.stream.state.status, 'connected', 'heartbeats go on');
  await world.startRedis();
  await emit(world, producer, 5);
  await complete(world, 'restart', producer);
  assert.equal((await page.end()).status, 'completed');
  assertDelivered({ who: 'the page', events: page.events, log: await readLog(world.redis, 'restart') });
});

story('after the end: late, resumed, told 204, expired', { guardian: false }, async (world) => {
  await world.ctl('open', 'done', '--user', 'u1');
  await world.ctl('emit', 'done', 'token', '1');
  const end = await world.ctl('fail', 'done', '{"why":"quota"}');
  const log = await readLog(world.redis, 'done');

  const late = visit(world, 'done');
  assert.equal((await late.end()).status, 'failed');
  assertDelivered({ who: 'a late page', events: late.events, log });

  const reloaded = visit(world, 'done', { lastEventId: end });
  assert.deepEqual((await reloaded.end()).result, { why: 'quota' });
  assert.deepEqual(reloaded.statuses, ['idle', 'connecting', 'recovering', 'failed'], 'recover was enough');

  const told = visit(world, 'done', { lastEventId: end, recoverUrl: '/nothing-here' });
  assert.equal((await told.end()).status, 'closed', 'of a 204 without a recover nothing more is known');
  assert.deepEqual(told.events, []);

  await world.redis.del('sse:completion:done', 'sse:events:done'); // as their TTL would
  const expired = visit(world, 'done');
  assert.equal((await expired.end()).status, 'expired');
  assert.equal((await visit(world, 'done', { lastEventId: end }).end()).status, 'expired');
});

story('another user, and none: an error with its status; by polling, too', { guardian: false }, async (world) => {
  await world.viewer('mine');
  for (const transport of [undefined, 'poll']) {
    const theirs = visit(world, 'mine', { user: 'u2', transport });
    assert.equal((await theirs.end()).status, 'error');
    assert.equal(theirs.stream.state.error.status, 404);
  }
  const nobody = visit(world, 'mine', { headers: {} });
  assert.equal((await nobody.end()).status, 'error');
  assert.equal(nobody.stream.state.error.status, 401);
  let asked = 0;
  const later = visit(world, 'mine', { headers: () => (asked ? { 'x-user-id': 'u1' } : {}), onAuth: () => { asked++; } });
  await later.is('connected');
  assert.equal(asked, 1);
});

story('polling recover is the log, too', { guardian: false, timeout: 60000 }, async (world) => {
  const watcher = await world.viewer('polled');
  const page = visit(world, 'polled', { transport: 'poll' });
  await page.is('polling');
  const producer = world.producer('polled');
  await emit(world, producer, 250);
  await complete(world, 'polled', producer);
  await watcher.end();
  assert.equal((await page.end()).status, 'completed');
  assertDelivered({ who: 'the page', events: page.events, log: await readLog(world.redis, 'polled') });
});

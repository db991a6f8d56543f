// The sixteen defects of the client that this one replaces, each as a test of its own. Those of the hook are in react.test.mjs.
import { afterEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { Page, GUARD, connected, message, settle } from './support/page.mjs';
import * as core from '../dist/index.js';

let stream;
afterEach(() => stream.close());
async function openStream(options, url = '/api/stream/s') {
  const page = new Page(), events = [];
  stream = core.openStream(url, options);
  stream.on('*', (event) => events.push(event));
  await settle();
  return { page, events };
}
async function nextRequest(page) {
  const before = page.requests.length;
  for (let i = 0; i < 1000 && page.requests.length === before; i++) await page.clock.pass(100);
  assert.ok(page.requests.length > before, 'another request');
  return page.last;
}

test('seed defect 1: the status is connected while it is', async () => {
  const { page } = await openStream();
  assert.equal(stream.state.status, 'connecting');
  await (await page.last.open()).send(GUARD());
  assert.equal(stream.state.status, 'connected');
});

test('seed defect 2: failed is not completed', async () => {
  const { page } = await openStream();
  await (await page.last.open()).send(message('5-0', 'failed', { why: 'quota' }));
  assert.equal(stream.state.status, 'failed');
  assert.deepEqual((await stream.done).result, { why: 'quota' });
});

test('seed defect 3: the backoff is exponential, and random', async () => {
  const { page } = await openStream();
  const waits = (chance) => {
    page.clock.random = () => chance;
    return stream.state.nextRetryAt - page.clock.now;
  };
  const seen = [];
  for (let i = 0; i < 5; i++) {
    page.clock.random = () => (i % 2 ? 0.25 : 1);
    await page.last.cut();
    seen.push(waits());
    await nextRequest(page);
  }
  assert.deepEqual(seen, [500, 250, 2000, 1000, 8000]);
});

test('seed defect 4: drops are not counted over the life of a page, and an error is not for ever', async () => {
  const { page } = await openStream();
  for (let i = 1; i <= 20; i++) {
    await (await page.last.open()).send(GUARD(), message(`${i}-0`, 'a', i));
    await page.last.cut();
    assert.equal(stream.state.attempt, 1);
    await nextRequest(page);
  }
  await page.last.refuse(400);
  assert.equal(stream.state.status, 'error');
  stream.reconnect();
  await (await nextRequest(page)).open();
  assert.equal(page.last.cursor, '20-0');
});

test('seed defect 5: closed while waiting, it asks no more', async () => {
  const { page } = await openStream();
  await page.last.cut();
  stream.close();
  await page.clock.pass(600000);
  assert.equal(page.requests.length, 1);
  assert.equal(page.clock.timers.size, 0);
});

test('seed defect 6: closed while recover is asked, it opens nothing', async () => {
  const { page } = await openStream({ lastEventId: '5-0' });
  const asked = page.last;
  stream.close();
  await asked.json({ status: 'active', events: [] });
  await page.clock.pass(60000);
  assert.ok(asked.aborted);
  assert.equal(page.requests.length, 1);
});

test('seed defect 7: a new connection goes on after the last event', async () => {
  const { page } = await openStream();
  await (await page.last.open()).send(message('5-0', 'a', 1));
  await page.last.cut();
  assert.equal((await nextRequest(page)).cursor, '5-0');
});

test('seed defect 8: five tokens in one piece are five events', async () => {
  const { page, events } = await openStream();
  await (await page.last.open()).send([1, 2, 3, 4, 5].map((n) => message(`${n}-0`, 'token', n)).join(''));
  assert.deepEqual(events.map((event) => event.data), [1, 2, 3, 4, 5]);
});

test('seed defect 9: named events are heard', async () => {
  const { page, events } = await openStream();
  await (await page.last.open()).send('event: progress\ndata: 1\n\n', 'event: completed\ndata: {"n":1}\n\n');
  assert.deepEqual(events.map((event) => event.type), ['progress', 'completed']);
  assert.equal(stream.state.status, 'completed');
});

test('seed defect 10: data that is no JSON throws nothing', async () => {
  const { page, events } = await openStream();
  await (await page.last.open()).send('data: plain {text\n\n', message('5-0', 'a', 1));
  assert.deepEqual(events.map((event) => event.data), ['plain {text', 1]);
});

test('seed defect 12: 204, 401 and 404 are no drops', async () => {
  for (const [http, answer, expected] of [[204, { status: 'expired' }, 'expired'], [401, null, 'error'], [404, { status: 'not_found' }, 'error']]) {
    const { page } = await openStream();
    await page.last.refuse(http);
    if (answer) await page.last.json(answer, 404);
    assert.equal(stream.state.status, expected, `${http}`);
    const asked = page.requests.length;
    await page.clock.pass(600000);
    assert.equal(page.requests.length, asked);
  }
});

test('seed defect 13: silence is noticed; online, looked at and the back/forward cache wake it', async () => {
  const { page } = await openStream();
  await (await page.last.open()).send(GUARD());
  await page.clock.pass(47000);
  assert.ok(page.requests[0].aborted);
  for (const wake of [() => page.online(true), () => page.tell('visibilitychange'), () => page.tell('pageshow', { persisted: true })]) {
    page.clock.random = () => 0.9;
    for (let i = 0; i < 7; i++) await (await nextRequest(page)).cut();
    const asked = page.requests.length;
    wake();
    await page.clock.pass(1000);
    assert.equal(page.requests.length, asked + 1);
    await page.last.cut();
  }
});

test('seed defect 14: recover that hangs holds nothing up, and every end is known', async () => {
  const { page } = await openStream({ lastEventId: '5-0' });
  await page.clock.pass(5100);
  assert.equal(page.last.url, '/api/stream/s');
  for (const status of ['completed', 'failed', 'cancelled', 'expired']) {
    const again = await openStream({ lastEventId: '5-0', silence: 45000 + status.length });
    await again.page.last.json({ status, terminalEventType: status, terminalEventData: 1 });
    assert.equal(stream.state.status, status);
    stream.close();
  }
});

test('seed defect 15: path, headers, credentials and options are the page\'s', async () => {
  const { page } = await openStream({ headers: { 'x-a': 'b' }, credentials: 'include' }, '/events/1?k=v');
  assert.deepEqual([page.last.url, page.last.headers.get('x-a'), page.last.init.credentials], ['/events/1?k=v', 'b', 'include']);
});

test('seed defect 16: whoever comes back after the end asks with its id, so that the server need not begin a new stream', async () => {
  const { page } = await openStream();
  await (await page.last.open()).send(GUARD(), connected(), message('5-0', 'a', 1));
  await page.last.cut();
  await (await nextRequest(page)).refuse(204);
  assert.equal(page.requests[1].cursor, '5-0');
  assert.match(page.last.url, /recover\?after=5-0$/);
  await page.last.json({ status: 'expired' }, 410);
  assert.equal(stream.state.status, 'expired');
});

// One stream on a page whose time, network and visibility the test decides: what happens when.
import { afterEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { Page, GUARD, connected, message, settle } from './support/page.mjs';
import * as core from '../dist/index.js';
import * as anywhere from '../dist/eventsource.js';

const { eventSource } = anywhere, opened = [];
const opening = (open) => (...given) => {
  opened.push(open(...given));
  return opened.at(-1);
};
const openStream = opening(core.openStream), openAnywhere = opening(anywhere.openStream);
afterEach(() => opened.splice(0).forEach((stream) => stream.close()));

/** A page with a stream, what it heard and each status it had. */
async function begin(options = {}, { url = '/api/stream/s', open = openStream } = {}) {
  opened.splice(0).forEach((stream) => stream.close());
  const page = new Page();
  const stream = open(url, options), events = [], statuses = [];
  stream.on('*', (event) => events.push(event));
  stream.subscribe((state) => statuses.at(-1) !== state.status && statuses.push(state.status));
  await settle();
  const types = () => events.map((event) => event.type);
  const ids = () => events.map((event) => event.id);
  return { page, stream, events, statuses, types, ids, is: (status) => assert.equal(stream.state.status, status, statuses.join(' ')) };
}

/** ... and connected, after these blocks. */
async function live(options, more, ...blocks) {
  const t = await begin(options, more);
  await (await t.page.last.open()).send(GUARD(), connected(), ...blocks);
  return t;
}

/** Time until the next request, and that request. */
async function nextRequest(page, within = 60000) {
  const before = page.requests.length, start = page.clock.now;
  while (page.requests.length === before && page.clock.now - start < within) await page.clock.pass(50);
  assert.ok(page.requests.length > before, `a request within ${within} ms`);
  return { request: page.last, after: page.clock.now - start };
}

test('from the first byte to the end', async () => {
  const { page, stream, events, statuses } = await begin();
  assert.equal(page.last.url, '/api/stream/s');
  assert.equal(page.last.headers.get('accept'), 'text/event-stream');
  assert.equal(page.last.cursor, null);
  assert.equal(page.last.init.cache, 'no-store');
  await (await page.last.open()).send(GUARD(), connected(), message('5-0', 'token', { t: 'Hel' }), message('5-1', 'completed', { n: 1 }));
  assert.deepEqual(events, [{ id: '5-0', type: 'token', data: { t: 'Hel' } }, { id: '5-1', type: 'completed', data: { n: 1 } }]);
  assert.deepEqual(statuses, ['idle', 'connecting', 'connected', 'completed']);
  assert.deepEqual(await stream.done, { status: 'completed', lastEventId: '5-1', attempt: 0, nextRetryAt: null, error: null, result: { n: 1 } });
  assert.ok(page.last.aborted, 'the connection is not left open');
  await page.clock.pass(3600_000);
  assert.equal(page.requests.length, 1, 'nobody asks again');
  assert.equal(page.clock.timers.size, 0);
});

for (const type of ['completed', 'failed', 'cancelled']) {
  test(`${type} is an end of its own, also by a named event`, async () => {
    const { page, stream, events } = await live();
    await page.last.send(`event: ${type}\nid: 6-0\ndata: {"why":1}\n\n`);
    assert.equal(stream.state.status, type);
    assert.deepEqual(stream.state.result, { why: 1 });
    assert.deepEqual(events, [{ id: '6-0', type, data: { why: 1 } }]);
  });
}

test('what messages may be: a typed object, other JSON, null, text, named', async () => {
  const { page, events } = await live();
  await page.last.send('data: {"type":"a","data":1}\n\n', 'data: [1]\n\n', 'data: null\n\n', 'data: {"type":5}\n\n', 'data: text {\n\n', 'event: b\ndata: {"type":"x","data":2}\n\n', 'data:\n\n');
  assert.deepEqual(events.map(({ type, data }) => [type, data]), [
    ['a', 1], ['message', [1]], ['message', null], ['message', { type: 5 }], ['message', 'text {'], ['b', { type: 'x', data: 2 }], ['message', '']]);
});

test('parse: other servers\' words for an end, and what is no event', async () => {
  const parse = (raw, type) => (raw === '[DONE]' ? { type: 'completed', data: null } : raw !== 'tick' && { type: type || 'text', data: raw });
  const { page, stream, types } = await live({ parse });
  await page.last.send('data: tick\n\n', 'data: a\n\n', 'data: [DONE]\n\n');
  assert.deepEqual(types(), ['text', 'completed']);
  assert.equal(stream.state.status, 'completed');
});

for (const how of ['end', 'cut']) {
  test(`${how}: the next attempt names the last id, and nothing is told twice`, async () => {
    const { page, ids, is, stream } = await live({}, {}, message('5-0', 'a', 1), 'id: 6-0\ndata: {"type":"torn"');
    await page.last[how]();
    is('reconnecting');
    assert.equal(stream.state.error.code, how === 'end' ? 'end' : 'network');
    assert.ok(stream.state.nextRetryAt > page.clock.now);
    const { request } = await nextRequest(page);
    assert.equal(request.cursor, '5-0');
    assert.equal(request.url, '/api/stream/s', 'as a header: the URL is relative');
    await (await request.open()).send(message('4-9', 'old', 0), message('5-0', 'a', 1), message('5-1', 'b', 2), message('10-0', 'c', 3));
    assert.deepEqual(ids(), ['5-0', '5-1', '10-0']);
    is('connected');
    assert.equal(stream.state.error, null);
  });
}

test('to an absolute URL the id goes in the query', async () => {
  const { page } = await live({}, { url: 'https://other.example/s?x=1' }, message('5-0', 'a', 1));
  await page.last.cut();
  const { request } = await nextRequest(page);
  assert.equal(request.url, 'https://other.example/s?x=1&lastEventId=5-0');
  assert.equal(request.headers.get('last-event-id'), null);
});

test('ids that are not ms-seq: only the same one is not new', async () => {
  const { page, events } = await live();
  await page.last.send('id: b\ndata: 1\n\n', 'id: b\ndata: 1\n\n', 'id: a\ndata: 2\n\n', 'id: 12345678-1111-4222\ndata: 3\n\n', 'id: 02345678-1111-4222\ndata: 4\n\n', 'data: 5\n\n', 'data: 6\n\n');
  assert.deepEqual(events.map((event) => event.data), [1, 2, 3, 4, 5, 6]);
});

test('a rewound log: the guard takes the cursor back, the gap is told, and what follows too', async () => {
  const { page, types, ids, stream } = await live({}, {}, message('9-0', 'a', 1));
  await page.last.cut();
  const { request } = await nextRequest(page);
  await (await request.open()).send(GUARD('3-0'));
  assert.equal(stream.state.lastEventId, '3-0');
  await request.send(connected('3-0'), 'data: {"type":"gap","data":{"after":"9-0","reason":"rewound"}}\n\n', message('4-0', 'b', 1));
  assert.deepEqual(types(), ['a', 'gap', 'b']);
  assert.deepEqual(ids(), ['9-0', '', '4-0']);
  await request.send('data: {"type":"gap","data":{"after":"4-0","reason":"lost"}}\n\n', message('2-0', 'c', 1), message('2-0', 'c', 1));
  assert.deepEqual(types(), ['a', 'gap', 'b', 'gap', 'c'], 'a gap within a connection, too, and then each once again');
});

test('the first attempts come at random within the server\'s retry, then within twice as much, at most 30 s', async () => {
  const { page, stream } = await live({}, {}, 'retry: 3000\n\n', message('5-0', 'a', 1));
  for (const chance of [0, 0.5, 0.999]) {
    page.clock.random = () => chance;
    await page.last.cut();
    assert.equal(Math.round(stream.state.nextRetryAt - page.clock.now), Math.round(chance * 3000), `chance ${chance}`);
    const { request } = await nextRequest(page);
    await (await request.open()).send(message(`${page.clock.now}-0`, 'a', 1)); // an event: from the beginning
  }
  const waits = [];
  for (let i = 0; i < 8; i++) {
    if (page.last.body) await page.last.cut();
    else page.last.reject(new TypeError('refused'));
    await settle();
    waits.push(Math.round((stream.state.nextRetryAt - page.clock.now) / 0.999));
    assert.equal(stream.state.attempt, i + 1);
    await nextRequest(page);
  }
  assert.deepEqual(waits, [3000, 6000, 12000, 24000, 30000, 30000, 30000, 30000]);
});

test('a server that accepts and closes does not make the page loop: open is no health', async () => {
  const { page } = await live({}, {}, 'retry: 0\n\n');
  page.clock.random = () => 0.9;
  for (let i = 0; i < 8; i++) {
    await page.last.end();
    await (await nextRequest(page)).request.open();
    await page.last.send(GUARD('0-0', 0));
  }
  const start = page.clock.now;
  await page.last.end();
  await nextRequest(page);
  assert.ok(page.clock.now - start > 20000, `${page.clock.now - start} ms`);
});

test('ten seconds of health reset the backoff, without an event', async () => {
  const { page, stream } = await live({}, {}, 'retry: 1000\n\n');
  for (let i = 0; i < 4; i++) {
    await page.last.cut();
    await (await nextRequest(page)).request.open();
    await page.last.send(GUARD('0-0', 1000));
  }
  assert.equal(stream.state.attempt, 4);
  await page.clock.pass(10500);
  await page.last.send(': heartbeat\n\n');
  assert.equal(stream.state.attempt, 0);
  await page.last.cut();
  assert.equal(Math.round(stream.state.nextRetryAt - page.clock.now), 500);
});

test('silence: stalled, then a new connection; comments are no silence', async () => {
  const { page, is } = await live();
  for (let i = 0; i < 6; i++) {
    await page.clock.pass(15000);
    await page.last.send(': heartbeat\n\n');
    is('connected');
  }
  await page.clock.pass(22000);
  is('stalled');
  await page.last.send(': heartbeat\n\n');
  is('connected');
  const dead = page.last;
  await page.clock.pass(43000);
  is('stalled');
  assert.equal(page.last, dead);
  const { request } = await nextRequest(page);
  assert.ok(dead.aborted);
  await (await request.open()).send(GUARD());
  is('connected');
});

test('after a sleep what is queued is read first; when there is nothing, a new connection within seconds', async () => {
  const { page, is, stream } = await live({}, {}, message('5-0', 'a', 1));
  const alive = page.last;
  page.clock.sleep(3600_000);
  await page.clock.pass(1000);
  is('connected');
  await alive.send(message('6-0', 'b', 1)); // what had come meanwhile
  await page.clock.pass(30000);
  assert.equal(page.last, alive, 'the connection that lived was kept');
  page.clock.sleep(3600_000);
  const { request, after } = await nextRequest(page, 6000);
  assert.ok(after >= 2000 && after < 6000, `${after} ms`);
  assert.ok(alive.aborted);
  assert.equal(request.cursor, stream.state.lastEventId);
});

test('a hidden tab whose timers are throttled to one a minute keeps a connection that lives, and drops one that is dead', async () => {
  const { page, is } = await live();
  page.hide(true);
  for (let i = 0; i < 10; i++) { // heartbeats are read, but each timer comes late
    for (let k = 0; k < 4; k++) {
      page.clock.sleep(15000);
      await page.last.send(': heartbeat\n\n');
    }
    await page.clock.pass(0);
    is('connected');
  }
  assert.equal(page.requests.length, 1);
  for (let i = 0; i < 3; i++) {
    page.clock.sleep(60000);
    await page.clock.pass(0);
  }
  assert.ok(page.requests[0].aborted, 'silent for three minutes');
});

test('hidden, 75 seconds are no silence', async () => {
  const { page } = await live();
  page.hide(true);
  await page.clock.pass(70000);
  assert.equal(page.requests[0].aborted, false);
  await page.clock.pass(10000);
  assert.equal(page.requests[0].aborted, true);
});

test('a server that takes the request and says nothing', async () => {
  const { page, is } = await begin();
  await page.clock.pass(19000);
  assert.equal(page.last.aborted, false);
  await page.clock.pass(2500);
  assert.equal(page.requests[0].aborted, true);
  is('reconnecting');
});

test('held back twice: polling, which tells all, and streams again after a while', async () => {
  const { page, is, ids, statuses } = await begin();
  await page.last.open();
  await page.clock.pass(20100); // headers, no byte
  await nextRequest(page);
  const { request } = await nextRequest(page);
  assert.equal(request.url, '/api/stream/s/recover?after=0-0');
  await request.json({ status: 'active', events: [{ id: '5-0', type: 'a', data: 1 }], more: true });
  assert.equal(page.last.after, '5-0', 'more, at once');
  await page.last.json({ status: 'active', events: [{ id: '6-0', type: 'a', data: 1 }] });
  is('polling');
  const start = page.clock.now;
  for (let i = 0; i < 200 && page.last.url.includes('recover'); i++) {
    const next = await nextRequest(page);
    if (next.request.url.includes('recover')) await next.request.json({ status: 'active', events: [{ id: `${page.clock.now}-0`, type: 'a', data: 1 }] });
  }
  assert.ok(page.clock.now - start > 280000 && page.clock.now - start < 330000, `streaming was tried again after ${page.clock.now - start} ms`);
  await page.last.open();
  await page.clock.pass(20500);
  assert.ok(page.last.url.includes('recover'), 'one chance is enough to know');
  await page.last.json({ status: 'completed', terminalEventType: 'completed', terminalEventData: 7, events: [{ id: '99999999999999-0', type: 'completed', data: 7 }] });
  is('completed');
  assert.equal(ids().length, new Set(ids()).size);
  assert.ok(!statuses.includes('error'));
});

test('a server that stood still is no reason to poll: when recover does not answer either, streaming is tried again', async () => {
  const { page, is } = await begin();
  await page.clock.pass(20100);
  await nextRequest(page);
  assert.match((await nextRequest(page)).request.url, /recover/);
  await page.clock.pass(5100);
  assert.equal((await nextRequest(page)).request.url, '/api/stream/s');
  await (await page.last.open()).send(GUARD());
  is('connected');
});

test('transport poll: an unknown stream is an error, a network failure is not', async () => {
  const { page, is, stream } = await begin({ transport: 'poll' });
  await page.last.cut();
  is('reconnecting');
  await (await nextRequest(page)).request.refuse(503, { 'retry-after': '7' });
  const { request, after } = await nextRequest(page);
  assert.ok(after >= 7000, `Retry-After: ${after}`);
  await request.json({ status: 'orphaned' });
  is('orphaned');
  await (await nextRequest(page)).request.json({ status: 'not_found' }, 404);
  is('error');
  assert.deepEqual(stream.state.error, { code: 'http', status: 404 });
});

test('orphaned, and back', async () => {
  const { page, is } = await live();
  await page.last.send(message('5-0', 'orphaned', {}));
  is('orphaned');
  await page.last.send(': heartbeat\n\n');
  is('orphaned');
  await page.last.send(message('6-0', 'a', {}));
  is('connected');
});

test('Retry-After is waited for, at least', async () => {
  const { page, stream } = await begin();
  await page.last.refuse(503, { 'retry-after': '12' });
  assert.equal(stream.state.nextRetryAt - page.clock.now, 12000);
  await nextRequest(page);
  await page.last.refuse(429, {});
  assert.ok(stream.state.nextRetryAt - page.clock.now <= 1000);
});

for (const status of [408, 425, 429, 500, 502, 503, 504]) {
  test(`${status} is not the end`, async () => {
    const { page, is } = await begin();
    await page.last.refuse(status);
    is('reconnecting');
    await (await (await nextRequest(page)).request.open()).send(GUARD());
    is('connected');
  });
}

for (const status of [400, 405, 406]) {
  test(`${status} is an error`, async () => {
    const { page, stream } = await begin();
    await page.last.refuse(status);
    assert.equal(stream.state.status, 'error');
    assert.deepEqual(stream.state.error, { code: 'http', status, after: 0 });
  });
}

for (const status of [401, 403]) {
  test(`${status}: an error; with onAuth one more attempt, and one more after each success`, async () => {
    const without = await begin();
    await without.page.last.refuse(status);
    without.is('error');

    let asked = 0;
    const { page, is, stream } = await begin({ onAuth: async (error) => { asked++; assert.equal(error.status, status); } });
    await page.last.refuse(status);
    is('reconnecting');
    await (await nextRequest(page)).request.open();
    await page.last.send(GUARD());
    await page.last.cut();
    await (await nextRequest(page)).request.refuse(status);
    assert.equal(asked, 2);
    await (await nextRequest(page)).request.refuse(status);
    is('error');
    assert.equal(asked, 2);
    assert.equal(stream.state.error.status, status);
    stream.reconnect();
    await page.clock.pass(1);
    await page.last.refuse(status);
    assert.equal(asked, 3, 'by hand: asked again');
  });
}

test('onAuth that rejects, or ends after close()', async () => {
  const denied = await begin({ onAuth: () => { throw new Error('no'); } });
  await denied.page.last.refuse(401);
  denied.is('error');
  let given;
  const { page, stream, is } = await begin({ onAuth: () => new Promise((resolve) => { given = resolve; }) });
  await page.last.refuse(401);
  stream.close();
  given();
  await page.clock.pass(60000);
  is('closed');
  assert.equal(page.requests.length, 1);
});

test('headers and URL may be functions, asked for each attempt', async () => {
  let n = 0;
  const abouts = [];
  const { page } = await begin({ headers: async () => ({ 'x-n': `${++n}` }), credentials: 'include' }, { url: async (about) => { abouts.push(about); return `/x/${abouts.length}`; } });
  await (await page.last.open()).send(message('5-0', 'a', 1));
  assert.equal(page.last.headers.get('x-n'), '1');
  assert.equal(page.last.init.credentials, 'include');
  await page.last.cut();
  const { request } = await nextRequest(page);
  assert.equal(request.headers.get('x-n'), '2');
  assert.equal(request.url, '/x/2');
  assert.deepEqual(abouts, [{ attempt: 0, lastEventId: '' }, { attempt: 1, lastEventId: '5-0' }]);
});

test('a URL function that rejects is an attempt that failed', async () => {
  let n = 0;
  const { page, is } = await begin({}, { url: () => { if (!n++) throw new Error('no token yet'); return '/x'; } });
  is('reconnecting');
  await nextRequest(page);
});

test('404: recover says whether it is one', async () => {
  for (const [answer, status, expected] of [
    [{ status: 'not_found' }, 404, 'error'], [{ status: 'expired' }, 410, 'expired'], [{ status: 'active' }, 200, 'reconnecting'],
    [{ status: 'failed', terminalEventData: { why: 1 } }, 200, 'failed'],
  ]) {
    const { page, is } = await begin();
    await page.last.refuse(404);
    is('recovering');
    assert.equal(page.last.url, '/api/stream/s/recover?after=0-0');
    await page.last.json(answer, status);
    is(expected);
  }
  const { page, is, stream } = await begin();
  await page.last.refuse(404);
  await page.last.refuse(404); // a server without recover
  is('error');
  assert.equal(stream.state.error.status, 404);
});

test('410 is expired, 204 is closed, and when recover knows the end: that', async () => {
  for (const [http, answer, status, expected] of [
    [410, {}, 404, 'expired'], [204, {}, 404, 'closed'], [204, { status: 'not_found' }, 404, 'closed'], [204, { status: 'expired' }, 410, 'expired'],
    [204, { status: 'completed', terminalEventData: 5 }, 200, 'completed'], [410, { status: 'cancelled', terminalEventData: 5 }, 200, 'cancelled'],
  ]) {
    const { page, is } = await begin();
    await page.last.refuse(http);
    await page.last.json(answer, status);
    is(expected);
  }
});

test('recover that does not answer, or fails, is asked again in the end', async () => {
  const { page, is } = await begin();
  await page.last.refuse(404);
  const hung = page.last;
  await page.clock.pass(5100);
  assert.ok(hung.aborted, 'not waited for longer than 5 s');
  is('reconnecting');
  await (await nextRequest(page)).request.refuse(404);
  await page.last.refuse(500);
  is('reconnecting');
});

test('a login page, three times', async () => {
  const { page, is, stream } = await begin();
  for (let i = 0; i < 3; i++) {
    await page.last.open('text/html');
    if (i < 2) {
      is('reconnecting');
      await nextRequest(page);
    }
  }
  is('error');
  assert.equal(stream.state.error.code, 'format');
});

test('gives up after ten minutes without a byte, however many attempts, and comes back by hand, online, or looked at', async () => {
  const revivals = {
    hand: ({ stream }) => stream.reconnect(), online: ({ page }) => page.online(true), looked: ({ page }) => { page.hide(true); page.hide(false); },
    pageshow: ({ page }) => page.tell('pageshow', { persisted: true }),
  };
  for (const [name, revive] of Object.entries(revivals)) {
    const t = await live({}, {}, message('5-0', 'a', 1)), { page, is, stream } = t;
    page.onRequest = (request) => request.reject(new TypeError('refused'));
    await page.last.cut();
    await page.clock.pass(590000);
    is('reconnecting');
    await page.clock.pass(60000);
    is('error');
    assert.equal(stream.state.error.code, 'gave-up');
    assert.equal(stream.state.error.cause.code, 'network');
    assert.match(page.last.url, /recover/, 'one last question');
    assert.equal((await stream.done).status, 'error');
    const asked = page.requests.length;
    await page.clock.pass(3600_000);
    assert.equal(page.requests.length, asked, 'quiet');
    page.onRequest = null;
    revive(t);
    await nextRequest(page, 1500);
    assert.equal(page.last.cursor, '5-0', name);
    await (await page.last.open()).send(message('6-0', 'completed', 1));
    is('completed');
  }
});

test('hidden or offline it does not give up', async () => {
  for (const away of ['hide', 'offline']) {
    const { page, is } = await live();
    page.onRequest = (request) => request.reject(new TypeError('refused'));
    if (away === 'hide') page.hide(true);
    else page.online(false);
    await page.last.cut();
    is(away === 'hide' ? 'reconnecting' : 'offline');
    await page.clock.pass(3600_000);
    is(away === 'hide' ? 'reconnecting' : 'offline');
  }
});

test('online: at once, within a second, also when the connection seems to live', async () => {
  const { page, is } = await live({}, {}, message('5-0', 'a', 1));
  const old = page.last;
  page.online(false);
  page.online(true);
  const { request } = await nextRequest(page, 1100);
  assert.ok(old.aborted);
  assert.equal(request.cursor, '5-0');
  await (await request.open()).send(GUARD('5-0'));
  is('connected');
});

test('looked at again: at once when it was waiting, nothing when it was connected', async () => {
  const { page } = await live();
  page.hide(true);
  page.hide(false);
  await page.clock.pass(2000);
  assert.equal(page.requests.length, 1);
  page.hide(true);
  await page.last.cut();
  for (let i = 0; i < 6; i++) (await nextRequest(page)).request.reject(new TypeError('refused'));
  await settle();
  page.clock.random = () => 0.9;
  page.hide(false);
  await nextRequest(page, 1000);
});

test('from the back/forward cache: a new connection', async () => {
  const { page } = await live({}, {}, message('5-0', 'a', 1));
  page.tell('pageshow', { persisted: true });
  assert.equal((await nextRequest(page, 1100)).request.cursor, '5-0');
});

test('lastEventId: recover is asked first, then the stream from there', async () => {
  const { page, is, ids } = await begin({ lastEventId: '5-0' });
  is('recovering');
  assert.equal(page.last.url, '/api/stream/s/recover?after=5-0');
  await page.last.json({ status: 'active', events: [{ id: '6-0', type: 'a', data: 1 }] });
  assert.equal(page.last.cursor, '6-0');
  await (await page.last.open()).send(GUARD('6-0'), message('6-0', 'a', 1), message('7-0', 'b', 1));
  assert.deepEqual(ids(), ['6-0', '7-0']);
});

test('lastEventId: it ended meanwhile, even for one who had heard the end before', async () => {
  const { page, is, events } = await begin({ lastEventId: '9-0' });
  await page.last.json({ status: 'completed', terminalEventType: 'completed', terminalEventData: { n: 1 }, events: [] });
  is('completed');
  assert.deepEqual(events, [{ id: '', type: 'completed', data: { n: 1 } }]);
  assert.equal(page.requests.length, 1);
});

test('lastEventId: a recover that is not there, hangs or fails does not keep it from listening', async () => {
  for (const how of [(request) => request.refuse(404), (request) => request.refuse(500), (request) => request.cut(), ({ page }) => page.clock.pass(5100)]) {
    const { page } = await begin({ lastEventId: '5-0' });
    await how(Object.assign(page.last, { page }));
    assert.equal(page.last.url, '/api/stream/s');
    assert.equal(page.last.cursor, '5-0');
  }
});

test('persist: after a reload from where it was; storage that is denied does no harm', async () => {
  const { page } = await live({ persist: 'k' }, {}, message('5-0', 'a', 1));
  assert.equal(page.storage.get('k'), '5-0');
  const storage = page.storage;
  const again = new Page();
  again.storage.set('k', storage.get('k'));
  const stream = openStream('/api/stream/s', { persist: 'k', silence: 45001 });
  await settle();
  assert.equal(again.last.after, '5-0');
  stream.close();
  const denied = new Page();
  Object.defineProperty(globalThis, 'sessionStorage', { get() { throw new DOMException('denied', 'SecurityError'); }, configurable: true });
  openStream('/api/stream/s', { persist: 'k', silence: 45002 });
  await settle();
  await (await denied.last.open()).send(message('5-0', 'a', 1));
  assert.equal(denied.requests.length, 1);
});

test('recoverUrl, and the query of the URL', async () => {
  const { page } = await begin({ lastEventId: '5-0', recoverUrl: '/r?k=1' });
  assert.equal(page.last.url, '/r?k=1&after=5-0');
  for (const [url, expected] of [['/s?a=b', '/s/recover?a=b&after=5-0'], ['/s/', '/s/recover?after=5-0']]) {
    assert.equal((await begin({ lastEventId: '5-0' }, { url })).page.last.url, expected);
  }
});

test('close and abort: at any time, for good, without a request left', async () => {
  for (const when of ['before', 'connecting', 'connected', 'waiting', 'recovering', 'error']) {
    const abort = new AbortController();
    const page = new Page();
    const stream = openStream('/api/stream/s', { signal: abort.signal });
    if (when !== 'before') await settle();
    if (when === 'connected' || when === 'waiting') await (await page.last.open()).send(GUARD());
    if (when === 'waiting') await page.last.cut();
    if (when === 'recovering') await page.last.refuse(404);
    if (when === 'error') await page.last.refuse(400);
    const { done } = stream, asked = page.requests.length;
    abort.abort();
    stream.reconnect();
    page.online(true);
    await page.clock.pass(3600_000);
    assert.equal(page.requests.length, asked, when);
    assert.equal(page.open.length, 0, when);
    assert.equal(page.clock.timers.size, 0, when);
    assert.equal(stream.state.status, when === 'error' ? 'error' : 'closed', when);
    assert.equal((await done).status, stream.state.status);
  }
  const page = new Page();
  assert.equal(openStream('/s', { signal: AbortSignal.abort() }).state.status, 'closed');
  await settle();
  assert.equal(page.requests.length, 0);
});

test('a listener that closes stops the rest of what has come', async () => {
  const { page, stream, ids } = await live({ persist: 'k' });
  stream.on('stop', () => stream.close());
  await page.last.send(message('5-0', 'a', 1) + message('6-0', 'stop', 1) + message('7-0', 'b', 1));
  assert.deepEqual(ids(), ['5-0', '6-0']);
  assert.equal(page.storage.get('k'), '6-0', 'what was not told is not behind');
  assert.equal(page.open.length, 0);
});

test('what listeners and observers throw is reported, and the others hear all', async () => {
  const { page, stream, ids } = await begin();
  stream.subscribe(() => { throw new Error('observer'); });
  stream.on('a', () => { throw new Error('listener'); });
  const after = [];
  stream.on('a', (event) => after.push(event.id));
  await (await page.last.open()).send(message('5-0', 'a', 1), message('6-0', 'a', 1));
  await page.clock.pass(1);
  assert.deepEqual([ids(), after], [['5-0', '6-0'], ['5-0', '6-0']]);
  assert.equal(page.clock.thrown.filter((error) => error.message === 'listener').length, 2);
  assert.ok(page.clock.thrown.some((error) => error.message === 'observer'));
  assert.equal(page.requests.length, 1);
});

test('two of a page share one connection; who comes late misses nothing; the last one out ends it', async () => {
  const { page, stream } = await live({}, {}, message('5-0', 'a', 1), message('6-0', 'a', 2));
  const late = openStream('/api/stream/s', {}), heard = [];
  late.on('*', (event) => heard.push(event.id));
  await page.last.send(message('7-0', 'a', 3));
  assert.deepEqual(heard, ['5-0', '6-0', '7-0']);
  assert.equal(page.requests.length, 1);
  stream.close();
  assert.equal(stream.state.status, 'closed');
  assert.equal(late.state.status, 'connected');
  await page.last.send(message('8-0', 'a', 4));
  assert.deepEqual(heard, ['5-0', '6-0', '7-0', '8-0']);
  late.close();
  await settle();
  assert.equal(page.open.length, 0);
  assert.equal(page.clock.timers.size, 0);
});

test('one who comes late in the middle of a piece, as a listener is told, hears each once', async () => {
  const { page, stream } = await live();
  const heard = [];
  stream.on('open', () => openStream('/api/stream/s', {}).on('*', (event) => heard.push(event.id)));
  await page.last.send(message('5-0', 'a', 1) + message('6-0', 'open', 1) + message('7-0', 'a', 1) + message('8-0', 'a', 1));
  assert.deepEqual(heard, ['5-0', '6-0', '7-0', '8-0']);
});

test('other options, or a function: a connection of its own; after the end a new one', async () => {
  const { page } = await live();
  openStream('/api/stream/s', { credentials: 'include' });
  openStream(() => '/api/stream/s');
  openStream(() => '/api/stream/s');
  await settle();
  assert.equal(page.requests.length, 4);
  await page.requests[0].send(message('9-0', 'completed', 1));
  openStream('/api/stream/s', {});
  await settle();
  assert.equal(page.requests.length, 5);
  assert.equal(page.last.cursor, null, 'from the start');
});

test('what is kept for late ones has a bound: beyond it they ask for themselves', async () => {
  const { page } = await live();
  let block = '';
  for (let i = 1; i <= 1001; i++) block += message(`${i}-0`, 'a', 1);
  await page.last.send(block);
  openStream('/api/stream/s', {});
  await settle();
  assert.equal(page.requests.length, 2);
});

test('for await: each event, the end ends it, leaving it closes, a reader too slow is told so', async () => {
  const { page, stream } = await live();
  const read = [];
  const reading = (async () => { for await (const event of stream) read.push(event.id); })();
  await page.last.send(message('5-0', 'a', 1), message('6-0', 'a', 1) + message('7-0', 'completed', 1));
  await reading;
  assert.deepEqual(read, ['5-0', '6-0', '7-0']);

  const leaving = await begin();
  const left = (async () => { for await (const event of leaving.stream) { if (event.id === '5-0') break; } })();
  await (await leaving.page.last.open()).send(message('5-0', 'a', 1));
  await left;
  assert.equal(leaving.stream.state.status, 'closed');
  assert.equal(leaving.page.open.length, 0);

  const slow = await begin(), reader = slow.stream[Symbol.asyncIterator]();
  const first = reader.next();
  await (await slow.page.last.open()).send(message('1-0', 'a', 1));
  assert.equal((await first).value.id, '1-0');
  let block = '';
  for (let i = 2; i <= 10100; i++) block += message(`${i}-0`, 'a', 1);
  await slow.page.last.send(block);
  await assert.rejects(async () => { while (!(await reader.next()).done); }, /too slow/);
  assert.equal(slow.stream.state.status, 'closed');
});

test('a closed stream refuses nothing: on, subscribe, reconnect, close, done and for await', async () => {
  const { stream, page } = await live();
  stream.close();
  stream.close();
  stream.reconnect();
  assert.equal((await stream.done).status, 'closed');
  for await (const event of stream) assert.fail(`${event}`);
  const seen = [];
  stream.subscribe((state) => seen.push(state.status));
  assert.deepEqual(seen, ['closed']);
  assert.equal(page.open.length, 0);
});

test('unsubscribing, for listeners and observers', async () => {
  const { page, stream } = await live();
  const heard = [], seen = [];
  const off = stream.on('a', (event) => heard.push(event.id)), leave = stream.subscribe((state) => seen.push(state.status));
  await page.last.send(message('5-0', 'a', 1));
  off();
  leave();
  await page.last.send(message('6-0', 'a', 1), message('7-0', 'completed', 1));
  assert.deepEqual([heard, seen], [['5-0'], ['connected']]);
});

/* ---- EventSource ---- */

const native = (options = {}) => begin({ transport: eventSource, ...options });

test('eventsource: to the end, with named events, then no request more', async () => {
  const { page, stream, events } = await native({ types: ['named'], credentials: 'include' });
  await (await page.last.open()).send(GUARD(), connected(), message('5-0', 'a', 1), 'event: named\nid: 6-0\ndata: 2\n\n', 'data: "no id of its own"\n\n', 'event: failed\nid: 7-0\ndata: {"why":1}\n\n');
  assert.deepEqual(events.map(({ id, type }) => `${id} ${type}`), ['5-0 a', '6-0 named', ' message', '7-0 failed']);
  assert.deepEqual([stream.state.status, stream.state.result], ['failed', { why: 1 }]);
  await page.clock.pass(3600_000);
  assert.equal(page.requests.length, 1);
});

test('eventsource: a drop, and silence (its comments are not heard): a new object, resumed by the query', async () => {
  const { page, ids } = await native();
  await (await page.last.open()).send(message('5-0', 'a', 1), 'id: 6-0\ndata: {"type":"torn');
  await page.last.cut();
  await (await nextRequest(page)).request.open();
  assert.equal(page.last.url, '/api/stream/s?lastEventId=5-0');
  await page.last.send(message('6-0', 'b', 1));
  await page.clock.pass(150000);
  assert.equal(page.requests[1].aborted, false, 'idle is not silent');
  await page.clock.pass(40000);
  assert.ok(page.requests[1].aborted);
  assert.equal(page.last.cursor, '6-0');
  assert.deepEqual(ids(), ['5-0', '6-0']);
});

test('eventsource: what it gives up at, recover explains', async () => {
  for (const [answer, status, expected] of [[{ status: 'not_found' }, 404, 'error'], [{ status: 'active' }, 200, 'reconnecting'], [{ status: 'completed', terminalEventData: 1 }, 200, 'completed'],
    [{ status: 'expired' }, 410, 'expired'], [{}, 404, 'reconnecting']]) {
    const { page, is } = await native();
    await page.last.refuse(503);
    is('recovering');
    await page.last.json(answer, status);
    is(expected);
  }
  const { page, is } = await native();
  await page.last.refuse(401);
  await page.last.refuse(401);
  is('error');
});

test('eventsource: chosen where fetch cannot stream', async () => {
  const { ReadableStream } = globalThis;
  try {
    const page = new Page();
    delete globalThis.ReadableStream;
    const stream = openAnywhere('/s');
    await settle();
    assert.equal(page.last.init.cache, undefined, 'an EventSource asked');
    stream.close();
  } finally {
    globalThis.ReadableStream = ReadableStream;
  }
  const { page } = await begin({}, { open: openAnywhere });
  assert.equal(page.last.init.cache, 'no-store', 'fetch asked');
});

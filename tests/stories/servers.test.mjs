// The same stories behind each web server, configured by nothing but what deploy/snippets ships.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertDelivered, assertKeys, readLog } from '../support/checker.mjs';
import { Echo } from '../support/fcgiecho.mjs';
import { Process, needDescriptors, processesMentioning, sanitized } from '../support/proc.mjs';
import { HttpStream, Http2Session, exchange, rawExchange } from '../support/sse.mjs';
import { crowd, each, quickly, repeatedly, stays, until } from '../support/wait.mjs';
import { USERS, as, basic } from '../support/webserver.mjs';
import { program, story } from '../support/world.mjs';

const plainBuild = !sanitized(program('sse-fcgi'));
const TOKEN = 'token-of-the-servers-story';
const alice = as('alice'), bob = as('bob');

/**
 * beats: heartbeats after which a client that left is noticed at the latest; 0: at once, without any.
 * cgi: there is no responder, but a process for each request.
 * h2: streams on one HTTP/2 connection. lighttpd serves 8 at a time, Apache 6 until some of them have ended.
 */
const FRONTS = [
  { name: 'lighttpd', kind: 'lighttpd', beats: 0, h2: 8 },
  { name: 'Apache', kind: 'apache', beats: 1, h2: 6 },
  { name: 'Apache over TCP', kind: 'apache', beats: 1, tcp: true },
  { name: 'nginx', kind: 'nginx', beats: 0, h2: 40 },
  { name: 'Apache, .htaccess and the CGI bridge', kind: 'htaccess', beats: 2 },
  { name: 'lighttpd that starts sse-fcgi itself', kind: 'lighttpd-cgi', beats: 0, cgi: true },
  { name: 'Apache that starts sse-fcgi itself', kind: 'apache-cgi', beats: 1, cgi: true },
];

const RESPONDING = FRONTS.filter(({ cgi }) => !cgi);
const NATIVE = FRONTS.filter(({ cgi }) => cgi);

/** A story behind one of them: real Redis, sse-fcgi with the default of user_variable, and the web server that authenticates. */
function behind(front, title, options, body) {
  const conf = { user_variable: undefined, heartbeat_interval: front.beats ? '1s' : '15s', retry_min: '500ms', ...options.conf };
  story(`${front.name}: ${title}`, { timeout: 60000, ...options, guardian: false, lighttpd: false, responders: false, tcp: front.tcp, conf }, async (world, t) => {
    writeFileSync(join(world.dir, 'tokens'), `${TOKEN}\n`, { mode: 0o600 });
    if (front.kind === 'apache-cgi' && process.getuid() === 0) execFileSync('chown', ['www-data', join(world.dir, 'tokens')]);
    world.configure({ publish_token_file: join(world.dir, 'tokens') });
    if (options.responders !== false && !front.cgi) await world.startResponder();
    await world.serve({ kind: front.kind, ...(front.cgi && { cgi: program('sse-fcgi'), sites: [{ configFile: world.configFile }] }), ...await options.serve?.(world) });
    let problem;
    await body(world, (name, step) => t.test(name, async () => {
      if (problem) return; // of an earlier step
      try {
        await step();
      } catch (error) {
        problem = error;
        throw error;
      }
    }));
    if (problem) throw problem;
  });
}

/** Open a stream for alice that has events, and end it; returns the ids of its events. */
async function endedStream(world, id, words = 3) {
  const viewer = await world.viewer(id, alice);
  const ids = [];
  for (let n = 0; n < words; n++) ids.push(await world.ctl('emit', id, 'token', JSON.stringify({ n })));
  ids.push(await world.ctl('complete', id, '{}'));
  assert.equal(await viewer.end(), 'end');
  return { viewer, ids };
}

/** Order, resuming and the 204, over any kind of connection: open(id, {headers}) starts a stream. */
async function core(world, open, id) {
  const { viewer, ids } = await endedStream(world, id);
  assertDelivered({ who: 'the viewer', events: viewer.events, log: await readLog(world.redis, id) });
  const late = await open(id, alice).ready();
  assert.equal(late.headers['content-type'], 'text/event-stream');
  assert.equal(await late.end(), 'end');
  assertDelivered({ who: 'one that comes late', events: late.events, log: await readLog(world.redis, id) });
  const missed = await open(id, { ...alice, lastEventId: ids[1] }).ready();
  await missed.end();
  assert.deepEqual(missed.events.map((event) => event.id), ids.slice(2));
  await open(id, { ...alice, lastEventId: ids.at(-1) }).ready({ status: 204 });
}

async function latency(world, who) {
  let median;
  for (let turn = 0; turn < 3 && !(median < 5); turn++) { // what else the machine does can only make it longer
    median = await medianLatency(world, who, `fast-${turn}`);
    if (!plainBuild) return;
  }
  assert.ok(median < 5, `median ${median} ms`);
}

async function medianLatency(world, who, id) {
  const sent = [], took = [];
  const viewer = await world.stream(id, { ...alice, onEvent: ({ json }) => { if (json.type === 'token') took[json.data.n] = performance.now() - sent[json.data.n]; } }).ready();
  await viewer.until('connected');
  const producer = world.producer(id);
  for (let n = 0; n < 60; n++) {
    sent[n] = performance.now();
    producer.emit('token', { n });
    await viewer.until('token');
  }
  const last = took.slice(-50).sort((a, b) => a - b); // after the first ten: connections and scripts are there
  console.log(`# ${who}: from the producer's line to the client's event: median ${last[25].toFixed(2)} ms, worst ${last.at(-1).toFixed(1)} ms`);
  viewer.close();
  return last[25];
}

/** A client that leaves: the responder hears of it at once, or with a heartbeat. */
async function leaving(world, { beats }) {
  let passed;
  for (let turn = 0; turn < 3 && !(passed <= beats); turn++) passed = await heartbeatsUntilNoticed(world, `leaving-${turn}`, beats);
  assert.ok(passed <= beats, `it takes ${beats} heartbeats; another client got ${passed}`);
}

async function heartbeatsUntilNoticed(world, id, beats) {
  const beside = await world.viewer(`beside-${id}`, alice);
  const viewer = await world.viewer(id, alice);
  if (beats) await viewer.heartbeat(); // the next one is a whole interval away
  const before = beside.heartbeats;
  viewer.close();
  const start = performance.now();
  await until(async () => !await world.redis.exists(`sse:stream:${id}`), { what: 'a client that left to be noticed' });
  const passed = beside.heartbeats - before;
  console.log(`#   noticed after ${(performance.now() - start).toFixed(0)} ms, ${passed} heartbeats`);
  beside.close();
  return passed;
}

async function refusals(world) {
  const { ids } = await endedStream(world, 'mine');
  for (const path of ['mine', 'mine/recover']) {
    const other = await world.get(`/api/stream/${path}`, bob);
    assert.equal(other.status, 404, path);
    assert.match(other.headers['content-type'], /^application\/json/);
    for (const headers of [{}, { 'x-user-id': 'alice' }, { X_User_Id: 'alice' }, { authorization: basic('alice', 'guess') }, { authorization: 'Bearer alice' }]) {
      const nobody = await world.get(`/api/stream/${path}`, { user: '', headers });
      assert.equal(nobody.status, 401, JSON.stringify(headers));
      assert.match(nobody.headers['www-authenticate'], /^Basic realm="?streams/);
    }
    for (const name of ['x-user-id', 'X_User_Id', 'remote-user', 'REMOTE_USER']) {
      assert.equal((await world.get(`/api/stream/${path}`, { user: '', headers: { ...bob.headers, [name]: 'alice' } })).status, 404, `bob with ${name}: alice`);
    }
  }
  assert.equal((await world.get('/api/stream/mine?from=yesterday', alice)).status, 400);
  const { json } = await world.get(`/api/stream/mine/recover?after=${ids[0]}`, alice);
  assert.equal(json.status, 'completed');
  assert.deepEqual(json.events.map((event) => event.id), ids.slice(1), 'the query gets through');
  await world.redis.del('sse:completion:mine', 'sse:events:mine'); // as their TTL would
  const expired = await world.get('/api/stream/mine/recover', alice);
  assert.equal(expired.status, 410);
  assert.equal(expired.json.status, 'expired');
}

async function ids(world) {
  const recover = (path) => rawExchange(world.port, `/api/stream${path}/recover`, alice);
  for (const id of ['a.b_c~d:e-f', 'x~', 'x.inc', 'x.php', 'x.cgi', 'recover', '-x', '...', 'x'.repeat(128)]) {
    for (const path of [id, id.replaceAll(/[a-z.~]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)]) {
      const answer = await recover(`/${path}`);
      assert.equal(answer.status, 404, path);
      assert.equal(answer.json?.streamId, id, `${path}: ${answer.text.slice(0, 100)}`);
      const stream = await rawExchange(world.port, `/api/stream/${path}`, { ...alice, method: 'HEAD' });
      assert.equal(stream.status, 200, `HEAD ${path}`);
      assert.equal(stream.headers['x-stream-id'] ?? id, id);
    }
  }
  for (const path of ['/a%2Fb', '/a%0Ab', '/a%0A', '/%0Aa', '/a%00b', '/a%20b', '/a+b', '/a%3Fb', '/a%23', '/y%C3%A9', '/%ff', '/%', '/a%zz', `/${'x'.repeat(129)}`, '/a/b', '/a/recover/x']) {
    const answer = await recover(path);
    assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status}`);
    assert.notEqual(answer.json?.status, 'not_found', `${path} was taken for an id`);
  }
  for (const path of ['/api/stream', '/api/stream/', '/api/streamfoo', '/api/streamfoo/x', '/api/streamfoo/x/recover', '/api/stream.x', '/api/stream/../stream', '/api/stream//']) {
    const answer = await rawExchange(world.port, path, alice);
    assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status}`);
  }
  for (const path of ['//a', '/./a', '/x/../a', '/../stream/a']) { // a browser would never send these
    const answer = await recover(path);
    assert.ok(answer.json?.streamId === 'a' || (answer.status >= 400 && answer.status < 500), `${path}: ${answer.status} ${answer.text.slice(0, 80)}`);
  }
}

/** Producers show a token and no password; what they send arrives whole. */
async function publishing(world) {
  const send = (method, body, { token = TOKEN, type = 'application/json', path = 'job' } = {}) => world.get(`/api/stream/${path}`, {
    user: '', method, body, headers: { ...(token && { authorization: token.includes(' ') ? token : `Bearer ${token}` }), ...(body && { 'content-type': type, 'content-length': Buffer.byteLength(body) }) } });
  for (const method of ['POST', 'PUT', 'DELETE']) {
    for (const token of ['', 'a-wrong-token', basic('alice')]) {
      const answer = await send(method, method === 'DELETE' ? undefined : '{"type":"token","data":{}}', { token });
      assert.equal(answer.status, 401, `${method} with ${token || 'no token'}: ${answer.text.slice(0, 100)}`);
      assert.equal(answer.headers['www-authenticate'], 'Bearer', 'it is sse-fcgi that says so');
    }
  }
  assert.equal((await send('PUT', '{"user":"alice","lease":true}')).status, 201);
  const viewer = await world.viewer('job', alice);
  const one = await send('POST', '{"type":"token","data":{"text":"é"}}');
  assert.equal(one.status, 201, one.text);
  const { id, json } = await viewer.until('token');
  assert.equal(id, one.json.lastId);
  assert.equal(json.data.text, 'é');
  const lines = Array.from({ length: 500 }, (_, n) => `${JSON.stringify({ type: 'token', data: { n, pad: 'x'.repeat(500) } })}\n`).join(''); // some 270 KiB
  const many = await send('POST', lines, { type: 'application/x-ndjson' });
  assert.equal(many.json?.stored, 500, many.text.slice(0, 200));
  assert.equal((await send('POST', '{"type":"completed","data":{}}')).status, 201);
  assert.equal(await viewer.end(), 'end');
  assertDelivered({ who: 'the viewer of a producer over HTTP', events: viewer.events, log: await readLog(world.redis, 'job') });
  assert.equal((await send('POST', '{"type":"token","data":{}}')).status, 409);
  await send('PUT', '{"user":"alice"}', { path: 'deleted' });
  assert.equal((await send('DELETE', undefined, { path: 'deleted' })).status, 200);
}

async function methods(world) {
  const head = await world.get('/api/stream/new', { ...alice, method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.headers['content-type'], 'text/event-stream');
  const options = await world.get('/api/stream/new', { user: '', method: 'OPTIONS' });
  assert.equal(options.status, 204, 'a preflight has no password');
  assert.match(options.headers.allow, /GET/);
  await publishing(world);
  const large = (headers) => world.get('/api/stream/new', { user: '', method: 'POST', headers, body: 'x'.repeat(1100 * 1024) }).catch((error) => ({ status: error.code }));
  const refused = [413, 'ECONNRESET', 'EPIPE'];
  const { status } = await large({});
  assert.ok(refused.includes(status), `a body of more than 1 MiB: ${status}`);
  const { status: chunked } = await large({ 'transfer-encoding': 'chunked' });
  assert.ok([...refused, ...(world.front.kind === 'apache' ? [401, 411] : [])].includes(chunked), `chunked: ${chunked}`); // sse-fcgi's own refusal

  const old = await rawExchange(world.port, '/api/stream/old', { ...alice, http: '1.0', until: /"connected"/ });
  assert.equal(old.status, 200, 'an HTTP/1.0 client gets its stream');
  assert.equal(old.headers['transfer-encoding'], undefined);
  assert.match(old.text, /^:\nevent: sse-reset\n/);

  for (const page of ['health', 'ready']) {
    assert.equal((await world.get(`/api/stream/-/${page}`, { user: '' })).status, 200, `${page}, from this machine`);
    const outside = await rawExchange(world.port, `/api/stream/-/${page}`, { ...alice, from: '127.0.0.2' });
    assert.equal(outside.status, 403, `${page}, from outside`);
  }
}

for (const front of FRONTS) {
  behind(front, 'streams, users, ids and methods', {}, async (world, step) => {
    await step('order, resuming, 204', () => core(world, (...args) => world.stream(...args), 'core'));
    await step('latency', () => latency(world, front.name));
    await step('leaving', () => leaving(world, front));
    await step('users and refusals', () => refusals(world));
    await step('ids', () => ids(world));
    await step('methods', () => methods(world));
    await assertKeys(world.redis);
  });
}

// --- the responder is away --------------------------------------------------------------------------------------------

/** What the web server says by itself: a stream is told to come back, everything else that it cannot be had now. */
async function assertAway(world) {
  for (const [id, headers] of [['down', {}], ['down', { 'last-event-id': '1-0' }], ['recover', {}]]) {
    const answer = await world.get(`/api/stream/${id}`, { user: '', headers: { ...alice.headers, ...headers } });
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.headers['content-type'], /^text\/event-stream/);
    assert.match(answer.headers['cache-control'], /no-cache/);
    const [, retry] = answer.text.match(/^:\nretry: (\d+)\n: [ -~]+\n$/) ?? assert.fail(`the stream of a responder that is away: ${JSON.stringify(answer.text)}`);
    assert.ok(retry >= 2000 && retry < 5000, `retry: ${retry}`);
  }
  const head = await world.get('/api/stream/down', { ...alice, method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.match(head.headers['content-type'], /^text\/event-stream/);
  const others = [['GET', 'down/recover'], ['GET', 'down/recover?after=0-0'], ['POST', 'down'], ['PUT', 'down'], ['DELETE', 'down'], ['POST', 'down/recover']];
  for (const [method, path] of others) {
    const answer = await world.get(`/api/stream/${path}`, { user: '', method, headers: method === 'GET' ? alice.headers : {}, ...(method !== 'GET' && { body: '{}' }) });
    assert.equal(answer.status, 503, `${method} ${path}: ${answer.text.slice(0, 200)}`);
    assert.match(answer.headers['content-type'], /^application\/json/, `${method} ${path}`);
    assert.ok(Number(answer.headers['retry-after']) > 0, `${method} ${path}: Retry-After`);
    assert.ok(answer.json.error);
  }
  const nobody = await world.get('/api/stream/down', { user: '' });
  assert.equal(nobody.status, 401, 'a password is still asked for');
  assert.match(nobody.headers['www-authenticate'] ?? '', /Basic/);
  assert.equal((await world.get('/api/streamfoo', alice)).status, 404);
  assert.equal((await rawExchange(world.port, '/api/stream/-/health', { ...alice, from: '127.0.0.2' })).status, 403);
  assert.ok((await world.get('/api/stream/-/health', { user: '' })).status >= 500, 'health is no stream');
}

for (const front of RESPONDING) {
  behind(front, 'the responder is killed, away, and back', {}, async (world, step) => {
    const follower = world.follow('down', alice);
    await until(() => follower.current?.ofType('connected').length, { what: 'connected' });
    await world.ctl('emit', 'down', 'token', '{"n":0}');
    await until(() => follower.events.length === 1, { what: 'the first event' });
    const cut = follower.current;
    // A browser keeps its connection, so an end that nobody announces would not be one.
    const keeping = await world.viewer('keeping', { ...alice, headers: { ...alice.headers, connection: 'keep-alive' } });
    await world.killResponder();
    await Promise.all([cut.end(), keeping.end()]);

    await step('refused', async () => {
      if (!front.tcp) assert.ok(existsSync(world.fcgi), 'a killed responder leaves its socket file');
      await assertAway(world);
    });
    if (!front.tcp) {
      await step('missing', async () => {
        rmSync(world.fcgi);
        await assertAway(world);
      });
    }
    for (let n = 1; n < 4; n++) await world.ctl('emit', 'down', 'token', JSON.stringify({ n }));
    const soFar = follower.connections.length;
    await until(() => follower.connections.length > soFar, { what: 'one more try of the follower' });
    assert.equal(follower.status, undefined, 'a plain EventSource would still be trying');

    await step('back', async () => {
      await world.startResponder();
      await until(() => follower.events.length === 4, { what: 'the events of the meantime' });
      await world.ctl('complete', 'down');
      assert.equal(await follower.closed(), 204);
      assertDelivered({ who: 'the follower', events: follower.events, log: await readLog(world.redis, 'down') });
    });
  });
}

// --- what the responder receives --------------------------------------------------------------------------------------

for (const front of RESPONDING.filter(({ tcp }) => !tcp)) {
  const echoing = {
    responders: false,
    serve: async (world) => {
      world.echo = new Echo(join(world.dir, 'echo.sock'));
      world.echoOfHeader = new Echo(join(world.dir, 'echo2.sock'));
      await Promise.all([world.echo.listening, world.echoOfHeader.listening]);
      ['echo.sock', 'echo2.sock'].forEach((name) => chmodSync(join(world.dir, name), 0o666));
      return { sites: [
        { address: join(world.dir, 'echo.sock') },
        { address: join(world.dir, 'echo2.sock'), mount: '/app/v1.0/events', userHeader: true },
      ] };
    },
  };
  behind(front, 'what a responder gets to see', echoing, async (world, step) => {
    const spoof = { 'X-User-Id': 'mallory', X_User_Id: 'mallory', 'x-user-ID': 'mallory', Remote_User: 'mallory', 'Remote-User': 'mallory', Proxy: 'http://evil/' };
    const seen = async (path, { user, ...options }) => {
      const answer = await world.get(path, { user: '', ...options, headers: { ...spoof, ...(user && { authorization: basic(user) }), ...options.headers } });
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual(answer.json.twice.filter((name) => name !== 'HTTP_REMOTE_USER'), [], 'no parameter comes twice');
      return { ...answer.json.params, body: answer.json.body };
    };
    await step('a GET', async () => {
      const got = await seen('/api/stream/a%2eb/recover?after=1-0&x=%20y', { user: 'alice', headers: { 'Last-Event-ID': '5-0', Origin: 'https://x.example' } });
      assert.equal(got.REQUEST_METHOD, 'GET');
      assert.equal(got.SCRIPT_NAME, '/api/stream');
      assert.equal(got.PATH_INFO, '/a.b/recover');
      assert.match(got.QUERY_STRING, /^after=1-0&x=%20y$/);
      assert.equal(got.REMOTE_USER, 'alice');
      assert.equal(got.REMOTE_ADDR, '127.0.0.1');
      assert.equal(got.HTTP_LAST_EVENT_ID, '5-0');
      assert.equal(got.HTTP_ORIGIN, 'https://x.example');
      assert.equal(got.HTTP_X_USER_ID || '', '');
      assert.equal(got.HTTP_PROXY || '', '');
    });
    await step('only what is below the mount point, and all of it', async () => {
      const before = world.echo.requests;
      const others = ['/api/streamfoo', '/api/streamfoo/x', '/api/stream.x', '/api', '/', ...(front.kind === 'htaccess' ? [] : ['/api/stream'])];
      for (const path of others) await world.get(path, alice);
      assert.equal(world.echo.requests, before, 'nothing else got there');
      for (const [path, expected] of [['/a%0Ab', '/a\nb'], ['/a%0A/recover', '/a\n/recover'], ['/a%20b%3B%C3%A9', '/a b;é'], ['/a/b/c', '/a/b/c']]) {
        const answer = await rawExchange(world.port, `/api/stream${path}`, alice);
        if (answer.status === 200) assert.equal(answer.json.params.PATH_INFO, expected);
        else assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status}`);
      }
    });
    await step('a POST', async () => {
      for (const authorization of ['Bearer abc.def', basic('alice'), basic('alice', 'guess')]) {
        const got = await seen('/api/stream/job', { method: 'POST', headers: { authorization, 'Content-Type': 'application/x-ndjson' }, body: '{"a":1}\n{"b":"é"}\n' });
        assert.equal(got.REQUEST_METHOD, 'POST');
        assert.equal(got.PATH_INFO, '/job');
        assert.equal(got.HTTP_AUTHORIZATION, authorization);
        assert.equal(got.CONTENT_TYPE, 'application/x-ndjson');
        assert.equal(got.CONTENT_LENGTH, '19');
        assert.equal(got.body, '{"a":1}\n{"b":"é"}\n');
        assert.equal(got.HTTP_X_USER_ID || '', '');
        assert.equal(got.REMOTE_USER || '', '', `nobody was asked for a password (${authorization})`);
      }
      for (const method of ['PUT', 'DELETE', 'OPTIONS']) assert.equal((await seen('/api/stream/job', { method })).REQUEST_METHOD, method);
      if (front.kind === 'htaccess') return; // a CGI program is told no length then
      const chunked = await seen('/api/stream/job', { method: 'POST', headers: { 'transfer-encoding': 'chunked' }, body: 'x'.repeat(70000) });
      assert.equal(chunked.body.length, 70000);
      if (front.kind !== 'apache') assert.equal(chunked.CONTENT_LENGTH, '70000', 'sse-fcgi wants to know it');
    });
    await step('the user in X-User-Id', async () => {
      const got = await seen('/app/v1.0/events/a/recover', { user: 'alice' });
      assert.equal(got.SCRIPT_NAME, '/app/v1.0/events');
      assert.equal(got.PATH_INFO, '/a/recover');
      assert.equal(got.HTTP_X_USER_ID, front.kind === 'lighttpd' ? 'intranet' : 'alice');
      assert.equal((await seen('/app/v1.0/events/a', { method: 'POST', headers: { authorization: basic('alice') }, body: '' })).HTTP_X_USER_ID || '', '');
    });
    await step('a responder that dies before it answers', async () => {
      world.echo.rude = true;
      const stream = await world.get('/api/stream/x', alice);
      assert.equal(stream.status, 200, stream.text);
      assert.match(stream.text, /^:\nretry: \d+\n/);
      const recover = await world.get('/api/stream/x/recover', alice);
      assert.equal(recover.status, 503);
      assert.ok(recover.json.error);
    });
  });
}

// --- reload -----------------------------------------------------------------------------------------------------------

for (const front of FRONTS.filter(({ tcp }) => !tcp)) {
  behind(front, 'a reload of the web server in mid-stream loses and doubles nothing', {}, async (world) => {
    const follower = world.follow('reload', alice);
    await until(() => follower.current?.ofType('connected').length, { what: 'connected' });
    const producer = world.producer('reload');
    const pump = repeatedly(() => producer.emit('token', { n: producer.sent }), 20);
    for (let turn = 0; turn < 2; turn++) {
      const before = follower.events.length;
      await until(() => follower.events.length > before + 5, { what: 'events before a reload' });
      await world.front.reload();
      // The CGI bridge is away for a moment.
      await until(async () => (await world.get('/api/stream/reload/recover', alice)).status === 200 || assert.equal(front.kind, 'apache-cgi'), { what: 'an answer after a reload' });
      const after = follower.events.length;
      await until(() => follower.events.length > after + 5, { what: 'events after a reload' });
    }
    await pump.stop();
    await producer.finish();
    await world.ctl('complete', 'reload');
    assert.equal(await follower.closed(), 204);
    assertDelivered({ who: 'the follower', events: follower.events, log: await readLog(world.redis, 'reload') });
    const cuts = follower.connections.length - 2;
    console.log(`# ${front.name}: two reloads cut the stream ${cuts} times`);
    assert.equal(cuts, front.kind.startsWith('lighttpd') ? 2 : 0);
  });
}

// --- sse-fcgi as a CGI program ------------------------------------------------------------------------------------------

/** The pids of the processes that serve. */
const serving = (world) => processesMentioning(world.front.program).map((line) => Number(line.split(' ')[0]));

for (const front of NATIVE) {
  behind(front, 'a process for each request', {}, async (world, step) => {
    await step('a client is killed while its stream is idle', async () => {
      await quickly(async (name) => {
        const start = performance.now();
        await until(async () => !await world.redis.exists(`sse:stream:${name}`), { what: 'its leaving to be noticed' });
        console.log(`#   noticed after ${(performance.now() - start).toFixed(0)} ms`);
      }, { ms: front.beats ? front.beats * 1000 + 700 : 500, what: 'its leaving to be noticed', before: async (turn) => {
        const name = `killed-${turn}`;
        const client = world.keep(Process.start('curl', 'curl', ['-sN', '-o', '/dev/null', '-H', `Authorization: ${alice.headers.authorization}`, world.url(`/api/stream/${name}`)]));
        await until(() => world.redis.exists(`sse:viewers:${name}`), { what: 'its stream' });
        await client.kill();
        return name;
      } });
      await until(() => serving(world).length === 0, { what: 'its process to end' });
    });
    await step('a process is told to stop, or is killed, in mid-stream', async () => {
      const follower = world.follow('told', alice);
      await until(() => follower.current?.ofType('connected').length, { what: 'connected' });
      const producer = world.producer('told');
      const pump = repeatedly(() => producer.emit('token', { n: producer.sent }), 20);
      for (const signal of ['SIGTERM', 'SIGKILL']) {
        const cut = follower.current, before = follower.events.length;
        await until(() => follower.events.length > before + 5, { what: 'events' });
        process.kill(serving(world)[0], signal);
        await until(() => cut.ended, { what: `the end of the response after ${signal}` });
        if (signal === 'SIGTERM') assert.equal(cut.retries.length, 2, 'the guard\'s retry, and one at the end');
        const after = follower.events.length;
        await until(() => follower.events.length > after + 5, { what: `events after ${signal}` });
      }
      await pump.stop();
      await producer.finish();
      await world.ctl('complete', 'told');
      assert.equal(await follower.closed(), 204);
      assertDelivered({ who: 'the follower', events: follower.events, log: await readLog(world.redis, 'told') });
    });
    await step('nothing that a client says is an option', async () => {
      const id = await world.ctl('emit', '--user', 'alice', 'said', 'token', '{}');
      for (const query of ['--config=/etc/passwd', '-h', '--help', '--dump-config', '--redis-url=unix:///nowhere', '--version+x', '--', 'operand+two']) {
        const headers = { ...alice.headers, SSE_REDIS_URL: 'unix:///nowhere', 'SSE-Redis-Url': 'unix:///nowhere', SSE_CONFIG: '/etc/passwd', 'Sse-Config': '/etc/passwd', 'SSE-Log-Target': join(world.dir, 'said.log'), Gateway_Interface: '' };
        const { json } = await world.get(`/api/stream/said/recover?${query}`, { user: '', headers });
        assert.equal(json?.lastEventId, id, query);
      }
      assert.ok(!existsSync(join(world.dir, 'said.log')));
    });
    await step('Redis is away', async () => {
      world.configure({ pending_wait: '1s' });
      await world.killRedis();
      const held = await world.stream('held', alice).ready();
      assert.equal(held.headers['content-type'], 'text/event-stream');
      assert.equal(await held.end(), 'end');
      assert.ok(held.retries.length === 2 && held.events.length === 0, held.raw);
      const recover = await world.get('/api/stream/held/recover', alice);
      assert.equal(recover.status, 503);
      assert.ok(Number(recover.headers['retry-after']) > 0);
      const waiting = world.stream('waiting', alice);
      await world.startRedis();
      await waiting.ready();
      await waiting.until('connected');
      waiting.close();
    });
    await step('it cannot start', async () => {
      const conf = readFileSync(world.configFile);
      appendFileSync(world.configFile, 'redis_url = nonsense\n');
      await assertAway(world);
      writeFileSync(world.configFile, conf);
      renameSync(world.front.program, `${world.front.program}.gone`);
      await assertAway(world);
      renameSync(`${world.front.program}.gone`, world.front.program);
      await world.viewer('again', alice);
    });
    await step('nothing is left, and nothing was said', async () => {
      world.clients.forEach((client) => client.close());
      await until(() => serving(world).length === 0, { what: 'all processes to end' });
      await assertKeys(world.redis);
      assert.equal(await world.redis.exists('sse:nodes'), 0, 'who lives for one request is no node');
      assert.doesNotMatch(world.front.logged, /level=(info|debug)/);
    });
  });
}

// --- several sites ----------------------------------------------------------------------------------------------------

for (const front of FRONTS.filter(({ tcp }) => !tcp)) {
  const serve = async (world) => {
    const byHeader = { user_variable: 'HTTP_X_USER_ID' };
    const served = async (name, conf) => (front.cgi ? { configFile: world.anotherConfig(name, conf) } : { address: await world.anotherResponder(name, conf) });
    return { sites: [
      { host: 'one.test', ...(front.cgi ? { configFile: world.configFile } : { address: world.responders.address }) },
      { host: 'one.test', mount: '/app/events', ...await served('app', { mount: '/app/events', key_prefix: 'app:' }) },
      { host: 'two.test', ...await served('two', { ...byHeader, key_prefix: 'two:' }), userHeader: true },
      { host: 'three.test', ...await served('three', { ...byHeader, key_prefix: 'three:' }) },
    ] };
  };
  behind(front, 'two sites and a mount in a subfolder, on one server', { serve }, async (world, step) => {
    const places = [['one.test', '/api/stream', 'sse:'], ['one.test', '/app/events', 'app:'], ['two.test', '/api/stream', 'two:']];
    const at = (host, user, more = {}) => ({ user: '', headers: { host, ...(user && { authorization: basic(user) }), ...more } });
    await step('each has its own streams', async () => {
      for (const [host, mount, prefix] of places) {
        const viewer = await new HttpStream(world.url(`${mount}/same`), at(host, 'alice')).ready();
        await viewer.until('connected');
        const id = await world.ctl('--key-prefix', prefix, 'emit', 'same', 'token', JSON.stringify({ prefix }));
        assert.equal((await viewer.until('token')).id, id);
        await world.ctl('--key-prefix', prefix, 'complete', 'same');
        assert.equal(await viewer.end(), 'end');
        assertDelivered({ who: host + mount, events: viewer.events, log: await readLog(world.redis, 'same', prefix) });
        const recovered = await exchange(world.url(`${mount}/same/recover?after=0-0`), at(host, 'alice'));
        assert.equal(recovered.json.events[0].data.prefix, prefix);
        for (const path of [mount, `${mount}foo`, `${mount}foo/same/recover`, `${mount}/`]) {
          const answer = await exchange(world.url(path), at(host, 'alice'));
          assert.ok(answer.status >= 400 && answer.status < 500, `${host}${path}: ${answer.status}`);
        }
      }
      assert.equal((await exchange(world.url('/app/events/same/recover'), at('two.test', 'alice'))).status, 404, 'only on its site');
    });
    await step('the server alone says who the user is, in a header too', async () => {
      for (const name of ['x-user-id', 'X_User_Id']) {
        const url = world.url('/api/stream/same/recover');
        assert.equal((await exchange(url, at('two.test', '', { [name]: 'alice' }))).status, 401, name);
        if (!front.kind.startsWith('lighttpd')) assert.equal((await exchange(url, at('two.test', 'bob', { [name]: 'alice' }))).status, 404, name);
        assert.equal((await exchange(url, at('one.test', 'bob', { [name]: 'alice' }))).status, 404, name);
        const unnamed = await exchange(url, at('three.test', 'alice', { [name]: 'alice' }));
        assert.equal(unnamed.status, 401, `${name}: a snippet for REMOTE_USER names nobody in this header`);
        assert.match(unnamed.json.error, /HTTP_X_USER_ID/, 'it is sse-fcgi that says so');
      }
    });
  });
}

// --- TLS and HTTP/2 ---------------------------------------------------------------------------------------------------

for (const front of FRONTS.filter(({ h2 }) => h2)) {
  behind(front, 'TLS and HTTP/2', { serve: () => ({ tls: true }) }, async (world, step) => {
    const session = new Http2Session(world.front.tlsPort);
    world.clients.push(session);
    const open = (id, options) => session.stream(id, options);
    await step('order, resuming, 204', () => core(world, open, 'h2'));
    await step('many streams on one connection', async () => {
      const streams = Array.from({ length: front.h2 }, (_, i) => open(`many-${i}`, alice));
      await Promise.all(streams.map((stream) => stream.ready().then(() => stream.until('connected'))));
      await each(streams, 8, (_, i) => world.ctl('emit', `many-${i}`, 'token', JSON.stringify({ i })));
      await Promise.all(streams.map((stream) => stream.until('token')));
      streams.forEach((stream, i) => assert.deepEqual(stream.ofType('token').map((event) => event.json.data.i), [i]));
      streams[0].close();
      await until(async () => await world.redis.hlen('sse:viewers:many-0') === 0, { what: 'one of them to be noticed as gone' });
      await world.ctl('complete', 'many-1');
      assert.equal(await streams[1].end(), 'end');
      await stays(() => streams.slice(2).every((stream) => !stream.ended), { during: 50, what: 'the others stay' });
    });
    await step('the responder is away', async () => {
      await world.killResponder();
      const away = await open('away', alice).ready();
      await away.end();
      assert.equal(away.headers['content-type'], 'text/event-stream');
      assert.ok(away.retries[0] >= 2000);
    });
  });
}

// --- a crowd ----------------------------------------------------------------------------------------------------------

for (const front of FRONTS.filter(({ h2 }) => h2)) {
  behind(front, 'two thousand streams with the limits of the snippet', { conf: { max_streams: '20000' } }, async (world) => {
    const count = crowd(2000, 100);
    needDescriptors(2 * count + 200);
    await world.viewer('warm', alice);
    const before = world.front.pssKiB;
    const start = performance.now();
    const viewers = await each(Array.from({ length: count }), 100, async () => {
      const viewer = await world.stream('crowd', { ...alice, keepRaw: false }).ready({ deadline: 20000 });
      await viewer.until('connected', { deadline: 20000 });
      return viewer;
    });
    const opened = performance.now() - start;
    const perStream = (world.front.pssKiB - before) / count;
    const emitted = performance.now();
    await world.ctl('emit', 'crowd', 'token', '{}');
    await Promise.all(viewers.map((viewer) => viewer.until('token', { deadline: 20000 })));
    const all = performance.now() - emitted;
    console.log(`# ${front.name}: ${count} streams open after ${(opened / 1000).toFixed(1)} s, one event at all of them after ${all.toFixed(0)} ms, `
      + `${perStream.toFixed(1)} KiB of the server's memory each, over ${before} KiB`);
    assert.equal(viewers.filter((viewer) => viewer.ended).length, 0, 'all of them stay open');
    await world.get('/', { user: '' }); // and there is room for more
  });
}

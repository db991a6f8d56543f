// Publishing over HTTP: PUT, POST and DELETE, through lighttpd and straight at the FastCGI socket.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertDelivered, assertKeys, dump, readLog } from '../support/checker.mjs';
import { ABORT, PARAMS, Peer, STDIN, ask, begin, pairs, paramsOf, record, streamOf } from '../support/fcgipeer.mjs';
import { run, sanitized } from '../support/proc.mjs';
import { each, stays, until } from '../support/wait.mjs';
import { RECEIVE_MS, program, story } from '../support/world.mjs';

const TOKEN = 'first-token-of-the-story', OTHER = 'second-token-of-the-story';

/** A story in a world that publishes; `at` says where the token file is. */
function publishing(name, options, body) {
  story(name, { guardian: false, ...options, responders: false, lighttpd: false }, async (world, t) => {
    writeTokens(world, TOKEN, OTHER);
    world.configure({ publish_token_file: join(world.dir, 'tokens') });
    await world.start({ redis: false, guardian: false, ...options });
    await body(world, t);
  });
}

function writeTokens(world, ...tokens) {
  writeFileSync(join(world.dir, 'tokens'), `# tokens of a story\n\n${tokens.map((token) => `${token}\n`).join('')}`);
  chmodSync(join(world.dir, 'tokens'), 0o600);
}

const authorized = (token) => (token ? { authorization: `Bearer ${token}` } : {});

const LINES = 'application/x-ndjson', FORM = 'application/x-www-form-urlencoded';
const bytesOf = (body) => (body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));

/** One request through lighttpd. A body that is no text or Buffer is sent as JSON. */
async function send(world, method, path, body, { token = TOKEN, type = 'application/json', headers = {}, ...rest } = {}) {
  const bytes = bytesOf(body);
  return world.get(`/api/stream/${path}`, { method, user: '', body: bytes, ...rest,
    headers: { ...(bytes && { ...(type && { 'content-type': type }), ...(!headers['transfer-encoding'] && { 'content-length': bytes.length }) }), ...authorized(token), ...headers } });
}
/** What a web server would send for it. params: more of them, or (undefined) less. */
function direct(method, path, body, { token = TOKEN, type = 'application/json', headers = {}, params = {} } = {}) {
  const bytes = bytesOf(body);
  const [bare, query = ''] = path.split('?');
  return { method, path: `/api/stream/${bare}`, query, user: '', body: bytes, headers: { ...authorized(token), ...headers },
    params: { CONTENT_LENGTH: String(bytes?.length ?? 0), ...(bytes && { CONTENT_TYPE: type || undefined }), ...params } };
}
/** The same request, straight at the FastCGI socket. */
const sendDirect = (world, method, path, body, options) => ask(world.fcgi, direct(method, path, body, options), { deadline: options?.deadline ?? 10000 });
const post = (world, path, body, options) => send(world, 'POST', path, body, options);
/** The head of a request; its body is the test's to send. */
const headOf = (what) => Buffer.concat([begin(), streamOf(PARAMS, pairs(paramsOf(what)))]);

const lines = (events) => events.map((event) => `${JSON.stringify(event)}\n`).join('');
const numbered = (count, type = 'token') => Array.from({ length: count }, (_, i) => ({ type, data: { i } }));
const numbersIn = async (world, id) => (await readLog(world.redis, id)).map((entry) => JSON.parse(entry.data).i);
const descriptors = (process) => readdirSync(`/proc/${process.pid}/fd`).length;

/** All that is stored but for what the processes say of themselves. */
async function stored(world) {
  return Object.fromEntries(Object.entries(await dump(world.redis)).filter(([key]) => !/^sse:(node|totals)/.test(key)));
}

for (const [name, way] of [['through lighttpd', send], ['at the socket', sendDirect]]) {
  publishing(`each content type reaches a viewer live, ${name}`, {}, async (world) => {
    const does = (body, options) => way(world, 'POST', 'job', body, options);
    const opened = await way(world, 'PUT', 'job', { type: 'export', user: 'u1', metadata: { pages: 3 }, lease: true });
    assert.deepEqual([opened.status, opened.json], [201, { streamId: 'job', result: 'created', lease: 1 }], opened.text);
    const viewer = await world.viewer('job');
    const one = await does({ type: 'token', data: { text: 'één' } });
    assert.equal(one.status, 201, one.text);
    assert.deepEqual(Object.keys(one.json), ['streamId', 'stored', 'ids', 'lastId']);
    assert.equal((await viewer.until('token')).id, one.json.lastId);
    assert.equal((await does('\n{ "type": "bare",\n\t"data": [1, 2] }\n', { type: '' })).status, 201, 'no content type is JSON');
    assert.deepEqual((await viewer.until('bare')).json.data, [1, 2]);
    for (const type of [LINES, 'application/ndjson', 'application/jsonl; charset=UTF-8', 'Application/JSONL;charset="utf-8"']) {
      const many = await does(lines([{ type: 'a', data: 1 }, { type: 'b' }, { type: 'c', data: null }]), { type });
      assert.deepEqual([many.status, many.json.stored, many.json.ids?.length], [201, 3, 3], `${type}: ${many.text}`);
      assert.equal((await viewer.until('c')).id, many.json.ids[2]);
    }
    const form = await does('type=progress&text=50+%25+%C3%A9%0a', { type: FORM });
    assert.equal(form.status, 201, form.text);
    assert.deepEqual((await viewer.until('progress')).json.data, { text: '50 % é\n' });
    assert.equal((await does('type=p2&data=%7B%22a%22%3A1%7D&id=once', { type: FORM })).status, 201);
    assert.deepEqual((await viewer.until('p2')).json.data, { a: 1 });
    assert.equal((await does('type=p2&data=%7B%22a%22%3A1%7D&id=once', { type: FORM })).status, 200, 'a repeat');
    assert.equal((await does('type=p3&producer=p&n=7', { type: FORM })).status, 201);
    assert.equal((await way(world, 'POST', 'job?producer=p&n=7', { type: 'p3' })).status, 200, 'the same number of the same producer');
    const hundred = await does(lines(numbered(100)), { type: LINES });
    assert.deepEqual([hundred.json.ids?.length, hundred.json.firstId], [100, undefined]);
    const more = await does(lines(numbered(101)), { type: LINES });
    assert.deepEqual([more.status, more.json.ids, typeof more.json.firstId], [201, undefined, 'string']);
    const ended = await does(lines([{ type: 'last', data: 1 }, { type: 'completed', data: { ok: true } }]), { type: LINES });
    assert.equal(ended.status, 201, ended.text);
    await viewer.until('completed');
    await viewer.end();
    assertDelivered({ who: 'the viewer', events: viewer.events, log: await readLog(world.redis, 'job') });
    await assertKeys(world.redis);
  });
}

publishing('PUT opens, POST without a body beats, DELETE cancels', {}, async (world) => {
  for (const [id, way] of [['a', send], ['b', sendDirect]]) {
    const does = async (method, path, body, expected, options) => {
      const answer = await way(world, method, path, body, options);
      assert.equal(answer.status, expected, `${method} ${path} ${JSON.stringify(body)}: ${answer.text}`);
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.match(answer.headers['content-type'], /^application\/json/);
      return answer.json;
    };
    await does('POST', id, undefined, 404);
    await does('DELETE', id, undefined, 404);
    assert.equal((await does('PUT', id, { nonsense: 1 }, 422)).error, 'unknown member "nonsense"');
    assert.equal((await does('PUT', id, undefined, 422)).field, 'user', 'anonymous = deny: it needs an owner');
    await does('PUT', id, '{"user":"u1"', 422);
    await does('PUT', id, { user: '' }, 422);
    await does('PUT', id, { user: 'a\u0007' }, 422);
    await does('PUT', id, { user: 'u1', type: 'a b' }, 422);
    await does('PUT', id, { user: 'u1', metadata: [] }, 422);
    await does('PUT', id, { user: 'u1', lease: 1 }, 422);
    await does('PUT', id, { user: 'u1', metadata: { x: 'y'.repeat(9000) } }, 413);
    assert.equal(await world.redis.exists(`sse:stream:${id}`), 0, 'nothing was opened');
    assert.deepEqual(await does('PUT', id, { user: 'u1', lease: true }, 201), { streamId: id, result: 'created', lease: 1 });
    assert.deepEqual(await does('PUT', `${id}?user=u1`, { metadata: { a: 1 } }, 200), { streamId: id, result: 'existing', lease: 1 });
    await does('PUT', id, { user: 'u2' }, 403);
    await does('POST', `${id}?user=u2`, { type: 'x' }, 403);
    await does('DELETE', `${id}?user=u2`, undefined, 403);
    await does('POST', `${id}?user=u2`, undefined, 404);
    await does('POST', `${id}?user=u1`, undefined, 200);
    assert.deepEqual(await does('POST', `${id}?lease=1`, undefined, 200), { streamId: id, stored: 0 });
    await does('PUT', id, { lease: true }, 422);
    assert.equal((await does('PUT', id, { user: 'u1', lease: true }, 200)).lease, 2);
    assert.equal((await does('POST', `${id}?lease=1`, undefined, 409)).state, 'fenced');
    await does('POST', `${id}?lease=02`, '', 200);
    await does('POST', `${id}?lease=2`, { type: 'x' }, 400);
    assert.equal(await world.redis.xlen(`sse:events:${id}`), 0);
    const gone = await does('DELETE', id, undefined, 200, { headers: { 'idempotency-key': 'del 1'.replace(' ', '-') } });
    const again = await does('DELETE', id, undefined, 200, { headers: { 'idempotency-key': 'del-1' } });
    assert.deepEqual(again, gone, 'a repeat');
    assert.deepEqual(await readLog(world.redis, id), [{ id: gone.id, type: 'cancelled', data: '{"reason":"deleted"}' }]);
    for (const [method, body] of [['DELETE'], ['PUT', { user: 'u1' }], ['POST', { type: 'x' }]]) {
      assert.equal((await does(method, id, body, 409)).state, 'cancelled', method);
    }
    await does('POST', id, undefined, 409);
  }
  await send(world, 'PUT', 'c', { user: 'u1' });
  assert.equal((await send(world, 'DELETE', 'c', 'no JSON')).status, 422);
  assert.equal((await send(world, 'DELETE', 'c', { why: 'because' })).status, 200);
  assert.equal((await readLog(world.redis, 'c'))[0].data, '{"why":"because"}');
  const options = await send(world, 'OPTIONS', 'c', undefined, { token: '' });
  assert.deepEqual([options.status, options.headers.allow, options.headers['access-control-allow-methods']],
    [204, 'GET, HEAD, OPTIONS, POST, PUT, DELETE', 'GET, HEAD, OPTIONS']);
  await assertKeys(world.redis);
});

publishing('who may create a stream by publishing', {}, async (world) => {
  assert.equal((await post(world, 'x1', { type: 'a' })).status, 404);
  assert.match((await post(world, 'x1', { type: 'a' })).json.error, /PUT/);
  assert.equal((await post(world, 'x1?user=u%31', { type: 'a' })).status, 201);
  assert.equal(await world.redis.hget('sse:stream:x1', 'userId'), 'u1');
  world.configure({ on_unknown: 'wait' });
  world.responders.list[0].signal('SIGHUP');
  await until(() => /configuration read again/.test(world.log('fcgi')), { what: 'the new configuration' });
  assert.equal((await post(world, 'x2?user=u1', { type: 'a' })).status, 404);
  assert.equal((await post(world, 'x1?user=u1', { type: 'b' })).status, 201);
});

/** name: [status, body or undefined, options]. Each is tried on the open stream `s`, both ways. */
const BAD = {
  'no token': [401, { type: 'a' }, { token: '' }],
  'a wrong token': [401, { type: 'a' }, { token: 'first-token-of-the-story2' }],
  'a token that is cut': [401, { type: 'a' }, { token: TOKEN.slice(0, -1) }],
  'another scheme': [401, { type: 'a' }, { token: '', headers: { authorization: `Basic ${TOKEN}` } }],
  'no token, 900 kB': [401, 'x'.repeat(900_000), { token: '' }],
  'an event of 900 kB': [413, { type: 'a', data: 'x'.repeat(900_000) }],
  'an event above event_bytes': [413, { type: 'a', data: 'x'.repeat(70_000) }],
  'an event far above event_bytes': [413, { type: 'a', data: 'x'.repeat(400_000) }],
  'a line above event_bytes': [413, lines([{ type: 'a' }, { type: 'b', data: 'x'.repeat(70_000) }]), { type: LINES }],
  'a form above event_bytes': [413, `type=a&text=${'x'.repeat(70_000)}`, { type: FORM }],
  'invalid JSON': [422, '{"type":"a","data":'],
  'two objects': [422, '{"type":"a"}{"type":"b"}'],
  'an array': [422, '[{"type":"a"}]'],
  'white space only': [422, '  \n'],
  'an unknown member': [422, { type: 'a', dta: 1 }],
  'no type': [422, { data: 1 }],
  'invalid UTF-8': [422, Buffer.from('{"type":"a","data":"\xff"}', 'latin1')],
  'a line break in a type': [422, { type: 'a\r\nX: y' }],
  'a space in a type': [422, { type: 'a b' }],
  'a reserved type': [422, { type: 'connected' }],
  'another reserved type': [422, lines([{ type: 'a' }, { type: 'gap' }]), { type: LINES }],
  'a bad line among good ones': [422, `${lines(numbered(3))}nonsense\n${lines(numbered(3))}`, { type: LINES }],
  'a line after the end': [422, lines([{ type: 'a' }, { type: 'completed' }, { type: 'b' }]), { type: LINES }],
  'a form with plain text as data': [422, 'type=a&data=hello', { type: FORM }],
  'a form with data and text': [422, 'type=a&data=1&text=x', { type: FORM }],
  'a form with a field twice': [422, 'type=a&data=1&data=2', { type: FORM }],
  'a form with an unknown field': [422, 'type=a&dtaa=1', { type: FORM }],
  'a form without a type': [422, 'data=1', { type: FORM }],
  'a form with a bad escape': [422, 'type=a&text=%4', { type: FORM }],
  'a form with invalid UTF-8': [422, 'type=a&text=%ff', { type: FORM }],
  'a form with a line break in its type': [422, 'type=a%0d%0aX&data=1', { type: FORM }],
  'a form with a producer alone': [422, 'type=a&producer=p', { type: FORM }],
  'a form with id and producer': [422, 'type=a&id=k&producer=p&n=1', { type: FORM }],
  'a form and a header that both name it': [422, 'type=a&id=k', { type: FORM, headers: { 'idempotency-key': 'k' } }],
  'JSON said to be a form': [422, { type: 'a' }, { type: FORM }],
  'plain text': [415, 'hello', { type: 'text/plain' }],
  multipart: [415, 'hello', { type: 'multipart/form-data; boundary=x' }],
  'another charset': [415, { type: 'a' }, { type: 'application/json; charset=latin1' }],
  'a producer without n': [400, { type: 'a' }, { query: 'producer=p' }],
  'n without a producer': [400, { type: 'a' }, { query: 'n=1' }],
  'n that is none': [400, { type: 'a' }, { query: 'producer=p&n=0x1' }],
  'n past what is counted': [422, lines(numbered(2)), { type: LINES, query: 'producer=p&n=9007199254740991' }],
  'a bad producer': [400, { type: 'a' }, { query: 'producer=P!&n=1' }],
  'a parameter twice': [400, { type: 'a' }, { query: 'user=u1&user=u1' }],
  'an unknown parameter': [400, { type: 'a' }, { query: 'usr=u1' }],
  'a lease that is none': [400, undefined, { query: 'lease=x' }],
  'a key that is too long': [400, { type: 'a' }, { headers: { 'idempotency-key': 'k'.repeat(129) } }],
  'a key with a space': [400, { type: 'a' }, { headers: { 'idempotency-key': 'a b' } }],
  'a key and a producer': [400, { type: 'a' }, { query: 'producer=p&n=1', headers: { 'idempotency-key': 'k' } }],
  'another user': [403, { type: 'a' }, { query: 'user=u2' }],
};
/** What only a peer can send: params of its own, and STDIN as it is. */
const BAD_DIRECT = {
  // lighttpd mends or refuses these by itself; above 1 MiB with a 413 of its own (the snippet's server.max-request-size)
  'no token, 3 MB': [401, 'x'.repeat(3_000_000), { token: '' }],
  'an event of 10 MB': [413, { type: 'a', data: 'x'.repeat(10_000_000) }],
  'a bad escape in the query': [400, { type: 'a' }, { query: 'user=%zz' }],
  'a user with a line break': [400, { type: 'a' }, { query: 'user=a%0Ab' }],
  'no length': [411, { type: 'a' }, { params: { CONTENT_LENGTH: undefined } }],
  'an empty length': [411, { type: 'a' }, { params: { CONTENT_LENGTH: '' } }],
  'a length that is none': [400, { type: 'a' }, { params: { CONTENT_LENGTH: '12x' } }],
  'a negative length': [400, { type: 'a' }, { params: { CONTENT_LENGTH: '-1' } }],
  'a body that is shorter': [400, { type: 'a' }, { params: { CONTENT_LENGTH: '100' } }],
  'a body that is longer': [400, { type: 'a' }, { params: { CONTENT_LENGTH: '4' } }],
  'lines that break off': [400, lines(numbered(20)), { type: LINES, params: { CONTENT_LENGTH: '10000' } }],
  'lines beyond the length': [400, lines(numbered(20)), { type: LINES, params: { CONTENT_LENGTH: '30' } }],
  'nothing of the body': [400, undefined, { params: { CONTENT_LENGTH: '10' } }],
  'a body although its length is 0': [400, { type: 'a' }, { params: { CONTENT_LENGTH: '0' } }],
};

publishing('what is refused: its status, nothing stored, nothing left behind', { conf: { log_level: 'debug', publish_requests: '8' }, timeout: 60000 }, async (world, t) => {
  const [responder] = world.responders.list;
  const seen = [];
  const monitor = await world.redis.monitor();
  t.after(() => monitor.disconnect());
  monitor.on('monitor', (time, args) => seen.push(args.join(' ')));
  await send(world, 'PUT', 's', { user: 'u1' });
  await send(world, 'PUT', 'ended', { user: 'u1' });
  await post(world, 'ended', { type: 'completed' });
  const tries = (list, ways) => Object.entries(list).flatMap(([name, [status, body, { query, ...options } = {}]]) =>
    ways.map((way) => ({ name, way, status, body, options, path: `s${query ? `?${query}` : ''}` })));
  const all = [...tries(BAD, [send, sendDirect]), ...tries(BAD_DIRECT, [sendDirect]),
    ...[send, sendDirect].flatMap((way) => [
      { name: 'after the end', way, status: 409, body: { type: 'x' }, path: 'ended' }, { name: 'a second end', way, status: 409, body: { type: 'failed' }, path: 'ended' },
      { name: 'an unknown stream', way, status: 404, body: { type: 'x' }, path: 'none' }, { name: 'no id', way, status: 400, body: { type: 'x' }, path: 'a*b' },
      { name: 'a page of ours', way, status: 405, body: { type: 'x' }, path: '-/health' }])];
  const before = await stored(world);
  const [files, memory] = [descriptors(responder), responder.rssKiB];
  for (let round = 0; round < 2; round++) { // by as many at a time as there are places: one that is not given back shows as a 429
    await each(all, 8, async ({ name, way, status, body, options, path }) => {
      const answer = await way(world, 'POST', path, body, options);
      assert.equal(answer.status, status, `${name} (${way.name}): ${answer.text}`);
      assert.equal(typeof answer.json?.error, 'string', `${name}: ${answer.text}`);
      assert.ok(answer.text.length < 700, `${name}: a bounded answer: ${answer.text.length}`);
      if (status === 401) assert.equal(answer.headers['www-authenticate'], 'Bearer', name);
      if (status === 422 || status === 413) assert.equal(answer.json.stored, 0, `${name}: ${answer.text}`);
    });
  }
  for (const type of ['application/json', LINES]) {
    const answer = await post(world, 's', lines([{ type: 'a' }, { type: 'b', data: 'x'.repeat(10_000_000) }]), { type });
    assert.equal(answer.status, 413, `10 MB through lighttpd: ${answer.text}`);
  }
  assert.deepEqual(await stored(world), before, 'nothing was stored');
  await until(() => descriptors(responder) <= files, { what: () => `${files} descriptors as before, there are ${descriptors(responder)}` });
  if (!sanitized(program('sse-fcgi'))) assert.ok(responder.rssKiB - memory < 16 * 1024, `memory: ${memory} KiB before, ${responder.rssKiB} KiB after`);
  assert.equal((await post(world, 's', { type: 'fine' })).status, 201, 'and it still serves');
  assert.equal((await readLog(world.redis, 's')).length, 1);
  assert.doesNotMatch(world.log('fcgi'), /token-of-the-story/, 'no token in the log');
  assert.ok(seen.length > 10 && !seen.some((line) => line.includes('token-of-the-story')), 'no token in Redis');
});

publishing('a token is said in the answer to nobody, and rotated by SIGHUP', {}, async (world) => {
  const [responder] = world.responders.list;
  const reload = async (pattern) => {
    const from = world.log('fcgi').length;
    responder.signal('SIGHUP');
    await until(() => pattern.test(world.log('fcgi').slice(from)), { what: () => `${pattern} in the log: ${world.log('fcgi').slice(from)}` });
  };
  const status = async (token) => (await post(world, 'r?user=u1', { type: 'a' }, { token })).status;
  assert.deepEqual([await status(TOKEN), await status(OTHER)], [201, 201]);
  writeTokens(world, OTHER, 'third-token-of-the-story');
  await reload(/configuration read again/);
  assert.deepEqual([await status(TOKEN), await status(OTHER), await status('third-token-of-the-story')], [401, 201, 201]);
  writeFileSync(join(world.dir, 'tokens'), 'third-token-of-the-story\nshort\n');
  await reload(/configuration refused.*tokens:2: a token is 16 to 512/);
  assert.equal(await status(OTHER), 201, 'the old ones are kept');
  writeTokens(world, TOKEN);
  chmodSync(join(world.dir, 'tokens'), 0o644);
  await reload(/configuration refused.*lets others at the secret/);
  assert.equal(await status(OTHER), 201);
  world.configure({ publish_token_file: undefined });
  await reload(/configuration read again/);
  const off = await post(world, 'r', { type: 'a' }, { token: OTHER });
  assert.deepEqual([off.status, off.headers.allow], [405, 'GET, HEAD, OPTIONS']);
  assert.match(off.json.error, /publish_token_file/);
  assert.doesNotMatch(world.log('fcgi'), /token-of-the-story/);
});

test('a token file that is bad stops the start, and says where', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'sr-http-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'tokens');
  const starts = async (text, mode, pattern) => {
    if (text !== undefined) writeFileSync(file, text);
    if (text !== undefined) chmodSync(file, mode);
    const got = await run('spawn-fcgi', ['-n', '-s', join(dir, 'x.sock'), '--', program('sse-fcgi'), `--redis-url=unix://${dir}/redis.sock`, `--publish-token-file=${file}`]);
    assert.equal(got.code, 78, got.stderr);
    assert.match(got.stderr, pattern);
    assert.doesNotMatch(got.stderr, /token-of-the-story|hush/);
  };
  await starts(undefined, 0, /tokens: No such file/);
  await starts('# none\n', 0o600, /tokens:\d: no token/);
  await starts(`${TOKEN}\n\nhush\n`, 0o600, /tokens:3: a token is 16 to 512 bytes/);
  await starts('a-hush-hush-that-has spaces\n', 0o600, /tokens:1: .*visible ASCII/);
  await starts(`${TOKEN}\n`, 0o644, /tokens: .*lets others at the secret/);
});

publishing('lines: all of 5000 in order, exactly those before a bad one, chunked ones too', { conf: { log_events: '20000' }, timeout: 60000 }, async (world) => {
  await send(world, 'PUT', 'many', { user: 'u1' });
  const viewer = await world.viewer('many');
  const answer = await post(world, 'many', lines(numbered(5000)), { type: LINES });
  assert.deepEqual([answer.status, answer.json.stored, answer.json.ids], [201, 5000, undefined], answer.text);
  const log = await readLog(world.redis, 'many');
  assert.deepEqual(log.map((entry) => JSON.parse(entry.data).i), numbered(5000).map((event) => event.data.i));
  assert.deepEqual([answer.json.firstId, answer.json.lastId], [log[0].id, log.at(-1).id]);
  const repeat = async (name) => sendDirect(world, 'POST', name, lines(numbered(350)), { type: LINES, headers: { 'idempotency-key': 'many' } });
  assert.equal((await repeat('m2?user=u1')).status, 201);
  assert.deepEqual([(await repeat('m2?user=u1')).status, (await readLog(world.redis, 'm2')).length], [200, 350], 'again, in several batches');
  const bad = numbered(300).map((event) => JSON.stringify(event));
  bad[249] = '{"type":"a b"}';
  for (const [id, way] of [['bad1', send], ['bad2', sendDirect]]) {
    const refused = await way(world, 'POST', `${id}?user=u1`, bad.join('\n'), { type: LINES });
    assert.deepEqual([refused.status, refused.json.line, refused.json.stored], [422, 250, 200], refused.text);
    assert.equal((await readLog(world.redis, id)).length, 200, 'what was said is what is there');
  }
  const chunked = await post(world, 'chunked?user=u1', lines(numbered(500)), { type: LINES, headers: { 'transfer-encoding': 'chunked' } });
  assert.deepEqual([chunked.status, chunked.json?.stored], [201, 500], chunked.text);
  const large = Array.from({ length: 20 }, (_, i) => ({ type: 'large', data: { i, x: 'x'.repeat(40_000) } }));
  assert.equal((await post(world, 'large?user=u1', lines(large), { type: LINES })).json.stored, 20, 'cut by bytes');
  assert.deepEqual(await numbersIn(world, 'large'), large.map((event) => event.data.i));
  await post(world, 'many', { type: 'completed' });
  await viewer.until('completed', { deadline: 10000 });
  assertDelivered({ who: 'the viewer', events: viewer.events, log: await readLog(world.redis, 'many') });
});

/** Send a request, and cut the connection after so many ms. */
function cut(world, method, path, body, options, after) {
  const request = http.request(world.url(`/api/stream/${path}`), { method, agent: false,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...authorized(TOKEN), ...options.headers } });
  const closed = new Promise((resolve) => { request.on('close', resolve); });
  request.on('error', () => {});
  request.on('response', (response) => response.resume());
  request.end(body);
  setTimeout(() => request.destroy(), after);
  return closed;
}

async function cutDirect(world, method, path, body, options, after) {
  const peer = Peer.request(world.fcgi, direct(method, path, body, options));
  await peer.connected;
  setTimeout(() => peer.close(), after);
  return peer.gone;
}

for (const [name, cutting, asking] of [['through lighttpd', cut, send], ['at the socket', cutDirect, sendDirect]]) {
  publishing(`a storm of retries ${name}: every event is stored once`, { processes: 2, timeout: 60000 }, async (world) => {
    await each(Array.from({ length: 4 }, (_, i) => i), 4, (i) => send(world, 'PUT', `storm${i}`, { user: 'u1' }));
    let usual = 9; // ms to an answer: some of those that are cut off are stored, some are not
    const thrice = async (path, event, options) => {
      const body = JSON.stringify(event);
      await Promise.all([0, 1].map((k) => cutting(world, 'POST', path, body, options, (event.data.i * 7 + k * 3) % 9 / 9 * usual)));
      const start = performance.now();
      const answer = await asking(world, 'POST', path, body, options);
      usual = Math.max(9, performance.now() - start);
      assert.ok([200, 201].includes(answer.status), `${path} ${body}: ${answer.status} ${answer.text}`);
      assert.equal(answer.json.stored, 1);
      return answer.status;
    };
    const events = numbered(100);
    const keyed = await each(events, 20, (event) => thrice(`storm${event.data.i % 2}`, event, { headers: { 'idempotency-key': `"key-${event.data.i}"` } }));
    await each(Array.from({ length: 10 }, (_, p) => p), 10, async (p) => { // ten producers, each in order
      for (const event of events.filter((_, i) => i % 10 === p)) {
        keyed.push(await thrice(`storm${2 + p % 2}?producer=p${p}&n=${Math.floor(event.data.i / 10) + 1}`, event, {}));
      }
    });
    const found = [];
    for (let i = 0; i < 4; i++) found.push(...await numbersIn(world, `storm${i}`));
    found.sort((a, b) => a - b);
    assert.deepEqual(found, events.flatMap((event) => [event.data.i, event.data.i]), 'each number once by key, and once by producer');
    assert.ok(keyed.includes(200), `some were repeats: ${keyed.filter((status) => status === 200).length} of ${keyed.length}`);
    await assertKeys(world.redis);
  });
}

publishing('a long body again and again, cut anywhere: every event once, and in order', { processes: 2, lighttpd: false }, async (world) => {
  await sendDirect(world, 'PUT', 'long', { user: 'u1' });
  const body = Buffer.from(lines(numbered(650)));
  const what = direct('POST', 'long', body, { type: LINES, headers: { 'idempotency-key': 'one-and-only' } });
  const bytes = streamOf(STDIN, body);
  const cuts = Array.from({ length: 12 }, (_, i) => {
    const peer = new Peer(world.fcgi).send(headOf(what)).send(bytes.subarray(0, Math.floor(bytes.length * (i + 1) / 12)));
    return peer.connected.then(() => { setTimeout(() => peer.close(), i % 5); return peer.gone; });
  });
  const whole = await each([1, 2, 3], 3, () => ask(world.fcgi, what, { deadline: 10000 }));
  await Promise.all(cuts);
  assert.ok(whole.every(({ status, json }) => [200, 201].includes(status) && json.stored === 650), whole.map(({ text }) => text).join());
  assert.deepEqual(await numbersIn(world, 'long'), numbered(650).map((event) => event.data.i));
});

publishing('a number that stands for something else is no repeat', {}, async (world) => {
  await send(world, 'PUT', 'n', { user: 'u1' });
  assert.equal((await post(world, 'n?producer=p&n=5', { type: 'a', data: { i: 5 } })).status, 201);
  const keyed = { headers: { 'idempotency-key': 'k' } };
  assert.equal((await post(world, 'n', { type: 'a', data: { i: 6 } }, keyed)).status, 201);
  const refused = async (state, method, path, body, options) => {
    const { status, json, text } = await send(world, method, path, body, options);
    assert.deepEqual([status, json.state, json.stored ?? 0], [409, state, 0], text);
  };
  await refused('misnumbered', 'POST', 'n?producer=p&n=5', { type: 'completed' });
  await refused('misnumbered', 'POST', 'n', { type: 'completed' }, keyed);
  await refused('misnumbered', 'DELETE', 'n?producer=p&n=5');
  await refused('misnumbered', 'DELETE', 'n', undefined, keyed);
  await refused('forgotten', 'POST', 'n?producer=p&n=4', { type: 'a', data: { i: 4 } });
  await refused('forgotten', 'POST', 'n?producer=p&n=1', lines(numbered(3)), { type: LINES });
  assert.equal(await world.redis.hget('sse:stream:n', 'state'), 'active');
  assert.deepEqual(await numbersIn(world, 'n'), [5, 6]);
  const long = () => post(world, 'n?producer=q&n=1', lines(numbered(250)), { type: LINES });
  assert.equal((await long()).status, 201);
  const again = await long();
  assert.deepEqual([again.status, again.json.stored], [200, 250], 'a long repeat, whose first batches have a lower number');
  assert.equal((await post(world, 'n?producer=q&n=251', { type: 'completed' })).status, 201);
  assert.equal((await post(world, 'n?producer=q&n=251', { type: 'completed' })).status, 200, 'an end again');
});

publishing('requests without a key push out no key', {}, async (world) => {
  const order = () => post(world, 'orders?user=u1', { type: 'order', data: { i: -1 } }, { headers: { 'idempotency-key': 'order-1' } });
  assert.equal((await order()).status, 201);
  await each(numbered(300), 4, async (event) => assert.equal((await post(world, 'orders', event)).status, 201));
  assert.equal((await order()).status, 200);
  assert.equal((await numbersIn(world, 'orders')).filter((i) => i === -1).length, 1);
});

publishing('Redis is away: 503, and the same request again stores once', { timeout: 60000 }, async (world) => {
  const key = { headers: { 'idempotency-key': 'k1' } };
  await send(world, 'PUT', 'away', { user: 'u1' });
  await world.server.process.freeze();
  const start = performance.now();
  const doubtful = await post(world, 'away', { type: 'a', data: { i: 1 } }, { ...key, deadline: 12000 });
  assert.deepEqual([doubtful.status, doubtful.json.stored, doubtful.json.unconfirmed], [503, 0, 1], doubtful.text);
  assert.ok(Number(doubtful.headers['retry-after']) >= 1);
  assert.ok(performance.now() - start > 4000, 'it was tried for a while');
  world.server.process.signal('SIGCONT');
  await world.readiness(200, 15000);
  assert.ok([200, 201].includes((await post(world, 'away', { type: 'a', data: { i: 1 } }, key)).status));
  assert.deepEqual(await numbersIn(world, 'away'), [1]);
  await world.killRedis();
  await until(async () => (await ask(world.fcgi, { path: '/api/stream/-/ready' })).status === 503, { what: 'the responder to know' });
  const before = performance.now();
  const later = post(world, 'away', { type: 'a', data: { i: 2 } }, { headers: { 'idempotency-key': 'k2' } });
  const gone = await post(world, 'away', { type: 'a', data: { i: 3 } }, { ...key, deadline: 12000 }).then(async (answer) => { await later; return answer; });
  assert.deepEqual([gone.status, gone.json.unconfirmed], [503, 0], 'nothing was sent');
  assert.ok(performance.now() - before > 4000);
  const bridged = post(world, 'away', { type: 'a', data: { i: 4 } }, { headers: { 'idempotency-key': 'k4' } });
  await world.startRedis();
  const answer = await bridged;
  assert.ok(answer.status === 201 || answer.status === 503, answer.text);
  await world.readiness(200, 15000);
  assert.ok([200, 201].includes((await post(world, 'away', { type: 'a', data: { i: 4 } }, { headers: { 'idempotency-key': 'k4' } })).status));
  assert.deepEqual(await numbersIn(world, 'away'), [1, 4]);
});

publishing('slow bodies: they disturb nobody, and are given up', { conf: { publish_requests: '2', log_level: 'debug' } }, async (world) => {
  const [responder] = world.responders.list;
  const files = descriptors(responder);
  const body = Buffer.from(JSON.stringify({ type: 'slow', data: 'x'.repeat(900) }));
  const slow = () => new Peer(world.fcgi).send(headOf(direct('POST', 'slow?user=u1', body)));
  const drips = [slow(), slow()];
  let at = 0;
  // After the poll phase: an answer that is here was read. A write to a peer that has closed would throw it away.
  const timer = setInterval(() => setImmediate(() => {
    drips.forEach((peer) => { if (!peer.socket.destroyed && peer.status === undefined) peer.send(record(STDIN, body.subarray(at, at + 1))); });
    at++;
  }), 50);
  try {
    await until(() => world.log('fcgi').match(/"change begins" stream=slow/g)?.length === 2, { what: 'the drips to take both places' });
    assert.equal((await sendDirect(world, 'POST', 'other?user=u1', { type: 'a' })).status, 429);
    const full = await post(world, 'other?user=u1', { type: 'a' });
    assert.deepEqual([full.status, full.headers['retry-after']], [429, '1'], full.text);
    const begun = performance.now();
    assert.equal((await ask(world.fcgi, { path: '/api/stream/-/health' })).status, 200);
    const viewer = await world.viewer('watched');
    assert.ok(performance.now() - begun < RECEIVE_MS / 2, 'others are served at once');
    viewer.close();
    await Promise.all(drips.map((peer) => peer.answered({ deadline: 15000 })));
    assert.deepEqual(drips.map((peer) => peer.status), [408, 408]);
    assert.ok(at < body.length, 'before all of it came');
  } finally {
    clearInterval(timer);
  }
  assert.equal((await post(world, 'other?user=u1', { type: 'a' })).status, 201, 'the places are free again');
  assert.equal(await world.redis.exists('sse:stream:slow'), 0);
  const left = slow().send(record(STDIN, body.subarray(0, 50)));
  const aborted = slow().send(record(STDIN, body.subarray(0, 50))).send(record(ABORT));
  const broken = slow().send(record(STDIN, body, { id: 2 }));
  await Promise.all([aborted.dropped(), broken.dropped()]);
  left.close();
  await until(() => descriptors(responder) <= files, { what: () => `${files} descriptors, there are ${descriptors(responder)}` });
  assert.equal(await world.redis.exists('sse:stream:slow'), 0);
  const whole = new Peer(world.fcgi).send(headOf(direct('POST', 'bytes?user=u1', body)));
  for (const byte of streamOf(STDIN, body)) whole.send(Buffer.from([byte]));
  await whole.answered();
  assert.equal(whole.status, 201, 'byte by byte');
});

publishing('a client that leaves in the middle: what was stored stays', {}, async (world) => {
  await send(world, 'PUT', 'half', { user: 'u1' });
  const body = Buffer.from(lines(numbered(250)));
  const peer = new Peer(world.fcgi).send(headOf(direct('POST', 'half', body, { type: LINES }))).send(streamOf(STDIN, body).subarray(0, -16));
  await until(async () => await world.redis.xlen('sse:events:half') === 200, { what: 'two batches' });
  peer.close();
  await until(async () => (await sendDirect(world, 'POST', 'half', { type: 'x' })).status === 201, { what: 'another one' });
  assert.equal(await world.redis.xlen('sse:events:half'), 201);
});

publishing('a drain waits for a body that is on its way', { lighttpd: false }, async (world) => {
  const [responder] = world.responders.list;
  await sendDirect(world, 'PUT', 'drained', { user: 'u1' });
  const body = Buffer.from(lines(numbered(150)));
  const bytes = streamOf(STDIN, body);
  const peer = new Peer(world.fcgi).send(headOf(direct('POST', 'drained', body, { type: LINES }))).send(bytes.subarray(0, bytes.length - 100));
  await until(async () => await world.redis.xlen('sse:events:drained') === 100, { what: 'the first batch' });
  responder.signal('SIGTERM');
  await until(() => /msg="draining"/.test(world.log('fcgi')), { what: 'the drain' });
  await stays(() => responder.running, { during: 500, what: 'the responder waits for the body' });
  peer.send(bytes.subarray(bytes.length - 100));
  await peer.answered();
  assert.equal(peer.status, 201);
  assert.deepEqual((await responder.gone()), { code: 0, signal: null });
  assert.equal(await world.redis.xlen('sse:events:drained'), 150);
});

publishing('a drain does not wait for ever: not for a body that stands still, not for Redis', { lighttpd: false, conf: { receive_timeout: '1m', log_level: 'debug' } }, async (world) => {
  const [responder] = world.responders.list;
  await sendDirect(world, 'PUT', 'stuck', { user: 'u1' });
  await world.server.process.freeze();
  const body = Buffer.from('{"type":"a"}');
  const half = new Peer(world.fcgi).send(headOf(direct('POST', 'stuck', body))).send(record(STDIN, body.subarray(0, 5)));
  const whole = new Peer(world.fcgi).send(headOf(direct('POST', 'stuck', body))).send(streamOf(STDIN, body));
  const refused = new Peer(world.fcgi).send(headOf(direct('POST', 'stuck', body, { token: '' }))).send(record(STDIN, body.subarray(0, 5)));
  const begun = () => world.log('fcgi').match(/"change begins" stream=stuck/g)?.length; // the PUT is one
  await until(() => begun() === 3 && responder.sockets >= 6, { what: 'all of them to arrive' });
  const start = performance.now();
  responder.signal('SIGTERM');
  assert.deepEqual(await responder.gone(9000), { code: 0, signal: null });
  assert.ok(performance.now() - start > 1000, 'it did wait');
  await Promise.all([half, whole, refused].map((peer) => peer.dropped()));
  assert.ok([half, refused].every((peer) => peer.status === undefined));
});

publishing('bodies on requests that need none', { lighttpd: false }, async (world) => {
  const get = (path, body, params) => ask(world.fcgi, { path: `/api/stream/${path}`, body, params: { CONTENT_LENGTH: String(body.length), ...params } });
  assert.equal((await get('-/health', Buffer.alloc(100))).status, 200);
  assert.equal((await get('-/health', Buffer.alloc(65536))).status, 200);
  assert.equal((await get('-/health', Buffer.alloc(65537))).status, 413);
  const viewer = Peer.request(world.fcgi, { path: '/api/stream/v', body: Buffer.alloc(20000) });
  await viewer.until('connected');
  viewer.close();
});

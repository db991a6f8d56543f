// sse-fcgi as a CGI program, with the story in the web server's place. Behind real ones: servers.test.mjs.
import assert from 'node:assert/strict';
import { openSync, closeSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertDelivered, assertKeys, readLog } from '../support/checker.mjs';
import { CgiRequest } from '../support/cgi.mjs';
import { ask } from '../support/fcgipeer.mjs';
import { Process, run, sanitized } from '../support/proc.mjs';
import { stays, until } from '../support/wait.mjs';
import { program, story } from '../support/world.mjs';

const TOKEN = 'token-of-the-cgi-story';
const alone = { guardian: false, responders: false, lighttpd: false };
const memoryCounts = !sanitized(program('sse-fcgi'));

/** Start a request. */
const cgi = (world, what = {}, options) => world.keep(new CgiRequest(program('sse-fcgi'), { ...what, env: { SSE_CONFIG: world.configFile, ...what.env } }, options));
/** One that is answered at once, to its end. */
async function answer(world, { said = /^$/, ...what }) {
  const request = await cgi(world, what).answered();
  await request.over();
  assert.match(request.stderr, said, 'nothing is said at level info');
  return request;
}
async function viewer(world, id, what = {}) {
  const request = await cgi(world, { path: `/api/stream/${id}`, ...what }).answered();
  await request.until('connected');
  return request;
}
const gone = (world, id, deadline = 10000) => until(async () => !await world.redis.exists(`sse:stream:${id}`, `sse:viewers:${id}`), { deadline, what: `${id} to be unregistered` });

story('a stream, from its start to its end', alone, async (world) => {
  const first = await viewer(world, 's');
  assert.equal(first.headers['content-type'], 'text/event-stream');
  assert.match(first.raw, /^:\nevent: sse-reset\nretry: \d+\nid: 0-0\n\n/);
  assert.equal(await world.redis.hlen('sse:viewers:s'), 1);
  const second = await viewer(world, 's', { input: null }); // a standard input that stays open is no body either
  assert.equal(await world.redis.hlen('sse:viewers:s'), 2, 'each process counts its viewer');
  const ids = [];
  for (let n = 0; n < 3; n++) ids.push(await world.ctl('emit', 's', 'token', JSON.stringify({ n })));
  await second.heartbeat();
  second.close();
  await second.process.gone();
  await until(async () => await world.redis.hlen('sse:viewers:s') === 1, { what: 'one of two viewers to be gone' });
  ids.push(await world.ctl('complete', 's', '{}'));
  await first.over();
  const log = await readLog(world.redis, 's');
  assertDelivered({ who: 'the viewer', events: first.events.filter(({ json }) => json.type !== 'connected'), log });
  const late = await answer(world, { path: '/api/stream/s' });
  assert.deepEqual(late.events.map(({ id }) => id), ids);
  const missed = await answer(world, { path: '/api/stream/s', headers: { 'last-event-id': ids[1] } });
  assert.deepEqual(missed.events.map(({ id }) => id), ids.slice(2));
  const done = await answer(world, { path: '/api/stream/s', headers: { 'last-event-id': ids[3] } });
  assert.equal(done.status, 204);
  assert.equal(done.raw, '');
  assert.equal(done.headers['content-type'], undefined);
  await assertKeys(world.redis);
  assert.equal(await world.redis.exists('sse:nodes'), 0, 'no node for operators to look after');
});

story('requests that are answered at once', alone, async (world) => {
  await world.ctl('emit', '--user', 'u1', 'known', 'token', '{}');
  const head = await answer(world, { method: 'HEAD', path: '/api/stream/known' });
  assert.equal(head.status, 200);
  assert.equal(head.headers['content-type'], 'text/event-stream');
  assert.equal(head.raw, '');
  const recover = await answer(world, { path: '/api/stream/known/recover', query: 'after=0-0' });
  assert.equal(recover.json.events.length, 1);
  assert.equal((await answer(world, { method: 'HEAD', path: '/api/stream/known/recover' })).raw, '');
  const options = await answer(world, { method: 'OPTIONS', path: '/api/stream/known', user: '' });
  assert.equal(options.status, 204);
  assert.match(options.headers.allow, /GET/);
  for (const path of ['known', 'known/recover']) {
    assert.equal((await answer(world, { path: `/api/stream/${path}`, user: 'mallory' })).status, 404);
    assert.equal((await answer(world, { path: `/api/stream/${path}`, user: '' })).status, 401);
  }
  for (const [page, word] of [['health', 'ok'], ['ready', 'ready']]) {
    assert.equal((await answer(world, { path: `/api/stream/-/${page}` })).json.status, word, 'ready: it waits for its first connection');
    assert.equal((await answer(world, { path: `/api/stream/-/${page}`, params: { REMOTE_ADDR: '203.0.113.9' } })).status, 403);
  }
  assert.equal((await answer(world, { path: '/api/stream/known', method: 'PATCH' })).status, 405);
  assert.equal((await answer(world, { path: '/other/known', params: { SCRIPT_NAME: '/other', PATH_INFO: '/known' }, said: /outside of mount/ })).status, 404);
  assert.equal((await answer(world, { path: '/api/stream/known', query: 'x'.repeat(70000), said: /64 KiB/ })).status, 414);
  assert.equal((await answer(world, { path: '/api/stream/known/recover', input: 'x'.repeat(1000) })).status, 200, 'a body that is not needed');
  assert.equal((await answer(world, { path: '/api/stream/known/recover', input: 'x'.repeat(100000) })).status, 413);
});

story('bodies', alone, async (world) => {
  writeFileSync(join(world.dir, 'tokens'), `${TOKEN}\n`, { mode: 0o600 });
  world.configure({ publish_token_file: join(world.dir, 'tokens') });
  const post = (input, { token = TOKEN, method = 'POST', type = 'application/json', params = {}, path = 'job' } = {}) => answer(world, {
    method, path: `/api/stream/${path}`, user: '', headers: { authorization: `Bearer ${token}` }, input, params: { CONTENT_TYPE: type, ...params } });
  assert.equal((await post('{"user":"u1"}', { method: 'PUT' })).status, 201);
  assert.equal((await post('{"type":"token","data":{"text":"é"}}')).json.stored, 1);
  const lines = Array.from({ length: 900 }, (_, n) => `${JSON.stringify({ type: 'token', data: { n, pad: 'x'.repeat(900) } })}\n`).join(''); // some 850 KiB
  assert.equal((await post(lines, { type: 'application/x-ndjson' })).json.stored, 900);
  const log = await readLog(world.redis, 'job');
  assert.equal(log.length, 901);
  assert.equal((await post('', { type: '' })).json.stored, 0, 'a beat');
  assert.equal((await post(lines.slice(0, 5000), { type: 'application/x-ndjson', params: { CONTENT_LENGTH: '9999' } })).status, 400, 'it broke off');
  assert.equal((await post('{"type":"token","data":1}', { params: { CONTENT_LENGTH: '' } })).json.stored, 0, 'RFC 3875, 4.2: without a length there is no body');
  assert.equal((await post('{"type":"token","data":1}', { params: { CONTENT_LENGTH: '', HTTP_TRANSFER_ENCODING: 'chunked' } })).status, 411);
  assert.equal((await post('{}', { params: { CONTENT_LENGTH: '2x' } })).status, 400);
  assert.equal((await post(lines, { token: 'wrong', type: 'application/x-ndjson' })).status, 401);
  assert.equal((await post('x'.repeat(1100 * 1024))).status, 413);
  assert.equal((await post('', { method: 'DELETE' })).status, 200);
});

story('clients that leave, and a server that says so', { ...alone, conf: { heartbeat_interval: '15s' } }, async (world) => {
  for (const how of ['close', 'SIGTERM', 'SIGINT']) {
    const leaving = await viewer(world, 'leaving');
    if (how === 'close') leaving.close();
    else leaving.process.signal(how);
    await leaving.process.gone();
    assert.deepEqual(leaving.process.exit, { code: 0, signal: null }, how);
    await gone(world, 'leaving', 100);
    if (how !== 'close') {
      assert.equal(leaving.retries.length, 2, 'the guard\'s retry, and one at the end');
      assert.match(leaving.raw, /\n\n$/);
    }
    assert.equal(leaving.stderr, '', how);
  }
  world.configure({ heartbeat_interval: '200ms' });
  const hung = await viewer(world, 'hung');
  hung.process.signal('SIGHUP');
  await hung.heartbeat();
  await world.ctl('emit', 'hung', 'token', '{}');
  await hung.until('token');
  hung.close();
  await hung.process.gone();
  assert.equal((await answer(world, { path: '/api/stream/hung/recover', query: 'after=0-0' })).json.events.length, 1, 'what it had is kept for a while');
});

story('a process that is killed is missed like any other', { ...alone, guardian: true }, async (world) => {
  const killed = await viewer(world, 'killed');
  await killed.kill();
  await until(async () => await world.redis.hget('sse:stream:killed', 'state') === 'orphaned', { deadline: 15000, what: 'the guardian to see it' });
  const next = await viewer(world, 'killed');
  assert.equal(await world.redis.hget('sse:stream:killed', 'state'), 'active');
  next.close();
  await next.process.gone();
  assert.equal(await world.redis.zscore('sse:active', 'killed'), null, 'the last one to leave took it out');
});

story('a client that does not read', { ...alone, timeout: 60000 }, async (world) => {
  const slow = await viewer(world, 'slow');
  slow.stdout.pause();
  const producer = world.producer('slow');
  const count = 900, pad = 'x'.repeat(4000); // some 3.6 MB
  for (let n = 0; n < count; n++) producer.emit('token', { n, pad });
  await producer.finish();
  const { rssKiB } = slow.process;
  if (memoryCounts) assert.ok(rssKiB < 6000, `it holds ${rssKiB} KiB`);
  await world.ctl('complete', 'slow');
  slow.stdout.resume();
  await slow.end({ deadline: 20000 });
  assertDelivered({ who: 'a client that read late', events: slow.events.slice(1), log: await readLog(world.redis, 'slow') });
});

story('Redis is away', { ...alone, redis: false }, async (world) => {
  const held = await cgi(world, { path: '/api/stream/held' }).answered();
  assert.equal(held.status, 200);
  await held.over();
  assert.equal(held.retries.length, 2, held.raw);
  assert.match(held.stderr, /level=warn .*redis unavailable/);
  const recover = await cgi(world, { path: '/api/stream/held/recover' }).answered();
  assert.equal(recover.status, 503);
  assert.ok(Number(recover.headers['retry-after']) > 0);
  await recover.over();
  world.configure({ pending_wait: '20s' });
  const waiting = await cgi(world, { path: '/api/stream/waiting' }).answered();
  await waiting.heartbeat();
  await world.startRedis();
  await waiting.until('connected', { deadline: 10000 });
  await world.killRedis();
  await waiting.heartbeat({ more: 2 });
  await world.startRedis();
  await until(() => world.redis.exists('sse:viewers:waiting'), { deadline: 10000, what: 'it to register anew' });
  waiting.close();
  await waiting.process.gone();
  await gone(world, 'waiting');
});

story('how it was started decides', { guardian: false, lighttpd: false }, async (world) => {
  const command = program('sse-fcgi');
  for (const env of [{}, { REQUEST_METHOD: 'GET', SCRIPT_NAME: '/api/stream', PATH_INFO: '/x' }]) {
    const { code, stdout, stderr } = await run(command, [], { env: { SSE_CONFIG: world.configFile, ...env } });
    assert.equal(code, 64);
    assert.equal(stdout, '');
    assert.match(stderr, /file descriptor 0 is no listening socket/);
    assert.match(stderr, /spawn-fcgi/);
  }
  const { code, stdout } = await run(command, ['--help']);
  assert.equal(code, 0);
  assert.match(stdout, /CGI/);
  // A client's words are no options, and a listening socket is served whatever the environment says.
  for (const words of [['--help'], ['--config=/etc/passwd'], ['--redis-url=unix:///nowhere'], ['-x', 'operand'], ['--version']]) {
    assert.equal((await answer(world, { path: '/api/stream/x/recover', args: words })).status, 404, words[0]);
  }
  // A connection would take the place of a descriptor that is closed.
  const closed = await run('sh', ['-c', `exec '${command}' <&- 2>&-`], { env: { SSE_CONFIG: world.configFile, GATEWAY_INTERFACE: 'CGI/1.1',
    REQUEST_METHOD: 'GET', SCRIPT_NAME: '/api/stream', PATH_INFO: '/-/health', REMOTE_ADDR: '127.0.0.1' } });
  assert.match(closed.stdout, /^Status: 200 [^]*"status":"ok"/);
  assert.equal(closed.code, 0);
  const log = openSync(join(world.dir, 'both.log'), 'a');
  const both = world.keep(Process.start('sse-fcgi', 'spawn-fcgi', ['-n', '-s', join(world.dir, 'both.sock'), '--', command], {
    stdio: ['ignore', log, log], env: { SSE_CONFIG: world.configFile, GATEWAY_INTERFACE: 'CGI/1.1' } }));
  closeSync(log);
  await until(() => /msg="serving"/.test(readFileSync(join(world.dir, 'both.log'), 'utf8')), { what: 'it to serve' });
  assert.equal((await ask(join(world.dir, 'both.sock'), { path: '/api/stream/-/health' })).status, 200);
  assert.ok(both.running);
});

story('what others could read, or be told by mistake', alone, async (world) => {
  const secret = 'Bearer token-that-nobody-may-see';
  const stream = await viewer(world, 'secret', { headers: { authorization: secret }, env: { NOTIFY_SOCKET: join(world.dir, 'notify.sock') } });
  const environ = readFileSync(`/proc/${stream.process.pid}/environ`, 'latin1');
  assert.match(environ, /HTTP_AUTHORIZATION=\0/);
  assert.doesNotMatch(environ, /nobody-may-see/);
  stream.process.signal('SIGTERM');
  await stream.over();
  await stays(() => stream.stderr === '', { during: 30, what: 'nothing said' });
});

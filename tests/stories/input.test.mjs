// Bad input from every side: a clear status or error each time, and nothing else disturbed.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { allKeys, assertKeys } from '../support/checker.mjs';
import { ABORT, BEGIN, PARAMS, Peer, STDIN, ask, begin, pairs, paramsOf, record, requestBytes, streamOf } from '../support/fcgipeer.mjs';
import { run } from '../support/proc.mjs';
import { RECEIVE_MS, program, story } from '../support/world.mjs';
import { stays, until, within } from '../support/wait.mjs';

const lines = (text, pattern) => text.split('\n').filter((line) => pattern.test(line));

/** Another client is served at once, and a live stream notices nothing. */
async function nothingDisturbed(world, live) {
  const start = performance.now();
  assert.equal((await ask(world.fcgi, { path: '/api/stream/-/health' })).status, 200);
  const other = Peer.request(world.fcgi, { path: `/api/stream/other-${Math.random().toString(36).slice(2)}` });
  await other.until('connected');
  const took = performance.now() - start;
  assert.ok(took < RECEIVE_MS * 0.8, `another client was served after ${took.toFixed(0)} ms`);
  other.close();
  await live.heartbeat();
  assert.equal(live.ended, undefined, 'the live stream is open');
}

story('paths, ids, queries and methods', { guardian: false }, async (world) => {
  const status = async (path, options) => (await world.get(path, options)).status;
  for (const id of ['a%20b', 'a%3Bb', '%C3%A9', 'a*b', 'a%25b', 'x'.repeat(129), 'a%7Bb', '%22', 'a,b', 'a+b', 'a%40b']) {
    const answer = await world.get(`/api/stream/${id}`);
    assert.equal(answer.status, 400, `id ${id.slice(0, 40)}`);
    assert.equal(typeof answer.json?.error, 'string', `id ${id.slice(0, 40)}: ${answer.text.slice(0, 100)}`);
    assert.equal(await status(`/api/stream/${id}/recover`), 400, `recover of ${id.slice(0, 40)}`);
  }
  const raw = (path) => ask(world.fcgi, { path });
  assert.equal((await raw('/api/stream/a\nb')).status, 400, 'a newline, as Apache and nginx pass it');
  assert.equal((await raw('/api/stream/a\r\nX-Evil: 1')).headers['x-evil'], undefined);
  for (const path of ['/api/stream/a/b', '/api/stream/a/recover/x', '/api/stream/-/none', '/api/stream/a/Recover']) {
    assert.equal(await status(path), 404, path);
  }
  assert.ok([400, 404].includes(await status('/api/stream/')), 'no id at all');
  assert.ok([400, 404].includes(await status('/api/stream/-')), '- is no id');
  for (const [path, mount] of [['/other/x', '/other'], ['/api/streamfoo', '/api/streamfoo'], ['/api/v2/stream/x', '/api/v2/stream']]) {
    const answer = await ask(world.fcgi, { path, params: { SCRIPT_NAME: mount, PATH_INFO: path.slice(mount.length) } });
    assert.equal(answer.status, 404, `mount ${mount}: ${answer.text}`);
  }
  for (const [method, path] of [['PATCH', '/api/stream/m1'], ['TRACE', '/api/stream/m1'], ['POST', '/api/stream/m1/recover'], ['DELETE', '/api/stream/-/health']]) {
    const answer = await ask(world.fcgi, { path, method });
    assert.equal(answer.status, 405, `${method} ${path}`);
    assert.match(answer.headers.allow ?? '', /GET/, `${method} ${path} names what is allowed`);
  }
  const patched = await world.get('/api/stream/m1', { method: 'PATCH' });
  assert.equal(patched.status, 405, 'through the web server, too');
  assert.match(patched.headers.allow ?? '', /GET/);
  assert.ok(await status('/api/stream/m1', { method: 'POST', body: '{"type":"token","data":1}', headers: { 'content-type': 'application/json' } }) >= 400, 'no publishing without a token');
  assert.equal((await ask(world.fcgi, { path: '/api/stream/-/health', params: { REMOTE_ADDR: '203.0.113.9' } })).status >= 400, true, 'health is not for everybody');
  for (const [query, expected] of [['after=%00', 400], ['after=1-0%0A', 400], ['after=1', 400], ['=&&&', 404], ['x'.repeat(5000), 404]]) {
    assert.equal((await ask(world.fcgi, { path: '/api/stream/q1/recover', query })).status, expected, query.slice(0, 30));
  }
  assert.deepEqual((await allKeys(world.redis, '*')).filter((key) => !/^sse:(node|totals)/.test(key)), [], 'nothing was registered on the way');
});

story('users with strange names, and headers that repeat', { guardian: false }, async (world) => {
  for (const user of ['u\x01', 'x'.repeat(256)]) {
    const answer = await ask(world.fcgi, { path: '/api/stream/s1', user });
    assert.ok(answer.status >= 400 && answer.status < 500, `user ${JSON.stringify(user.slice(0, 20))}: ${answer.status}`);
  }
  const name = 'Zoë "q" = 1';
  const viewer = Peer.request(world.fcgi, { path: '/api/stream/s2', user: name });
  await viewer.until('connected');
  assert.equal(await world.redis.hget('sse:stream:s2', 'userId'), name);
  assert.equal((await ask(world.fcgi, { path: '/api/stream/s2/recover', user: name })).status, 200);
  viewer.close();
});

story('a query of 10 MB', { guardian: false }, async (world) => {
  const live = await world.viewer('live');
  const huge = Peer.request(world.fcgi, { path: '/api/stream/huge', query: `x=${'y'.repeat(10_000_000)}` });
  await Promise.race([huge.answered(), huge.dropped()]);
  if (huge.status === undefined) {
    assert.ok(lines(world.log('fcgi'), /level=(warn|error|info)/).some((line) => /large|big|long|limit|size|request/i.test(line)), 'a refusal without a status is logged');
  } else {
    assert.ok([400, 413, 414, 431].includes(huge.status), `status ${huge.status}`);
  }
  const answer = await world.get(`/api/stream/huge?x=${'y'.repeat(60_000)}`).catch((error) => ({ status: 400, text: error.code }));
  assert.ok(answer.status >= 400 && answer.status < 500, `through lighttpd: ${answer.status}`);
  assert.equal(await world.redis.exists('sse:stream:huge'), 0);
  await nothingDisturbed(world, live);
});

story('peers that break FastCGI', { guardian: false }, async (world) => {
  const live = await world.viewer('live');
  const [responder] = world.responders.list;
  const good = requestBytes({ path: '/api/stream/bad' });
  const params = streamOf(PARAMS, pairs(paramsOf({ path: '/api/stream/bad' })));
  const nearTwoGig = Buffer.from([0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xfe, 0x41, 0x42, 0x43, 0x44, 0, 0, 0, 0]);
  const cases = {
    'nothing at all': Buffer.alloc(0),
    'half a header': good.subarray(0, 5),
    'a request without its end': good.subarray(0, good.length - 8),
    'PARAMS cut in the middle': good.subarray(0, 60),
    garbage: Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    'random bytes': Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919 + (i >> 3) * 104729) & 255)),
    'version 9': Buffer.concat([record(BEGIN, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0]), { version: 9 }), params]),
    'lengths near 2^31': Buffer.concat([begin(), record(PARAMS, nearTwoGig), record(PARAMS), record(STDIN)]),
    'one length near 2^31, then silence': Buffer.concat([begin(), record(PARAMS, Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 65]))]),
    'a value longer than its record': Buffer.concat([begin(), record(PARAMS, Buffer.from([1, 127, 65, 66])), record(PARAMS), record(STDIN)]),
    'PARAMS before BEGIN': Buffer.concat([params, begin()]),
    'a role that is none': Buffer.concat([begin({ role: 77 }), params, record(STDIN)]),
    'the authorizer role': Buffer.concat([begin({ role: 2 }), params, record(STDIN)]),
    'a second BEGIN': Buffer.concat([begin(), begin({ id: 2 }), params]),
    'an abort before the end': Buffer.concat([begin(), record(ABORT)]),
    'an unknown record type': Buffer.concat([record(99, Buffer.from('what'), { id: 0 })]),
    'a content length that lies': record(BEGIN, Buffer.from([0, 1]), { length: 60000 }),
    'a long STDIN without end': Buffer.concat([begin(), params, record(STDIN, Buffer.alloc(60000))]),
  };
  const peers = Object.entries(cases).map(([name, bytes]) => ({ name, peer: new Peer(world.fcgi).send(bytes) }));
  await nothingDisturbed(world, live);
  for (const { name, peer } of peers) {
    await peer.dropped().catch((error) => { throw new Error(`${name}: ${error.message}`); });
    assert.ok(responder.running, `the responder lives after ${name}: ${JSON.stringify(responder.exit)}`);
  }
  for (const bytes of Object.values(cases)) new Peer(world.fcgi).send(bytes).close(); // the same, and gone at once
  await nothingDisturbed(world, live);
  await until(() => responder.sockets <= 10, { what: () => `the connections of all bad peers to be closed, there are ${responder.sockets} sockets` });
  assert.equal(await world.redis.exists('sse:stream:bad'), 0);
  const logged = lines(world.log('fcgi'), /level=(warn|error)/);
  assert.ok(logged.length <= 3 * Object.keys(cases).length, `at most a few lines for each bad peer, there are ${logged.length}`);
  assert.equal(lines(world.log('fcgi'), /[^\x09\x20-\x7e]/).length, 0, 'no raw bytes in the log');
});

story('peers that send one byte at a time hold nobody up', { guardian: false }, async (world) => {
  const live = await world.viewer('live');
  const bytes = requestBytes({ path: '/api/stream/drip' });
  const drips = Array.from({ length: 12 }, () => new Peer(world.fcgi)); // more than there are intake threads
  let at = 0;
  const timer = setInterval(() => {
    drips.forEach((peer) => { if (!peer.socket.destroyed) peer.send(bytes.subarray(at, at + 1)); });
    at++;
  }, 50);
  try {
    for (let i = 0; i < 3; i++) await nothingDisturbed(world, live);
    await Promise.all(drips.map((peer) => peer.dropped()));
    assert.ok(at < bytes.length, 'they were dropped before they had sent all');
  } finally {
    clearInterval(timer);
  }
  const whole = new Peer(world.fcgi); // in small pieces, but in time
  for (let i = 0; i < bytes.length; i += 40) {
    whole.send(bytes.subarray(i, i + 40));
    await delay(15); // the pace of this peer
  }
  await whole.until('connected');
  whole.close();
});

story('an abort ends a stream, and a client that half-closes is gone', { guardian: false, lighttpd: false }, async (world) => {
  const aborted = Peer.request(world.fcgi, { path: '/api/stream/ab1' });
  await aborted.until('connected');
  aborted.abort();
  await aborted.dropped();
  assert.deepEqual(aborted.endRequest, { appStatus: 0, protocolStatus: 0 }, 'with an END_REQUEST');
  const half = Peer.request(world.fcgi, { path: '/api/stream/ab2' });
  await half.until('connected');
  half.socket.end();
  await half.dropped();
  assert.ok(half.endRequest, 'it gets its END_REQUEST, too');
  await until(async () => await world.redis.zcard('sse:active') === 0, { what: 'both streams to be unregistered' });
  const kept = Peer.request(world.fcgi, { path: '/api/stream/-/health', keep: true });
  await until(() => kept.ended, { what: 'an answer although the connection is to be kept' });
  assert.equal(kept.status, 200);
  kept.close();
  await assertKeys(world.redis);
});

// --- programs and their configuration ---------------------------------------------------------------------------

test('options, files and values that are wrong stop each program with a clear text', { timeout: within(60000) }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'sr-input-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = (text) => {
    writeFileSync(join(dir, 'x.conf'), text);
    return join(dir, 'x.conf');
  };
  for (const name of ['sse-fcgi', 'sse-guardian', 'ssectl']) {
    const tail = name === 'ssectl' ? ['status'] : [];
    const fails = async (code, pattern, args, env) => {
      const got = await run(program(name), args, { env, stdin: 'ignore' });
      assert.equal(got.code, code, `${name} ${args.join(' ')}: exit ${got.code ?? got.signal}: ${got.stderr}`);
      assert.match(got.stderr, pattern, `${name} ${args.join(' ')}`);
      assert.ok(got.stderr.trim().split('\n').length <= 4, `${name}: said once:\n${got.stderr}`);
    };
    await fails(64, /heartbeat-interval/, ['--heartbeat-intervall=3s', ...tail]);
    await fails(78, /x\.conf:2\b.*stale_threshold/s, ['--config', file('# x\nstale_threshold = banana\n'), ...tail]);
    await fails(78, /x\.conf:1\b.*stale_threshold.*300 ?ms.*1 ?h/s, ['--config', file('stale_threshold = 1ms\n'), ...tail]);
    await fails(78, /x\.conf:3\b.*no_such/s, ['--config', file('\n\nno_such = 1\n'), ...tail]);
    await fails(78, /x\.conf:1\b/, ['--config', file('what is this\n'), ...tail]);
    await fails(78, /missing\.conf/, ['--config', join(dir, 'missing.conf'), ...tail]);
    await fails(78, new RegExp(dir), ['--config', dir, ...tail]);
    await fails(78, /SSE_CONFIG|missing\.conf/, tail, { SSE_CONFIG: join(dir, 'missing.conf') });
    await fails(78, /SSE_BEAT_INTERVAL|beat_interval/, ['--config', file(''), ...tail], { SSE_BEAT_INTERVAL: '10' });
    await fails(78, /beat_interval/, ['--config', file('beat_interval = 20s\nstale_threshold = 30s\n'), ...tail]);
    const unreadable = (args) => (name === 'sse-fcgi' ? run('spawn-fcgi', ['-n', '-s', join(dir, 'x.sock'), '--', program(name), ...args]) : run(program(name), args));
    const secret = await unreadable(['--config', file(`redis_url = unix://${dir}/redis.sock\nredis_password_file = ${dir}/none\n`), ...tail]);
    assert.equal(secret.code, 78, `${name}: ${secret.stderr}`);
    assert.match(secret.stderr, /none.*No such file/);
    const good = await run(program(name), ['--config', file('heartbeat_interval = 20s\n'), '--check-config', ...tail]);
    assert.equal(good.code, 0, good.stderr);
    const dumped = await run(program(name), ['--config', file('heartbeat_interval = 20s\n'), '--dump-config', ...tail], { env: { SSE_BEAT_INTERVAL: '9s' } });
    assert.match(dumped.stdout, /^heartbeat_interval = 20s\s+#.*x\.conf/m);
    assert.match(dumped.stdout, /^beat_interval = 9s\s+#.*(SSE_BEAT_INTERVAL|environment)/m);
    assert.match(dumped.stdout, /^stale_threshold = 30s\s+#.*default/m);
  }
});

story('Redis comes after the programs', { timeout: 30000 }, async (world) => {
  await world.killRedis();
  await world.killResponder(0, 'SIGTERM');
  await world.guardian.kill('SIGTERM');
  const before = Object.fromEntries(['fcgi', 'guardian'].map((name) => [name, world.log(name).length]));
  await world.startResponder();
  await world.startGuardian();
  await world.readiness(503);
  assert.equal((await world.get('/api/stream/-/health')).status, 200);
  const viewer = await world.stream('early').ready();
  const absent = await world.ssectl(['status', '--deadline', '1s']);
  assert.equal(absent.code, 69, absent.stderr);
  assert.match(absent.stderr, /redis/i);
  assert.equal((await world.ssectl(['emit', 'early', 'token', '{}', '--deadline', '1s'])).code, 69);
  await stays(() => world.guardian.running && world.responders.list[0].running, { during: 1500, what: 'both programs wait' });
  await viewer.end(); // pending_wait is over
  for (const [name, connections] of [['fcgi', 2], ['guardian', 1]]) {
    const said = lines(world.log(name).slice(before[name]), /level=(error|warn).*msg="redis/);
    assert.equal(said.length, connections, `${name}: said once for each connection, not at each attempt:\n${said.join('\n')}`);
  }
  await world.startRedis();
  await world.readiness(200, 10000);
  await world.viewer('early');
});

story('a wrong Redis password: said once, not ready, and cured without a restart', { password: 'right', timeout: 40000 }, async (world) => {
  await world.redis.config('SET', 'requirepass', 'other');
  await world.redis.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await world.redis.client('KILL', 'TYPE', 'pubsub', 'SKIPME', 'yes');
  await world.readiness(503);
  const denied = await world.ssectl(['status', '--deadline', '2s']);
  assert.equal(denied.code, 77, denied.stderr);
  assert.match(denied.stderr, /password|WRONGPASS|denied/i);
  assert.doesNotMatch(denied.stderr, /right|other/, 'no secret in the message');
  await stays(() => world.guardian.running && world.responders.list[0].running, { during: 4000, what: 'both programs stay' });
  for (const name of ['fcgi', 'guardian']) {
    const errors = lines(world.log(name), /level=error/);
    assert.ok(errors.length >= 1 && errors.length <= 2, `${name}: once, not at each attempt (${errors.length} times):\n${errors.join('\n')}`);
    assert.doesNotMatch(world.log(name), /right/, 'no secret in the log');
  }
  await world.redis.config('SET', 'requirepass', 'right');
  await world.readiness(200, 15000);
  await world.viewer('cured');
});

story('Redis wants a password and none is configured', { redisPassword: 'secret', guardian: false, responders: false, lighttpd: false }, async (world) => {
  const denied = await world.ssectl(['status', '--deadline', '2s']);
  assert.equal(denied.code, 77, denied.stderr);
});

story('ssectl refuses what it should', { guardian: false, conf: { event_bytes: '1k' } }, async (world) => {
  const code = async (...args) => {
    const got = await world.ssectl(args);
    assert.ok(got.code === 0 || got.stderr.trim(), `ssectl ${args.join(' ')}: a failure says why`);
    return got.code;
  };
  assert.equal(await code(), 64);
  assert.equal(await code('juggle'), 64);
  assert.equal(await code('emit'), 64);
  assert.equal(await code('emit', 'x', 'token', '{}', 'more'), 64);
  for (const id of ['bad id', 'x'.repeat(129), '-', '']) assert.ok([64, 65].includes(await code('open', '--user', 'u1', '--', id)), `id '${id.slice(0, 20)}'`);
  assert.equal(await code('open', 'm', '--user', 'u1', '--metadata', '{'), 65);
  await world.ctl('open', 'e', '--user', 'u1');
  for (const [type, data] of [['token', '{'], ['token', '{"a":1} x'], ['token', '{"a":NaN}'], ['to ken', '{}'],
    ['connected', '{}'], ['gap', '{}'], ['orphaned', '{}'], ['token', `"${'x'.repeat(2000)}"`]]) {
    const got = await code('emit', 'e', type, data);
    if (type === 'token') assert.equal(got, 65, data.slice(0, 30));
    else assert.ok([64, 65].includes(got), `type ${type}: exit ${got}`);
  }
  assert.equal(await world.redis.xlen('sse:events:e'), 0, 'nothing of that was stored');
  assert.equal(await code('emit', 'none', 'token', '{}'), 66);
  assert.equal(await code('complete', 'none'), 66);
  assert.equal(await code('beat', 'none'), 66);
  assert.equal(await code('show', 'none'), 66);
  assert.equal(await code('emit', 'e', 'token', '{}', '--user', 'u2'), 77);
  assert.equal(await code('open', 'e', '--user', 'u2'), 77);
  assert.equal(await code('emit', 'fresh', 'token', '{"n":1}', '--user', 'u5'), 0, 'with a user it opens what nobody knows');
  assert.equal(await world.redis.hget('sse:stream:fresh', 'userId'), 'u5');
  await world.ctl('complete', 'e', '{}');
  for (const args of [['emit', 'e', 'token', '{}'], ['complete', 'e'], ['fail', 'e', '{}']]) assert.equal(await code(...args), 65, args.join(' '));

  await world.ctl('open', 'bulk', '--user', 'u1');
  const bulk = await world.ssectl(['emit', 'bulk', '-'], { input: '{"type":"token","data":1}\n{"type":"token","data":2}\nnot json\n{"type":"token","data":3}\n' });
  assert.equal(bulk.code, 65);
  assert.match(bulk.stderr, /\b3\b/, 'the bad line is named');
  const stored = (await world.redis.xrange('sse:events:bulk', '-', '+')).map(([id]) => id);
  assert.deepEqual(bulk.stdout.split('\n').filter(Boolean), stored, 'what was stored is what was printed');
  for (const input of ['{"data":1}\n', '{"type":"gap","data":1}\n', '[]\n', Buffer.from('{"type":"token","data":"\xff"}\n', 'latin1'), '{"type":"token","data":1,"id":"x"}{\n']) {
    assert.equal((await world.ssectl(['emit', 'bulk', '-'], { input })).code, 65, String(input));
  }
  const fine = await world.ssectl(['emit', 'bulk', '-'], { input: '{"type":"token","data":"\\u0000\\u2028 é"}' });
  assert.equal(fine.code, 0, `a last line without a newline: ${fine.stderr}`);
  await assertKeys(world.redis);
});

story('ssectl against a Redis that does not answer: try later', { guardian: false, responders: false, lighttpd: false }, async (world) => {
  await world.ctl('open', 'x', '--user', 'u1');
  const producer = world.producer('x', '--deadline', '1s');
  producer.emit('token', { n: 1 });
  await producer.confirmed(1);
  world.server.process.signal('SIGSTOP');
  const start = performance.now();
  producer.emit('token', { n: 2 });
  assert.equal(await producer.ended(), 75, 'whether the second event is stored is unknown');
  const took = performance.now() - start;
  const fresh = await world.ssectl(['emit', 'x', 'token', '{}', '--deadline', '1s']); // it never gets as far as sending
  world.server.process.signal('SIGCONT');
  assert.equal(producer.lines.length, 1, 'no id for what is not confirmed');
  assert.ok(took > 900 && took < 1000 + within(3000), `it kept its deadline: ${took.toFixed(0)} ms`);
  assert.ok([69, 75].includes(fresh.code), `exit ${fresh.code}`);
  assert.equal(fresh.stdout, '');
});

// The harness itself: a parser or a checker that nods everything through would make the stories worthless.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertDelivered, assertKeys, assertStored } from './checker.mjs';
import { END, PARAMS, Peer, STDIN, STDOUT, record, requestBytes } from './fcgipeer.mjs';
import { Process, isRunning, processesMentioning, run } from './proc.mjs';
import { RedisServer } from './redisd.mjs';
import { Follower, HttpStream, SseParser } from './sse.mjs';
import { settled, stays, until } from './wait.mjs';
import { KINDS, WebServer } from './webserver.mjs';

const folder = (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'sr-harness-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
};

function parse(text, pieces) {
  const events = [], comments = [], retries = [];
  const parser = new SseParser({ event: (event) => events.push(event), comment: (c) => comments.push(c), retry: (ms) => retries.push(ms) });
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieces) parser.feed(bytes.subarray(at, at + pieces));
  return { events, comments, retries, lastId: parser.lastId };
}

test('the parser follows the standard, in pieces of any size', () => {
  const text = '\uFEFF:\nevent: sse-reset\nretry: 2731\nid: 5-0\n\nid: 6-0\r\ndata: {"a":"é"}\r\rdata\ndata:  x\nretry: 12x\n\n: heartbeat\n\nid: no\0pe\ndata: last\nfoo: bar\n\ndata: torn';
  for (const pieces of [1, 2, 3, 7, 1000]) {
    assert.deepEqual(parse(text, pieces), {
      events: [{ id: '6-0', event: 'message', data: '{"a":"é"}' }, { id: '6-0', event: 'message', data: '\n x' }, { id: '6-0', event: 'message', data: 'last' }],
      comments: ['', 'heartbeat'], retries: [2731], lastId: '6-0',
    }, `pieces of ${pieces}`);
  }
});

test('until and stays say what they waited for', async () => {
  await assert.rejects(until(() => false, { deadline: 40, what: 'the moon' }), /the moon/);
  await assert.rejects(stays(() => false, { during: 40, what: 'the sun' }), /the sun/);
  await assert.rejects(settled(new Promise(() => {}), { deadline: 40, what: 'the tide' }), /the tide/);
});

test('a follower resumes as a browser does, and 204 ends it', async (t) => {
  const seen = [];
  const bodies = ['retry: 100\nid: 1-0\ndata: {"type":"token"}\n\nid: 2-0\ndata: {"type":"tok', 'id: 2-0\ndata: {"type":"completed"}\n\n'];
  const server = http.createServer((request, response) => {
    seen.push(request.headers['last-event-id']);
    const body = bodies.shift();
    if (body === undefined) return response.writeHead(204).end();
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(body);
    return body.endsWith('\n\n') ? response.end() : response.socket.end();
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => server.close());
  const url = `http://127.0.0.1:${server.address().port}/`;
  const follower = new Follower(({ lastEventId, ...rest }) => new HttpStream(url, { headers: lastEventId ? { 'last-event-id': lastEventId } : {}, ...rest }));
  assert.equal(await follower.closed(), 204);
  assert.deepEqual(seen, [undefined, '1-0', '2-0']);
  assert.deepEqual(follower.events.map((event) => event.id), ['1-0', '2-0']);
  assert.deepEqual(follower.connections.map((stream) => stream.ended), ['cut', 'end', 'end']);
});

test('the FastCGI peer sends what a responder can read, and reads what it writes', async (t) => {
  const path = join(folder(t), 'sock');
  const server = net.createServer((socket) => {
    let got = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      got = Buffer.concat([got, bytes]);
      if (!got.subarray(-8).equals(record(STDIN))) return;
      const kinds = [];
      let params = Buffer.alloc(0);
      for (let at = 0; at < got.length; at += 8 + got.readUInt16BE(at + 4)) {
        kinds.push(got[at + 1]);
        if (got[at + 1] === PARAMS) params = Buffer.concat([params, got.subarray(at + 8, at + 8 + got.readUInt16BE(at + 4))]);
      }
      const body = `id: 1-0\ndata: ${JSON.stringify({ type: 'echo', kinds: [...new Set(kinds)], length: params.length })}\n\n`;
      const out = Buffer.concat([record(STDOUT, Buffer.from(`Content-Type: text/event-stream\r\n\r\n${body}`), { padding: 5 }), record(STDOUT), record(END, Buffer.alloc(8))]);
      for (const byte of out) socket.write(Buffer.from([byte]));
      socket.end();
    });
  });
  await new Promise((resolve) => { server.listen(path, resolve); });
  t.after(() => server.close());
  const peer = Peer.request(path, { path: '/api/stream/x', query: 'q='.padEnd(200000, 'x') });
  await (await peer.answered()).end();
  assert.equal(peer.status, 200);
  assert.equal(peer.headers['content-type'], 'text/event-stream');
  assert.deepEqual(peer.events[0].json.kinds, [1, PARAMS, STDIN]);
  assert.ok(peer.events[0].json.length > 200000, 'a long query crosses several records');
  assert.deepEqual(peer.endRequest, { appStatus: 0, protocolStatus: 0 });
  assert.equal(requestBytes({ path: '/api/stream/x' })[0], 1);
});

test('the private Redis keeps its data over a kill, and loses it when told to', async (t) => {
  const server = new RedisServer(folder(t));
  t.after(() => server.stop());
  await server.start();
  const client = server.client();
  await client.set('sse:a', '1', 'EX', 100);
  await server.kill();
  const later = client.get('sse:a'); // waits for the server
  await server.start();
  assert.equal(await later, '1');
  await server.kill();
  await server.start({ empty: true });
  assert.equal(await client.get('sse:a'), null);
});

test('children are known by their folder, and end with their group', async (t) => {
  const dir = folder(t);
  const child = Process.start('shell', 'sh', ['-c', `tail -f /dev/null ${dir}/none & tail -f /dev/null ${dir}/none; true`]);
  await until(() => isRunning(child.pid) && processesMentioning(dir).length === 3, { what: 'a shell and its two children' });
  assert.equal(await child.end(), true);
  await until(() => processesMentioning(dir).length === 0, { what: () => `no process left: ${processesMentioning(dir)}` });
  assert.deepEqual(await run('sh', ['-c', 'cat; echo no >&2; exit 3'], { input: 'yes' }), { code: 3, signal: null, stdout: 'yes', stderr: 'no\n' });
});

test('tidily.sh: a folder of its own, gone at the end, and nothing may be left', { timeout: 60000 }, async (t) => {
  const dir = folder(t);
  const tidily = join(dirname(fileURLToPath(import.meta.url)), '../tidily.sh');
  const env = { SR_TIDY: '', SR_ALONE: '', SR_KEEP: '', TMPDIR: dir };
  const tidy = (script) => run('bash', [tidily, 'sh', '-c', script], { env });
  const fine = await tidy('mktemp; echo $TMPDIR; exit 7');
  assert.equal(fine.code, 7, fine.stderr);
  assert.match(fine.stdout, new RegExp(`^${dir}/sr\\.[^/]*/tmp\\.[^/]*\n${dir}/sr\\.[^/]*\n$`));
  const strayed = await tidy('setsid tail -f /dev/null & echo $!');
  assert.equal(strayed.code, 1);
  assert.match(strayed.stderr, new RegExp(`left running: ${strayed.stdout.trim()} tail`));
  assert.ok(!isRunning(Number(strayed.stdout)), 'and it is ended');
  const littered = await tidy('mktemp /tmp/sse-litter.XXXXXX');
  t.after(() => rmSync(littered.stdout.trim(), { force: true }));
  assert.equal(littered.code, 1);
  assert.match(littered.stderr, new RegExp(`left behind: ${littered.stdout.trim()}`));
  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) {
    const running = Process.start('tidily', 'bash', [tidily, 'sh', '-c', `trap 'touch ${dir}/int' INT; echo $$ >${dir}/pid; while :; do sleep 0.1; done`], { env });
    const pid = await until(() => existsSync(join(dir, 'pid')) && Number(readFileSync(join(dir, 'pid'), 'utf8')), { what: 'the command to run' });
    process.kill(pid, 'SIGINT');
    await until(() => existsSync(join(dir, 'int')), { what: 'a command that can be interrupted' });
    ['pid', 'int'].forEach((name) => rmSync(join(dir, name)));
    assert.deepEqual(await running.kill(signal, 10000), { code, signal: null });
    assert.ok(!isRunning(pid));
  }
  assert.deepEqual(readdirSync(dir), []);
});

for (const kind of Object.keys(KINDS)) {
  test(`${kind} accepts its snippet, with every alternative`, async (t) => {
    for (const [address, userHeader] of [['/run/sse/fcgi.sock', false], ['127.0.0.1:9000', true]]) {
      const server = new WebServer({ kind, dir: folder(t), sites: [{ address, userHeader, mount: '/some/where' }] });
      const { code, stderr } = await server.check();
      assert.equal(code, 0, stderr + server.logged);
      assert.doesNotMatch(stderr + server.logged, /warn/i);
    }
  });
}

test('the checker finds what is lost, doubled, out of order or wrongly ended', () => {
  const log = ['token', 'token', 'token', 'completed'].map((type, i) => ({ id: `${i + 1}-0`, type, data: '{}' }));
  const event = ({ id, type, data }) => ({ id, json: { type, data: JSON.parse(data) } });
  const all = log.map(event);
  const check = (events, more = {}) => assertDelivered({ who: 'x', events, log, ...more });
  check(all);
  const gap = { id: '0-0', json: { type: 'gap', data: { after: '0-0', reason: 'trimmed' } } };
  check([gap, ...all.slice(2)], { gapsAllowed: true });
  for (const [name, events, more] of [
    ['lost', [all[0], all[2], all[3]]], ['doubled', [all[0], all[0], ...all.slice(1)]], ['order', [all[1], all[0], all[2], all[3]]],
    ['no end', all.slice(0, 3)], ['unknown', [...all.slice(0, 3), { id: '3-1', json: { type: 'token', data: {} } }, all[3]]],
    ['data', [{ id: '1-0', json: { type: 'token', data: { a: 1 } } }, ...all.slice(1)]],
    ['gap forbidden', [gap, ...all.slice(2)]], ['hole after a gap', [gap, all[1], all[3]], { gapsAllowed: true }],
    ['wrong gap', [all[0], gap, all[2], all[3]], { gapsAllowed: true }],
  ]) assert.throws(() => check(events, more), assert.AssertionError, name);
  assertStored({ who: 'x', acked: ['1-0', '2-0', '3-0'], log });
  assert.throws(() => assertStored({ who: 'x', acked: ['1-0', '2-0'], log }), /exactly the confirmed/);
});

test('the checker finds immortal keys and ghosts in the index', async (t) => {
  const server = new RedisServer(folder(t));
  t.after(() => server.stop());
  await server.start();
  const redis = server.client();
  await redis.pipeline().hset('sse:stream:a', 'state', 'active').expire('sse:stream:a', 10).zadd('sse:active', 1, 'a').expire('sse:active', 10).exec();
  await assertKeys(redis);
  await redis.zadd('sse:active', 2, 'b');
  await assert.rejects(assertKeys(redis), /record is not active/);
  await redis.zrem('sse:active', 'b');
  await redis.persist('sse:stream:a');
  await assert.rejects(assertKeys(redis), /without a TTL/);
});

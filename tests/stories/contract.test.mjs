// What programs of other languages stand on: the public scripts, as ssectl prints them, and what viewers see of what they store.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertKeys } from '../support/checker.mjs';
import { run } from '../support/proc.mjs';
import { program, story } from '../support/world.mjs';
import { until } from '../support/wait.mjs';

const PUBLIC = ['beat', 'end', 'open', 'publish'];
const noWeb = { responders: false, lighttpd: false, guardian: false };

const keysOf = (id) => ['sse:active', 'sse:orphaned', `sse:stream:${id}`, `sse:completion:${id}`, `sse:events:${id}`, `sse:viewers:${id}`];
/** Call a public script as a stranger would: by its SHA-1, with words. */
const call = async (world, name, id, ...args) => world.redis.evalsha(await world.ctl('script', 'sha', name), 6, ...keysOf(id), id, `sse:channel:${id}`, ...args);
const open = (world, id) => call(world, 'open', id, 'generation', 'u1', '', '1', '1000', '3600000', '300000');
const publish = (world, id, n, ...events) => call(world, 'publish', id, '', '', 'tester', n, '1000', '3600000', '300000', ...events);

story('ssectl script prints the scripts to the byte, and loads the public ones', noWeb, async (world) => {
  const listed = (await world.ctl('script', 'list', '--json')).split('\n').map((line) => JSON.parse(line));
  assert.ok(listed.length > 10);
  assert.deepEqual(listed.filter((script) => script.interface === 'public').map((script) => script.name), PUBLIC);
  for (const { name, sha1, contract } of listed) {
    assert.equal(contract !== null, PUBLIC.includes(name), name);
    const { stdout } = await world.ssectl(['script', 'show', name]);
    const loaded = await run('redis-cli', ['-s', world.server.socket, '-x', 'script', 'load'], { input: stdout });
    assert.equal(loaded.stdout.trim(), sha1, `${name}: redis-cli -x computes the same SHA-1 from what show prints`);
    assert.equal(await world.ctl('script', 'sha', name), sha1);
    assert.equal((await world.json('script', 'show', name)).text, stdout);
  }
  assert.match(await world.ctl('script', 'list'), /^publish +[0-9a-f]{40} keys 6 +args 11\+ public contract 1$/m);

  await world.redis.script('FLUSH');
  const loaded = (await world.ctl('script', 'load')).split('\n').map((line) => line.split(/ +/));
  assert.deepEqual(loaded.map(([name]) => name), PUBLIC);
  assert.deepEqual(await world.redis.script('EXISTS', ...loaded.map(([, sha1]) => sha1)), [1, 1, 1, 1]);

  for (const [args, said] of [[['publsh'], /did you mean publish\?/], [['nothing-like-it'], /script list names them/], [[], /usage: ssectl script show NAME/]]) {
    const wrong = await world.ssectl(['script', 'show', ...args]);
    assert.equal(wrong.code, 64);
    assert.match(wrong.stderr, said);
  }
  assert.match((await world.ssectl(['script', 'lst'])).stderr, /did you mean list\?/);
  assert.equal((await world.ssectl(['script', 'load', 'publish'])).code, 64);
  await world.killRedis();
  assert.equal((await world.ssectl(['script', 'show', 'publish'])).code, 0, 'without Redis');
  assert.equal((await world.ssectl(['script', 'load', '--deadline', '1s'])).code, 69);
});

story('what a stranger stores reaches viewers whole, whatever it is', {}, async (world) => {
  await world.ctl('script', 'load');
  assert.deepEqual(await open(world, 'odd'), [1, '1']);
  const viewer = await world.viewer('odd');
  assert.equal((await publish(world, 'odd', 1, 'token', '{"a":1}'))[0], 1);
  assert.equal((await publish(world, 'odd', 2, 'note', 'no JSON\nid: 9-9\n\ndata: forged'))[0], 1);
  assert.equal((await publish(world, 'odd', 3, 'note', Buffer.from([0x22, 0xff, 0xfe, 0x22])))[0], 1);
  assert.equal((await publish(world, 'odd', 4, 'note', ''))[0], 1);
  // What the scripts refuse, written past them: nobody is told, but who reads the log passes its place, and is told so.
  await world.redis.xadd('sse:events:odd', '*', 'type', 'a\ndata: forged', 'data', '1');
  assert.deepEqual((await publish(world, 'odd', 5, 'token', '2', 'a\ndata: forged', '1')), [-4, 2]);
  assert.equal((await publish(world, 'odd', 5, 'token', '2', 'completed', 'no JSON either'))[0], 1);
  await until(() => viewer.events.length >= 7, { what: () => `all events: ${JSON.stringify(viewer.events)}` });
  const expected = [['token', { a: 1 }], ['note', 'no JSON\nid: 9-9\n\ndata: forged'], ['note', '"\ufffd\ufffd"'], ['note', ''],
    ['gap', { reason: 'unreadable' }], ['token', 2], ['completed', 'no JSON either']];
  const past = ([type]) => type !== 'gap'; // seen live only by who happens to read the log
  assert.deepEqual(viewer.events.slice(1).map(({ json }) => [json.type, json.data]).filter(past), expected.filter(past));
  const late = world.follow('odd');
  assert.equal(await late.closed(), 204);
  assert.deepEqual(late.events.map(({ json }) => [json.type, json.data]), expected, 'from the log, too');
  assert.equal((await world.recover('odd')).json.terminalEventData, 'no JSON either');
  await assertKeys(world.redis);
});

story('the example of sse-resilience-redis(7) does what it says', noWeb, async (world) => {
  const page = readFileSync(new URL('../../deploy/man/sse-resilience-redis.7', import.meta.url), 'utf8');
  const example = page.match(/^\.Bd -literal.*\n([^]*?)^\.Ed/m)[1].replaceAll('\\e\n', '\\\n');
  const bin = join(world.dir, 'bin'); // where redis-cli knows the socket
  mkdirSync(bin);
  for (const [name, command] of [['redis-cli', `/usr/bin/redis-cli -s ${world.server.socket}`], ['ssectl', program('ssectl')]]) {
    writeFileSync(join(bin, name), `#!/bin/sh\nexec ${command} "$@"\n`);
    chmodSync(join(bin, name), 0o700);
  }
  const shell = (text) => run('sh', ['-eu', '-c', text], { env: { PATH: `${bin}:${process.env.PATH}` } });
  const done = await shell(example);
  assert.equal(done.code, 0, done.stderr);
  const id = '\\d+-\\d+\n';
  assert.match(done.stdout, new RegExp(`^1\n1\n1\n${id}${id}1\n${id}1\n${id}\\n?$`));
  const last = example.slice(example.lastIndexOf('redis-cli evalsha'));
  const again = await shell(example.slice(0, example.indexOf('redis-cli evalsha')) + last);
  assert.equal(again.stdout.trim(), `0\n${done.stdout.trim().split('\n').at(-1)}`, 'sent again: the same id');
  assert.equal(JSON.parse(await world.ctl('recover', 'export-8')).terminalEventData.url, '/r/8');
});

// The C library as programs get it, and ssectl's producing commands, which stand on it.
import assert from 'node:assert/strict';
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lossy } from '../support/lossy.mjs';
import { run } from '../support/proc.mjs';
import { build, program, story } from '../support/world.mjs';

const repo = join(dirname(fileURLToPath(import.meta.url)), '../..');
const header = join(repo, 'common/lib/sse_resilience.h');
const only = { guardian: false, responders: false, lighttpd: false };

/** A program around the example at the top of the header, with names of its own that the library uses inside. */
function exampleProgram() {
  const comment = readFileSync(header, 'utf8').match(/^\/\*[\s\S]*?\*\//)[0];
  const example = comment.split('\n').map((line) => line.match(/^ \* {3}(sse_.*;)$/)?.[1]).filter(Boolean);
  assert.equal(example.length, 5, `the header's example:\n${example.join('\n')}`);
  return `#include <sse_resilience.h>
#include <stdio.h>
int sr_buf_init(void);
int sr_buf_init(void) { return 7; }
int sr_log(void);
int sr_log(void) { return 8; }
int main(void)
{
  char why[256];
  ${example.slice(0, -1).join('\n  ')}
  printf("%s %zu %s%s%d\\n", sse_end_type(p), sse_kept(p), sse_last_id(p), sse_why(p), sr_buf_init() + sr_log());
  ${example.at(-1)}
  return 0;
}
`;
}

/** The flags of a sanitizer build: its library only links to programs of the same. */
function sanitizerFlags() {
  const bytes = readFileSync(join(build, 'libsse-resilience.so'), 'latin1');
  if (bytes.includes('__tsan_init')) return ['-fsanitize=thread'];
  return bytes.includes('__asan_init') ? ['-fsanitize=address,undefined'] : [];
}

/** What an installation puts into its prefix; with `shared` or without. */
function install(prefix, shared) {
  for (const folder of ['include', 'lib/pkgconfig']) mkdirSync(join(prefix, folder), { recursive: true });
  copyFileSync(header, join(prefix, 'include/sse_resilience.h'));
  copyFileSync(join(build, 'sse-resilience.pc'), join(prefix, 'lib/pkgconfig/sse-resilience.pc'));
  for (const file of shared ? ['libsse-resilience.so', 'libsse-resilience.so.0', 'libsse-resilience.so.0.1.0'] : ['libsse-resilience.a']) {
    cpSync(join(build, file), join(prefix, 'lib', file), { verbatimSymlinks: true });
  }
}

async function must(command, args, options) {
  const got = await run(command, args, { deadline: 30000, ...options });
  assert.equal(got.code, 0, `${command} ${args.join(' ')}: ${got.stderr}`);
  return got.stdout.trim();
}

/** Build a program against an installation made for it; returns its path, and the environment it needs. */
async function compile(world, source, kind) {
  const prefix = join(world.dir, kind), binary = join(prefix, 'program');
  install(prefix, kind === 'shared');
  const env = { PKG_CONFIG_PATH: join(prefix, 'lib/pkgconfig') };
  const flags = await must('pkg-config', [`--define-variable=prefix=${prefix}`, ...(kind === 'static' ? ['--static'] : []), '--cflags', '--libs', 'sse-resilience'], { env });
  assert.equal(/-ljson-c/.test(flags), kind === 'static', `what the library needs itself is for static linking only: ${flags}`);
  await must(process.env.CC || 'gcc', ['-std=gnu11', '-pthread', '-Wall', '-Wextra', '-Werror', ...sanitizerFlags(), '-o', binary, source, ...flags.split(/\s+/)]);
  assert.equal((await must('readelf', ['-d', binary])).includes('[libsse-resilience.so.0]'), kind === 'shared');
  return { binary, env: { SSE_CONFIG: world.configFile, LD_LIBRARY_PATH: join(prefix, 'lib') } };
}

story('the example of the header, with pkg-config, shared and static', { ...only, timeout: 60000 }, async (world) => {
  writeFileSync(join(world.dir, 'example.c'), exampleProgram());
  for (const kind of ['shared', 'static']) {
    const { binary, env } = await compile(world, join(world.dir, 'example.c'), kind);
    const said = await must(binary, [], { env });
    const log = await world.redis.xrange('sse:events:job-42', '-', '+');
    assert.equal(said, `completed 0 ${log.at(-1)[0]}15`);
    assert.deepEqual(log.map(([, fields]) => fields), [['type', 'progress', 'data', '{"percent":40}'], ['type', 'completed', 'data', '{"rows":1200}']]);
    assert.equal(await world.redis.hget('sse:stream:job-42', 'producer'), '1', 'leased');
    await world.redis.flushall();
  }
});

story('two producers in two threads', { ...only, timeout: 60000 }, async (world) => {
  const { binary, env } = await compile(world, join(repo, 'tests/programs/two_threads.c'), 'shared');
  assert.equal(await must(binary, [], { env }), 'thread-0 done 301\nthread-1 done 301');
  for (const id of ['thread-0', 'thread-1']) assert.equal(await world.redis.xlen(`sse:events:${id}`), 301);
});

story('a child finds its stream in SSE_STREAM', only, async (world) => {
  await world.ctl('open', 'job', '--user', 'ann');
  await world.ctl('open', 'other', '--user', 'bob');
  const env = { SSE_STREAM: 'job', SSE_STREAM_USER: 'ann' };
  const exits = async (code, args, pattern = /^/, options = {}) => {
    const got = await world.ssectl(args, { env, stdin: 'ignore', ...options });
    assert.equal(got.code, code, `${args.join(' ')}: ${got.stderr}`);
    assert.match(got.stderr, pattern);
  };
  await exits(0, ['emit', 'progress', '{"pct":40}']);
  await exits(0, ['emit', 'log']);
  await exits(0, ['emit', '-'], /^$/, { input: '{"type":"token","data":1}\n{"type":"token","data":2}\n', stdin: 'pipe' });
  await exits(0, ['beat']);
  assert.deepEqual((await world.redis.xrange('sse:events:job', '-', '+')).map(([, [, type]]) => type), ['progress', 'log', 'token', 'token']);
  await exits(64, ['emit', 'job', 'progress', '{}'], /SSE_STREAM is set, to job, .*--id ID/);
  await exits(64, ['emit'], /usage: ssectl emit/);
  await exits(65, ['emit', 'job', 'progress'], /no JSON: .*SSE_STREAM is set: the words are TYPE JSON/);
  await exits(64, ['beat', 'job'], /--id ID/);
  await exits(64, ['complete', 'job', '{}'], /--id ID/);
  await exits(0, ['emit', '--id', 'other', 'token', '1'], /^$/);
  await exits(77, ['emit', '--id', 'other', '--user', 'ann', 'token'], /another user/);
  await exits(77, ['emit', 'token', '--user', 'bob'], /another user/);
  await exits(77, ['emit', 'token'], /another user than eve/, { env: { ...env, SSE_STREAM_USER: 'eve' } });
  await exits(64, ['emit', 'token'], /SSE_STREAM_USER/, { env: { ...env, SSE_STREAM_USER: 'e\nve' } });
  await exits(64, ['emit', 'token'], /no stream id/, { env: { SSE_STREAM: 'a b' } });
  await exits(0, ['emit', 'token'], /^$/, { env: { SSE_STREAM: 'job', SSE_STREAM_USER: '' } });
  await exits(64, ['emit', '--id', 'job', 'other', 'token', '{}'], /with --id the command takes no ID/, { env: {} });
  await exits(64, ['emit', 'token'], /usage: ssectl emit ID TYPE/, { env: {} });
  await exits(0, ['emit', 'other', 'token'], /^$/, { env: { SSE_STREAM: '', SSE_STREAM_USER: 'eve' } });
  await exits(0, ['open', 'other', '--user', 'bob']);
  await exits(77, ['open', 'job'], /another user than eve/, { env: { ...env, SSE_STREAM_USER: 'eve' } });
  await exits(0, ['cancel', '--id', 'other'], /^$/);
  await exits(0, ['complete', '{"rows":2}']);
  assert.equal((await world.json('recover', 'job')).terminalEventData.rows, 2);
  assert.equal(await world.redis.hget('sse:stream:other', 'state'), 'cancelled');
});

story('emit -: given again, it goes on behind what is stored', only, async (world) => {
  await world.ctl('open', 'x', '--user', 'u1');
  const lines = (from, to) => Array.from({ length: to - from }, (_, i) => `{"type":"token","data":${from + i}}\n`).join('');
  const emit = async (input) => world.ssectl(['emit', 'x', '-', '--producer', 'worker1'], { input });
  const first = await emit(lines(0, 250));
  assert.equal(first.stdout.split('\n').length - 1, 250);
  const second = await emit(`${lines(0, 777)}{"type":"completed","data":{}}\n`);
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stderr, /worker1 has stored the first 250 events already/);
  assert.equal(second.stdout.split('\n').length - 1, 528, 'it prints what it has stored itself');
  const log = await world.redis.xrange('sse:events:x', '-', '+');
  assert.deepEqual(log.slice(0, -1).map(([, [, , , data]]) => Number(data)), Array.from({ length: 777 }, (_, i) => i));
  assert.deepEqual((first.stdout + second.stdout).trim().split('\n'), log.map(([id]) => id));
});

story('a storm of retries behind a relay that loses answers: every event is stored once', { ...only, timeout: 60000 }, async (world) => {
  const path = join(world.dir, 'lossy.sock');
  const relay = await lossy({ path }, { path: world.server.socket });
  const emit = (args, input) => run(program('ssectl'), ['--config', world.configFile, '--redis-url', `unix://${path}`, '--deadline', '30s', 'emit', ...args], { input, deadline: 45000 });
  const thrice = async (args, input) => {
    for (const { code, stderr } of await Promise.all([emit(args, input), emit(args, input), emit(args, input)])) assert.equal(code, 0, stderr);
  };
  try {
    await world.ctl('open', 'x', '--user', 'u1');
    await Promise.all([0, 1, 2, 3].map(async (p) => {
      for (let n = 1; n <= 8; n++) await thrice(['x', 'token', JSON.stringify([p, n]), '--producer', `p${p}`, '--n', n]);
    }));
    assert.ok(relay.lost > 20, `answers were lost: ${relay.lost}`);
    const numbers = (await world.redis.xrange('sse:events:x', '-', '+')).map(([, [, , , data]]) => JSON.parse(data));
    for (const p of [0, 1, 2, 3]) assert.deepEqual(numbers.filter(([of]) => of === p).map(([, n]) => n), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.equal(numbers.length, 32);
    await world.ctl('open', 'y', '--user', 'u1');
    const lines = Array.from({ length: 1000 }, (_, i) => `{"type":"token","data":${i}}\n`).join('');
    for (let i = 0; i < 3; i++) assert.equal((await emit(['y', '-', '--producer', 'worker1'], lines)).code, 0);
    assert.deepEqual((await world.redis.xrange('sse:events:y', '-', '+')).map(([, [, , , data]]) => Number(data)), Array.from({ length: 1000 }, (_, i) => i));
  } finally {
    relay.close();
  }
});

story('emit -: an interrupt stores what was read, and says how much', only, async (world) => {
  await world.ctl('open', 'x', '--user', 'u1');
  const producer = world.producer('x');
  for (let i = 0; i < 3; i++) producer.emit('token', i);
  await producer.confirmed(3);
  producer.process.signal('SIGINT');
  assert.equal(await producer.ended(), 130);
  assert.match(producer.stderr, /interrupted; 3 events stored/);
  assert.equal(await world.redis.xlen('sse:events:x'), 3);
});

story('emit -: Redis dies in the midst: 75, and how to go on', only, async (world) => {
  await world.ctl('open', 'x', '--user', 'u1');
  const producer = world.producer('x', '--deadline', '1s');
  producer.emit('token', 1);
  await producer.confirmed(1);
  await world.killRedis();
  producer.emit('token', 2);
  assert.equal(await producer.ended(), 75);
  assert.match(producer.stderr, /not known whether this was stored.*\n.*1 event stored for certain; .*--producer [a-z0-9]{16} --n 1/);
  const fresh = await world.ssectl(['emit', 'x', '-', '--deadline', '300ms'], { input: '{"type":"token"}\n' });
  assert.equal(fresh.code, 69, fresh.stderr);
  assert.doesNotMatch(fresh.stderr, /stored/);
});

story('help tells of SSE_STREAM', only, async () => {
  for (const name of ['emit', 'beat', 'complete', 'fail', 'cancel']) {
    const { stdout } = await run(program('ssectl'), ['help', name]);
    assert.match(stdout, /SSE_STREAM/, name);
  }
});

// ssectl run: any program as a leased stream with a certain end, and never the worse for it.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { assertDelivered, assertKeys, readLog } from '../support/checker.mjs';
import { guardianMarksBait } from '../support/flow.mjs';
import { isRunning, run } from '../support/proc.mjs';
import { program, story } from '../support/world.mjs';
import { crowd, quickly, stays, until, within } from '../support/wait.mjs';

const noWeb = { responders: false, lighttpd: false, guardian: false, conf: { log_events: 200000 } };
const long = process.env.SR_LONG === '1';

const events = async (world, id) => (await readLog(world.redis, id)).map(({ type, data }) => ({ type, data: JSON.parse(data) }));
const lines = (list, type = 'output') => list.filter((event) => event.type === type).map((event) => event.data.line);
const state = (world, id) => world.redis.hget(`sse:stream:${id}`, 'state');
/** Run `script` by sh under ssectl run; its exit, its output, and the events. */
async function wrap(world, id, flags, script, options) {
  const result = await world.ssectl(['run', id, '--user', 'u1', ...flags, '--', 'sh', '-c', script], options);
  return { ...result, events: world.redis ? await events(world, id) : [] };
}
/** The same, while the story goes on. */
const start = (world, id, flags, script) => world.command('run', id, '--user', 'u1', ...flags, '--', 'sh', '-c', script);
const printed = (world, id, line) => until(async () => lines(await events(world, id)).includes(line), { deadline: 10000, what: `the line ${line} of ${id}` });

story('a job is followed live through the web server, to its certain end', {}, async (world) => {
  const job = start(world, 'live', [], 'echo one; read go; echo two; echo oops >&2; read go; exit 3');
  await printed(world, 'live', 'one');
  assert.equal(await world.redis.hget('sse:stream:live', 'streamType'), 'job');
  const client = world.follow('live');
  await until(() => client.events.length === 1, { what: 'the first line' });
  job.process.child.stdin.write('go\n');
  await until(() => client.events.length === 3, { what: 'the second line and the complaint, while the job runs' });
  assert.equal(job.exit, undefined);
  await stays(async () => await state(world, 'live') === 'active', { during: 1500, what: 'it beats by itself, longer than stale_threshold' });
  job.process.child.stdin.write('go\n');
  assert.equal(await job.ended(), 3);
  assert.equal(await client.closed(), 204);
  assert.deepEqual(client.events.map(({ json }) => json).slice(-1), [{ type: 'failed', data: { exit: 3, tail: ['one', 'two', 'oops'] } }]);
  assertDelivered({ who: 'client', events: client.events, log: await readLog(world.redis, 'live') });
  assert.deepEqual(lines(await events(world, 'live')), ['one', 'two']);
  assert.deepEqual((await events(world, 'live')).find(({ type }) => type === 'log').data, { line: 'oops', stream: 'stderr' });
  assert.deepEqual(job.lines, [], 'nothing is printed');
  assert.equal(job.stderr, '');
  await assertKeys(world.redis);
});

story('each way to end, and the exit status of a shell', noWeb, async (world) => {
  const end = async (id, flags, script, code, last) => {
    const result = await wrap(world, id, flags, script);
    assert.equal(result.code, code, `${id}: ${result.stderr}`);
    assert.deepEqual(result.events.at(-1), last, id);
    return result;
  };
  assert.equal((await end('well', [], 'echo a', 0, { type: 'completed', data: { exit: 0 } })).stderr, '');
  await end('three', [], 'echo a; exit 3', 3, { type: 'failed', data: { exit: 3, tail: ['a'] } });
  await end('killed', [], 'echo a; kill -9 $$', 137, { type: 'failed', data: { signal: 'SIGKILL', tail: ['a'] } });
  await end('pipe', [], 'yes | head -n 1; exit 1', 1, { type: 'failed', data: { exit: 1, tail: ['y'] } }); // SIGPIPE kills in there
  await end('tail', ['--tail', '2'], 'seq 20; printf end; exit 1', 1, { type: 'failed', data: { exit: 1, tail: ['20', 'end'] } });
  await end('result', ['--map', 'json'], `echo '{"type":"completed","data":{"rows":12}}'; echo '{"type":"token"}'`, 0, { type: 'completed', data: { rows: 12 } });
  assert.deepEqual((await events(world, 'result')).map(({ type }) => type), ['token', 'completed']);
  await end('result-lost', ['--map', 'json', '--tail', '0'], `echo '{"type":"cancelled","data":{"rows":12}}'; exit 1`, 1,
    { type: 'failed', data: { exit: 1, tail: [], result: { rows: 12 } } });
  const odd = await end('odd', ['--map', 'json'], `echo plain; echo '{"type":"token","data":1}'; echo '{"type":"gap"}'`, 0, { type: 'completed', data: { exit: 0 } });
  assert.deepEqual(odd.events.slice(0, -1), [{ type: 'output', data: { line: 'plain' } }, { type: 'token', data: 1 }, { type: 'output', data: { line: '{"type":"gap"}' } }]);
  assert.equal(odd.stderr.match(/no event/g).length, 1, 'said once');
  for (const [id, command, code, error] of [['missing', '/no/such/program', 127, /No such file/], ['plain-file', world.configFile, 126, /denied/]]) {
    const result = await world.ssectl(['run', id, '--user', 'u1', '--', command]);
    assert.equal(result.code, code);
    assert.match(result.stderr, error);
    const [last] = await events(world, id);
    assert.equal(last.data.exit, code);
    assert.match(last.data.error, error);
  }
  await assertKeys(world.redis);
});

story('what is wrong on the command line is said before anything runs', noWeb, async (world) => {
  const mark = join(world.dir, 'mark');
  const touch = ['--', 'touch', mark];
  for (const words of [['x', '--map', 'none', ...touch], ['x', '--event', 'failed', ...touch], ['x', '--event', 'gap', ...touch], ['x', '--tail', '-1', ...touch],
    ['x', '--grace', '5', ...touch], ['x', '--spool', '1', ...touch], ['x', '--timeout', '0s', ...touch], ['x', '--coalesce', 'x', ...touch], ['x y', ...touch], ['x'],
    ['x', '--lease', ...touch], ['x', '--type', 'a b', ...touch], ['x', '--idle-timeout', '', ...touch], ['x', '--deadline', '1', ...touch], ['x', '--user', '', ...touch]]) {
    const { code, stderr } = await world.ssectl(['run', '--user', 'u1', ...words]);
    assert.equal(code, 64, `${words}: ${stderr}`);
    assert.match(stderr, /^ssectl/);
  }
  assert.equal((await world.ssectl(['run', 'x', ...touch])).code, 64, 'a stream that nobody could read');
  assert.equal((await world.ssectl(['run', 'x', '--user', 'u1', '--metadata', '[', ...touch])).code, 65);
  assert.ok(!existsSync(mark), 'nothing was run');
  assert.equal(await world.redis.exists('sse:stream:x'), 0);
  const { stdout } = await world.ssectl(['help', 'run']);
  assert.match(stdout, /Examples:/);
});

story('maps: progress, raw, coalesced', noWeb, async (world) => {
  const bar = await wrap(world, 'bar', ['--map', 'progress'], `printf 'start\\r 10%%\\r 10%%\\r 20%%\\n'; printf '3/10\\n' >&2; printf 100`);
  assert.deepEqual(bar.events.filter(({ type }) => type === 'progress').map(({ data }) => data.percent).sort((a, b) => a - b), [10, 20, 30, 100]);
  assert.deepEqual(lines(bar.events), ['start']);
  const raw = await wrap(world, 'raw', ['--map', 'raw', '--event', 'token'], String.raw`printf 'H\303'; sleep 0.05; printf '\274llo'; sleep 0.05; printf ' \000\377'`);
  assert.equal(raw.events.filter(({ type }) => type === 'token').map(({ data }) => data.text).join(''), 'H\u00fcllo \u0000\ufffd');
  const joining = start(world, 'joined', ['--coalesce', '300ms'], 'for i in 1 2 3 4 5; do echo $i; done; read go; echo 6');
  const joined = async () => lines(await events(world, 'joined'));
  await until(async () => (await joined()).join('\n') === '1\n2\n3\n4\n5', { what: 'the first five, when the window closes' });
  assert.ok((await joined()).length < 5, `few events: ${JSON.stringify(await joined())}`);
  joining.process.child.stdin.write('go\n');
  assert.equal(await joining.ended(), 0);
  assert.equal((await joined()).at(-1), '6', 'the window had closed before');
  const pause = within(500) / 1000; // ssectl must have read one of its pipes before there is more in the other
  const mixed = await wrap(world, 'mixed', ['--coalesce', '60s'], `echo a; sleep ${pause}; echo e >&2; sleep ${pause}; echo b`);
  assert.deepEqual(mixed.events.slice(0, 3).map(({ type, data }) => [type, data.line]), [['output', 'a'], ['log', 'e'], ['output', 'b']]);
  const big = await wrap(world, 'big', ['--coalesce', '1s'], 'seq 10000');
  assert.equal(lines(big.events).join('\n'), Array.from({ length: 10000 }, (_, i) => i + 1).join('\n'));
  assert.ok(Math.max(...big.events.map(({ data }) => JSON.stringify(data).length)) <= 16500, 'at most 16 KiB');
});

story('a job of 100 000 lines: each once, in order, and none is dropped while Redis answers', { ...noWeb, timeout: 90000 }, async (world) => {
  const total = crowd(100_000, 5000);
  for (const flags of [[], ['--spool', '64k']]) {
    const id = `many${flags.length}`;
    const begin = performance.now();
    assert.equal((await wrap(world, id, flags, `seq ${total}`, { deadline: 40000 })).code, 0);
    const seconds = (performance.now() - begin) / 1000;
    const log = await events(world, id);
    assert.equal(log.length, total + 1);
    const wrong = log.findIndex(({ type, data }, i) => i < total && (type !== 'output' || data.line !== String(i + 1)));
    assert.equal(wrong, -1, `line ${wrong}: ${JSON.stringify(log[wrong])}`);
    console.log(`# ${total} lines in ${seconds.toFixed(2)} s ${flags}`);
  }
});

story('inside the job ssectl knows the stream; flags of run reach it', noWeb, async (world) => {
  const plain = await run('sh', ['-c', 'ls /proc/self/fd']);
  const wrapped = await wrap(world, 'descriptors', [], 'ls /proc/self/fd');
  assert.equal(lines(wrapped.events).join('\n'), plain.stdout.trim(), 'no descriptor of ssectl is open in the job');
  writeFileSync(join(world.dir, 'other.conf'), `redis_url = unix://${world.dir}/nowhere.sock\n`);
  const script = `printf '%s %s %s' "$SSE_STREAM" "$SSE_STREAM_USER" "$SSE_KEY_PREFIX"; cd /; ${program('ssectl')} emit progress '{"pct":40}' >/dev/null`;
  const { code, stderr } = await run(program('ssectl'), ['--config', 'other.conf', '--redis-url', world.settings.redis_url, '--key-prefix', 'other:', 'run', 'inner', '--user', 'u1', '--',
    'sh', '-c', script], { cwd: world.dir, env: { SSE_CONFIG: '/nonsense' } });
  assert.equal(code, 0, stderr);
  assert.equal(stderr, '');
  const log = (await readLog(world.redis, 'inner', 'other:')).map(({ type, data }) => ({ type, data: JSON.parse(data) }));
  assert.deepEqual(log.find(({ type }) => type === 'progress')?.data, { pct: 40 });
  assert.deepEqual(lines(log), ['inner u1 other:']);
  assert.equal((await wrap(world, 'stdin', [], 'cat', { input: 'from stdin' })).events[0].data.line, 'from stdin');
});

story('timeout, silence, and a job that does not want to end', { ...noWeb, timeout: 60000 }, async (world) => {
  const soon = within(1000); // when the job has certainly begun
  const timed = await wrap(world, 'timed', ['--timeout', `${soon}ms`], 'echo a; sleep 60');
  assert.equal(timed.code, 124, timed.stderr);
  assert.deepEqual(timed.events.at(-1), { type: 'failed', data: { reason: 'timeout', signal: 'SIGTERM', tail: ['a'] } });
  const idle = await wrap(world, 'idle', ['--idle-timeout', `${soon}ms`], 'for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.2; done; sleep 60');
  assert.equal(idle.code, 124);
  assert.equal(lines(idle.events).length, 8, 'a job that prints is not idle');
  assert.equal(idle.events.at(-1).data.reason, 'idle');
  const begin = performance.now();
  const stubborn = await wrap(world, 'stubborn', ['--timeout', `${soon}ms`, '--grace', '500ms'], "trap 'echo no' TERM; while :; do sleep 0.1; done");
  assert.ok(performance.now() - begin >= soon + 500, 'the grace was kept');
  assert.equal(stubborn.code, 124);
  assert.equal(stubborn.events.at(-1).data.signal, 'SIGKILL');
  assert.ok(lines(stubborn.events).includes('no'));
  const polite = await wrap(world, 'polite', ['--timeout', `${soon}ms`], "trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done");
  assert.equal(polite.code, 124);
  assert.equal(polite.events.at(-1).data.exit, 0, 'what it says itself does not count');
  assert.equal(polite.events.at(-1).data.reason, 'timeout');
});

story('signals reach the job, and its end is stored', noWeb, async (world) => {
  const job = start(world, 'signalled', [], "trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done");
  await printed(world, 'signalled', 'ready');
  process.kill(job.process.pid, 'SIGUSR1');
  await printed(world, 'signalled', 'usr1');
  process.kill(job.process.pid, 'SIGTERM');
  assert.equal(await job.ended(), 143);
  const last = (await events(world, 'signalled')).at(-1);
  assert.equal(last.type, 'failed');
  assert.equal(last.data.signal, 'SIGTERM');
  const deaf = start(world, 'deaf', ['--grace', '300ms'], "trap 'echo int' INT; echo ready; while :; do sleep 0.05; done");
  await printed(world, 'deaf', 'ready');
  process.kill(deaf.process.pid, 'SIGINT');
  await printed(world, 'deaf', 'int');
  await stays(() => !deaf.exit, { during: 600, what: 'one SIGINT is the job\'s own business' });
  process.kill(deaf.process.pid, 'SIGINT');
  assert.equal(await deaf.ended(), 137, 'a second one kills after the grace');
  assert.equal((await events(world, 'deaf')).at(-1).data.signal, 'SIGKILL');
});

/** Run a command line in a terminal (exec: dash loses a SIGINT that comes while it forks); keys: [text awaited, keys then typed]. Resolves to the status and all that was shown. */
async function inTerminal(command, keys) {
  const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    shown += text;
    while (keys.length && shown.includes(keys[0][0])) child.stdin.write(keys.shift()[1]);
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), within(15000));
  const code = await new Promise((resolve) => { child.once('close', resolve); });
  clearTimeout(timer);
  return { code, shown };
}

story('in a terminal: Ctrl-C reaches the job, which can read keys, and Ctrl-Z stops both', noWeb, async (world) => {
  const command = (id, script) => `${program('ssectl')} --config ${world.configFile} run ${id} --user u1 --tee -- sh -c '${script}'`;
  const broken = await inTerminal(command('ctrl-c', 'echo ready; exec sleep 20'), [['ready', '\x03']]);
  assert.equal(broken.code, 130, broken.shown);
  assert.deepEqual((await events(world, 'ctrl-c')).at(-1), { type: 'failed', data: { signal: 'SIGINT', tail: ['ready'] } });
  const asked = await inTerminal(command('keys', 'echo ready; read word; echo "got $word"; exec sleep 20'), [['ready', 'hello\r'], ['got hello', '\x03']]);
  assert.equal(asked.code, 130, asked.shown);
  assert.deepEqual(lines(await events(world, 'keys')), ['ready', 'got hello']);
  writeFileSync(join(world.dir, 'stopped.sh'), `${command('ctrl-z', 'echo ready; read word; echo "got $word"')}\necho "stopped $?"\nfg\necho "status $?"\n`);
  const stopped = await inTerminal(`bash --norc -i ${world.dir}/stopped.sh`, [['ready', '\x1a'], ['stopped 148', 'again\r']]);
  assert.match(stopped.shown, /got again[^]*status 0/);
  writeFileSync(join(world.dir, 'stopped.sh'), `${command('ctrl-z-2', 'echo ready; read a; echo "got $a"; read b; echo "got $b"')}\necho "stopped $?"\nfg\necho "status $?"\n`);
  const twice = await inTerminal(`bash --norc -i ${world.dir}/stopped.sh`, [['ready', 'one\r'], ['got one', '\x1a'], ['stopped 148', 'two\r']]);
  assert.match(twice.shown, /got two[^]*status 0/, 'the terminal was the job\'s when Ctrl-Z came');
  assert.deepEqual((await events(world, 'ctrl-z')).at(-1), { type: 'completed', data: { exit: 0 } });
});

story('who cancels the stream stops the job at once; who completes it does not', { ...noWeb, conf: { beat_interval: '10s', stale_threshold: '30s' } }, async (world) => {
  const pidFile = join(world.dir, 'pid');
  const job = start(world, 'cancelled', ['--grace', '400ms'], `echo $$ >${pidFile}; trap '' TERM; echo ready; while :; do sleep 0.05; done`);
  await printed(world, 'cancelled', 'ready');
  const begin = performance.now();
  await world.ctl('cancel', 'cancelled', '{"by":"ada"}');
  assert.equal(await job.ended(), 137);
  const took = performance.now() - begin;
  assert.ok(took >= 400 && took < 8000, `TERM, and KILL after the grace, without waiting for a beat: ${took} ms`);
  assert.match(job.stderr, /cancelled by another program/);
  assert.ok(!isRunning(Number(readFileSync(pidFile, 'utf8'))));
  assert.deepEqual((await events(world, 'cancelled')).at(-1), { type: 'cancelled', data: { by: 'ada' } });
  const soft = start(world, 'soft', [], 'echo ready; sleep 60');
  await printed(world, 'soft', 'ready');
  await world.ctl('cancel', 'soft');
  assert.equal(await soft.ended(), 143);

  const other = start(world, 'completed', [], 'echo ready; read go; echo more; echo and more; read go; exit 5');
  await printed(world, 'completed', 'ready');
  await world.ctl('complete', 'completed');
  other.process.child.stdin.write('go\n');
  await until(() => other.stderr.includes('already ended: completed'), { what: () => `the note: ${other.stderr}` });
  await stays(() => !other.exit, { during: 300, what: 'the job runs on' });
  other.process.child.stdin.write('go\n');
  assert.equal(await other.ended(), 5);
  assert.equal(other.stderr.trim().split('\n').length, 1, other.stderr);
  assert.deepEqual((await events(world, 'completed')).map(({ type }) => type), ['output', 'completed']);

  const mark = join(world.dir, 'mark');
  const last = start(world, 'last-words', [], `echo ready; read go; echo more; touch ${mark}; read go`);
  await printed(world, 'last-words', 'ready');
  await last.process.freeze();
  await world.ctl('complete', 'last-words');
  last.process.child.stdin.write('go\n');
  await until(() => existsSync(mark), { what: 'the job to print what nobody will store' });
  last.process.signal('SIGCONT');
  await until(() => last.stderr.includes('already ended: completed'), { what: () => `the note, though nothing more is printed: ${last.stderr}` });
  last.process.child.stdin.write('go\n');
  assert.equal(await last.ended(), 0);
});

story('a stream that is refused: the job runs all the same, but not with --require', noWeb, async (world) => {
  const mark = (name) => join(world.dir, name);
  await world.ctl('open', 'over', '--user', 'u1');
  await world.ctl('complete', 'over');
  await world.ctl('open', 'theirs', '--user', 'u2');
  for (const [id, code, words] of [['over', 65, /already ended: completed/], ['theirs', 77, /another user/]]) {
    const result = await world.ssectl(['run', id, '--user', 'u1', '--', 'sh', '-c', `echo x; touch ${mark(id)}; exit 4`]);
    assert.equal(result.code, 4);
    assert.match(result.stderr, words);
    assert.equal(result.stderr.trim().split('\n').length, 1, result.stderr);
    assert.ok(existsSync(mark(id)), 'it ran');
    const required = await world.ssectl(['run', id, '--user', 'u1', '--require', '--', 'touch', mark(`${id}-required`)]);
    assert.equal(required.code, code, required.stderr);
    assert.match(required.stderr, words);
    assert.ok(!existsSync(mark(`${id}-required`)), 'it did not run');
  }
  assert.equal((await wrap(world, 'fine', ['--require'], 'exit 0')).code, 0);
  await world.killRedis();
  const away = await world.ssectl(['run', 'away', '--user', 'u1', '--require', '--deadline', '300ms', '--', 'touch', mark('away')]);
  assert.equal(away.code, 69, away.stderr);
  assert.ok(!existsSync(mark('away')));
});

story('--tee: both outputs byte for byte, into a file and into a pipe', noWeb, async (world) => {
  const bytes = (name, size) => {
    const file = join(world.dir, name);
    const content = Buffer.from(Array.from({ length: size }, (_, i) => (i * 7919 + (i >> 8) * 31) & 255));
    writeFileSync(file, content);
    return { file, content };
  };
  const out = bytes('out', 300_001);
  const err = bytes('err', 70_001);
  const wrapped = `${program('ssectl')} --config ${world.configFile} run tee --user u1 --tee -- sh -c 'cat ${out.file}; cat ${err.file} >&2; exit 6'`;
  const { code } = await run('bash', ['-c', `cd ${world.dir}; ${wrapped} > >(cat >out.pipe) 2>err.got; code=$?; wait; exit $code`]);
  assert.equal(code, 6);
  assert.ok(readFileSync(join(world.dir, 'err.got')).equals(err.content), 'standard error');
  await until(() => readFileSync(join(world.dir, 'out.pipe')).equals(out.content), { what: 'standard output, through a pipe' });
  assert.equal(await state(world, 'tee'), 'failed');
  const slow = await run('bash', ['-c', `${wrapped.replace('run tee', 'run slow')} 2>/dev/null | { sleep 0.5; cat >${world.dir}/slow.got; }; exit \${PIPESTATUS[0]}`]);
  assert.equal(slow.code, 6);
  assert.ok(readFileSync(join(world.dir, 'slow.got')).equals(out.content), 'to a slow reader');
  const gone = await run('bash', ['-c', `${wrapped.replace('run tee', 'run gone')} | true; exit \${PIPESTATUS[0]}`]);
  assert.equal(gone.code, 6, 'to one that went away');
});

story('--tee to somebody who does not read: the job waits, but is not out of reach', noWeb, async (world) => {
  const pidFile = join(world.dir, 'pid');
  const job = start(world, 'blocked', ['--tee'], `echo $$ >${pidFile}; echo ready; seq 1000000; sleep 60`);
  job.process.child.stdout.pause();
  await printed(world, 'blocked', 'ready');
  let before = -1, since = 0;
  await until(async () => { // it no longer gets on
    const now = await world.redis.xlen('sse:events:blocked');
    if (now !== before) since = performance.now();
    before = now;
    return performance.now() - since > 300;
  }, { what: 'the job to stand' });
  await world.ctl('cancel', 'blocked');
  await until(() => !isRunning(Number(readFileSync(pidFile, 'utf8'))), { what: 'the end of the job' });
  job.process.child.stdout.resume();
  assert.equal(await job.ended(), 143);
});

story('--tee to somebody who never reads: the end of the job is stored all the same, and ssectl leaves', { ...noWeb, timeout: 90000 }, async (world) => {
  const ends = async (id, flags, script, code, data, act) => {
    const job = start(world, id, ['--tee', '--deadline', '2s', '--grace', '500ms', ...flags], script);
    job.process.child.stdout.pause();
    await printed(world, id, 'ready');
    await act?.(job);
    await until(async () => ['failed', 'cancelled', 'completed'].includes(await state(world, id)), { deadline: 15000, what: `the end of ${id}` });
    await until(() => job.process.exit, { deadline: 15000, what: `ssectl to leave ${id}` });
    assert.equal(job.process.exit.code, code, job.stderr);
    assert.deepEqual((await events(world, id)).at(-1).data, data, id);
    assert.match(job.stderr, /standard output: [0-9]+ bytes were not taken in time/);
    job.process.child.stdout.resume();
  };
  const y = { tail: ['y'] };
  // Some hundred thousand events: to store them may take longer than --deadline.
  await ends('timed', ['--timeout', `${within(1000)}ms`, '--tail', '1'], 'echo ready; exec yes', 124, { reason: 'timeout', signal: 'SIGTERM', ...y });
  await ends('termed', ['--tail', '1'], 'echo ready; exec yes', 143, { signal: 'SIGTERM', ...y }, (job) => process.kill(job.process.pid, 'SIGTERM'));
  await ends('cancelled', [], 'echo ready; exec yes', 143, { by: 'ada' }, () => world.ctl('cancel', 'cancelled', '{"by":"ada"}'));
  const stalled = async (id, flags, rest) => {
    const over = join(world.dir, `${id}.over`);
    const wrapped = `${program('ssectl')} --config ${world.configFile} run ${id} --user u1 --tee --deadline 1s --grace 500ms ${flags} -- ${rest}`;
    const pipeline = run('bash', ['-c', `${wrapped} | until [ -e ${over} ]; do sleep 0.1; done`]);
    const stored = until(async () => ['failed', 'completed'].includes(await state(world, id)), { deadline: 15000, what: `the end of ${id}` });
    await stored.finally(() => writeFileSync(over, ''));
    await pipeline;
  };
  await stalled('itself', '', "sh -c 'seq 13000; sleep 0.5; seq 8000'"); // more than the 64 KiB of the pipe that is not read, and 39 kB that the job leaves in its own
  assert.equal(lines(await events(world, 'itself')).length, 21000);
  const pager = await run('bash', ['-c', `${program('ssectl')} --config ${world.configFile} run pager --user u1 --tee --deadline 1s -- seq 30000 | { sleep 3; cat; }`]);
  assert.equal(pager.stdout.trim().split('\n').length, 30000, 'a pager that takes its time loses nothing');
  await stalled('both', '--timeout 1s', 'yes 2>&1'); // our notes have no reader, either
});

story('a signal while the end is being stored: it is tried for a moment more, and a second one leaves', { ...noWeb, timeout: 60000 }, async (world) => {
  const storing = async (id) => { // Redis hangs, the job has ended
    const pidFile = join(world.dir, id);
    const job = start(world, id, ['--deadline', '30s'], `echo $$ >${pidFile}; echo ready; read go; exit 3`);
    await printed(world, id, 'ready');
    const pid = Number(readFileSync(pidFile, 'utf8'));
    await world.server.process.freeze();
    job.process.child.stdin.write('go\n');
    await until(() => !isRunning(pid), { what: 'the end of the job' });
    await stays(() => !job.process.exit, { during: 300, what: 'the end is being stored' });
    return job;
  };
  const saved = await storing('saved');
  process.kill(saved.process.pid, 'SIGTERM');
  await stays(() => !saved.process.exit, { during: 300, what: 'it still tries' });
  world.server.process.signal('SIGCONT');
  assert.equal(await saved.ended(), 3);
  assert.equal(await state(world, 'saved'), 'failed');
  const brief = await storing('brief');
  process.kill(brief.process.pid, 'SIGINT');
  assert.equal(await brief.ended(9000), 3, 'after 2 s, not 30');
  assert.match(brief.stderr, /1 event not stored: interrupted/);
  world.server.process.signal('SIGCONT');
  await quickly(async (left) => {
    process.kill(left.process.pid, 'SIGHUP');
    await stays(() => !left.process.exit, { during: 300, what: 'the first' });
    process.kill(left.process.pid, 'SIGQUIT');
    assert.equal(await left.ended(), 3);
    world.server.process.signal('SIGCONT');
  }, { before: (turn) => storing(`left${turn}`), ms: 1900, what: 'a second signal to be heard, and not the 2 s after the first one to pass' });
});

story('Redis is away for the whole job: same exit, same output, started at once', { ...noWeb, redis: false }, async (world) => {
  const script = 'echo out; echo err >&2; echo more; exit 7';
  const plain = await run('sh', ['-c', script]);
  const wrapped = await quickly(() => wrap(world, 'alone', ['--tee', '--deadline', '300ms'], script), { ms: 1000, what: 'the job, with no waiting but for the deadline' });
  assert.equal(wrapped.code, plain.code);
  assert.equal(wrapped.stdout, plain.stdout);
  assert.ok(wrapped.stderr.startsWith(plain.stderr), wrapped.stderr);
  assert.match(wrapped.stderr.slice(plain.stderr.length), /^ssectl: run: alone: 4 events not stored: .*\n$/);
});

story('Redis goes in the middle and comes back: the job feels nothing, and each line is there once', { ...noWeb, timeout: 90000 }, async (world) => {
  const outage = long ? 20000 : 2000;
  const count = Math.round((outage + 1500) / 20);
  const pad = 'x'.repeat(3000); // more than the pipe would hold
  writeFileSync(join(world.dir, 'job.mjs'), `let n = 0; const timer = setInterval(() => {
    console.log(JSON.stringify({ n, at: performance.now(), pad: '${pad}' })); if (++n === ${count}) clearInterval(timer); }, 20);`);
  const job = world.command('run', 'through', '--user', 'u1', '--', process.execPath, join(world.dir, 'job.mjs'));
  await until(async () => (await events(world, 'through')).length >= 5, { what: 'the first lines' });
  await world.killRedis();
  const back = performance.now() + outage;
  await until(() => performance.now() > back, { deadline: outage + 1000, what: 'the outage to be over' });
  await world.startRedis();
  assert.equal(await job.ended(outage + 20000), 0, job.stderr);
  const log = await events(world, 'through');
  const got = lines(log).map((line) => JSON.parse(line));
  assert.deepEqual(got.map(({ n }) => n), Array.from({ length: count }, (_, i) => i));
  assert.deepEqual(log.at(-1), { type: 'completed', data: { exit: 0 } });
  assert.ok(!log.some(({ type }) => type === 'skipped'));
  const pauses = got.slice(1).map(({ at }, i) => at - got[i].at);
  assert.ok(Math.max(...pauses) < outage / 2, `the job was never held up: ${Math.max(...pauses)} ms`);
});

story('Redis hangs: the job starts after a second, and is not held up for longer; what was dropped is counted', { ...noWeb, timeout: 60000 }, async (world) => {
  const done = (id) => join(world.dir, `${id}.done`);
  const total = 200_000;
  const script = (id) => `echo ready; read go; seq ${total}; touch ${done(id)}; read go; echo end`;
  const job = start(world, 'hung', ['--spool', '64k', '--deadline', '60s'], script('hung'));
  await printed(world, 'hung', 'ready');
  await world.server.process.freeze();
  job.process.child.stdin.write('go\n');
  let begin = performance.now();
  await until(() => existsSync(done('hung')), { deadline: 15000, what: 'the job to print all of it' });
  const late = start(world, 'late', ['--deadline', '60s'], `touch ${done('late')}; echo ready`);
  begin = performance.now();
  await until(() => existsSync(done('late')), { deadline: 15000, what: 'a job to start' });
  assert.ok(performance.now() - begin >= 900, 'it waits a second for its stream');
  world.server.process.signal('SIGCONT');
  assert.equal(await late.ended(15000), 0);
  assert.deepEqual(lines(await events(world, 'late')), ['ready']);
  job.process.child.stdin.write('go\n');
  assert.equal(await job.ended(15000), 0);
  const log = await events(world, 'hung');
  const numbers = lines(log).slice(1, -1).map(Number);
  const skipped = log.filter(({ type }) => type === 'skipped').reduce((sum, { data }) => sum + data.events, 0);
  assert.ok(numbers.every((n, i) => i === 0 || n > numbers[i - 1]), 'in order, each once');
  assert.equal(numbers.length + skipped, total);
  assert.equal(lines(log).at(-1), 'end');
  assert.ok(skipped > 0);
});

story('what the backlog cannot hold is told in one event, with the right number', { ...noWeb, redis: false }, async (world) => {
  const total = 5000;
  const done = join(world.dir, 'done');
  const job = start(world, 'overflow', ['--spool', '64k', '--deadline', '60s'], `seq ${total}; touch ${done}; read go; echo end`);
  await until(() => existsSync(done), { what: 'the job to print all of it, though nobody takes it' });
  await world.startRedis();
  await printed(world, 'overflow', String(total));
  job.process.child.stdin.write('go\n');
  assert.equal(await job.ended(), 0, job.stderr);
  const log = await events(world, 'overflow');
  assert.deepEqual(log.at(-1), { type: 'completed', data: { exit: 0 } });
  assert.equal(log.filter(({ type }) => type === 'skipped').length, 1);
  assert.equal(log[0].type, 'skipped');
  const { events: skipped } = log[0].data;
  assert.deepEqual(lines(log), [...Array.from({ length: total - skipped }, (_, i) => String(skipped + i + 1)), 'end']);
  assert.ok(skipped > 1000 && skipped < total - 500, `${skipped} of ${total} were dropped`);
  assert.match(job.stderr, new RegExp(`${skipped} events were dropped`));
});

story('kill -9 of ssectl run: the job ends, the guardian orphans and fails the stream', { timeout: 60000 }, async (world) => {
  const pidFile = join(world.dir, 'pid');
  const job = start(world, 'murdered', [], `echo $$ >${pidFile}; echo ready; while :; do sleep 0.05; done`);
  await printed(world, 'murdered', 'ready');
  const pid = Number(readFileSync(pidFile, 'utf8'));
  await guardianMarksBait(world);
  assert.equal(await state(world, 'murdered'), 'active');
  process.kill(job.process.pid, 'SIGKILL');
  await until(() => !isRunning(pid), { what: 'the end of the job' });
  await until(async () => await state(world, 'murdered') === 'failed', { deadline: 15000, what: 'the end of the stream' });
  const last = (await events(world, 'murdered')).slice(-2);
  assert.deepEqual(last.map(({ type }) => type), ['orphaned', 'failed']);
  assert.deepEqual(last[1].data, { reason: 'orphaned' });
});

story('what a job leaves running does not hold up the end, nor is its last word lost', noWeb, async (world) => {
  const pidFile = join(world.dir, 'pid');
  const quiet = await wrap(world, 'quiet', [], `sleep 600 & echo $! >${pidFile}; echo a; (sleep 0.1; echo late) & exit 2`); // ends after a second of silence
  process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
  assert.equal(quiet.code, 2);
  assert.deepEqual(lines(quiet.events), ['a', 'late']);
  assert.deepEqual(quiet.events.at(-1), { type: 'failed', data: { exit: 2, tail: ['a', 'late'] } });
  const chatty = await wrap(world, 'chatty', ['--grace', '700ms'], '(while echo x; do sleep 0.05; done) & exit 0');
  assert.equal(chatty.code, 0, 'and not longer than the grace');
  assert.deepEqual(chatty.events.at(-1), { type: 'completed', data: { exit: 0 } });
});

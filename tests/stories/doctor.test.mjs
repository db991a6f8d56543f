// ssectl doctor: a healthy world, then one thing broken at a time, each found by name and with its cure; and nothing left behind.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Process, run } from '../support/proc.mjs';
import { freePort } from '../support/webserver.mjs';
import { until, within } from '../support/wait.mjs';
import { program, story } from '../support/world.mjs';

const isRoot = process.getuid() === 0;
// tcp: a socket's mode is for a story of its own, which has to be root.
const calm = { lighttpd: false, tcp: true, timeout: 60000, conf: { max_streams: 500 } };

/** What the doctor finds: its exit code and its findings, [{check, verdict, text, cure}]. */
async function examine(world, ...args) {
  const given = args.includes('--socket') ? args : [...args, '--socket', world.responders.address];
  const { code, stdout, stderr } = await world.ssectl(['doctor', '--json', ...given]);
  const found = stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  for (const finding of found) {
    assert.deepEqual(Object.keys(finding), ['check', 'verdict', 'text', 'cure']);
    assert.match(finding.check, /^[a-z0-9-]+$/);
    assert.match(finding.verdict, /^(good|note|bad)$/);
    assert.equal(typeof finding.cure, finding.verdict === 'bad' ? 'string' : 'object', `only what is bad has a cure: ${JSON.stringify(finding)}`);
  }
  return { code, stderr, found, of: (check) => found.find((finding) => finding.check === check), bad: found.filter((finding) => finding.verdict === 'bad') };
}

/** Nothing is bad once the responders have noticed that all is well again. */
async function expectWell(world, ...args) {
  await world.readiness(200);
  return expectBad(world, [], ...args);
}

/** Exactly these checks are bad, with exit code 1; returns them by name. */
async function expectBad(world, checks, ...args) {
  const report = await examine(world, ...args);
  assert.deepEqual(report.bad.map((finding) => finding.check).sort(), [...checks].sort(), JSON.stringify(report.bad, null, 1));
  assert.equal(report.code, checks.length ? 1 : 0, report.stderr);
  return Object.fromEntries(report.bad.map((finding) => [finding.check, finding]));
}

async function ready(world) {
  await world.redis.config('SET', 'appendfsync', 'everysec');
  await until(() => world.redis.hget('sse:guardian', 'lastPassAt'), { what: 'a pass of the guardian' });
}

const doctorsKeys = (world) => world.redis.keys('*doctor-*');

story('a healthy world: everything is good, and nothing is left behind', calm, async (world) => {
  await ready(world);
  const before = (await world.redis.keys('*')).sort();
  const { code, stdout, stderr } = await world.ssectl(['doctor', '--socket', world.responders.address]);
  assert.equal(code, 0, stdout + stderr);
  assert.equal(stderr, '');
  assert.ok(!stdout.includes('\x1b'), 'no colour and no progress in a pipe');
  assert.match(stdout, /^good {2}redis-eviction {8}maxmemory-policy noeviction$/m);
  assert.match(stdout, /\n\d+ good, \d+ notes?, 0 bad\n$/);
  assert.deepEqual((await world.redis.keys('*')).sort(), before);
  assert.equal(await world.redis.zcard('sse:active'), 0);

  const report = await examine(world);
  const other = report.found.filter(({ verdict, check }) => verdict !== 'good' && !check.startsWith('kernel-')).map(({ check }) => check);
  assert.deepEqual(other, ['web'], 'without a URL the way through the web server is not checked, and all else is good');
  for (const check of ['conf-file', 'socket', 'socket-exposed', 'responder-ready', 'redis-connection', 'redis-version', 'redis-eviction', 'redis-appendonly', 'redis-disk',
    'redis-memory', 'redis-clients', 'redis-fsync', 'redis-pubsub-buffer', 'redis-timeout', 'redis-commands', 'redis-keys', 'redis-channels', 'redis-subscribe',
    'stream-open', 'stream-publish', 'stream-push', 'stream-beat', 'stream-end', 'guardian', 'guardian-pass', 'responders', 'open-files']) {
    assert.equal(report.of(check)?.verdict, 'good', `${check}: ${JSON.stringify(report.of(check))}`);
  }
  assert.doesNotMatch(world.log('fcgi'), /level=(warn|error)/, 'the responders did not mind');
});

const settings = [
  { what: 'eviction', set: ['maxmemory-policy', 'allkeys-lru'], back: 'noeviction', check: 'redis-eviction', cure: /redis\.conf: maxmemory-policy noeviction\n.*CONFIG SET maxmemory-policy noeviction/ },
  { what: 'no append-only file', set: ['appendonly', 'no'], back: 'yes', check: 'redis-appendonly', cure: /redis\.conf: appendonly yes\n.*CONFIG SET appendonly yes/ },
  { what: 'a tiny buffer for Pub/Sub', set: ['client-output-buffer-limit', 'pubsub 4096 0 0'], back: 'pubsub 33554432 8388608 60', check: 'redis-pubsub-buffer',
    cure: /redis\.conf: client-output-buffer-limit pubsub 64mb 16mb 60\n.*CONFIG SET client-output-buffer-limit 'pubsub/ },
];

story('settings of Redis that hurt, one at a time', calm, async (world) => {
  await ready(world);
  for (const { what, set, back, check, cure } of settings) {
    await world.redis.config('SET', ...set);
    const found = await expectBad(world, [check]);
    assert.match(found[check].cure, cure, what);
    await world.redis.config('SET', set[0], back);
  }
  await world.redis.config('SET', 'maxmemory', '1');
  const full = await examine(world);
  assert.equal(full.of('redis-memory').verdict, 'bad');
  assert.match(full.bad.at(-1).text, /OOM/);
  assert.match(full.bad.at(-1).cure, /larger maxmemory/);
  await world.redis.config('SET', 'maxmemory', '0');
  await world.redis.config('SET', 'appendfsync', 'no');
  assert.equal((await examine(world)).of('redis-fsync').verdict, 'note');
  await world.redis.replicaof('127.0.0.1', '1');
  const replica = await examine(world); // a responder may have met it by now, or not
  assert.match(replica.of('redis-role').cure, /REPLICAOF NO ONE/);
  assert.match(replica.of('stream-open').text, /READONLY/);
  await world.redis.replicaof('NO', 'ONE');
  await expectWell(world);
});

story('rights of the user of Redis: each that is missing, by name', calm, async (world) => {
  await ready(world);
  const acl = (...rules) => world.redis.acl('SETUSER', 'default', ...rules);
  await acl('-evalsha', '-zadd');
  const commands = (await expectBad(world, ['redis-commands']))['redis-commands'];
  assert.match(commands.text, /evalsha, zadd/);
  assert.match(commands.cure, /ACL SETUSER default \+evalsha \+zadd\n/);
  await acl('+@all', 'resetchannels', '&other:*');
  const channels = await expectBad(world, ['redis-channels', 'redis-subscribe']);
  assert.match(channels['redis-subscribe'].text, /NOPERM.*channels/);
  for (const finding of Object.values(channels)) assert.match(finding.cure, /ACL SETUSER default '&sse:\*'/);
  await acl('allchannels', 'resetkeys', '~other:*');
  assert.match((await expectBad(world, ['redis-keys']))['redis-keys'].cure, /ACL SETUSER default '~sse:\*'/);
  for (const kept of ['[^t]*', '[^c]*', '[^g]*']) { // all but sse:totals, sse:check and completions, sse:guardian
    await acl('resetkeys', `~sse:${kept}`);
    assert.match((await expectBad(world, ['redis-keys']))['redis-keys'].cure, /'~sse:\*'/, kept);
  }
  await acl('allkeys', '-config', '-info');
  const blind = await examine(world);
  assert.equal(blind.code, 0, 'what may not be asked is a note');
  assert.match(blind.of('redis-config').text, /NOPERM.*appendfsync.*not checked/s);
  assert.match(blind.of('redis-info').text, /may not ask for INFO/);
  await acl('+@all');
  await expectWell(world);
});

story('the rights that the help names suffice for all programs, and none is too many', { ...calm, responders: false, guardian: false, timeout: 90000 }, async (world) => {
  const { stdout: help } = await run(program('ssectl'), ['help', 'doctor']);
  const rules = help.match(/^ {2}user sse on >PASSWORD ([^]*?unsubscribe)$/m)[1].split(/\s+/);
  const port = await freePort();
  await world.redis.config('SET', 'port', String(port));
  await world.redis.acl('SETUSER', 'sse', 'on', '>secret', ...rules);
  const password = join(world.dir, 'sse.password');
  writeFileSync(password, 'secret\n', { mode: 0o600 });
  world.configure({ redis_url: `redis://sse@127.0.0.1:${port}`, redis_password_file: password });
  await world.startResponder();
  await world.startGuardian();
  await ready(world);
  await world.ctl('open', 'job', '--user', 'u1', '--lease');
  await world.ctl('emit', 'job', 'token', '1');
  await world.ctl('beat', 'job');
  await world.ctl('complete', 'job');
  await world.ctl('open', 'dies', '--user', 'u1', '--lease');
  await until(async () => await world.redis.hget('sse:stream:dies', 'state') === 'failed', { deadline: 15000, what: 'the guardian to end what was left alone' });
  for (const command of [['list'], ['show', 'job'], ['recover', 'job'], ['watch', 'job'], ['status'], ['top', '--rounds', '1'], ['orphans'], ['nodes'], ['check'], ['metrics']]) await world.ctl(...command);
  assert.deepEqual(await world.redis.acl('LOG'), [], 'Redis denied nothing');
  await expectBad(world, []);

  for (const rule of rules.filter((word) => word.startsWith('+'))) {
    const name = rule.slice(1);
    await world.redis.acl('SETUSER', 'sse', `-${name}`);
    const report = await examine(world);
    const at = { time: 'redis-connection', ping: 'redis-connection', 'client|setname': 'redis-connection', subscribe: 'redis-subscribe', info: 'redis-info' }[name] ?? 'redis-commands';
    if (at !== 'redis-info') assert.equal(report.code, at === 'redis-connection' ? 77 : 1, `without ${rule}: ${JSON.stringify(report.bad)}`);
    assert.equal(report.of(at).verdict, at === 'redis-info' ? 'note' : 'bad', `without ${rule}: ${JSON.stringify(report.found, null, 1)}`);
    if (at !== 'redis-info') assert.ok(report.of(at).cure.includes(rule), `without ${rule}: ${report.of(at).cure}`);
    await world.redis.acl('SETUSER', 'sse', rule);
  }
  await expectWell(world);
});

story('no guardian and no responder', { ...calm, responders: false, guardian: false }, async (world) => {
  const socket = ['--socket', join(world.dir, 'none.sock')];
  const none = await expectBad(world, ['guardian', 'responders', 'socket'], ...socket);
  assert.match(none.guardian.text, /no guardian has run/);
  assert.match(none.guardian.cure, /systemctl enable --now sse-guardian\n[^]*cron: .*--once/);
  assert.match(none.responders.cure, /systemctl enable --now sse-fcgi\.socket sse-fcgi\n/);
  const ago = async (seconds) => {
    const now = Number((await world.redis.time())[0]);
    await world.redis.hset('sse:guardian', 'since', (now - 900) * 1000, 'last', (now - seconds) * 1000, 'lastPassAt', new Date((now - seconds) * 1000).toISOString());
    await world.redis.pexpire('sse:guardian', 60000);
  };
  await ago(600);
  assert.match((await expectBad(world, ['guardian', 'responders', 'socket'], ...socket)).guardian.text, /not running, it has been silent for 60\d s/);
  await ago(60);
  const cron = await examine(world, ...socket);
  assert.equal(cron.of('guardian').verdict, 'note', 'as between two passes from cron');
  const old = { node: 'n1', kind: 'responder', host: 'elsewhere', version: '0.0.9', pid: 1, seenAt: new Date().toISOString() };
  await world.redis.hset('sse:node:n1', old);
  await world.redis.zadd('sse:nodes', Date.now(), 'n1');
  await Promise.all(['sse:node:n1', 'sse:nodes'].map((key) => world.redis.pexpire(key, 60000)));
  const mixed = await examine(world, ...socket);
  assert.equal(mixed.of('responders').verdict, 'good');
  assert.match(mixed.of('responder-version').text, /0\.0\.9/);
});

story('Redis away: exit 69, how to start it, and all else is checked', calm, async (world) => {
  await world.killRedis();
  const away = await examine(world, '--deadline', '500ms');
  assert.equal(away.code, 69);
  assert.match(away.of('redis-connection').text, /is unavailable: .*(No such file|refused).*nothing of it was checked/);
  assert.match(away.of('redis-connection').cure, /systemctl enable --now redis-server/);
  assert.equal(away.of('socket').verdict, 'good');
  assert.match(away.of('responder-ready').text, /the responder does not serve: /);
  const text = await world.ssectl(['doctor', '--deadline', '500ms', '--socket', world.responders.address]);
  assert.match(text.stdout, /^bad {3}redis-connection [^]* 2 bad\n$/m);
});

/** Something that looks like a guardian of this world, and runs as nobody. */
function nobodysGuardian(world) {
  const copy = join(world.dir, 'sse-guardian');
  copyFileSync('/bin/sh', copy);
  chmodSync(copy, 0o755);
  const guardian = Process.start('nobody', 'setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', copy, '-c', 'sleep 60; :', '--config', world.configFile]);
  guardian.expectedToEnd = true;
  return world.keep(guardian);
}

story('files that the daemons cannot read', { ...calm, password: 'secret' }, async (world, t) => {
  if (!isRoot) return t.skip('only root can be somebody else');
  await ready(world);
  const password = join(world.dir, 'password');
  chmodSync(world.dir, 0o711);
  chmodSync(world.configFile, 0o600);
  const guardian = nobodysGuardian(world);
  await until(async () => (await examine(world)).bad.length, { what: 'the other user to be seen' });
  const closed = await expectBad(world, ['conf-file', 'password-file']);
  assert.match(closed['conf-file'].text, /the daemons run as nobody, who cannot read it/);
  assert.ok(closed['conf-file'].cure.startsWith(`chmod o+r ${world.configFile}`), closed['conf-file'].cure);
  assert.match(closed['password-file'].cure, /^chown root:nogroup (\S+) && chmod 640 \1$/);
  chmodSync(world.configFile, 0o604);
  chownSync(password, 0, 65534);
  chmodSync(password, 0o640);
  await expectBad(world, []);
  chmodSync(world.dir, 0o700);
  const folder = await expectBad(world, ['conf-file', 'password-file']);
  assert.ok(folder['conf-file'].cure.startsWith(`chmod o+x ${world.dir};`), folder['conf-file'].cure);
  await guardian.kill();
  return undefined;
});

story('files of secrets that others can read, or that are not there', { ...calm, password: 'secret' }, async (world) => {
  await ready(world);
  const password = join(world.dir, 'password'), tokens = join(world.dir, 'tokens');
  await expectBad(world, []);
  chmodSync(password, 0o644);
  const open = await expectBad(world, ['password-file']);
  assert.match(open['password-file'].text, /mode 644 lets others at the secret/);
  assert.match(open['password-file'].cure, /chown root:.* && chmod 640 /);
  assert.equal((await world.ssectl(['status'])).code, 78, 'every other command refuses it as before');
  chmodSync(password, 0o600);
  world.configure({ publish_token_file: tokens });
  assert.match((await expectBad(world, ['token-file']))['token-file'].text, /No such file/);
  writeFileSync(tokens, 'x'.repeat(32), { mode: 0o646 });
  chmodSync(tokens, 0o646);
  assert.match((await expectBad(world, ['token-file']))['token-file'].text, /mode 646/);
  chmodSync(tokens, 0o600);
  await expectBad(world, []);
  writeFileSync(password, 'wrong\n');
  const wrong = await examine(world);
  assert.equal(wrong.code, 77);
  assert.match(wrong.of('redis-connection').text, /WRONGPASS/);
  writeFileSync(password, 'secret\n');
});

/** Something that listens, for a while. */
async function listening(where, work) {
  const server = createServer((socket) => socket.destroy());
  await new Promise((resolve, reject) => server.once('error', reject).listen(where, resolve));
  try {
    return await work(server);
  } finally {
    await new Promise((resolve) => { server.close(resolve); });
  }
}

story('the socket on TCP: only for this machine, and somebody must listen', calm, async (world) => {
  await ready(world);
  const port = await freePort();
  const refused = (await expectBad(world, ['socket'], '--socket', `127.0.0.1:${port}`)).socket;
  assert.match(refused.text, /nobody listens/);
  assert.match(refused.cure, /systemctl enable --now sse-fcgi\.socket/);
  await listening({ host: '0.0.0.0', port }, async () => { // and it is no responder, either
    for (const address of [`0.0.0.0:${port}`, `127.0.0.1:${port}`, `localhost:${port}`]) {
      const exposed = (await expectBad(world, ['socket-exposed', 'responder-ready'], '--socket', address))['socket-exposed'];
      assert.match(exposed.text, /other machines can reach it/);
      assert.match(exposed.cure, new RegExp(`-a 127\\.0\\.0\\.1 -p ${port}`));
    }
  });
  const other = await listening({ host: '127.0.0.1', port }, () => expectBad(world, ['responder-ready'], '--socket', `127.0.0.1:${port}`));
  assert.match(other['responder-ready'].text, /gives no FastCGI answer/);
  await expectBad(world, ['socket'], '--socket', 'nonsense');
});

story('the socket on a path: its mode, its folder, and a stale file', { ...calm, tcp: false }, async (world, t) => {
  await ready(world);
  const path = world.responders.socket, socket = ['--socket', path];
  const everybody = (await expectBad(world, ['socket-mode'], ...socket))['socket-mode'];
  assert.match(everybody.text, /mode 0666.*every program on this machine can connect/);
  if (!isRoot) {
    t.diagnostic('not root: the rights of other users are not tried');
  } else {
    chmodSync(world.dir, 0o711);
    chmodSync(path, 0o640);
    chownSync(path, 0, 0);
    const wrong = (await expectBad(world, ['socket-mode'], ...socket))['socket-mode'];
    assert.match(wrong.text, /mode 0640, root:root: the web server's user (\S+) cannot connect/);
    assert.match(wrong.cure, /^now: chown (\S+): \S+ && chmod 600 \S+\nspawn-fcgi: -M 0600 -U \1 -G \1\nsystemd: .*SocketUser=\1 .*SocketMode=0600/);
    await run('sh', ['-c', wrong.cure.match(/^now: (.*)$/m)[1]]);
    assert.equal(lstatSync(path).mode & 0o777, 0o600);
    await expectBad(world, [], ...socket);
    chmodSync(world.dir, 0o700);
    const folder = (await expectBad(world, ['socket-mode'], ...socket))['socket-mode'];
    assert.ok(folder.cure.includes(`chmod o+x ${world.dir}`), folder.cure);
    chmodSync(world.dir, 0o711);
    chownSync(path, 0, 65534);
    chmodSync(path, 0o660);
    assert.match((await expectBad(world, ['socket-mode'], ...socket))['socket-mode'].text, /nobody/);
    chownSync(path, 33, 33);
  }
  chmodSync(path, isRoot ? 0o600 : 0o666);
  await world.killResponder();
  assert.ok(existsSync(path), 'spawn-fcgi leaves it');
  const stale = (await examine(world, ...socket)).of('socket');
  assert.match(stale.text, /a stale socket file, nobody listens/);
  assert.match(stale.cure, /spawn-fcgi, which replaces the file/);
  mkdirSync(join(world.dir, 'folder'));
  assert.match((await examine(world, '--socket', join(world.dir, 'folder'))).of('socket').text, /is no socket/);
});

story('a responder that may open too few files', { ...calm, conf: { max_streams: 500 } }, async (world) => {
  await ready(world);
  const { pid } = world.responders.list[0];
  assert.equal((await run('prlimit', ['--pid', String(pid), '--nofile=300:300'])).code, 0);
  const found = (await expectBad(world, ['open-files']))['open-files'];
  assert.match(found.text, new RegExp(`sse-fcgi ${pid} may open only 300 files`));
  assert.match(found.cure, /LimitNOFILE=65536\n.*ulimit -n 564/);
});

story('Ctrl-C: exit 128 and the signal, and nothing is left behind', calm, async (world) => {
  await ready(world);
  await world.redis.client('PAUSE', 60000, 'WRITE');
  const doctor = world.command('doctor', '--socket', world.responders.address);
  await until(() => doctor.lines.some((line) => line.includes('redis-exposed')), { what: 'the checks that write to begin' });
  doctor.process.signal('SIGINT');
  doctor.process.signal('SIGHUP');
  await world.redis.client('UNPAUSE');
  assert.ok([129, 130].includes(await doctor.ended()), `${doctor.exit.code}: 128 and the signal`);
  assert.match(doctor.lines.at(-1), /^interrupted: \d+ good/);
  assert.deepEqual(await doctorsKeys(world), []);

  // Wherever it is met, it leaves nothing.
  for (const awaited of ['redis-channels', 'redis-subscribe', 'stream-open', 'stream-publish', 'stream-end']) {
    const next = world.command('doctor', '--socket', world.responders.address);
    await until(() => next.lines.some((line) => line.includes(awaited)) || next.exit, { what: `the line of ${awaited}` });
    if (!next.exit) next.process.signal('SIGINT');
    assert.ok([0, 130].includes(await next.ended()), `${awaited}: ${next.exit.code}`);
    assert.deepEqual(await doctorsKeys(world), [], awaited);
    assert.equal(await world.redis.zcard('sse:active'), 0, awaited);
  }
});

/** What a command shows in a terminal. */
async function inTerminal(command, env) {
  const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TERM: 'xterm', NO_COLOR: '', ...env } });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text) => { shown += text; });
  const timer = setTimeout(() => child.kill('SIGKILL'), within(15000));
  await new Promise((resolve) => { child.once('close', resolve); });
  clearTimeout(timer);
  return shown;
}

story('colour and progress on a terminal only, and never with NO_COLOR', calm, async (world) => {
  await ready(world);
  const command = `${program('ssectl')} --config ${world.configFile} doctor --socket ${world.responders.address}`;
  assert.match(await inTerminal(command), /\x1b\[32mgood/);
  assert.match(await inTerminal(command), /\r\x1b\[K\.\.\. {3}trying every command/);
  assert.doesNotMatch(await inTerminal(command, { NO_COLOR: '1' }), /\x1b\[\d+m/);
  assert.doesNotMatch(await inTerminal(command, { TERM: 'dumb' }), /\x1b/);
  assert.doesNotMatch(await inTerminal(`${command} --json`), /\x1b/);
});

story('words that make no sense are refused before anything is checked', { ...calm, responders: false, guardian: false }, async (world) => {
  for (const [args, why] of [[['ftp://x'], /'ftp:\/\/x' is no URL of a mount point/], [['https://'], /is no URL/], [['https://u:p@h/x'], /is no URL/], [['https:///x'], /is no URL/], [['a', 'b'], /usage: ssectl doctor/],
    [['--deadline', 'soon'], /--deadline/]]) {
    const { code, stdout, stderr } = await world.ssectl(['doctor', ...args]);
    assert.equal(code, 64, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, why);
  }
});

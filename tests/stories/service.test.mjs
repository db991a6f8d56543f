// Being installed, started, watched, rotated and restarted as hosts do it.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endFlow, more, startFlow } from '../support/flow.mjs';
import { Peer, ask, requestBytes } from '../support/fcgipeer.mjs';
import { Manager, SharedSocket } from '../support/manager.mjs';
import { Process, isRunning, run } from '../support/proc.mjs';
import { build, program, story } from '../support/world.mjs';
import { crowd, repeatedly, until, within } from '../support/wait.mjs';
import { freePort } from '../support/webserver.mjs';

const repo = join(dirname(fileURLToPath(import.meta.url)), '../..');

async function succeeds(command, args, options) {
  const result = await run(command, args, { deadline: 120000, ...options });
  assert.equal(result.code, 0, `${command} ${args.join(' ')}: ${JSON.stringify(result)}`);
  return result.stdout;
}
const make = (...args) => succeeds('make', ['-C', repo, '--no-print-directory', '-s', `BUILD=${relative(repo, build)}`, ...args], { env: { MAKEFLAGS: process.env.MAKEFLAGS?.replace(/ ?--jobserver\S*| -j\S*/g, '') ?? '' } });

/** A private folder, gone at the end. */
function folder(t) {
  const dir = mkdtempSync(join(tmpdir(), 'sr-service-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
const filesBelow = (dir) => (existsSync(dir) ? readdirSync(dir, { recursive: true }).filter((name) => !statSync(join(dir, name)).isDirectory()) : []);

// ---- make install ----

test('make install puts working programs, keeps a configuration, and make uninstall leaves no file', { timeout: within(300000) }, async (t) => {
  const root = join(folder(t), 'a root');
  const dirs = [`DESTDIR=${root}`, 'prefix=/opt/sse', 'mandir=/opt/man'];
  const conf = join(root, 'etc/sse-resilience/sse-resilience.conf');
  await make('docs');
  await make('install', ...dirs);
  for (const name of ['sbin/sse-fcgi', 'sbin/sse-guardian', 'bin/ssectl']) {
    assert.match(await succeeds(join(root, 'opt/sse', name), ['--version']), new RegExp(`^${name.replace(/.*\//, '')} \\d`));
    assert.match(await succeeds(join(root, 'opt/sse', name), ['--check-config', '--config', conf]), /is good/);
  }
  for (const page of ['man1/ssectl.1', 'man5/sse-resilience.conf.5', 'man7/sse-resilience.7', 'man8/sse-fcgi.8', 'man8/sse-guardian.8']) {
    assert.ok(existsSync(join(root, 'opt/man', page)), page);
  }
  assert.match(readFileSync(join(root, 'opt/man/man8/sse-fcgi.8'), 'utf8'), /\/opt\/sse\/sbin\/sse/, 'the manual names the real folders');
  assert.match(readFileSync(join(root, 'opt/sse/lib/systemd/system/sse-guardian.service'), 'utf8'), /ExecStart=\/opt\/sse\/sbin\/sse-guardian$/m);
  assert.ok(existsSync(join(root, 'opt/sse/share/doc/sse-resilience/examples/init.d/sse-fcgi')));

  writeFileSync(conf, 'mount = /mine\n');
  assert.match(await make('install', ...dirs), /kept: .*sse-resilience.conf/);
  assert.equal(readFileSync(conf, 'utf8'), 'mount = /mine\n', 'a configuration that is there stays');
  assert.match(await make('uninstall', ...dirs), /kept: .*sse-resilience.conf/);
  assert.deepEqual(filesBelow(root), ['etc/sse-resilience/sse-resilience.conf'], 'and nothing else does');

  rmSync(conf);
  await make('install', ...dirs);
  await make('uninstall', ...dirs);
  assert.deepEqual(filesBelow(root), []);
  assert.ok(!existsSync(join(root, 'etc/sse-resilience')), 'nor an empty folder of its own');
  await make('docs'); // with the usual folders again
});

// ---- units ----

const UNITS = ['sse-fcgi.socket', 'sse-fcgi.service', 'sse-fcgi@.service', 'sse-guardian.service', 'sse-guardian-once.service', 'sse-guardian.timer'];

test('the systemd units are valid, and hardened', { timeout: within(120000) }, async (t) => {
  const dir = folder(t);
  await make('docs');
  for (const name of UNITS) { // the programs must exist for verify
    writeFileSync(join(dir, name), readFileSync(join(build, 'systemd', name), 'utf8').replaceAll('/usr/local/sbin', build));
  }
  const verify = (...units) => run('systemd-analyze', ['verify', '--man=no', ...units], { env: { SYSTEMD_UNIT_PATH: `${dir}:` } });
  const { code, stdout, stderr } = await verify(...UNITS.map((name) => name.replace('@.', '@1.')));
  assert.deepEqual({ code, said: stdout + stderr }, { code: 0, said: '' });
  for (const name of UNITS.filter((unit) => unit.endsWith('.service'))) {
    const verdict = await succeeds('systemd-analyze', ['security', '--no-pager', '--offline=true', join(dir, name)]);
    const [, score] = verdict.match(/Overall exposure level for \S+: ([\d.]+)/);
    assert.ok(Number(score) <= 1.5, `${name}: ${verdict}`);
  }
  await succeeds('systemd-sysusers', ['--dry-run', join(build, 'systemd/sse-resilience.sysusers')]);
  const tmp = readFileSync(join(build, 'systemd/sse-resilience.tmpfiles'), 'utf8').replace('sse-resilience adm', `${userInfo().uid} ${userInfo().gid}`).replaceAll('root root', '- -');
  writeFileSync(join(dir, 'tmpfiles.conf'), tmp);
  await succeeds('systemd-tmpfiles', ['--create', `--root=${dir}`, join(dir, 'tmpfiles.conf')]);
  assert.ok(statSync(join(dir, 'run/sse-resilience')).isDirectory());
});

test('what make installs is what ssectl snippet prints', { timeout: 120000 }, async () => {
  await make('docs');
  for (const [name, file] of [...UNITS.map((unit) => [unit, `systemd/${unit}`]), ['tmpfiles', 'systemd/sse-resilience.tmpfiles'], ['sysusers', 'systemd/sse-resilience.sysusers'],
    ['sysv', 'init.d/sse-fcgi'], ['sysv-guardian', 'init.d/sse-guardian'], ['cron', 'cron.d/sse-guardian'], ['logrotate', 'logrotate.d/sse-resilience'],
    ...['lighttpd', 'apache', 'nginx'].map((server) => [server, `examples/${server}.conf`])]) {
    assert.equal(await succeeds(program('ssectl'), ['--config', '/dev/null', 'snippet', name]), readFileSync(join(build, file), 'utf8'), name);
  }
});

// ---- notifications ----

const nothing = { responders: false, guardian: false, lighttpd: false };

/** A daemon that `manager` hears; its log is `${name}.log` of the world. */
function watched(world, manager, name) {
  const command = name === 'sse-fcgi' ? ['spawn-fcgi', '-n', '-M', '0600', '-s', world.fcgi, '--', program(name)] : [program(name)];
  const args = [...command.slice(1), '--config', world.configFile, '--log-target', join(world.dir, 'fcgi.log')];
  return world.keep(Process.start(name, command[0], args, { env: manager.env }));
}

for (const name of ['sse-fcgi', 'sse-guardian']) {
  story(`${name} tells systemd of its life; its watchdog watches the loop, and not Redis`, nothing, async (world) => {
    const manager = await world.keep(new Manager(world.dir, { watchdog: 200 })).start();
    const daemon = watched(world, manager, name);
    await manager.heard(/^READY=1$/);
    await manager.heard(/^STATUS=Redis ready/);
    await manager.heard(/^WATCHDOG=1$/, { more: 3 });

    daemon.signal('SIGHUP');
    await manager.heard(/^RELOADING=1 MONOTONIC_USEC=\d+$/);
    await manager.heard(/^READY=1$/, { after: 1 });

    await world.killRedis();
    await manager.heard(/^STATUS=Redis is away/, { deadline: 20000 });
    await manager.heard(/^WATCHDOG=1$/, { after: manager.count(/^WATCHDOG/), more: 10 });
    await world.startRedis();
    await manager.heard(/^STATUS=Redis ready/, { after: manager.count(/^STATUS=Redis ready/), deadline: 10000 });

    await daemon.freeze();
    await until(() => performance.now() - manager.messages.at(-1).at > 600, { what: 'silence of a process that stands still' }); // thrice the watchdog's time
    const still = manager.count(/^WATCHDOG/);
    daemon.signal('SIGCONT');
    await manager.heard(/^WATCHDOG=1$/, { after: still });

    assert.deepEqual(await daemon.kill('SIGTERM', 10000), { code: 0, signal: null });
    await manager.heard(/^STOPPING=1$/);
  });
}

story('sse-fcgi is ready without Redis, and says how many clients it holds', { ...nothing, redis: false }, async (world) => {
  const manager = await world.keep(new Manager(world.dir)).start();
  const daemon = watched(world, manager, 'sse-fcgi');
  await manager.heard(/^READY=1$/);
  await manager.heard(/^STATUS=Redis is away; 0 streams, 0 viewers$/);
  await world.start({ redis: true, responders: false, guardian: false, lighttpd: true });
  await manager.heard(/^STATUS=Redis ready; 0 streams, 0 viewers$/, { deadline: 10000 });
  const viewers = [await world.viewer('one'), await world.viewer('one'), await world.viewer('two')];
  await manager.heard(/^STATUS=Redis ready; 2 streams, 3 viewers$/);
  viewers.forEach((viewer) => viewer.close());
  assert.equal(manager.count(/^WATCHDOG/), 0, 'nobody asked for it');
  assert.deepEqual(await daemon.kill('SIGTERM', 10000), { code: 0, signal: null });
});

// ---- restarts ----

/** While `work` runs, somebody asks all the time: every request must be answered, every new stream connected, as a browser would. */
async function nobodyIsRefused(world, work) {
  const statuses = {};
  let turn = 0;
  const asker = repeatedly(async () => {
    const { status } = await world.get('/api/stream/-/health');
    statuses[status] = (statuses[status] ?? 0) + 1;
  }, 5);
  const opener = repeatedly(async () => {
    const follower = world.follow(`new-${turn++}`); // a process that is about to end may send it to the next one, by a retry:
    await until(() => follower.connections.some((stream) => stream.ofType('connected').length), { deadline: 10000, what: 'connected on a new stream' });
    follower.connections.forEach(({ status }) => assert.equal(status, 200));
    follower.stop();
  }, 20);
  try {
    await work();
  } finally {
    await Promise.all([asker.stop(), opener.stop()]);
  }
  assert.deepEqual(Object.keys(statuses), ['200'], `every request was answered: ${JSON.stringify(statuses)}`);
  assert.ok(statuses[200] > 10 && turn > 3, `${statuses[200]} requests, ${turn} streams`);
}

story('a socket that outlives its only responder, as systemd\'s: a restart refuses nobody and loses nothing', { ...nothing, timeout: 60000 }, async (world) => {
  const socket = await world.keep(new SharedSocket(world.fcgi)).open();
  const log = join(world.dir, 'fcgi.log');
  let responder = world.keep(await socket.start(program('sse-fcgi'), world.configFile, log));
  await world.start({ redis: false, responders: false, guardian: true, lighttpd: true });
  await world.readiness(200);
  const flow = await startFlow(world, { streams: crowd(40, 8), prefix: 'sole' });
  await nobodyIsRefused(world, async () => {
    for (let round = 0; round < 2; round++) {
      responder.signal('SIGTERM');
      await responder.gone(10000);
      const waiting = world.get('/api/stream/-/health'); // in the backlog: there is nobody
      responder = world.keep(await socket.start(program('sse-fcgi'), world.configFile, log));
      assert.equal((await waiting).status, 200);
      await more(flow, 3);
    }
  });
  await endFlow(world, flow, { reconnects: true });
  assert.ok(await responder.end());
});

story('who makes the shared socket blocking again, as systemd does at each start, holds up nobody', { ...nothing, timeout: 60000 }, async (world) => {
  const socket = await world.keep(new SharedSocket(world.fcgi)).open();
  const responder = world.keep(await socket.start(program('sse-fcgi'), world.configFile, join(world.dir, 'fcgi.log')));
  await world.start({ redis: false, responders: false, guardian: false, lighttpd: true });
  await world.readiness(200);
  await socket.block();
  for (let i = 0; i < 10; i++) assert.equal((await world.get('/api/stream/-/health')).status, 200);
  await world.viewer('one');
  responder.signal('SIGTERM');
  await responder.gone();
});

story('a request of which half was there at SIGTERM is answered; one that never comes holds up nothing', { ...nothing, responders: true }, async (world) => {
  const bytes = requestBytes({ path: '/api/stream/-/health' });
  const [late, never] = [new Peer(world.fcgi), new Peer(world.fcgi)];
  for (const peer of [late, never]) {
    await peer.connected;
    peer.send(bytes.subarray(0, 40));
  }
  await world.readiness(200); // both have been accepted: this one came after them
  const [responder] = world.responders.list;
  responder.signal('SIGTERM');
  await until(() => /msg="draining"/.test(world.log('fcgi')), { what: 'the drain to begin' });
  late.send(bytes.subarray(40));
  assert.equal((await late.answered()).status, 200);
  assert.deepEqual(await responder.gone(), { code: 0, signal: null });
});

/** The SysV script with its variables in a private folder. */
function initScript(world, name, settings = {}) {
  const defaults = join(world.dir, `default-${name}`);
  const all = { DAEMON: program(name), OPTIONS: `"--config ${world.configFile}"`, RUN_DIR: join(world.dir, 'run'), PID_FILE: join(world.dir, 'run', `${name}.pid`),
    SOCKET: world.fcgi, RUN_AS: '', SOCKET_OWNER: '', ...settings };
  writeFileSync(defaults, Object.entries(all).map(([key, value]) => `${key}=${value}\n`).join(''));
  const service = async (action, code = 0) => {
    const result = await run('sh', [join(build, 'init.d', name), action], { env: { SSE_DEFAULTS: defaults }, stdin: 'ignore', deadline: 60000 });
    assert.equal(result.code, code, `${name} ${action}: ${JSON.stringify(result)}\n${world.log('fcgi')}`);
    return result.stdout;
  };
  world.keep({ kill: () => service('stop') });
  return service;
}

story('the SysV script of sse-fcgi: start, status, reload, rolling restart under load, stop', { ...nothing, timeout: 90000 }, async (world) => {
  await make('docs');
  const service = initScript(world, 'sse-fcgi', { OPTIONS: `"--config ${world.configFile} --log-target ${join(world.dir, 'fcgi.log')}"` });
  await service('status', 3);
  await service('start');
  assert.match(await service('status'), /2 of 2/);
  assert.match(await service('start'), /is running/, 'a second start changes nothing');
  await world.start({ redis: false, responders: false, guardian: true, lighttpd: true });
  await world.readiness(200);

  const pids = () => new Set([...world.log('fcgi').matchAll(/pid=(\d+) msg="serving"/g)].map(([, pid]) => Number(pid)));
  const first = pids();
  const flow = await startFlow(world, { streams: crowd(40, 8), prefix: 'roll' });
  world.configure({ heartbeat_interval: '300ms' });
  await service('reload');
  await until(() => (world.log('fcgi').match(/configuration read again/g) ?? []).length === 2, { what: () => `both to reload: ${world.log('fcgi')}` });
  await nobodyIsRefused(world, async () => {
    await service('rolling');
    await more(flow, 3);
  });
  assert.deepEqual([...first].filter(isRunning), [], 'the old processes have ended');
  assert.equal([...pids()].filter(isRunning).length, 2, 'two new ones are there');
  await endFlow(world, flow, { reconnects: true });

  world.configure({ heartbeat_interval: 'often' });
  await service('rolling', 6);
  await service('restart', 6);
  assert.match(await service('status'), /2 of 2/, 'a wrong configuration restarts nothing');
  world.configure({ heartbeat_interval: '300ms' });
  await service('restart');
  await world.readiness(200);
  await service('stop');
  await service('status', 3);
  await service('stop');
  assert.ok(!existsSync(world.fcgi), 'the socket is gone');
});

story('the SysV script of sse-fcgi on a port', nothing, async (world) => {
  await make('docs');
  const port = await freePort();
  const service = initScript(world, 'sse-fcgi', { SOCKET: `127.0.0.1:${port}`, PROCESSES: '1' });
  await service('start');
  const { status } = await ask({ host: '127.0.0.1', port }, { path: '/api/stream/-/health' });
  assert.equal(status, 200);
  assert.match(await service('status'), /1 of 1/);
  await service('stop');
  await service('status', 3);
});

story('the SysV script of sse-guardian', nothing, async (world) => {
  world.configure({ log_target: join(world.dir, 'guardian.log') });
  await make('docs');
  const service = initScript(world, 'sse-guardian');
  await service('status', 3);
  await service('start');
  await service('status');
  assert.match(await service('start'), /is running/);
  world.configure({ log_level: 'debug' });
  await service('reload');
  await until(() => /configuration read again/.test(world.log('guardian')), { what: () => `a reload: ${world.log('guardian')}` });
  world.configure({ log_level: 'loud' });
  await service('restart', 6);
  await service('status');
  world.configure({ log_level: 'info' });
  await service('restart');
  await service('stop');
  await service('status', 3);
});

// ---- cron, logrotate ----

story('the cron line does one pass', nothing, async (world) => {
  await make('docs');
  const [, line] = readFileSync(join(build, 'cron.d/sse-guardian'), 'utf8').match(/^(?:\S+ ){5}sse-resilience (.*)$/m);
  await world.redis.hset('sse:stream:x', { streamId: 'x', userId: 'u', state: 'active' });
  await world.redis.expire('sse:stream:x', 100);
  await world.redis.zadd('sse:active', 1, 'x');
  const cron = ['env', '-i', 'PATH=/usr/bin:/bin', `SSE_CONFIG=${world.configFile}`, '/bin/sh', '-c'];
  await succeeds(cron[0], [...cron.slice(1), line.replaceAll('/usr/local/sbin', build)]);
  assert.equal(await world.redis.hget('sse:stream:x', 'state'), 'orphaned');
  await succeeds(cron[0], [...cron.slice(1), line.replaceAll('/usr/local/sbin', join(world.dir, 'removed'))]); // a package that is gone, its cron line left
});

story('logrotate: the daemons go on in the new file, even with a configuration that is refused', { ...nothing, timeout: 60000 }, async (world) => {
  await make('docs');
  const logs = join(world.dir, 'logs');
  mkdirSync(logs, { mode: 0o750 });
  world.configure({ log_target: join(logs, 'sse.log') });
  for (const name of ['sse-fcgi', 'sse-guardian']) { // as /etc/init.d has them
    const service = initScript(world, name);
    await service('start');
    const script = join(world.dir, 'init.d', name);
    mkdirSync(dirname(script), { recursive: true });
    writeFileSync(script, `#!/bin/sh\nSSE_DEFAULTS=${join(world.dir, `default-${name}`)} exec sh ${join(build, 'init.d', name)} "$@"\n`);
    chmodSync(script, 0o755);
  }
  const log = (suffix = '') => (existsSync(join(logs, `sse.log${suffix}`)) ? readFileSync(join(logs, `sse.log${suffix}`), 'utf8') : '');
  await until(() => /prog=sse-guardian.*redis reached/.test(log()), { what: () => `the guardian: ${log()}` });
  await world.readiness(200);

  const config = readFileSync(join(build, 'logrotate.d/sse-resilience'), 'utf8').replace('/var/log/sse-resilience', logs).replace('/run/systemd/system', join(world.dir, 'no-systemd'))
    .replaceAll('/etc/init.d', join(world.dir, 'init.d')).replace('create 0640 sse-resilience adm', `create 0640 ${userInfo().username} ${(await succeeds('id', ['-gn'])).trim()}`);
  writeFileSync(join(world.dir, 'logrotate.conf'), config, { mode: 0o644 });
  const rotate = () => succeeds('logrotate', ['--force', '--state', join(world.dir, 'logrotate.state'), join(world.dir, 'logrotate.conf')]);
  await rotate();
  await until(() => (log().match(/configuration read again/g) ?? []).length === 3, { what: () => `three processes to write into the new file: ${log()}` });
  assert.match(log('.1'), /redis reached/, 'the old lines are in the old file');
  assert.doesNotMatch(log('.1'), /read again/);

  // A broken file must not send the log into a file that is compressed or gone. (reload refuses it; a SIGHUP does not come from there alone.)
  world.configure({ log_level: 'loud' });
  const broken = config.replace(/postrotate[^]*endscript/, `postrotate\n${[...pidsOf(world)].map((pid) => `kill -HUP ${pid}`).join('\n')}\nendscript`);
  writeFileSync(join(world.dir, 'logrotate.conf'), broken, { mode: 0o644 });
  await rotate();
  await until(() => (log().match(/level=error.*log_level/g) ?? []).length === 3, { what: () => `three refusals in the new file: ${log()} AFTER ${log('.1')}` });
  world.configure({ log_level: 'info' });
  for (const name of ['sse-fcgi', 'sse-guardian']) await succeeds('sh', [join(world.dir, 'init.d', name), 'stop']);
});

/** Those that write to the log of the world, by their own lines. */
function pidsOf(world) {
  const text = readFileSync(join(world.dir, 'logs/sse.log'), 'utf8');
  return new Set([...text.matchAll(/ pid=(\d+) /g)].map(([, pid]) => Number(pid)));
}

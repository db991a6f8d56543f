// `ssectl snippet`: each configuration that it prints is one to the program that it is for, whatever mount point and socket are.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { build, program } from '../support/build.mjs';
import { run } from '../support/proc.mjs';
import { KINDS, WebServer } from '../support/webserver.mjs';

const MOUNTS = ['/api/stream', '/a/b.c/d-e', '/~x_9'];
const SOCKETS = ['/run/sse-resilience/fcgi.sock', '/run/with space/é[1].sock', '127.0.0.1:9000', '[::1]:9000'];

function folder(t) {
  const dir = mkdtempSync(join(tmpdir(), 'sr-snippet-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
const snippet = (...words) => run(program('ssectl'), ['--config', '/dev/null', 'snippet', ...words]);
async function text(...words) {
  const { code, stdout, stderr } = await snippet(...words);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, words.join(' '));
  return stdout;
}
async function passes(command, ...args) {
  const { code, stdout, stderr } = await run(command, args);
  assert.deepEqual({ code, said: stdout + stderr }, { code: 0, said: '' }, `${command} ${args.join(' ')}`);
}

test('the list names every snippet and where it goes; each is filled in', async () => {
  const rows = (await text()).trimEnd().split('\n').map((line) => line.match(/^(\S+) +(\S+) +(\S.*)$/).slice(1));
  assert.equal(await text('list'), await text());
  const objects = (await text('list', '--json')).trimEnd().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(objects.map(({ name, file, note }) => [name, file, note]), rows);
  for (const [name] of rows) {
    for (const socket of SOCKETS) assert.doesNotMatch(await text(name, '--socket', socket, '--mount', '/m'), /@[A-Za-z]+@/, name);
  }
  assert.equal(JSON.parse(await text('nginx', '--json')).text, await text('nginx'));
  assert.match(await text('lighttpd', '--share', '/my/share'), /"\/my\/share\/away\.cgi"/);
  for (const name of ['sse-fcgi@.service', 'sysv', 'spawn-fcgi']) assert.match(await text(name, '--program', '/my own/sse-fcgi'), /"\/my own\/sse-fcgi"/, name);
});

test('the mount point is the configuration\'s', async (t) => {
  const file = join(folder(t), 'sse-resilience.conf');
  writeFileSync(file, 'mount = /app/events\n');
  const { stdout } = await run(program('ssectl'), ['--config', file, 'snippet', 'nginx']);
  assert.equal(stdout, await text('nginx', '--mount', '/app/events'));
  assert.match(stdout, /location \^~ \/app\/events\/ \{/);
  writeFileSync(file, 'mount = /app/events\nredis_password_file = /nowhere\n');
  assert.equal((await run(program('ssectl'), ['--config', file, 'snippet', 'nginx'])).stdout, stdout, 'a password is not asked for');
});

for (const kind of Object.keys(KINDS)) {
  test(`${kind} reads its snippet with any mount point and socket`, { timeout: 120000 }, async (t) => {
    for (const address of SOCKETS) {
      for (const mount of MOUNTS) {
        const server = new WebServer({ kind, dir: folder(t), sites: [{ address, mount }] });
        const { code, stderr } = await server.check();
        assert.equal(code, 0, `${mount} ${address}: ${stderr}${server.logged}`);
        assert.doesNotMatch(stderr + server.logged, /warn/i);
      }
    }
  });
}

test('systemd reads all units, for each kind of socket', { timeout: 120000 }, async (t) => {
  for (const socket of SOCKETS) {
    const dir = folder(t);
    const parts = (await text('systemd', '--socket', socket)).split(/^# ==== (\S+)\n/m).slice(1);
    const units = [];
    for (let i = 0; i < parts.length; i += 2) {
      const name = basename(parts[i]);
      if (!parts[i].startsWith('/etc/systemd/system/')) continue;
      assert.equal(await text(name, '--socket', socket), parts[i + 1], 'alone and among all');
      writeFileSync(join(dir, name), parts[i + 1].replaceAll('/usr/local/sbin', build)); // the programs must exist for verify
      units.push(name.replace('@.', '@1.'));
    }
    assert.equal(units.length, 6);
    const { code, stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', ...units], { env: { SYSTEMD_UNIT_PATH: `${dir}:` } });
    assert.deepEqual({ code, said: stdout + stderr }, { code: 0, said: '' }, socket);
    assert.match(readFileSync(join(dir, 'sse-fcgi.socket'), 'utf8'), socket.startsWith('/') ? /^SocketMode=0600$/m : /^(?!.*SocketMode)/s);
  }
});

test('the shell reads the scripts; cron and logrotate their files', async (t) => {
  const dir = folder(t);
  for (const name of ['sysv', 'sysv-guardian', 'spawn-fcgi', 'sse.cgi']) {
    for (const socket of SOCKETS) {
      writeFileSync(join(dir, name), await text(name, '--socket', socket));
      await passes('sh', '-n', join(dir, name));
    }
  }
  const cron = (await text('cron')).split('\n').filter((line) => line && !/^(#|[A-Z]+=)/.test(line));
  assert.equal(cron.length, 1);
  assert.match(cron[0], /^(?:\S+ ){5}sse-resilience \[/);
  await passes('sh', '-nc', cron[0].replace(/^(?:\S+ ){6}/, ''));
  writeFileSync(join(dir, 'logrotate'), (await text('logrotate')).replace('/var/log/sse-resilience', dir).replace(/^\tcreate .*$/m, ''), { mode: 0o644 });
  assert.equal((await run('logrotate', ['--debug', '--state', join(dir, 'state'), join(dir, 'logrotate')])).code, 0);
});

test('spawn-fcgi by hand: the words that it gets', async (t) => {
  const dir = folder(t);
  mkdirSync(join(dir, 'bin'));
  writeFileSync(join(dir, 'bin/spawn-fcgi'), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
  for (const [socket, words] of [[`${dir}/a b/f.sock`, ['-s', `${dir}/a b/f.sock`]], ['[::1]:9000', ['-a', '::1', '-p', '9000']]]) {
    const { stdout, code } = await run('sh', ['-c', await text('spawn-fcgi', '--socket', socket)], { env: { PATH: `${join(dir, 'bin')}:${process.env.PATH}` } });
    assert.equal(code, 0);
    assert.deepEqual(stdout.split('\n').slice(0, words.length), words);
  }
});

test('what a configuration cannot hold is refused; an unknown name gets the nearest', async () => {
  for (const [words, code, said] of [
    [['ngnix'], 64, /no snippet 'ngnix'; did you mean nginx\?/],
    [['lightpd'], 64, /did you mean lighttpd\?/],
    [['iis'], 64, /no snippet 'iis'; ssectl snippet list names them/],
    [['nginx', 'apache'], 64, /usage: ssectl snippet/],
    [['nginx', '--user', 'ada'], 64, /--user means nothing to snippet/],
    [['nginx', '--mount', '/'], 78, /mount: '\/' must begin with \/ and not end with it/],
    [['nginx', '--mount', '/a b'], 78, /mount/],
    [['nginx', '--mount', '/a"b'], 64, /mount: '\/a"b' has a character that web servers/],
    [['nginx', '--mount', '/a{b'], 64, /mount/],
    [['nginx', '--mount', '/a(b'], 64, /mount/],
    [['nginx', '--socket', 'fcgi.sock'], 64, /--socket: 'fcgi\.sock' is neither a path that begins with \/ nor HOST:PORT/],
    [['nginx', '--socket', ''], 64, /--socket/],
    [['nginx', '--socket', '127.0.0.1:0'], 64, /--socket/],
    [['nginx', '--socket', '127.0.0.1:65536'], 64, /--socket/],
    [['nginx', '--socket', 'h o:9'], 64, /--socket/],
    [['nginx', '--socket', '::1:9'], 64, /--socket/],
    [['nginx', '--socket', `/${'x'.repeat(107)}`], 64, /too long for a socket's path/],
    [['nginx', '--socket', '/x '], 64, /ends with a space/],
    [['sysv', '--program', 'sse-fcgi'], 64, /--program: 'sse-fcgi' must be an absolute path/],
    [['nginx', '--share', 'cgi'], 64, /--share: 'cgi' must be an absolute path/],
    ...[...'"\'\\`|;&$%#{}\n\t\x7f'].map((c) => [['nginx', '--socket', `/a${c}b`], 64, /--socket: .* has a character that the configurations cannot hold/s]),
  ]) {
    const result = await snippet(...words);
    assert.equal(result.code, code, `${words.join(' ')}: ${JSON.stringify(result)}`);
    assert.equal(result.stdout, '');
    assert.match(result.stderr, said);
  }
});

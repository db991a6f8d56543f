// ssectl doctor URL: nothing to complain of behind the shipped snippets, and each single thing that is broken in them named with its cure.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Process, run } from '../support/proc.mjs';
import { each, until } from '../support/wait.mjs';
import { WebServer, basic } from '../support/webserver.mjs';
import { program, story } from '../support/world.mjs';

const KINDS = ['lighttpd', 'apache', 'nginx'];
const HEARTBEAT = { heartbeat_interval: '3s', user_variable: undefined };
const WIDTH = 4; // doctors at a time; they mostly wait

const alone = (conf, options = {}) => ({ guardian: false, lighttpd: false, timeout: 90000, conf: { ...HEARTBEAT, ...conf }, ...options });

let count = 0;
/** One more web server in front of the world's responder. */
async function front(world, { kind, edit, address = world.responders.address, userHeader, ...options }) {
  const dir = join(world.dir, `w${count++}`);
  chmodSync(world.dir, 0o711);
  mkdirSync(dir);
  const server = new WebServer({ kind, dir, sites: [{ address, edit, userHeader }], ...options });
  world.keep({ kill: () => server.stop() });
  await server.start();
  return server;
}

/** The arguments of a doctor; fields: of its --header-file. */
function command(world, server, { fields = [`Authorization: ${basic('alice')}`], flags = [], tls = server.tls } = {}) {
  const file = join(server.dir, 'fields');
  writeFileSync(file, `# who asks\n${fields.join('\n')}\n`, { mode: 0o600 });
  const url = tls ? `https://localhost:${server.tlsPort}/api/stream` : `http://127.0.0.1:${server.port}/api/stream`;
  return ['--config', world.configFile, 'doctor', url, '--json', '--header-file', file, ...(tls ? ['--cacert', server.certificate] : []), ...flags];
}

/** What a doctor says of the web server: {code, bad, note, good}, each by the check's name. */
async function doctor(world, server, options) {
  const { code, stdout, stderr } = await run(program('ssectl'), command(world, server, options), { deadline: 60000 });
  const said = { code, stdout, stderr, bad: {}, note: {}, good: {} };
  for (const line of stdout.split('\n').filter(Boolean)) {
    const { check, verdict, text, cure } = JSON.parse(line);
    if (check?.startsWith('web-')) said[verdict][check] = { text, cure };
  }
  assert.doesNotMatch(stdout + stderr, /d29uZGVy|wonder/, 'no secret is printed');
  return said;
}

const ALL = ['reach', 'first-byte', 'headers', 'buffering', 'compression', 'heartbeat', 'resume', 'end', '204', 'recover', 'spoof'].map((name) => `web-${name}`);

/** Nothing bad, and (first-byte is a note on a machine that is busy) all of it checked. */
function assertWell(said, more = []) {
  assert.deepEqual(said.bad, {}, said.stdout);
  const checked = { ...said.good, ...said.note };
  for (const name of [...ALL, 'web-disconnect', 'web-http-version', ...more]) assert.ok(checked[name], `${name} was checked: ${said.stdout}${said.stderr}`);
  for (const name of ALL) if (name !== 'web-first-byte') assert.ok(said.good[name], `${name}: ${said.stdout}`);
}

/** The one finding; kind: of the one server that its cure is for. */
function assertOnly(said, { check, cure, text = /./, kind }) {
  assert.equal(said.code, 1, said.stdout + said.stderr);
  assert.deepEqual(Object.keys(said.bad), [check], said.stdout + said.stderr);
  assert.match(said.bad[check].cure, cure);
  assert.match(said.bad[check].text, text);
  const named = said.bad[check].cure.match(/^(lighttpd|Apache|nginx): /gm) ?? [];
  if (kind) assert.deepEqual(named.map((name) => name.toLowerCase()), [`${kind}: `], said.bad[check].cure);
}

/** Run them all, some at a time, and tell all that failed. steps: [name, function] */
async function all(t, steps) {
  const failures = [];
  await each(steps, WIDTH, ([name, step]) => step().catch((error) => { failures.push(`${name}: ${error.message}`); }));
  assert.deepEqual(failures, []);
  t.diagnostic(steps.map(([name]) => name).join(' | '));
}

story('the shipped configurations, over TLS and HTTP/2 and without', alone(), async (world, t) => {
  await each(KINDS.flatMap((kind) => [{ kind, tls: true }, { kind, tls: false }]), WIDTH, async ({ kind, tls }) => {
    const server = await front(world, { kind, tls });
    const said = await doctor(world, server);
    assertWell(said);
    assert.match(said.good['web-reach'].text, new RegExp(kind, 'i'));
    assert.equal(Boolean(said.good['web-http-version']), tls, said.stdout);
    assert.ok(said[kind === 'apache' ? 'note' : 'good']['web-disconnect'], said.stdout);
    assert.match(said.note['web-fallback'].text, /--disruptive --socket/);
    t.diagnostic(`${kind}${tls ? ' over TLS' : ''}: ${said.good['web-buffering'].text}; ${(said.good['web-disconnect'] ?? said.note['web-disconnect']).text}`);
  });
  const states = (await world.ctl('list')).split('\n').slice(1).map((line) => line.split(/ +/)[1]);
  assert.ok(states.every((state) => state === 'completed' || state === 'cancelled'), `no stream stays active: ${states}`);
});

/** Each made of the shipped snippet by one edit: exactly that is broken, and exactly that is found. */
const BROKEN = [
  { kind: 'lighttpd', edit: ['server.stream-response-body = 2', 'server.stream-response-body = 0'], check: 'web-buffering', cure: /server\.stream-response-body = 2/ },
  { kind: 'lighttpd', edit: ['"tcp-fin-propagate" => "enable"', '"tcp-fin-propagate" => "disable"'], check: 'web-disconnect', cure: /"tcp-fin-propagate" => "enable"/ },
  { kind: 'lighttpd', edit: ['server.max-write-idle = 120', 'server.max-write-idle = 1'], check: 'web-heartbeat', cure: /server\.max-write-idle = 120/ },
  { kind: 'lighttpd', edit: ['"check-local" => "disable"', '"check-local" => "enable"'], check: 'web-reach', cure: /"check-local" => "disable"/, text: /404, and not from sse-fcgi/ },
  { kind: 'apache', edit: ['flushpackets=on', 'flushpackets=off'], check: 'web-buffering', cure: /flushpackets=on/ },
  { kind: 'apache', edit: ['flushpackets=on timeout=120', 'flushpackets=on timeout=1'], check: 'web-heartbeat', cure: /timeout=120/ },
  { kind: 'apache', edit: ['nokeepalive no-gzip no-brotli', 'nokeepalive\nAddOutputFilterByType DEFLATE text/event-stream'], check: 'web-compression', cure: /no-gzip/ },
  { kind: 'nginx', edit: ['fastcgi_buffering off;', 'fastcgi_buffering on; fastcgi_ignore_headers X-Accel-Buffering;'], check: 'web-buffering', cure: /fastcgi_buffering off;/ },
  { kind: 'nginx', edit: ['gzip              off;', 'gzip on; gzip_types text/event-stream;'], check: 'web-compression', cure: /gzip off;/ },
  { kind: 'nginx', edit: ['fastcgi_read_timeout 120s;', 'fastcgi_read_timeout 1s;'], check: 'web-heartbeat', cure: /fastcgi_read_timeout 120s;/ },
  { kind: 'nginx', edit: ['fastcgi_ignore_client_abort off;', 'fastcgi_ignore_client_abort on;'], check: 'web-disconnect', cure: /fastcgi_ignore_client_abort off;/ },
  { kind: 'nginx', edit: ['fastcgi_param PATH_INFO         $fastcgi_path_info;', ''], check: 'web-reach', cure: /fastcgi_param PATH_INFO \$fastcgi_path_info;/, text: /PATH_INFO/ },
  { kind: 'nginx', edit: ['auth_basic           $sse_realm;', 'auth_basic off;'], check: 'web-spoof', cure: /fastcgi_param REMOTE_USER \$sse_user;/ },
  ...KINDS.map((kind) => ({ kind, tls: true, h2: false, check: 'web-http-version', cure: { lighttpd: /server\.h2proto/, apache: /Protocols h2 http\/1\.1/, nginx: /listen 443 ssl http2;/ }[kind] })),
];

story('one thing broken in each', alone(), async (world, t) => {
  await all(t, BROKEN.map(({ edit, tls, h2, ...wanted }) => [`${wanted.kind}: ${edit ? edit[1].split('\n')[0] || `no ${edit[0]}` : 'no HTTP/2'}`, async () => {
    const server = await front(world, { kind: wanted.kind, edit, tls, h2 });
    assertOnly(await doctor(world, server), wanted);
    await server.stop();
  }]));
});

story('who asks', alone(), async (world, t) => {
  const byHeader = await world.anotherResponder('header', { user_variable: 'HTTP_X_USER_ID' });
  const asHeader = ['--user-variable', 'HTTP_X_USER_ID'];
  const nginx = await front(world, { kind: 'nginx' });
  const said = (options, server = nginx) => doctor(world, server, options);
  const setenv = 'setenv.set-request-header = ( "X-User-Id" => "", "X_User_Id" => "" )';
  await all(t, [
    ...KINDS.map((kind) => [`${kind}: the user in a header that the server sets`, async () => {
      const server = await front(world, { kind, address: byHeader, userHeader: true });
      assertWell(await said({ flags: [...asHeader, '--user', kind === 'lighttpd' ? 'intranet' : 'alice'] }, server));
    }]),
    ['lighttpd: and in one that the client sets', async () => {
      const server = await front(world, { kind: 'lighttpd', address: byHeader, edit: [setenv, ''] });
      const options = { fields: [`Authorization: ${basic('alice')}`, 'X-User-Id: alice'], flags: asHeader };
      assertOnly(await said(options, server), { check: 'web-spoof', kind: 'lighttpd', cure: /setenv\.set-request-header = \( "X-User-Id" => "", "X_User_Id" => "" \)/, text: /X-USER-ID/ });
    }],
    ['lighttpd: nobody is asked for a password', async () => {
      const server = await front(world, { kind: 'lighttpd', edit: ['auth.require = ( "" =>', 'auth.require = ( "/elsewhere" =>'] });
      assertOnly(await said({}, server), { check: 'web-reach', kind: 'lighttpd', cure: /auth\.require/, text: /401 from sse-fcgi.*REMOTE_USER/ });
    }],
    ['nobody', async () => assertOnly(await said({ fields: [] }), { check: 'web-reach', cure: /--header-file FILE.*\n.*--user NAME/, text: /401 from nginx: it wants to know/ })],
    ['a wrong password', async () => assertOnly(await said({ fields: [`Authorization: ${basic('alice', 'guess')}`] }), { check: 'web-reach', cure: /--header-file/, text: /does not accept/ })],
    ['another user', async () => assertOnly(await said({ flags: ['--user', 'bob'] }), { check: 'web-reach', cure: /--user must be the very name/, text: /'bob'/ })],
    ['another Redis', async () => assertOnly(await said({ flags: ['--key-prefix', 'other:'] }), { check: 'web-reach', cure: /key_prefix/, text: /another Redis/ })],
  ]);
});

// ssectl doctor URL: nothing to complain of behind the shipped snippets, and each single thing that is broken in them named with its cure.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Process, run } from '../support/proc.mjs';
import { exchange } from '../support/sse.mjs';
import { each, until } from '../support/wait.mjs';
import http from 'node:http';
import { WebServer, basic, freePort } from '../support/webserver.mjs';
import { program, story } from '../support/world.mjs';

const KINDS = ['lighttpd', 'apache', 'nginx'];
const HEARTBEAT = { heartbeat_interval: '3s', user_variable: undefined };
const WIDTH = 6; // doctors at a time; they mostly wait

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
  const file = join(server.dir, `fields${count++}`);
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

const ALL = ['reach', 'first-byte', 'headers', 'buffering', 'compression', 'heartbeat', 'disconnect', 'resume', 'end', '204', 'recover', 'spoof'].map((name) => `web-${name}`);

/** Nothing bad, and (first-byte is a note on a machine that is busy) all of it checked. */
function assertWell(said, more = []) {
  assert.deepEqual(said.bad, {}, said.stdout);
  const checked = { ...said.good, ...said.note };
  for (const name of [...ALL, 'web-http-version', ...more]) assert.ok(checked[name], `${name} was checked: ${said.stdout}${said.stderr}`);
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
  await all(t, KINDS.flatMap((kind) => [true, false].map((tls) => [`${kind}${tls ? ' over TLS' : ''}`, async () => {
    const server = await front(world, { kind, tls });
    const said = await doctor(world, server);
    assertWell(said);
    assert.match(said.good['web-reach'].text, new RegExp(kind, 'i'));
    assert.equal(Boolean(said.good['web-http-version']), tls, said.stdout);
    assert.match(said.note['web-fallback'].text, /--disruptive --socket/);
    t.diagnostic(`${kind}${tls ? ' over TLS' : ''}: ${said.good['web-buffering'].text}; ${said.good['web-disconnect'].text}`);
  }])));
  assert.deepEqual(await world.redis.keys('*doctor-*'), [], 'nothing is left');
  assert.equal(await world.redis.zcard('sse:active'), 0);
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
  { kind: 'apache', edit: ['ProxyFCGISetEnvIf "true" PATH_INFO "$2"', ''], check: 'web-reach', cure: /ProxyFCGISetEnvIf "true" PATH_INFO "\$2"/, text: /PATH_INFO/ },
  { kind: 'nginx', edit: ['fastcgi_param HTTP_PROXY ""', 'fastcgi_param HTTP_LAST_EVENT_ID "" if_not_empty; fastcgi_param HTTP_PROXY ""'], check: 'web-resume', cure: /HTTP_LAST_EVENT_ID/, text: /after 0-0/ },
  { kind: 'nginx', edit: ['gzip              off;', 'gzip off; expires 1h; fastcgi_hide_header Cache-Control;'], check: 'web-headers', cure: /expires off;/, text: /max-age=3600/ },
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

story('a server that hides its name', alone(), async (world) => {
  const server = await front(world, { kind: 'lighttpd', edit: ['server.max-write-idle = 120', 'server.max-write-idle = 1\n    server.tag = ""'] });
  assertOnly(await doctor(world, server), { check: 'web-heartbeat', cure: /^lighttpd: [^]*max-write-idle[^]*^Apache: [^]*timeout=[^]*^nginx: [^]*fastcgi_read_timeout/m });
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
    ['nobody, where that is allowed', async () => {
      const address = await world.anotherResponder('anonymous', { anonymous: 'allow' });
      assertWell(await said({ fields: [] }, await front(world, { kind: 'lighttpd', address, edit: ['auth.require = ( "" =>', 'auth.require = ( "/elsewhere" =>'] })));
    }],
    ['nobody', async () => assertOnly(await said({ fields: [] }), { check: 'web-reach', cure: /--header-file FILE.*\n.*--user NAME/, text: /401 from nginx: it wants to know/ })],
    ['a wrong password', async () => assertOnly(await said({ fields: [`Authorization: ${basic('alice', 'guess')}`] }), { check: 'web-reach', cure: /--header-file/, text: /does not accept/ })],
    ['another user', async () => assertOnly(await said({ flags: ['--user', 'bob'] }), { check: 'web-reach', cure: /--user must be the very name/, text: /'bob'/ })],
    ['another Redis', async () => assertOnly(await said({ flags: ['--key-prefix', 'other:'] }), { check: 'web-reach', cure: /key_prefix/, text: /another Redis/ })],
  ]);
});

story('no sse-fcgi behind it', alone(), async (world, t) => {
  const none = join(world.dir, 'none.sock');
  const elsewhere = await world.anotherResponder('mount', { mount: '/elsewhere' });
  const closed = await world.anotherResponder('closed', {});
  chmodSync(closed, 0);
  // 5xx without the shipped answer, which is an answer of its own
  const plain = { lighttpd: ['server.error-handler = "/.sse-resilience/retry"', 'server.error-handler = ""'], apache: ['ErrorDocument 503 /.sse-resilience/retry.asis', ''],
    nginx: ['error_page 502 503 504 = @sse-retry/api/stream;', ''] };
  const responder = (kind) => ({ check: 'web-reach', kind, cure: /SocketUser=www-data, SocketMode=0600/ });
  await all(t, [
    ...KINDS.map((kind) => [`${kind}: no socket`, async () => {
      assertOnly(await doctor(world, await front(world, { kind, address: none })), { ...responder(kind), text: /answers in its place/ });
    }]),
    ...KINDS.map((kind) => [`${kind}: no socket, and no answer in its place`, async () => {
      assertOnly(await doctor(world, await front(world, { kind, address: none, edit: plain[kind] })), { ...responder(kind), text: /50[23] from/ });
    }]),
    // root may connect to any socket: only Apache's workers are never root
    ['apache: a socket that it may not write', async () => {
      const said = await doctor(world, await front(world, { kind: 'apache', address: closed, edit: plain.apache }));
      assertOnly(said, { ...responder('apache'), text: /503 from Apache/ });
    }],
    ['another mount point', async () => {
      assertOnly(await doctor(world, await front(world, { kind: 'nginx', address: elsewhere })), { check: 'web-reach', cure: /option mount/, text: /not below/ });
    }],
  ]);
});

/** A web server of a few lines: answers(request, response). */
async function plainServer(world, answers) {
  const server = http.createServer(answers);
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  world.keep({ kill: () => { server.closeAllConnections?.(); server.close(); } });
  return `http://127.0.0.1:${server.address().port}`;
}

/** A doctor with any URL. */
const visit = async (world, url, ...flags) => {
  const { code, stdout, stderr } = await run(program('ssectl'), ['--config', world.configFile, 'doctor', url, '--json', '--user', 'alice', ...flags]);
  const said = { code, stdout, stderr, bad: {} };
  for (const { check, verdict, ...rest } of stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line))) if (verdict === 'bad' && check?.startsWith('web-')) said.bad[check] = rest;
  return said;
};

story('what is no mount point of sse-fcgi', alone(), async (world, t) => {
  const pages = {
    moved: (response) => response.writeHead(301, { location: 'https://www.example.org/api/stream' }).end(),
    forbidden: (response) => response.writeHead(403).end(),
    page: (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>'),
    other: (response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: hello\n\n'),
    rude: (response) => response.socket.destroy(),
  };
  const url = await plainServer(world, (request, response) => pages[request.url.split('/')[1]](response));
  const tls = await front(world, { kind: 'nginx', tls: true });
  const wants = (where, cure, text, ...flags) => [where, async () => assertOnly(await visit(world, where, ...flags), { check: 'web-reach', cure, text })];
  await all(t, [
    wants(`${url}/moved`, /URL that it leads to/, /301 to https:\/\/www\.example\.org\/api\/stream/),
    wants(`${url}/forbidden`, /allow this user/, /403/),
    wants(`${url}/page`, /fastcgi_pass/, /200, text\/html/),
    wants(`${url}/other`, /fastcgi_pass/, /no guard block/),
    wants(`${url}/rude`, /running/, /no answer/),
    wants(`http://127.0.0.1:${await freePort()}/api/stream`, /running/, /no answer: .*(refused|connect)/i),
    wants(`https://localhost:${tls.tlsPort}/api/stream`, /--cacert/, /certificate/),
    ['usage', async () => {
      for (const wrong of ['ftp://127.0.0.1/x', 'www.example.org/api/stream', 'http:///x', 'http://127.0.0.1/x?y', 'http://a:b@127.0.0.1/x']) {
        const { code, stderr } = await visit(world, wrong);
        assert.equal(code, 64, wrong);
        assert.match(stderr, /no URL of a mount point/);
      }
      const file = join(world.dir, 'open-fields');
      for (const [text, mode, why] of [['Cookie: x\n', 0o644, /chmod 600/], ['no field\n', 0o600, /fields:1: not of the form/], ['Cookie: a\u0001b\n', 0o600, /control character/]]) {
        writeFileSync(file, text, { mode });
        chmodSync(file, mode);
        const { code, stderr } = await visit(world, `${url}/page`, '--header-file', file);
        assert.equal(code, 78, stderr);
        assert.match(stderr, why);
      }
      assert.equal((await visit(world, `${url}/page`, '--cacert', '/nowhere.pem')).code, 78);
    }],
    ['no libcurl', async () => {
      writeFileSync(join(world.dir, 'libcurl.so.4'), '');
      const { code, stderr } = await run(program('ssectl'), ['--config', world.configFile, 'doctor', `${url}/page`], { env: { LD_LIBRARY_PATH: world.dir } });
      assert.equal(code, 78);
      assert.match(stderr, /install libcurl4/);
      assert.doesNotMatch((await run('ldd', [program('ssectl')])).stdout, /libcurl/, 'no other command pays for it');
    }],
  ]);
});

const asides = (world) => readdirSync(world.dir).filter((name) => name.includes('.sock.'));

story('--disruptive: while sse-fcgi is away', alone(), async (world, t) => {
  const missing = { lighttpd: ['server.error-handler = "/.sse-resilience/retry"', ''], apache: ['ErrorDocument 503 /.sse-resilience/retry.asis', ''],
    nginx: ['error_page 502 503 504 = @sse-retry/api/stream;', ''] };
  const visited = async (kind, edit) => {
    const address = await world.anotherResponder(`r${count++}`, {});
    const said = await doctor(world, await front(world, { kind, address, edit }), { flags: ['--disruptive', '--socket', address] });
    assert.ok(existsSync(address), 'the socket is back');
    return said;
  };
  await all(t, [
    ...KINDS.map((kind) => [kind, async () => {
      const said = await visited(kind);
      assertWell(said);
      assert.ok(said.good['web-fallback'], said.stdout);
    }]),
    ...KINDS.map((kind) => [`${kind}: no answer of its own`, async () => {
      assertOnly(await visited(kind, missing[kind]), { check: 'web-fallback', kind, cure: { lighttpd: /\.sse-resilience\/retry/, apache: /retry\.asis/, nginx: /@sse-retry\/api\/stream/ }[kind], text: /EventSource stops/ });
    }]),
    ['a socket of somebody else\'s', async () => {
      const address = await world.anotherResponder('unused', {});
      const said = await doctor(world, await front(world, { kind: 'nginx' }), { flags: ['--disruptive', '--socket', address] });
      assertOnly(said, { check: 'web-fallback', cure: /--socket/, text: /is not its socket/ });
    }],
    ['no socket', async () => {
      const said = await doctor(world, await front(world, { kind: 'nginx' }), { flags: ['--disruptive', '--socket', world.configFile] });
      assertWell(said);
      assert.match(said.note['web-fallback'].text, /is no socket/);
    }],
  ]);
  assert.deepEqual(asides(world), []);
});

story('a signal while sse-fcgi is away', alone({ heartbeat_interval: '500ms' }), async (world) => {
  const nginx = await front(world, { kind: 'nginx' });
  let held;
  const url = await plainServer(world, (request, response) => {
    if (!existsSync(world.fcgi)) { held = true; return; } // never answered
    const onward = http.request({ host: '127.0.0.1', port: nginx.port, path: request.url, headers: request.headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    onward.end();
  });
  const file = join(world.dir, 'fields');
  writeFileSync(file, `Authorization: ${basic('alice')}\n`, { mode: 0o600 });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
    held = false;
    const visitor = Process.start('doctor', program('ssectl'), ['--config', world.configFile, 'doctor', `${url}/api/stream`, '--header-file', file, '--disruptive', '--socket', world.fcgi]);
    await until(() => held || visitor.exit, { deadline: 30000, what: 'the doctor to take sse-fcgi away' });
    assert.ok(!visitor.exit && !existsSync(world.fcgi), 'it is away');
    for (let i = 0; i < 3; i++) visitor.signal(signal);
    await visitor.gone(5000);
    assert.notEqual(visitor.exit.code, 0);
    assert.ok(existsSync(world.fcgi), `the socket is back after ${signal}`);
    assert.deepEqual(asides(world), []);
    assert.deepEqual(await world.redis.keys('*doctor-*'), [], 'nothing is left');
  }
  assert.equal((await exchange(`http://127.0.0.1:${nginx.port}/api/stream/-/health`)).status, 200);
});

// Watching it run: the page for Prometheus, its file, ssectl nodes, ssectl check as a person and as a plugin, the shipped rules.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertKeys } from '../support/checker.mjs';
import { ask } from '../support/fcgipeer.mjs';
import { assertLint, parsePage, parsePlugin } from '../support/monitoring.mjs';
import { run } from '../support/proc.mjs';
import { story } from '../support/world.mjs';
import { each, repeatedly, until } from '../support/wait.mjs';

const PAGE = '/api/stream/-/metrics';
const monitoring = join(dirname(fileURLToPath(import.meta.url)), '../../deploy/monitoring');
const COUNTERS = ['sse_viewers_opened_total', 'sse_viewers_resumed_total', 'sse_events_delivered_total', 'sse_terminals_delivered_total',
  'sse_events_published_total', 'sse_gaps_total', 'sse_slow_viewers_total', 'sse_viewers_refused_total', 'sse_guardian_passes_total',
  'sse_guardian_orphaned_streams_total', 'sse_guardian_failed_streams_total', 'sse_guardian_healed_keys_total'];

async function page(world) {
  const answer = await world.get(PAGE);
  assert.equal(answer.status, 200, answer.text);
  return parsePage(answer.text);
}
/** Again and again while the story runs, and not after it. */
function meanwhile(world, work, every) {
  const loop = repeatedly(work, every);
  world.keep({ kill: () => loop.stop().catch(() => {}) });
  return loop;
}
const becomes = (world, expected, deadline = 10000) => {
  let last;
  return until(async () => {
    last = await page(world);
    return Object.entries(expected).every(([name, value]) => last[name] === value);
  }, { deadline, what: () => `${JSON.stringify(expected)}; there is ${JSON.stringify(Object.fromEntries(Object.keys(expected).map((name) => [name, last[name]])))}` });
};
const restarted = (world, i) => until(async () => !world.responders.list[i].running, { what: 'the responder to be gone' });

story('the page tells what happened, for all processes together', { processes: 2, timeout: 60000 }, async (world) => {
  const empty = await world.get(PAGE);
  assert.match(empty.headers['content-type'], /^text\/plain; version=0\.0\.4; charset=utf-8$/);
  assert.equal(empty.headers['cache-control'], 'no-store');
  await assertLint(empty.text);

  const viewers = [];
  for (const i of [0, 1]) viewers.push(...await world.onlyAt(i, () => each(['one', 'two', 'two'], 1, (id) => world.viewer(id))));
  for (let n = 0; n < 5; n++) await world.ctl('emit', 'one', 'token', JSON.stringify({ n }));
  await world.ctl('emit', 'two', 'token', '{}');
  await each(viewers, 6, (viewer) => viewer.until('token'));
  await becomes(world, {
    sse_redis_up: 1, sse_viewers: 6, sse_streams_active: 2, sse_streams_watched: 4, sse_streams_orphaned: 0,
    'sse_processes{kind="responder"}': 2, 'sse_processes{kind="guardian"}': 1,
    sse_viewers_opened_total: 6, sse_viewers_resumed_total: 0, sse_events_delivered_total: 2 * 5 + 4, sse_terminals_delivered_total: 0,
  });

  const [last] = viewers[1].events.slice(-1);
  viewers[1].close();
  await world.stream('two', { lastEventId: last.id }).ready();
  await world.ctl('complete', 'two');
  await world.ctl('open', 'lost', '--user', 'u1', '--lease');
  await becomes(world, { sse_viewers: 2, sse_viewers_opened_total: 7, sse_viewers_resumed_total: 1, sse_events_delivered_total: 14 + 4, sse_terminals_delivered_total: 4,
    sse_guardian_orphaned_streams_total: 1, sse_guardian_failed_streams_total: 1, sse_gaps_total: 0, sse_viewers_refused_total: 0 }, 20000);

  const answer = await world.get(PAGE), values = parsePage(answer.text);
  await assertLint(answer.text);
  assert.deepEqual(COUNTERS.filter((name) => !(name in values)), [], 'each counter is there');
  assert.ok(values.sse_guardian_canary_age_seconds < 30 && values.sse_guardian_last_pass_age_seconds < 30, JSON.stringify(values));
  const rss = world.responders.list.map((process) => process.rssKiB * 1024);
  const told = values['sse_process_resident_memory_bytes{kind="responder"}'];
  assert.ok(told > rss[0] && told < 4 * (rss[0] + rss[1]), `${told} bytes of memory, /proc says ${rss}`);
  assert.ok(values['sse_process_resident_memory_max_bytes{kind="responder"}'] < told);
  assert.ok(values.sse_self_uptime_seconds > 0 && values.sse_self_resident_memory_bytes > 0);

  const printed = parsePage(`${await world.ctl('metrics')}\n`);
  assert.deepEqual(Object.keys(printed), Object.keys(values).filter((name) => !name.startsWith('sse_self_')), 'ssectl prints the same page');
  assert.equal(printed.sse_events_delivered_total, 18);
  await assertKeys(world.redis);
});

story('the page is for addresses in status_allow, and for GET and HEAD', { guardian: false }, async (world) => {
  const far = await ask(world.fcgi, { path: PAGE, params: { REMOTE_ADDR: '203.0.113.9' } });
  assert.equal(far.status, 403);
  assert.match(far.json.error, /status_allow/);
  const head = await world.get(PAGE, { method: 'HEAD' });
  assert.deepEqual([head.status, head.text], [200, '']);
  assert.equal((await world.get(`${PAGE}x`)).status, 404);
  assert.ok((await world.get(PAGE, { method: 'POST', body: 'x' })).status >= 400);
  assert.equal((await world.get(PAGE, { user: '' })).status, 200, 'Prometheus is no user of streams');
});

story('counters never fall: a responder is killed, another stops, all restart', { processes: 2, guardian: false, timeout: 60000 }, async (world) => {
  const before = {};
  const watching = meanwhile(world, async () => {
    const answer = await world.get(PAGE).catch(() => ({}));
    if (answer.status !== 200) return; // nobody is there just now
    const values = parsePage(answer.text);
    if (values.sse_redis_up === 0) return; // it has just begun to connect
    for (const name of COUNTERS) {
      assert.ok(values[name] >= (before[name] ?? 0), `${name} fell from ${before[name]} to ${values[name]}`);
      before[name] = values[name];
    }
  }, 20);
  for (const i of [0, 1]) {
    const viewer = await world.onlyAt(i, () => world.viewer('job'));
    await world.ctl('emit', 'job', 'token', '{}');
    await viewer.until('token');
  }
  await becomes(world, { sse_viewers_opened_total: 2, sse_events_delivered_total: 1 + 1 + 2 }); // the second viewer had one to catch up with
  await world.killResponder(0, 'SIGKILL');
  const third = await world.viewer('job'); // reads both
  await until(() => third.events.length >= 3, { what: 'the log' });

  // In order: what it counted since its last report is not lost, and it is no longer among the living.
  await world.ctl('emit', 'job', 'token', '{}');
  await until(() => third.events.length >= 4, { what: 'the event' });
  await world.responders.list[1].kill('SIGTERM', 10000);
  const totals = await world.redis.hgetall('sse:totals');
  assert.deepEqual([totals.opened, totals.delivered], ['3', '8'], 'two to the third viewer, and the last to two');
  const nodes = (await world.ctl('nodes', '--json')).split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(nodes.filter((node) => node.kind === 'responder').map((node) => node.pid), [world.responders.list[0].pid], 'only the one that was killed is still known');
  await restarted(world, 0);
  await world.startResponder();
  await becomes(world, { sse_viewers_opened_total: 3, sse_events_delivered_total: 8 });
  await world.viewer('job');
  await becomes(world, { sse_viewers_opened_total: 4, sse_events_delivered_total: 11 });
  await until(() => before.sse_events_delivered_total === 11, { what: 'the watcher to see it, too' });
  await watching.stop();
  assert.ok(await world.redis.pttl('sse:totals') > 86400000);
  await assertKeys(world.redis);
});

story('a guardian from cron counts, too', { guardian: false, responders: false, lighttpd: false, timeout: 40000 }, async (world) => {
  await world.ctl('open', 'dead', '--user', 'u1', '--lease');
  await until(async () => (await world.guard('--once')).code === 0 && (await world.redis.hget('sse:totals', 'marked')) === '1', { deadline: 15000, what: 'the mark' });
  const values = parsePage(`${await world.ctl('metrics')}\n`);
  assert.equal(values.sse_guardian_orphaned_streams_total, 1);
  assert.ok(values.sse_guardian_passes_total >= 1);
  assert.equal(values['sse_processes{kind="guardian"}'], 0, 'and has left');
});

story('Redis away: the page says so, and what this process knows', { timeout: 60000 }, async (world) => {
  const file = join(world.dir, 'sse.prom');
  await world.viewer('here');
  await world.killRedis();
  await until(async () => (await page(world)).sse_redis_up === 0, { what: 'sse_redis_up 0' });
  const answer = await world.get(PAGE), values = parsePage(answer.text);
  await assertLint(answer.text);
  assert.equal(values.sse_self_viewers, 1);
  assert.deepEqual(Object.keys(values).filter((name) => !name.startsWith('sse_self_')), ['sse_redis_up'], 'no numbers that nobody knows');

  const printed = await world.ssectl(['metrics', '--deadline', '500ms']);
  assert.equal(printed.code, 69, printed.stderr);
  assert.deepEqual(parsePage(printed.stdout), { sse_redis_up: 0 });
  assert.match(printed.stderr, /unavailable/);
  const written = await world.ssectl(['metrics', '--output', file, '--deadline', '500ms']);
  assert.deepEqual([written.code, written.stdout], [69, '']);
  assert.deepEqual(parsePage(readFileSync(file, 'utf8')), { sse_redis_up: 0 });

  await world.startRedis();
  await until(async () => (await page(world)).sse_redis_up === 1, { deadline: 15000, what: 'sse_redis_up 1' });
  await world.server.process.freeze();
  const scrapes = await each(Array.from({ length: 20 }), 20, () => world.get(PAGE, { deadline: 15000 }));
  world.server.process.signal('SIGCONT');
  const full = scrapes.filter(({ status }) => status === 503);
  assert.ok(full.length >= 20 - 8 - 1, `at most 8 wait for a stalled Redis, ${full.length} of 20 were refused`);
  for (const { status, text } of scrapes) if (status === 200) assert.equal(parsePage(text).sse_redis_up, 0);
  await until(async () => (await page(world)).sse_redis_up === 1, { deadline: 20000, what: 'sse_redis_up 1 again' });
});

story('--output replaces the file in one step', { lighttpd: false, timeout: 60000 }, async (world) => {
  const folder = join(world.dir, 'textfile');
  const file = join(folder, 'sse.prom');
  mkdirSync(folder);
  writeFileSync(file, 'old\n');
  chmodSync(file, 0o600);
  let reads = 0;
  const reading = meanwhile(world, () => {
    const text = readFileSync(file, 'utf8');
    if (text !== 'old\n') assert.equal(parsePage(text).sse_redis_up, 1);
    reads++;
  }, 0);
  const inodes = new Set();
  for (let i = 0; i < 10; i++) {
    const done = await run('sh', ['-c', 'umask 077; exec "$@"', 'sh', join(process.env.SR_BUILD ?? join(monitoring, '../../build'), 'ssectl'), '--config', world.configFile,
      'metrics', '--output', i % 2 ? 'sse.prom' : file], { cwd: folder });
    assert.equal(done.code, 0, done.stderr);
    inodes.add(statSync(file).ino);
  }
  await reading.stop();
  assert.ok(reads > 10 && inodes.size > 1, 'another file each time');
  assert.equal(statSync(file).mode & 0o777, 0o644, 'node_exporter is another user');
  assert.deepEqual(readdirSync(folder), ['sse.prom'], 'nothing is left beside it');

  mkdirSync(join(folder, 'taken'));
  for (const [target, reason] of [[join(folder, 'none/sse.prom'), /No such file/], [join(folder, 'taken'), /directory/]]) {
    const failed = await world.ssectl(['metrics', '--output', target]);
    assert.equal(failed.code, 74, failed.stderr);
    assert.match(failed.stderr, reason);
  }
  assert.equal((await world.ssectl(['metrics', '--output='])).code, 64);
  assert.deepEqual(readdirSync(folder).sort(), ['sse.prom', 'taken'], 'nor of what failed');
});

story('ssectl nodes: each process, and only the living', { processes: 2, lighttpd: false }, async (world) => {
  await until(async () => (await world.ctl('nodes', '--json')).split('\n').length === 3, { what: 'two responders and a guardian' });
  const nodes = (await world.ctl('nodes', '--json')).split('\n').map((line) => JSON.parse(line));
  const pids = [...world.responders.list.map((process) => process.pid), world.guardian.pid];
  assert.deepEqual(nodes.map((node) => node.pid).sort(), pids.sort());
  for (const node of nodes) {
    assert.ok(['responder', 'guardian'].includes(node.kind) && node.version && node.host && node.node, JSON.stringify(node));
    assert.ok(node.seenAgeMs >= 0 && node.seenAgeMs < 30000 && node.uptime < 60 && node.rss > 100000, JSON.stringify(node));
  }
  const table = (await world.ctl('nodes')).split('\n');
  assert.match(table[0], /^KIND +HOST +PID +VERSION +UP +SEEN/);
  assert.equal(table.length, 4);
  for (const pid of pids) assert.ok(table.some((line) => line.includes(` ${pid} `)), `${pid} in ${table}`);
  await world.guardian.kill('SIGTERM');
  assert.doesNotMatch(await world.ctl('nodes'), /guardian/, 'one that stopped is gone');
  await world.redis.hset('sse:node:evil', 'kind', 'evil\n\u001b[31m', 'node', 'x y');
  await world.redis.zadd('sse:nodes', Date.now(), 'evil');
  assert.equal((await world.ctl('nodes')).split('\n').length, 4, 'hostile words stay in their line');
  await world.redis.flushall();
});

const check = async (world, ...args) => {
  const { code, stdout, stderr } = await world.ssectl(['check', '--nagios', ...args]);
  return { code, stderr, ...parsePlugin(stdout) };
};
const isState = (world, state, ...args) => {
  let last;
  return until(async () => {
    last = await check(world, ...args);
    return last.state === state && last;
  }, { deadline: 15000, what: () => `${state}; it is ${JSON.stringify(last)}` });
};

story('ssectl check: each state of a plugin, for real', { lighttpd: false, conf: { orphan_grace: '60s' }, timeout: 90000 }, async (world) => {
  let now = await isState(world, 'OK');
  assert.equal(now.code, 0);
  assert.match(now.text, /^SSE OK - 0 streams, 0 viewers, 1 responders, guardian \d+ s ago$/);
  assert.deepEqual([now.data.orphaned, now.data.responders.critical], [{ value: 0, unit: '', warning: '5', critical: '20', min: '0' }, '1:']);
  assert.ok(now.data.canary_age.value < 60 && now.data.canary_age.unit === 's' && now.data.delivered.unit === 'c');
  const human = await world.ssectl(['check']);
  assert.equal(human.code, 0, human.stdout);
  assert.ok(human.stdout.trimEnd().split('\n').every((line) => line.startsWith('ok ')), human.stdout);

  for (const id of ['a', 'b']) await world.ctl('open', id, '--user', 'u1', '--lease');
  now = await isState(world, 'WARNING', '--warning', '1');
  assert.deepEqual([now.code, now.data.orphaned.value, now.data.orphaned.warning], [1, 2, '1']);
  assert.match(now.text, /2 orphaned streams/);
  const person = await world.ssectl(['check', '--warning', '1']);
  assert.equal(person.code, 1);
  assert.match(person.stdout, /^warning +2 orphaned streams$/m);
  now = await check(world, '--warning', '0', '--critical', '1');
  assert.deepEqual([now.code, now.state], [2, 'CRITICAL']);
  assert.equal((await check(world)).code, 0, 'below its thresholds');

  await world.guardian.kill('SIGKILL');
  await world.redis.hset('sse:guardian', 'last', Date.now() - 70000, 'since', Date.now() - 90000, 'lastPassAt', new Date().toISOString());
  now = await check(world);
  assert.deepEqual([now.code, now.state], [1, 'WARNING']);
  assert.match(now.text, /the guardian wrote 7\d s ago/);
  await world.redis.del('sse:guardian');
  now = await check(world);
  assert.deepEqual([now.code, now.data.canary_age.value], [2, undefined]);
  assert.match(now.text, /no guardian has run/);
  await world.startGuardian();
  await isState(world, 'OK');

  await world.redis.config('SET', 'maxmemory', '1');
  now = await check(world, '--deadline', '500ms');
  await world.redis.config('SET', 'maxmemory', '0');
  assert.deepEqual([now.code, now.state], [2, 'CRITICAL'], 'a Redis that answers and cannot be written');
  assert.match(now.text, /cannot be written/);
  await isState(world, 'OK');

  await world.responders.list[0].kill('SIGTERM', 10000);
  now = await check(world);
  assert.deepEqual([now.code, now.data.responders.value], [2, 0]);
  assert.match(now.text, /no responder is alive/);
  await assertKeys(world.redis);

  await world.killRedis();
  now = await check(world, '--deadline', '500ms');
  assert.deepEqual([now.code, now.state, now.data], [2, 'CRITICAL', {}]);
  assert.match(now.text, /Redis at .* is unavailable/);
  const away = await world.ssectl(['check', '--deadline', '500ms']);
  assert.equal(away.code, 1);
  assert.match(away.stdout, /^critical +Redis at /);
});

story('ssectl check: UNKNOWN is what is not the service', { lighttpd: false, guardian: false, responders: false, password: 'secret' }, async (world) => {
  const wrong = [['--warning', 'x'], ['--warning', '-1'], ['--critical', '9999999999'], ['--warning', '5', '--critical', '4'], ['--deadline', '1'],
    ['--no-such-option'], ['--stale-threshold', '5y'], ['surplus'], ['--user', 'x'], ['--config', '/nowhere/at/all.conf']];
  for (const args of wrong) {
    const now = await check(world, ...args);
    assert.deepEqual([now.code, now.state, now.data], [3, 'UNKNOWN', {}], args.join(' '));
    assert.ok(now.stderr, `the reason of ${args.join(' ')} is on stderr`);
    if (args[0] !== '--config') assert.ok((await world.ssectl(['check', ...args])).code >= 64, `a person gets an exit code of sysexits for ${args.join(' ')}`);
  }
  writeFileSync(join(world.dir, 'password'), 'another\n');
  const denied = await check(world);
  assert.deepEqual([denied.code, denied.state], [3, 'UNKNOWN'], denied.stderr);
  assert.doesNotMatch(denied.text + denied.stderr, /another|secret/);
  assert.equal((await world.ssectl(['list', '--nagios'])).code, 64, 'other commands know no plugin');
});

story('the dashboard, the rules and the plugin name what there is', { timeout: 60000 }, async (world) => {
  await until(async () => 'sse_guardian_last_pass_age_seconds' in await page(world), { deadline: 10000, what: 'a pass' });
  await world.viewer('x');
  await becomes(world, { sse_viewers: 1 });
  const exported = new Set(Object.keys(await page(world)).map((name) => name.replace(/\{.*/, '')));
  const dashboard = JSON.parse(readFileSync(join(monitoring, 'grafana-dashboard.json'), 'utf8'));
  const expressions = dashboard.panels.flatMap((panel) => panel.targets.map((target) => target.expr));
  assert.ok(dashboard.panels.length >= 10 && dashboard.__inputs.length === 1);
  assert.equal(new Set(dashboard.panels.map((panel) => panel.id)).size, dashboard.panels.length, 'panels have numbers of their own');
  const rules = readFileSync(join(monitoring, 'alerts.yml'), 'utf8');
  expressions.push(...[...rules.matchAll(/expr: (.*)/g)].map(([, expr]) => expr));
  const named = new Set(expressions.flatMap((expr) => expr.match(/\bsse_[a-z_]+/g) ?? []));
  assert.ok(named.size > 20, `${named.size} names`);
  assert.deepEqual([...named].filter((name) => !exported.has(name)), [], 'names that nothing exports');
  assert.deepEqual([...exported].filter((name) => !named.has(name) && !name.startsWith('sse_self_')), [], 'names that nobody looks at');

  const alerts = rules.match(/alert: \w+/g).length;
  for (const args of [['check', 'rules', 'alerts.yml'], ['test', 'rules', 'alerts.test.yml']]) {
    const { code, stdout, stderr } = await run('promtool', args, { cwd: monitoring });
    assert.equal(code, 0, `promtool ${args.join(' ')}: ${stdout}${stderr}`);
    if (args[0] === 'check') assert.match(stdout, new RegExp(`${alerts} rules found`));
  }
  assert.ok(existsSync(join(monitoring, 'nagios.cfg.in')));
});

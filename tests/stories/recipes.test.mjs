// The recipes of deploy/examples, as somebody would run them: followed live through lighttpd, dying half-way by themselves, killed,
// and with Redis losing its scripts or going away under them.
import assert from 'node:assert/strict';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertDelivered, assertKeys, readLog } from '../support/checker.mjs';
import { lossy } from '../support/lossy.mjs';
import { Process } from '../support/proc.mjs';
import { program, story } from '../support/world.mjs';
import { each, until } from '../support/wait.mjs';

const folder = join(dirname(fileURLToPath(import.meta.url)), '../../deploy/examples');

// dies: by itself, by what DIE makes it do at its third part; TERM comes from here.
const RECIPES = {
  'php-redis.php': { run: 'php', dies: ['exception', 'exit', 'fatal', 'TERM'] },
  'perl-redis.pl': { run: 'perl', dies: ['exception', 'exit', 'TERM'] },
  'python-redis.py': { run: '/usr/bin/python3', dies: ['exception', 'exit', 'TERM'] },
  'ruby-redis.rb': { run: 'ruby', dies: ['exception', 'exit', 'TERM'] },
  'php-post.php': { run: 'php', dies: ['exception', 'exit', 'fatal', 'TERM'] },
  'shell-curl.sh': { run: 'sh', dies: ['exception', 'exit', 'TERM'] },
  'shell-ssectl.sh': { run: 'sh', dies: ['exception', 'exit', 'TERM'] },
  'crontab.example': { dies: ['exit', 'TERM'], progress: (part) => ({ percent: 20 * part, line: `${part}/5` }), completed: { exit: 0 } },
};
const names = Object.keys(RECIPES);
const usesScripts = names.filter((name) => /-redis\./.test(name));
const parts = (name, count) => Array.from({ length: count }, (_, i) => ['progress', RECIPES[name].progress?.(i + 1) ?? { part: i + 1, of: 5 }]);
const whole = (name) => [...parts(name, 5), ['completed', RECIPES[name].completed ?? { rows: 1200 }]];
const shown = (events) => events.map((event) => [event.json.type, event.json.data]);
const noWebYet = { responders: false, lighttpd: false };

/** The nightly job of crontab.example, and the command as cron would give it to sh, for the stream `id`. */
function cronCommand(world, id) {
  const job = join(world.dir, 'nightly');
  writeFileSync(job, '#!/bin/sh\nfor part in 1 2 3 4 5; do\n sleep "$PACE"\n [ "$part${DIE:-}" != 3exit ] || exit 3\n echo "$part/5"\ndone\n');
  chmodSync(job, 0o700);
  const line = readFileSync(join(folder, 'crontab.example'), 'utf8').split('\n').find((text) => text.startsWith('17 3 * * *'));
  const command = line.replace('17 3 * * *', '').trim().replaceAll('\\%', '%');
  const here = command.replace('ssectl', program('ssectl')).replace('--user ops', '--user u1').replace('nightly-$(date +%F)', id).replace('/usr/local/bin/nightly', job);
  assert.notEqual(here, command);
  return ['sh', '-c', `exec ${here}`];
}

const scriptsOf = (world, name) => join(world.dir, `scripts-${name}`);

/** What the recipes' README asks for: a token, and the scripts' texts in a folder. Each recipe gets other SHA-1s, so that none lives by what another has loaded. */
async function prepare(world) {
  world.token = join(world.dir, 'token');
  writeFileSync(world.token, 'a-token-of-the-recipes\n', { mode: 0o600 });
  world.configure({ publish_token_file: world.token });
  await world.start({ redis: false, guardian: false });
  for (const name of usesScripts) mkdirSync(scriptsOf(world, name));
  for (const script of ['open', 'publish', 'beat']) {
    const text = (await world.ssectl(['script', 'show', script])).stdout;
    for (const name of usesScripts) writeFileSync(join(scriptsOf(world, name), `${script}.lua`), `${text}-- ${name}\n`);
  }
}

/** A recipe at work on the stream `id`, and a browser that follows it. */
class Run {
  constructor(world, name, id, env = {}) {
    assert.ok(!world.stopped, 'another run has failed');
    this.id = id;
    this.client = world.follow(id);
    this.logFile = join(world.dir, `recipe-${id}.log`);
    const log = openSync(this.logFile, 'a');
    const [command, ...args] = RECIPES[name].run ? [RECIPES[name].run, join(folder, name), id, 'u1'] : cronCommand(world, id);
    this.process = Process.start(name, command, args, {
      stdio: ['ignore', log, log],
      env: {
        SSE_REDIS: world.server.socket, SSE_SCRIPTS: scriptsOf(world, name), SSE_URL: world.url('/api/stream'), SSE_TOKEN_FILE: world.token,
        SSE_CONFIG: world.configFile, SSECTL: program('ssectl'), PACE: '0.3', SSE_BEAT: '0.3', ...env,
      },
    });
    closeSync(log);
    world.producers.push(this); // killed with the world
  }

  get said() { return `${this.process.name} ${this.id} said: ${readFileSync(this.logFile, 'utf8')}`; }
  async progress(count) {
    await until(() => this.client.events.filter((event) => event.json.type === 'progress').length >= count || this.process.exit,
      { deadline: 15000, what: () => `${count} times progress of ${this.said}` });
  }
  /** Its exit, once the browser has seen the end. */
  async ended() {
    assert.equal(await this.client.closed({ deadline: 20000 }).catch((error) => assert.fail(`${error.message}; ${this.said}`)), 204);
    await until(() => !this.process.running, { what: `the end of ${this.process.name}` });
    return this.process.exit;
  }
  async kill() { if (this.process.running) await this.process.kill(); else await this.process.gone(); }
}

story('each recipe is followed live, event by event, through long silences and a flushed script cache', { ...noWebYet, conf: { stale_threshold: '2s' }, timeout: 60000 }, async (world) => {
  await prepare(world);
  // Each part is longer than stale_threshold and check_interval: only beats keep the stream from being orphaned.
  const runs = names.map((name, i) => new Run(world, name, `live-${i}`, { PACE: '2.8' }));
  await each(runs, runs.length, (run) => run.progress(1));
  await world.redis.script('FLUSH');
  await each(runs, runs.length, async (run) => {
    assert.equal((await run.ended()).code, 0, run.said);
    assert.deepEqual(shown(run.client.events), whole(run.process.name), run.said);
    assertDelivered({ who: run.process.name, events: run.client.events, log: await readLog(world.redis, run.id) });
    assert.ok(run.client.connections[0].ofType('connected').length, 'connected');
  });
  await assertKeys(world.redis);
});

story('each recipe that dies half-way by itself says so, and its page hears it', { ...noWebYet, conf: { stale_threshold: '3s' }, timeout: 90000 }, async (world) => {
  await prepare(world);
  const deaths = names.flatMap((name) => RECIPES[name].dies.map((how) => [name, how]));
  await each(deaths, 4, async ([name, how], i) => {
    const run = new Run(world, name, `dies-${i}`, how === 'TERM' ? { PACE: '0.5' } : { DIE: how });
    await run.progress(2);
    if (how === 'TERM') run.process.signal('SIGTERM');
    const exit = await run.ended();
    assert.notEqual(exit.code, 0, `${name} ${how}: its exit code says that it failed`);
    if (how === 'exit') assert.equal(exit.code, 3, name);
    const events = shown(run.client.events);
    if (how === 'TERM') assert.ok(events.length >= 3 && events.length <= 5, run.said); // it may have come a part further, meanwhile
    assert.deepEqual(events.slice(0, -1), parts(name, how === 'TERM' ? events.length - 1 : 2), run.said);
    assert.equal(events.at(-1)[0], 'failed', run.said);
    if (name !== 'crontab.example') assert.equal(typeof events.at(-1)[1].reason, 'string');
    assert.notEqual(events.at(-1)[1].reason, 'orphaned', `${name} ${how}: by itself, not by the guardian`);
    if (how === 'exception' && !name.startsWith('shell')) assert.match(events.at(-1)[1].reason, /no more rows$/);
    assert.equal((await world.recover(run.id)).json.status, 'failed');
  });
  await assertKeys(world.redis);
});

story('each recipe that is killed is ended by the guardian', { ...noWebYet, timeout: 60000 }, async (world) => {
  await prepare(world);
  await each(names, names.length, async (name, i) => {
    const run = new Run(world, name, `killed-${i}`);
    await run.progress(2);
    run.process.signal('SIGKILL'); // it alone: what it started must notice
    await run.ended();
    const events = shown(run.client.events);
    assert.deepEqual(events.slice(-2).map(([type]) => type), ['orphaned', 'failed'], run.said);
    assert.deepEqual(events.at(-1)[1], { reason: 'orphaned' });
    assert.equal((await world.recover(run.id)).json.status, 'failed');
  });
  await assertKeys(world.redis);
});

story('each recipe outlives a Redis that goes away for a moment, and stores nothing twice', { ...noWebYet, conf: { stale_threshold: '3s' }, timeout: 60000 }, async (world) => {
  await prepare(world);
  const runs = names.map((name, i) => new Run(world, name, `away-${i}`, { PACE: '0.5' }));
  await each(runs, runs.length, (run) => run.progress(1));
  for (let i = 0; i < 3; i++) await world.redis.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await world.killRedis();
  await world.startRedis();
  await each(runs, runs.length, async (run) => {
    assert.equal((await run.ended()).code, 0, run.said);
    assert.deepEqual(shown(run.client.events), whole(run.process.name), run.said);
  });
});

story('each recipe that hears no answer asks again, and stores nothing twice', { ...noWebYet, conf: { stale_threshold: '5s' }, timeout: 60000 }, async (world, t) => {
  await prepare(world);
  await each(names, names.length, async (name, i) => {
    const socket = join(world.dir, `lossy-${i}.sock`);
    const redis = await lossy({ path: socket }, { path: world.server.socket });
    const web = await lossy({ port: 0, host: '127.0.0.1' }, { port: world.port, host: '127.0.0.1' });
    t.after(() => { redis.close(); web.close(); });
    const run = new Run(world, name, `unheard-${i}`, { SSE_REDIS: socket, SSE_REDIS_URL: `unix://${socket}`, SSE_URL: `http://127.0.0.1:${web.port}/api/stream` });
    assert.equal((await run.ended()).code, 0, run.said);
    assert.deepEqual(shown(run.client.events), whole(name), run.said);
    assert.ok(redis.lost + web.lost >= 3, `${name}: ${redis.lost} answers of Redis and ${web.lost} of the web server were lost`);
  });
});

// A world: a private folder with Redis, the programs under test and a web server, gone without a trace at the end.
import { test } from 'node:test';
import { chmodSync, closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { build, program } from './build.mjs';
import { Process, processesMentioning, run } from './proc.mjs';
import { RedisServer } from './redisd.mjs';
import { Responders } from './responders.mjs';
import { Follower, HttpStream, exchange } from './sse.mjs';
import { ask } from './fcgipeer.mjs';
import { Producer } from './producer.mjs';
import { WebServer } from './webserver.mjs';
import { until, within } from './wait.mjs';

export { build, program };

/** ms that a peer has for its request, longer than any story takes over one. */
export const RECEIVE_MS = within(3000);
/** Times compressed, so that a story of minutes takes seconds. A story that needs other ones says so. */
export const FAST = {
  anonymous: 'deny', user_variable: 'HTTP_X_USER_ID',
  heartbeat_interval: '500ms', beat_interval: '300ms', stale_threshold: '1s', check_interval: '500ms', proof_window: '1s', orphan_grace: '1500ms',
  pending_wait: '1s', retry_min: '500ms', retry_max: '600ms', drain_window: '500ms', receive_timeout: `${RECEIVE_MS}ms`,
};
/** The programs' own defaults, but for how a user is named. */
export const DEFAULTS = { user_variable: 'HTTP_X_USER_ID' };

const settingsText = (settings) => Object.entries(settings).filter(([, value]) => value !== undefined).map(([name, value]) => `${name} = ${value}\n`).join('');

export class World {
  constructor({ processes = 1, conf = {}, base = FAST, password, redisPassword = password, tcp = false } = {}) {
    this.dir = mkdtempSync(join(tmpdir(), 'sr-story-'));
    assert.ok(this.dir.length < 80, `a unix socket needs a short path, ${this.dir} is too long: set TMPDIR`);
    this.configFile = join(this.dir, 'sse-resilience.conf');
    this.server = new RedisServer(this.dir, { password: redisPassword });
    if (password) {
      writeFileSync(join(this.dir, 'password'), `${password}\n`);
      chmodSync(join(this.dir, 'password'), 0o600);
    }
    this.settings = { redis_url: `unix://${this.server.socket}`, ...(password && { redis_password_file: join(this.dir, 'password') }), ...base };
    this.configure(conf);
    this.responders = new Responders({ dir: this.dir, program: () => program('sse-fcgi'), configFile: this.configFile, count: processes, tcp });
    this.others = [];
    this.guardians = [];
    this.producers = [];
    this.clients = [];
  }

  /** Write the configuration file anew, with these options changed. */
  configure(conf) {
    Object.assign(this.settings, conf);
    writeFileSync(this.configFile, settingsText(this.settings));
  }

  async start({ redis = true, responders = true, guardian = true, lighttpd = true } = {}) {
    if (redis) await this.startRedis();
    if (responders) await this.startResponder();
    if (guardian) await this.startGuardian();
    if (lighttpd) await this.serve({ open: true });
    return this;
  }

  // Redis
  async startRedis(options) {
    await this.server.start(options);
    this.redis ??= this.server.client();
  }
  async killRedis(signal = 'SIGKILL') { await this.server.kill(signal); }

  // Responders
  get fcgi() { return this.responders.socket; }
  async startResponder() {
    await this.responders.start();
    if (this.server.process?.running) await this.readiness(200);
    // A request that found no responder makes lighttpd answer 503 by itself for a second more.
    if (this.front) await until(async () => (await this.get('/api/stream/-/health')).status === 200, { what: 'the web server to know the responder again' });
  }
  /** One more configuration file, with these options changed. */
  anotherConfig(name, conf) {
    const configFile = join(this.dir, `${name}.conf`);
    writeFileSync(configFile, settingsText({ ...this.settings, ...conf }));
    return configFile;
  }
  /** One more responder beside the others, with these options changed; returns where it listens, for a site of serve(). */
  async anotherResponder(name, conf) {
    const configFile = this.anotherConfig(name, conf);
    const responders = new Responders({ dir: this.dir, name, program: () => program('sse-fcgi'), configFile, count: 1 });
    this.others.push(responders);
    await responders.start();
    return responders.address;
  }
  async killResponder(i = 0, signal = 'SIGKILL') { return this.responders.list[i].kill(signal, 10000); }
  /** Do `work` while the i-th responder alone takes connections: the kernel hands none to a stopped process. */
  async onlyAt(i, work) {
    const others = this.responders.list.filter((process, k) => k !== i && process.running);
    await Promise.all(others.map((process) => process.freeze()));
    try {
      return await work();
    } finally {
      others.forEach((process) => process.signal('SIGCONT'));
    }
  }
  /** Wait until the ready page answers with this status (asked on the FastCGI socket, so that lighttpd is no part of it). */
  async readiness(status, deadline) {
    let last;
    await until(async () => {
      const dead = this.responders.list.find((process) => !process.running && !process.expectedToEnd);
      if (dead) assert.fail(`${dead.name} ended with ${JSON.stringify(dead.exit)}:\n${this.log('fcgi')}`);
      last = await ask(this.fcgi, { path: '/api/stream/-/ready' }).catch((error) => ({ status: error.message }));
      return last.status === status;
    }, { deadline, what: () => `status ${status} of the ready page, it is ${last?.status}` });
  }

  // Guardians
  /** Start one more guardian; returns once its loop runs. */
  async startGuardian() {
    const log = openSync(join(this.dir, 'guardian.log'), 'a');
    const guardian = Process.start('sse-guardian', program('sse-guardian'), ['--config', this.configFile], { stdio: ['ignore', log, log] });
    closeSync(log);
    this.guardians.push(guardian);
    const running = new RegExp(`pid=${guardian.pid} msg="redis `); // reached, or unavailable
    await until(() => running.test(this.log('guardian')) || guardian.exit, { what: () => `the guardian to run: ${this.log('guardian')}` });
    if (guardian.exit) assert.fail(`sse-guardian ended with ${JSON.stringify(guardian.exit)}:\n${this.log('guardian')}`);
    return guardian;
  }
  get guardian() { return this.guardians.at(-1); }
  /** One pass of a guardian with these flags, to its end. */
  async guard(...flags) { return run(program('sse-guardian'), ['--config', this.configFile, ...flags], { deadline: 40000 }); }

  // ssectl
  async ssectl(args, options) { return run(program('ssectl'), ['--config', this.configFile, ...args.map(String)], options); }
  /** ssectl that must succeed; returns its output without the last newline. */
  async ctl(...args) {
    const { code, stdout, stderr } = await this.ssectl(args);
    assert.equal(code, 0, `ssectl ${args.join(' ')}: exit ${code}: ${stderr}`);
    return stdout.replace(/\n$/, '');
  }
  async json(...args) { return JSON.parse(await this.ctl(...args, '--json')); }
  /** A running `ssectl emit ID -`, fed with events as the story goes on. */
  producer(id, ...flags) { return this.#kept(this.producers, new Producer(program('ssectl'), ['--config', this.configFile, 'emit', id, '-', ...flags])); }
  /** A running ssectl of any other kind, its output as it comes. */
  command(...args) { return this.#kept(this.producers, new Producer(program('ssectl'), ['--config', this.configFile, ...args])); }

  /** Anything else that has kill(), and is to end with the world. */
  keep(item) { return this.#kept(this.producers, item); }

  // HTTP
  url(path) { return `http://127.0.0.1:${this.port}${path}`; }
  async get(path, { user = 'u1', headers = {}, ...rest } = {}) {
    return exchange(this.url(path), { ...rest, headers: { ...(user && { 'x-user-id': user }), ...headers } });
  }
  async recover(id, options) { return this.get(`/api/stream/${id}/recover`, options); }
  /** Start reading a stream. */
  stream(id, { user = 'u1', lastEventId = '', query = '', headers = {}, ...rest } = {}) {
    assert.ok(!this.stopped, 'the world has stopped'); // or a Follower of a story that failed would come back for ever
    return this.#kept(this.clients, new HttpStream(this.url(`/api/stream/${id}${query && `?${query}`}`), {
      headers: { ...(user && { 'x-user-id': user }), ...(lastEventId && { 'last-event-id': lastEventId }), ...headers }, ...rest,
    }));
  }
  /** Start reading a stream, and wait for its `connected`. */
  async viewer(id, options) {
    const stream = await this.stream(id, options).ready();
    await stream.until('connected');
    return stream;
  }
  /** Read a stream as a browser's EventSource does. */
  follow(id, { user, headers, query, retryScale, closeOnTerminal } = {}) {
    return new Follower((options) => this.stream(id, { user, headers, query, ...options }), { retryScale, closeOnTerminal });
  }

  #kept(list, item) {
    list.push(item);
    return item;
  }

  log(name) {
    const file = join(this.dir, `${name}.log`);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** Start the web server; sites as in WebServer, by default one with these responders behind it. */
  async serve({ sites = [{ address: this.responders.address }], ...options } = {}) {
    this.front = new WebServer({ dir: this.dir, sites, ...options });
    await this.front.start();
    this.port = this.front.port;
    return this.front;
  }

  /** End everything, and see that it has ended as it should. */
  async stop({ failed = false } = {}) {
    if (this.stopped) return;
    this.stopped = true;
    const problems = [];
    this.clients.forEach((client) => client.close());
    await Promise.all(this.producers.map((producer) => producer.kill()));
    const programs = [...this.guardians, ...this.responders.list, ...this.others.flatMap((responders) => responders.list)];
    for (const process of programs) {
      if (!process.running && !process.expectedToEnd) problems.push(`${process.name} had ended by itself: ${JSON.stringify(process.exit)}`);
    }
    await Promise.all(programs.filter((process) => process.running).map(async (process) => {
      if (!await process.end()) problems.push(`${process.name} did not end on SIGTERM within 10 s`);
      else if (process.exit && process.exit.code !== 0) problems.push(`${process.name} ended with ${JSON.stringify(process.exit)} on SIGTERM`);
    }));
    if (this.front) await this.front.stop();
    await this.server.stop();
    await until(() => processesMentioning(this.dir).length === 0, { what: () => `no process left; there is ${processesMentioning(this.dir)}` })
      .catch((error) => problems.push(error.message));
    const logs = failed || problems.length ? this.#tails() : '';
    if ((failed || problems.length) && process.env.SR_KEEP === '1') console.error(`# kept: ${this.dir}`);
    else rmSync(this.dir, { recursive: true, force: true });
    if (logs) console.error(logs);
    assert.deepEqual(problems, [], 'the world did not end well');
  }

  #tails() {
    const tail = (name) => this.log(name).split('\n').slice(-12).map((line) => `#   ${line.slice(0, 300)}`).join('\n');
    return ['fcgi', 'guardian', this.front?.kind ?? 'lighttpd'].map((name) => `# last lines of ${name}.log:\n${tail(name)}`).join('\n');
  }
}

/** Start a world; the caller stops it. Prefer story(). */
export async function startWorld(options = {}) {
  const world = new World(options);
  try {
    return await world.start(options);
  } catch (error) {
    await world.stop({ failed: true }).catch(() => {});
    throw error;
  }
}

/** A test in a world of its own: story(name, {world options, timeout}, async (world, t) => ...). */
export function story(name, options, body) {
  test(name, { timeout: within(options.timeout ?? 30000) }, async (t) => {
    const world = await startWorld(options);
    let failed = true;
    t.after(() => world.stop({ failed })); // reached by a timeout, too
    await body(world, t);
    failed = false;
    await world.stop();
  });
}

// A private redis-server on a unix socket, and connections to it.
import Redis from 'ioredis';
import { existsSync, openSync, closeSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Process } from './proc.mjs';
import { until } from './wait.mjs';

export class RedisServer {
  #clients = [];

  constructor(dir, { password } = {}) {
    Object.assign(this, { dir, password, socket: join(dir, 'redis.sock') });
  }

  /** Start it; with empty: true, without what it had stored. Returns once it answers. */
  async start({ empty = false } = {}) {
    if (empty) rmSync(join(this.dir, 'appendonlydir'), { recursive: true, force: true });
    const log = openSync(join(this.dir, 'redis.log'), 'a');
    this.process = Process.start('redis-server', 'redis-server', [
      // 777: CGI programs of Apache are never root's; the folder is private to the test.
      '--port', '0', '--unixsocket', this.socket, '--unixsocketperm', '777', '--dir', this.dir, '--daemonize', 'no',
      '--appendonly', 'yes', '--appendfsync', 'no', '--save', '', '--loglevel', 'warning',
      '--enable-debug-command', 'local', '--slowlog-max-len', '100000',
      ...(this.password ? ['--requirepass', this.password] : []),
    ], { stdio: ['ignore', log, log] });
    closeSync(log);
    await until(async () => this.process.exit || (existsSync(this.socket) && await this.#answers()), { what: 'redis-server to answer' });
    if (this.process.exit) throw new Error(`redis-server ended with ${JSON.stringify(this.process.exit)}, see ${this.dir}/redis.log`);
  }

  async #answers() {
    const probe = new Redis({ path: this.socket, password: this.password, retryStrategy: null, lazyConnect: true, maxRetriesPerRequest: 0 });
    probe.on('error', () => {});
    try {
      await probe.connect();
      return await probe.ping() === 'PONG';
    } catch {
      return false;
    } finally {
      probe.disconnect();
    }
  }

  /** A connection that outlives restarts: commands wait until Redis is back. */
  client() {
    const client = new Redis({ path: this.socket, password: this.password, maxRetriesPerRequest: null, retryStrategy: () => 50 });
    client.on('error', () => {}); // it reconnects; a command that fails says so itself
    this.#clients.push(client);
    return client;
  }

  async kill(signal = 'SIGKILL') {
    await this.process.kill(signal);
    rmSync(this.socket, { force: true }); // or the next start could be mistaken for answering
  }

  async stop() {
    this.#clients.forEach((client) => client.disconnect());
    if (this.process) await this.process.kill('SIGKILL');
  }
}

// sse-fcgi processes on one listening unix socket, started the way a host would: by spawn-fcgi.
import { openSync, closeSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { Process, run } from './proc.mjs';
import { freePort } from './webserver.mjs';
import { until } from './wait.mjs';

export class Responders {
  list = [];

  /** tcp: on a port of 127.0.0.1 instead of a unix socket. socket: for net.connect; address: for a configuration file. */
  constructor({ dir, name = 'fcgi', program, configFile, count, tcp = false }) {
    Object.assign(this, { dir, program, configFile, count, tcp, socket: join(dir, `${name}.sock`), log: join(dir, `${name}.log`) });
  }

  get address() { return this.tcp ? `127.0.0.1:${this.socket.port}` : this.socket; }

  /** One process is our child (-n); several are daemons, known by spawn-fcgi's pid file. */
  async start() {
    assert.ok(this.list.every((process) => !process.running), 'the responders are already running');
    if (this.tcp && !this.socket.port) this.socket = { host: '127.0.0.1', port: await freePort() };
    this.list = this.count === 1 ? [this.#child()] : await this.#daemons();
    await until(() => this.tcp || existsSync(this.socket) || this.list[0].exit, { what: 'the socket of the responders' });
  }

  get #command() {
    // 0666: Apache's workers are never root; the folder is private to the test.
    return ['-b', '1024', ...(this.tcp ? ['-a', this.socket.host, '-p', this.socket.port] : ['-M', '0666', '-s', this.socket])];
  }

  #child() {
    const log = openSync(this.log, 'a');
    const child = Process.start('sse-fcgi', 'spawn-fcgi', ['-n', ...this.#command, '--', this.program(), '--config', this.configFile],
      { stdio: ['ignore', log, log] });
    closeSync(log);
    return child;
  }

  async #daemons() {
    const pids = join(this.dir, 'fcgi.pids');
    rmSync(pids, { force: true });
    // spawn-fcgi gives daemons /dev/null for stderr, so their log goes to a file.
    const { code, stderr } = await run('spawn-fcgi', [...this.#command, '-F', this.count, '-P', pids, '--', this.program(), '--config', this.configFile],
      { env: { SSE_LOG_TARGET: this.log }, stdin: 'ignore' });
    const found = (existsSync(pids) ? readFileSync(pids, 'latin1') : '').split('\n').filter(Boolean).map(Number);
    const daemons = found.map((pid, i) => Process.adopt(`sse-fcgi ${i}`, pid));
    assert.equal(code, 0, `spawn-fcgi: ${stderr}`);
    assert.equal(daemons.length, this.count, 'one pid a line for each responder');
    return daemons;
  }
}

// What a web server does for plain CGI: a process for one request, its headers and body on standard output.
import assert from 'node:assert/strict';
import { paramsOf } from './fcgipeer.mjs';
import { Process } from './proc.mjs';
import { EventStream } from './sse.mjs';
import { settled } from './wait.mjs';

export class CgiRequest extends EventStream {
  stderr = '';
  #head = Buffer.alloc(0);

  /**
   * what: as for a FastCGI peer (method, path, user, headers, params), and input: the body, or null for a standard input that stays open.
   * env: what an administrator puts there. Nothing of the tests' own environment gets in but what sanitizers need.
   */
  constructor(command, { input = '', env = {}, args = [], ...what } = {}, options) {
    super(options);
    const sanitizers = Object.fromEntries(Object.entries(process.env).filter(([name]) => /^[A-Z]*SAN_OPTIONS$/.test(name)));
    const params = { GATEWAY_INTERFACE: 'CGI/1.1', ...paramsOf(what), ...(input && { CONTENT_LENGTH: String(Buffer.byteLength(input)) }), ...what.params };
    this.process = Process.start('sse-fcgi', '/usr/bin/env', ['-i', ...Object.entries({ ...sanitizers, ...params, ...env }).map(([name, value]) => `${name}=${value}`), command, ...args],
      { stdio: ['pipe', 'pipe', 'pipe'] });
    const { stdin, stdout, stderr } = this.process.child;
    stdin.on('error', () => {}); // it need not read its body
    if (input !== null) stdin.end(input);
    stderr.setEncoding('utf8').on('data', (text) => { this.stderr += text; });
    this.headed = new Promise((resolve) => { this.resolveHeaded = resolve; });
    this.stdout = stdout.on('data', (bytes) => this.#take(bytes)).on('end', () => { this.resolveHeaded(); this.finish('end'); });
    stdout.on('close', () => { this.resolveHeaded(); this.finish('cut'); });
  }

  #take(bytes) {
    if (this.headers) return this.feed(bytes);
    this.#head = Buffer.concat([this.#head, bytes]);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    this.headers = Object.fromEntries(this.#head.toString('latin1', 0, end).split('\r\n').map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
    this.status = Number((this.headers.status ?? '200').slice(0, 3));
    this.resolveHeaded();
    return this.feed(this.#head.subarray(end + 4));
  }

  async answered({ deadline = 15000 } = {}) {
    await settled(this.headed, { deadline, what: 'the CGI headers' });
    assert.ok(this.headers, `no headers: ${this.stderr}`);
    return this;
  }

  /** Its end: the exit code, which must be 0. */
  async over({ deadline = 15000 } = {}) {
    await this.end({ deadline });
    assert.deepEqual(await this.process.gone(deadline), { code: 0, signal: null }, this.stderr);
    return this;
  }

  get text() { return Buffer.from(this.raw, 'latin1').toString(); }
  get json() { return JSON.parse(this.text); }

  /** The client leaves. */
  close() { this.stdout.destroy(); }
  async kill(signal = 'SIGKILL') { if (this.process.running) await this.process.kill(signal); }
}

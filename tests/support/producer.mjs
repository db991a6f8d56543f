// A long-running ssectl: lines in, lines out.
import { spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import { until } from './wait.mjs';

export class Producer {
  lines = []; stderr = ''; exit = undefined; sent = 0;

  constructor(command, args) {
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdin.on('error', () => {}); // its exit code says what happened
    let rest = '';
    this.child.stdout.setEncoding('utf8').on('data', (text) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop();
      this.lines.push(...parts);
    });
    this.child.stderr.setEncoding('utf8').on('data', (text) => { this.stderr += text; });
    this.child.on('close', (code, signal) => { this.exit = { code, signal }; });
    process.on('exit', this.#atExit = () => this.child.kill('SIGKILL'));
    this.child.on('close', () => process.off('exit', this.#atExit));
  }
  #atExit;

  /** The ids of the events it confirmed. */
  get acked() { return this.lines; }

  emit(type, data) {
    this.sent++;
    this.child.stdin.write(`${JSON.stringify({ type, data })}\n`);
  }

  async confirmed(count, deadline = 10000) {
    await until(() => this.lines.length >= count || this.exit, { deadline, what: () => `${count} confirmed events, there are ${this.lines.length} (${this.stderr})` });
    assert.ok(this.lines.length >= count, `ssectl ended (${JSON.stringify(this.exit)}) after ${this.lines.length} of ${count} events: ${this.stderr}`);
  }

  /** Close its input and wait for its end. */
  async finish({ code = 0, deadline = 20000 } = {}) {
    this.child.stdin.end();
    await until(() => this.exit, { deadline, what: () => `the end of ssectl; ${this.lines.length} of ${this.sent} confirmed` });
    assert.equal(this.exit.code, code, `exit code of ssectl (${this.exit.signal ?? ''} ${this.stderr})`);
    return this.lines;
  }

  async ended(deadline = 10000) {
    await until(() => this.exit, { deadline, what: 'the end of ssectl' });
    return this.exit.code;
  }

  async kill(signal = 'SIGKILL') {
    if (this.exit) return;
    this.child.kill(signal);
    await until(() => this.exit, { what: 'the end of a killed ssectl' });
  }
}

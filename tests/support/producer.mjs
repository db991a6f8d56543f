// A long-running ssectl: lines in, lines out.
import assert from 'node:assert/strict';
import { Process } from './proc.mjs';
import { until } from './wait.mjs';

export class Producer {
  lines = []; stderr = ''; exit = undefined; sent = 0;

  constructor(command, args) {
    this.process = Process.start('ssectl', command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const { stdin, stdout, stderr } = this.process.child;
    stdin.on('error', () => {}); // its exit code says what happened
    let rest = '';
    stdout.setEncoding('utf8').on('data', (text) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop();
      this.lines.push(...parts);
    });
    stderr.setEncoding('utf8').on('data', (text) => { this.stderr += text; });
    this.process.child.on('close', (code, signal) => { this.exit = { code, signal }; });
  }

  /** The ids of the events it confirmed. */
  get acked() { return this.lines; }

  emit(type, data) {
    this.sent++;
    this.process.child.stdin.write(`${JSON.stringify({ type, data })}\n`);
  }

  async confirmed(count, deadline = 10000) {
    await until(() => this.lines.length >= count || this.exit,
      { deadline, what: () => `${count} confirmed events, there are ${this.lines.length} (${this.stderr})` });
    assert.ok(this.lines.length >= count, `ssectl ended (${JSON.stringify(this.exit)}) after ${this.lines.length} of ${count} events: ${this.stderr}`);
  }

  /** Close its input and wait for its end; returns the lines it printed. */
  async finish({ code = 0, deadline = 20000 } = {}) {
    this.process.child.stdin.end();
    assert.equal(await this.ended(deadline), code, `exit code of ssectl (${this.exit.signal ?? ''} ${this.stderr})`);
    return this.lines;
  }

  /** Its exit code, once it has ended by itself. */
  async ended(deadline = 10000) {
    await until(() => this.exit, { deadline, what: () => `the end of ssectl; it printed ${this.lines.length} lines (${this.stderr})` });
    return this.exit.code;
  }

  async kill(signal = 'SIGKILL') {
    if (this.exit) return;
    await this.process.kill(signal);
    await until(() => this.exit, { what: 'the end of a killed ssectl' });
  }
}

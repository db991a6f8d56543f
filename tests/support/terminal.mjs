// A terminal: a pty of script(1) around a command line, keys typed into it, and what stands on its screen.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import assert from 'node:assert/strict';
import { Process, run } from './proc.mjs';
import { until } from './wait.mjs';

/** The screen as these sequences make it: CR, LF, cursor home, erase to the end of line and screen, letters, the alternate screen. */
export class Screen {
  rows = ['']; at = 0; column = 0; alternate = false; cursor = true; unknown = []; saved = undefined;
  lines = Infinity; // what is written below is not shown

  #put(text) {
    if (this.at >= this.lines) return;
    const row = [...(this.rows[this.at] ?? '').padEnd(this.column)];
    const letters = [...text];
    row.splice(this.column, letters.length, ...letters);
    this.rows[this.at] = row.join('');
    this.column += letters.length;
  }

  #control(sequence) {
    if (sequence === '\r') this.column = 0;
    else if (sequence === '\n') this.at++;
    else if (sequence === '\x1b[H') this.at = this.column = 0;
    else if (sequence === '\x1b[K') this.rows[this.at] = [...(this.rows[this.at] ?? '')].slice(0, this.column).join('');
    else if (sequence === '\x1b[J') {
      this.rows.length = Math.min(this.rows.length, this.at + 1);
      this.#control('\x1b[K');
    } else if (sequence === '\x1b[2J') this.rows = [''];
    else if (sequence === '\x1b[?1049h') {
      if (!this.alternate) this.saved = { rows: this.rows, at: this.at, column: this.column };
      Object.assign(this, { alternate: true, rows: [''], at: 0, column: 0 });
    } else if (sequence === '\x1b[?1049l') {
      if (this.alternate) Object.assign(this, this.saved, { alternate: false });
    } else if (sequence === '\x1b[?25l' || sequence === '\x1b[?25h') this.cursor = sequence.endsWith('h');
    else if (!/^\x1b\[[0-9;]*m$/.test(sequence)) this.unknown.push(sequence);
  }

  write(text) {
    for (const [part] of text.matchAll(/\x1b\[[?0-9;]*[A-Za-z]|[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|[^\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/gu)) {
      if (/^[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u.test(part)) this.#control(part);
      else this.#put(part);
    }
  }

  get text() { return this.rows.map((row) => row ?? '').join('\n'); }
}

/** A command line under script(1) (exec: dash loses a SIGINT that comes while it forks). */
export class Terminal {
  shown = ''; screen = new Screen(); exit = undefined;

  constructor(command, { env = {}, lines, columns } = {}) {
    const size = lines ? `stty rows ${lines} cols ${columns}; ` : '';
    this.process = Process.start('script', 'script', ['-qec', `${size}${command}`, '/dev/null'],
      { stdio: ['pipe', 'pipe', 'inherit'], env: { TERM: 'xterm', NO_COLOR: '', ...env } });
    this.process.child.stdout.setEncoding('utf8').on('data', (text) => {
      this.shown += text;
      this.screen.write(text);
    });
    this.process.child.on('close', (code) => { this.exit = { code }; });
  }

  type(keys) { this.process.child.stdin.write(keys); }

  async until(condition, what, deadline = 10000) {
    return until(() => condition(this.screen), { deadline, what: () => `${what}; on the screen is:\n${this.screen.text}` });
  }
  async shows(pattern, deadline) { return this.until((screen) => pattern.test(screen.text), `${pattern}`, deadline); }

  /** Pid of the program of this name in the terminal. */
  async pid(name) {
    return until(() => readdirSync('/proc').find((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/comm`, 'utf8') === `${name}\n` && this.#isBelow(pid);
      } catch {
        return false; // it has ended
      }
    }), { what: `${name} in the terminal` }).then(Number);
  }
  #isBelow(pid) {
    for (let above = pid; Number(above) > 1; above = readFileSync(`/proc/${above}/stat`, 'latin1').replace(/^.*\) \S /s, '').split(' ')[0]) {
      if (Number(above) === this.process.pid) return true;
    }
    return false;
  }

  async resize(lines, columns, name = 'ssectl') {
    this.screen.lines = lines;
    this.screen.rows.length = Math.min(this.screen.rows.length, lines);
    const { code, stderr } = await run('stty', ['-F', readlinkSync(`/proc/${await this.pid(name)}/fd/1`), 'rows', lines, 'cols', columns].map(String));
    assert.equal(code, 0, stderr);
  }

  async ended(deadline = 10000) {
    await until(() => this.exit, { deadline, what: () => `the end of the terminal; it shows:\n${this.screen.text}` });
    return this.exit.code;
  }

  async kill() {
    this.process.child.stdin.end();
    if (!this.exit) await this.process.kill('SIGKILL');
  }
}

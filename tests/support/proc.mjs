// Child processes: started in their own groups, never left behind; and what /proc says about them.
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import assert from 'node:assert/strict';
import { until, within } from './wait.mjs';

const groups = new Set(); // pids of group leaders (or of daemons) that are still ours to kill

function killGroup(pid, signal, targets = [-pid]) {
  for (const target of targets) {
    try {
      process.kill(target, signal);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }
}

process.on('exit', () => groups.forEach((pid) => killGroup(pid, 'SIGKILL', [-pid, pid])));
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) process.on(signal, () => process.exit(code));

/** State letter of a process in /proc, or undefined when there is none. */
function procState(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '')[0];
  } catch {
    return undefined;
  }
}

/** A zombie nobody reaped counts as gone. */
export const isRunning = (pid) => !['Z', 'X', undefined].includes(procState(pid));

/** A long-running child, or a daemon known by pid only (adopt). `exit` is {code, signal} once it has ended. */
export class Process {
  constructor(name, pid, child) {
    Object.assign(this, { name, pid, child, exit: undefined, expectedToEnd: false });
    groups.add(pid);
    child?.once('exit', (code, signal) => { this.exit = { code, signal }; });
  }

  static start(name, command, args, { stdio = 'ignore', env = {} } = {}) {
    const child = spawn(command, args, { stdio, env: { ...process.env, ...env }, detached: true });
    child.on('error', (error) => { throw new Error(`cannot start ${command}: ${error.message}`); });
    return new Process(name, child.pid, child);
  }

  static adopt(name, pid) {
    return new Process(name, pid, undefined);
  }

  get running() {
    return this.child ? this.exit === undefined : isRunning(this.pid);
  }

  /** Send a signal. One that ends a process is followed by gone(). */
  signal(name) {
    if (!['SIGHUP', 'SIGSTOP', 'SIGCONT'].includes(name)) this.expectedToEnd = true;
    if (this.running) process.kill(this.pid, name);
  }

  /** SIGSTOP, and wait until every thread stands. */
  async freeze() {
    this.signal('SIGSTOP');
    const threads = () => readdirSync(`/proc/${this.pid}/task`).map((tid) => procState(`${this.pid}/task/${tid}`));
    await until(() => threads().every((state) => state === 'T'), { what: `${this.name} to stand still` });
  }

  async gone(deadline = 10000) {
    await until(() => !this.running, { deadline, what: `end of ${this.name} (pid ${this.pid})` });
    killGroup(this.pid, 'SIGKILL'); // what it started and left
    groups.delete(this.pid);
    return this.exit;
  }

  async kill(signal = 'SIGKILL', deadline = 10000) {
    this.signal(signal);
    return this.gone(deadline);
  }

  /** Ask for an orderly end; SIGKILL the group if that takes too long. Returns whether the end was orderly. */
  async end(deadline = 10000) {
    if (this.running) {
      this.signal('SIGCONT');
      this.signal('SIGTERM');
    }
    try {
      await this.gone(deadline);
      return true;
    } catch {
      killGroup(this.pid, 'SIGKILL', [-this.pid, this.pid]);
      await this.gone();
      return false;
    }
  }

  status(field) {
    const line = readFileSync(`/proc/${this.pid}/status`, 'latin1').match(new RegExp(`^${field}:\\s+(\\d+)`, 'm'));
    assert.ok(line, `/proc/${this.pid}/status has no ${field}`);
    return Number(line[1]);
  }

  /** For figures that are about this process, and not about what else runs on this machine; needs root, else nothing changes. */
  first() {
    for (const raise of [() => setPriority(this.pid, -15), () => writeFileSync(`/proc/${this.pid}/autogroup`, '-15')]) {
      try {
        raise();
      } catch { /* measured as it is */ }
    }
    return this;
  }

  get rssKiB() { return this.status('VmRSS'); }
  get threads() { return this.status('Threads'); }

  /** Number of sockets this process holds. */
  get sockets() {
    const dir = `/proc/${this.pid}/fd`;
    return readdirSync(dir).filter((fd) => {
      try {
        return readlinkSync(`${dir}/${fd}`).startsWith('socket:');
      } catch {
        return false; // closed between the two calls
      }
    }).length;
  }
}

/** Run a command to its end. input: written to its stdin, which is then closed. */
export async function run(command, args, { input = '', env = {}, deadline = 20000, stdin = 'pipe', cwd } = {}) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: [stdin, 'pipe', 'pipe'], detached: true });
  groups.add(child.pid);
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => { texts[name] += text; });
  child.stdin?.on('error', () => {}); // it may end before it has read all
  child.stdin?.end(input);
  const timer = setTimeout(() => killGroup(child.pid, 'SIGKILL'), within(deadline));
  const [code, signal] = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (...end) => resolve(end));
  });
  clearTimeout(timer);
  groups.delete(child.pid);
  return { code, signal, ...texts };
}

/** Command lines of all processes whose command line contains `text`. */
export function processesMentioning(text) {
  const found = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      if (words.includes(text) && isRunning(pid)) found.push(`${pid} ${words}`);
    } catch { /* it has ended */ }
  }
  return found;
}

/** The crowds need descriptors: say so instead of failing oddly. */
export function needDescriptors(count) {
  const soft = readFileSync('/proc/self/limits', 'latin1').match(/^Max open files\s+(\S+)/m)[1];
  assert.ok(soft === 'unlimited' || Number(soft) >= count,
    `this story needs ${count} open files, the limit is ${soft}: raise it (ulimit -Hn, then ulimit -n ${count}) and run again`);
}

/** Is this program built with a sanitizer? (memory figures mean nothing then) */
export const sanitized = (program) => /__(asan|tsan|msan)_init/.test(readFileSync(program, 'latin1'));

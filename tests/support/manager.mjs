// What a service manager is to a daemon: a socket for its notifications, and a listening socket that outlives it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Process } from './proc.mjs';
import { until } from './wait.mjs';

// Node has no datagram sockets of the Unix kind. One line of output for each datagram.
const LISTENER = `use Socket; $| = 1; socket(S, AF_UNIX, SOCK_DGRAM, 0) and bind(S, sockaddr_un($ARGV[0])) or die $!;
  print "listening\\n"; while (defined recv(S, $m, 4096, 0)) { $m =~ s/\\n/ /g; print "$m\\n" }`;

/** Receives what daemons with `env` tell systemd. */
export class Manager {
  messages = []; // { text, at }

  constructor(dir, { watchdog } = {}) {
    this.env = { NOTIFY_SOCKET: join(dir, 'notify.sock'), ...(watchdog && { WATCHDOG_USEC: String(watchdog * 1000) }) };
  }

  async start() {
    this.process = Process.start('manager', 'perl', ['-e', LISTENER, this.env.NOTIFY_SOCKET], { stdio: ['ignore', 'pipe', 'inherit'] });
    let rest = '';
    this.process.child.stdout.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      this.messages.push(...lines.map((line) => ({ text: line, at: performance.now() })));
    });
    await this.heard(/^listening$/);
    return this;
  }

  count(pattern) { return this.messages.filter(({ text }) => pattern.test(text)).length; }
  /** Wait for `more` messages like this, beyond the first `after`. */
  async heard(pattern, { after = 0, more = 1, deadline } = {}) {
    await until(() => this.count(pattern) >= after + more, { deadline, what: () => `${pattern} (${after} + ${more} times) among ${JSON.stringify(this.messages.map(({ text }) => text))}` });
  }
  async kill() { await this.process?.kill(); }
}

/** A listening socket that no responder owns, as systemd's is: each that start() gives it to has it as descriptor 0. */
export class SharedSocket {
  // The shell reads lines: a log, a program and its configuration, to be started on the socket; it answers with the pid.
  static #HOLDER = `exec 4<&0; while read -r log program config; do
    if [ "$log" = block ]; then
      perl -MFcntl -e 'open(S, "<&=4") and fcntl(S, F_SETFL, fcntl(S, F_GETFL, 0) & ~O_NONBLOCK) and print "blocking\\n"'
    else
      "$program" --config "$config" <&4 4<&- 3<&- >/dev/null 2>>"$log" & echo $!
    fi; done <&3`;

  constructor(path) { this.path = path; }

  async open() {
    this.holder = Process.start('holder', 'spawn-fcgi', ['-n', '-b', '1024', '-M', '0600', '-s', this.path, '--', '/bin/sh', '-c', SharedSocket.#HOLDER],
      { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
    this.holder.child.stdout.setEncoding('utf8');
    await until(() => existsSync(this.path), { what: 'the shared socket' });
    return this;
  }

  async start(program, config, log) {
    const answer = once(this.holder.child.stdout, 'data');
    this.holder.child.stdio[3].write(`${log} ${program} ${config}\n`);
    return Process.adopt(program, Number((await answer)[0]));
  }
  /** Take O_NONBLOCK away from it, as systemd does whenever it hands the socket to one more process. */
  async block() {
    const answer = once(this.holder.child.stdout, 'data');
    this.holder.child.stdio[3].write('block\n');
    assert.equal((await answer)[0], 'blocking\n');
  }
  async kill() { await this.holder?.kill(); }
}

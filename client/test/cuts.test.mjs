// Whatever breaks, and whenever: what was told is the log, each event once, in order, with one end. ROUNDS and SEED from the environment.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Page, GUARD, connected, message, settle } from './support/page.mjs';
import { openStream } from '../dist/index.js';
import { eventSource } from '../dist/eventsource.js';

const ROUNDS = Number(process.env.ROUNDS ?? 60), SEED = Number(process.env.SEED ?? 20261124);

/** mulberry32 */
const chances = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

const numbers = (id) => (id || '0-0').split('-').map(Number);
const comesAfter = (a, b) => numbers(a)[0] - numbers(b)[0] || numbers(a)[1] - numbers(b)[1];

/** A server with a log that grows while it is read, behind a network that breaks in every way there is. */
class Server {
  log = []; sent = 0; asked = 0;

  constructor(page, chance) {
    Object.assign(this, { page, chance, length: 10 + Math.floor(chance() * 50), ms: 1 });
    page.onRequest = (request) => this.serve(request);
  }

  get isOver() { return this.log.length === this.length; }
  pick(n) { return Math.floor(this.chance() * n); }
  grow(n) {
    for (let i = 0; i < n && !this.isOver; i++) {
      this.ms += this.pick(2);
      const last = this.log.at(-1)?.id, seq = last && numbers(last)[0] === this.ms ? numbers(last)[1] + 1 : 0;
      const isLast = this.log.length === this.length - 1;
      const data = ['täxt\r\n', { n: this.log.length }, null, 'x'.repeat(this.pick(300)), '\u{1f600}'][this.pick(5)];
      this.log.push({ id: `${this.ms}-${seq}`, type: isLast ? 'completed' : 'token', data });
    }
  }
  after(cursor) { return this.log.filter((event) => comesAfter(event.id, cursor) > 0); }

  async serve(request) {
    this.grow(this.pick(4));
    if (++this.asked > 4 * this.length + 60) this.calm = true; // so that each round ends
    const fault = this.calm ? 99 : this.pick(20);
    if (fault === 0) return request.cut();
    if (fault === 1) return request.refuse([500, 502, 503, 429][this.pick(4)], this.pick(2) ? { 'retry-after': '2' } : {});
    if (fault === 2) return undefined; // silence
    return request.url.includes('/recover') ? this.recover(request) : this.stream(request, fault);
  }

  recover(request) {
    const events = this.after(request.after), page = events.slice(0, 1 + this.pick(6));
    if (page.length < events.length) return request.json({ status: 'active', events: page, more: true });
    if (this.isOver) return request.json({ status: 'completed', terminalEventType: 'completed', terminalEventData: this.log.at(-1).data, events: page });
    return request.json({ status: 'active', events: page });
  }

  async stream(request, fault) {
    const from = request.cursor ?? '0-0';
    if (this.isOver && this.after(from).length === 0) return request.refuse(204);
    if (fault === 3 && this.pick(3) === 0) return (await request.open('text/html')).end();
    await request.open();
    let position = from, rest = new TextEncoder().encode(GUARD(from, 100) + (this.isOver ? '' : connected(from)));
    let left = this.calm || this.pick(20) === 0 ? Infinity : this.pick(this.pick(2) ? 300 : 2000); // bytes until the cut
    for (;;) {
      const piece = rest.subarray(0, Math.min(1 + this.pick(this.pick(2) ? 10 : 2000), left));
      if (piece.length) await request.send(piece);
      rest = rest.subarray(piece.length);
      left -= piece.length;
      if (request.aborted) return undefined;
      if (left <= 0) return this.pick(2) ? request.cut() : this.pick(4) ? request.end() : undefined; // or a black hole
      if (rest.length) continue;
      this.grow(this.pick(3));
      const events = this.after(position);
      if (!events.length && this.isOver) return request.end();
      position = events.at(-1)?.id ?? position;
      rest = new TextEncoder().encode(events.map(({ id, type, data }) => message(id, type, data)).join('') || ': heartbeat\n\n');
      await settle();
    }
  }
}

for (const transport of ['fetch', 'eventsource', 'poll']) {
  test(`${transport}: ${ROUNDS} random schedules of cuts`, async () => {
    let requests = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const seed = SEED + round, chance = chances(seed), page = new Page();
      page.clock.random = chance;
      const server = new Server(page, chance), told = [];
      const stream = openStream(() => '/s', { transport: { eventsource: eventSource, poll: 'poll' }[transport] });
      stream.on('*', (event) => told.push(event));
      for (let i = 0; i < 2000 && stream.state.status !== 'completed'; i++) {
        assert.ok(stream.state.status !== 'closed' && stream.state.status !== 'expired', `seed ${seed}: ${stream.state.status}`);
        if (stream.state.status === 'error') stream.reconnect(); // login pages in a row
        await page.clock.pass(1000);
      }
      const who = `${transport}, SEED=${seed} ROUNDS=1`;
      assert.equal(stream.state.status, 'completed', who);
      assert.deepEqual(told, server.log, who);
      assert.equal(page.open.length, 0, who);
      requests += server.asked;
    }
    assert.ok(requests > 5 * ROUNDS, `${requests} requests in ${ROUNDS} rounds: too few for a test of cuts`);
    console.log(`# ${requests} requests`);
  });
}

// Server-sent events, read as the HTML Standard says ("parsing an event stream", "interpreting"), and two clients:
// EventStream is one response, Follower does what a browser's EventSource does over any number of responses.
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { StringDecoder } from 'node:string_decoder';
import assert from 'node:assert/strict';
import { settled, until } from './wait.mjs';

export const TERMINAL = ['completed', 'failed', 'cancelled'];

/** Bytes in, blocks out: on.event({id, event, data}), on.comment(text), on.retry(ms), on.id(position after a block). */
export class SseParser {
  #decoder = new StringDecoder('utf8');
  #pending = '';
  #first = true;
  #data = [];
  #event = '';
  lastId = '';

  constructor(on) { this.on = on; }

  feed(bytes) {
    this.#pending += this.#decoder.write(bytes);
    if (this.#first && this.#pending) {
      this.#first = false;
      this.#pending = this.#pending.replace(/^\uFEFF/, '');
    }
    // A CR at the very end may be half of a CRLF: leave it for the next piece.
    const lines = this.#pending.split(/\r\n|\n|\r(?!$)/);
    this.#pending = lines.pop();
    for (const line of lines) this.#line(line);
  }

  #line(line) {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return this.on.comment?.(line.slice(1).replace(/^ /, ''));
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#event = value;
    else if (name === 'id' && !value.includes('\0')) this.lastId = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.on.retry?.(Number(value));
  }

  #dispatch() {
    this.on.id?.(this.lastId);
    if (this.#data.length) this.on.event?.({ id: this.lastId, event: this.#event || 'message', data: this.#data.join('\n') });
    this.#data = [];
    this.#event = '';
  }
}

/** One event stream, whatever carried it: feed() takes body bytes, finish() says how it ended ('end' or 'cut'). */
export class EventStream {
  events = []; comments = []; retries = [];
  raw = ''; // body bytes, one character each
  lastId = '';
  status; headers; ended; error;
  #read = 0;

  constructor({ keepRaw = true, onEvent } = {}) {
    this.parser = new SseParser({
      event: (event) => {
        try { event.json = JSON.parse(event.data); } catch { event.json = undefined; }
        this.events.push(event);
        onEvent?.(event);
      },
      comment: (text) => this.comments.push(text),
      retry: (ms) => this.retries.push(ms),
      id: (id) => { this.lastId = id; },
    });
    this.keepRaw = keepRaw;
    this.closed = new Promise((resolve) => { this.resolveClosed = resolve; });
  }

  feed(bytes) {
    if (this.keepRaw) this.raw += bytes.toString('latin1');
    this.parser.feed(bytes);
  }

  finish(how, error) {
    if (this.ended) return;
    this.ended = how;
    this.error = error;
    this.resolveClosed(how);
  }

  get heartbeats() { return this.comments.filter((text) => text === 'heartbeat').length; }
  /** JSON types of all events so far. */
  get types() { return this.events.map((event) => event.json?.type); }
  ofType(type) { return this.events.filter((event) => event.json?.type === type); }

  /** The next event not read yet; an error if the stream ends first. */
  async next({ deadline = 10000, what = 'the next event' } = {}) {
    await until(() => this.#read < this.events.length || this.ended,
      { deadline, what: () => `${what}; status ${this.status}, got ${JSON.stringify(this.types.slice(-20))}` });
    assert.ok(this.#read < this.events.length,
      `the stream ended (${this.ended}, status ${this.status}) before ${what}; got ${JSON.stringify(this.types.slice(-20))}`);
    return this.events[this.#read++];
  }

  /** Read up to the next event of this JSON type, and return it. */
  async until(type, { deadline = 10000 } = {}) {
    for (;;) {
      const event = await this.next({ deadline, what: `event ${type}` });
      if (event.json?.type === type) return event;
    }
  }

  /** Wait for the end of the response: 'end' when it was whole, 'cut' when it was not. */
  async end({ deadline = 10000 } = {}) {
    await settled(this.closed, { deadline, what: () => `the end of the stream; got ${JSON.stringify(this.types.slice(-20))}` });
    return this.ended;
  }

  async heartbeat({ deadline = 10000, more = 1 } = {}) {
    const before = this.heartbeats;
    await until(() => this.heartbeats >= before + more, { deadline, what: () => `a heartbeat comment (ended: ${this.ended})` });
  }
}

/** An event stream over HTTP/1.1, on a connection of its own. */
export class HttpStream extends EventStream {
  constructor(url, { headers = {}, ...rest } = {}) {
    super(rest);
    this.opened = new Promise((resolve) => {
      this.request = http.get(url, { agent: false, headers: { accept: 'text/event-stream', ...headers } });
      this.request.on('response', (response) => {
        Object.assign(this, { status: response.statusCode, headers: response.headers, response });
        response.on('data', (bytes) => this.feed(bytes));
        response.on('end', () => this.finish(response.complete ? 'end' : 'cut'));
        response.on('error', (error) => this.finish('cut', error));
        response.on('close', () => this.finish('cut'));
        resolve(this);
      });
      this.request.on('error', (error) => { this.finish('cut', error); resolve(this); });
      this.request.on('close', () => { this.finish('cut'); resolve(this); });
    });
  }

  /** The stream, once its status line is in. */
  async ready({ deadline = 10000, status = 200 } = {}) {
    await settled(this.opened, { deadline, what: 'the status line of a stream' });
    assert.equal(this.status, status, `status of the stream (${this.error?.message ?? this.raw.slice(0, 200)})`);
    return this;
  }

  close() { this.request.destroy(); } // FIN, as a tab that is closed
  destroy() { this.request.socket?.resetAndDestroy(); } // RST, as a host that lost its state
  pause() { this.response.pause(); }
  resume() { this.response.resume(); }
}

/**
 * A browser's EventSource: reconnects after any end of a 200, with the last id it was given, after the `retry` it was told
 * (times retryScale, so that tests do not wait for seconds); any other status ends it for good.
 * open({lastEventId, onEvent}) starts one response and returns an EventStream.
 */
export class Follower {
  events = []; connections = []; retries = [];
  lastId = ''; status; failed;
  #retry = 3000;
  #stopped = false;

  constructor(open, { retryScale = 0.02, closeOnTerminal = false } = {}) {
    Object.assign(this, { open, retryScale, closeOnTerminal });
    this.done = this.#run();
    this.done.catch((error) => { this.failed = error; });
  }

  async #run() {
    while (!this.#stopped) {
      const stream = this.open({ lastEventId: this.lastId, onEvent: (event) => this.#take(event), keepRaw: false });
      this.connections.push(stream);
      await stream.opened;
      if (stream.status !== undefined && stream.status !== 200) {
        this.status = stream.status;
        return this;
      }
      await stream.closed;
      this.lastId = stream.lastId || this.lastId;
      this.#retry = stream.retries.at(-1) ?? this.#retry;
      if (!this.#stopped) await delay(this.#retry * this.retryScale);
    }
    return this;
  }

  #take(event) {
    this.lastId = event.id || this.lastId;
    if (event.json?.type !== 'connected') this.events.push(event);
    if (this.closeOnTerminal && TERMINAL.includes(event.json?.type)) this.stop();
  }

  get terminals() { return this.events.filter((event) => TERMINAL.includes(event.json?.type)); }
  get gaps() { return this.events.filter((event) => event.json?.type === 'gap'); }
  get current() { return this.connections.at(-1); }

  stop() {
    this.#stopped = true;
    this.current?.close();
  }

  /** Wait until a browser would have given up (204 after the terminal event, or another status); returns that status. */
  async closed({ deadline = 10000 } = {}) {
    await settled(this.done, { deadline, what: () => `the end of a follower: ${this.connections.length} connections, last id ${this.lastId}, `
      + `events ${JSON.stringify(this.events.slice(-5).map((event) => event.json?.type))}` });
    return this.status;
  }
}

/** One short HTTP exchange: {status, headers, text, json}. */
export async function exchange(url, { method = 'GET', headers = {}, body, deadline = 10000 } = {}) {
  const request = http.request(url, { method, headers, agent: false });
  const answer = new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => { text += part; });
      response.on('error', reject).on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
  });
  request.end(body);
  try {
    const got = await settled(answer, { deadline, what: `an answer to ${method} ${url}` });
    try { got.json = JSON.parse(got.text); } catch { got.json = undefined; }
    return got;
  } finally {
    request.destroy();
  }
}

/**
 * One exchange without a client library in between: the path goes out as it is. from: the client's own address.
 * until: stop reading when the body matches (for a response that does not end).
 */
export async function rawExchange(port, path, { method = 'GET', headers = {}, http: version = '1.1', from, until: enough, deadline = 10000 } = {}) {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress: from });
  const lines = Object.entries({ host: 'localhost', connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${path} HTTP/${version}\r\n${lines.join('')}\r\n`);
  let all = '';
  const whole = new Promise((resolve, reject) => {
    socket.on('error', reject).on('end', resolve);
    socket.setEncoding('latin1').on('data', (part) => {
      all += part;
      if (enough?.test(all)) resolve();
    });
  });
  try {
    await settled(whole, { deadline, what: () => `the answer to ${method} ${path}; got ${JSON.stringify(all.slice(0, 200))}` });
  } finally {
    socket.destroy();
  }
  const end = all.indexOf('\r\n\r\n');
  const [first, ...rest] = all.slice(0, end).split('\r\n');
  const got = { status: Number(first.split(' ')[1]), text: all.slice(end + 4) };
  got.headers = Object.fromEntries(rest.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
  if (got.headers['transfer-encoding'] === 'chunked') got.text = got.text.replaceAll(/(^|\r\n)[0-9a-f]+\r\n/g, '').replace(/\r\n\r\n$|\r\n$/, '');
  got.text = Buffer.from(got.text, 'latin1').toString();
  try { got.json = JSON.parse(got.text); } catch { got.json = undefined; }
  return got;
}

/** One HTTP/2 connection with TLS, whose certificate nobody checks, and event streams on it. */
export class Http2Session {
  constructor(port) {
    this.session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    this.session.on('error', (error) => { this.error = error; });
  }

  /** Start reading a stream; options as in World.stream(). */
  stream(id, { lastEventId = '', headers = {}, mount = '/api/stream' } = {}) {
    const stream = new EventStream();
    const request = this.session.request({ ':path': `${mount}/${id}`, accept: 'text/event-stream', ...(lastEventId && { 'last-event-id': lastEventId }), ...headers });
    stream.opened = new Promise((resolve) => {
      request.on('response', (got) => {
        Object.assign(stream, { status: got[':status'], headers: got });
        resolve(stream);
      });
      request.on('data', (bytes) => stream.feed(bytes));
      request.on('end', () => stream.finish('end'));
      request.on('error', (error) => { stream.finish('cut', error); resolve(stream); });
      request.on('close', () => { stream.finish('cut'); resolve(stream); });
    });
    stream.ready = async ({ deadline = 10000, status = 200 } = {}) => {
      await settled(stream.opened, { deadline, what: 'the headers of an HTTP/2 stream' });
      assert.equal(stream.status, status, `status of the stream (${stream.error?.message ?? stream.raw.slice(0, 200)})`);
      return stream;
    };
    stream.close = () => request.close();
    return stream;
  }

  close() { this.session.destroy(); }
}

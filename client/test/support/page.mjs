// A page whose time, chance, network and visibility the test decides. It replaces globals: the last one made counts.
import { createParser } from '../../src/parser.js';

const real = { setTimeout, clearTimeout, setImmediate, now: Date.now, random: Math.random };

/** Let all promises that can go on do so. */
export async function settle() {
  for (let i = 0; i < 6; i++) await new Promise((resolve) => { real.setImmediate(resolve); });
}

class Clock {
  now = 1_760_000_000_000; timers = new Map(); last = 0; thrown = []; random = () => 0.5;

  install() {
    globalThis.setTimeout = (act, ms = 0) => {
      this.timers.set(++this.last, { at: this.now + Math.max(0, ms || 0), act });
      return this.last;
    };
    globalThis.clearTimeout = (timer) => this.timers.delete(timer);
    Date.now = () => this.now;
    Math.random = () => this.random();
  }

  /** Time goes on; each timer fires when it is due, and what it causes happens before the next. */
  async pass(ms) {
    const end = this.now + ms;
    await settle();
    for (;;) {
      const [id, timer] = [...this.timers].reduce((first, one) => (first && first[1].at <= one[1].at ? first : one), null) ?? [];
      if (!timer || timer.at > end) break;
      this.now = Math.max(this.now, timer.at);
      this.timers.delete(id);
      try {
        timer.act();
      } catch (error) {
        this.thrown.push(error);
      }
      await settle();
    }
    this.now = Math.max(this.now, end);
  }

  /** The machine sleeps: time goes on, nothing fires. */
  sleep(ms) { this.now += ms; }
}

/** A request that the page made, and what the server does with it. */
class Request {
  constructor(url, init) {
    Object.assign(this, { url, headers: new Headers(init.headers), init, aborted: false });
    this.answer = new Promise((resolve, reject) => { Object.assign(this, { resolve, reject }); });
    this.answer.catch(() => {});
    init.signal?.addEventListener('abort', () => {
      this.aborted = true;
      this.cut(new DOMException('aborted', 'AbortError'));
    });
  }

  get cursor() { return this.headers.get('last-event-id') ?? new URL(this.url, 'http://page').searchParams.get('lastEventId'); }
  get after() { return new URL(this.url, 'http://page').searchParams.get('after'); }

  /** Headers of an event stream; send() its bytes. */
  async open(type = 'text/event-stream') {
    const body = new ReadableStream({ start: (controller) => { this.body = controller; } });
    this.resolve(new Response(body, { status: 200, headers: { 'content-type': type } }));
    await settle();
    return this;
  }

  async send(...texts) {
    for (const text of texts) {
      if (this.isOver) return this;
      this.body.enqueue(typeof text === 'string' ? new TextEncoder().encode(text) : text);
      await settle();
    }
    return this;
  }

  async end() {
    if (!this.isOver) this.body?.close();
    this.isOver = true;
    await settle();
  }

  /** The connection breaks, before or after the headers. */
  cut(error = new TypeError('network error')) {
    if (this.isOver) return undefined;
    this.isOver = true;
    if (this.body) this.body.error(error);
    else this.reject(error);
    return settle();
  }

  async refuse(status, headers = {}) {
    this.resolve(new Response(status === 204 ? null : 'no', { status, headers }));
    this.isOver = true;
    await settle();
  }

  async json(value, status = 200) {
    this.resolve(new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json' } }));
    this.isOver = true;
    await settle();
  }
}

export class Page {
  clock = new Clock(); requests = []; window = new EventTarget(); navigator = { onLine: true, userAgent: '' }; storage = new Map();

  /** document: of a page whose time is the real one. */
  constructor(document) {
    this.document = document ?? { hidden: false };
    if (!document) this.clock.install();
    const page = this;
    globalThis.addEventListener = (...given) => this.window.addEventListener(...given);
    for (const [name, value] of Object.entries({
      document: this.document, navigator: this.navigator, fetch: (url, init) => this.request(url, init), EventSource: class extends FakeEventSource { page = page; },
      sessionStorage: { getItem: (key) => this.storage.get(key) ?? null, setItem: (key, value) => this.storage.set(key, value) },
    })) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }

  request(url, init) {
    const request = new Request(url, init);
    if (init.signal?.aborted) return Promise.reject(new DOMException('aborted', 'AbortError'));
    this.requests.push(request);
    this.onRequest?.(request);
    return request.answer;
  }

  get last() { return this.requests.at(-1); }
  get open() { return this.requests.filter((request) => !request.isOver && !request.aborted); }

  tell(type, more = {}) { this.window.dispatchEvent(Object.assign(new Event(type), more)); }
  hide(hidden) {
    this.document.hidden = hidden;
    this.tell('visibilitychange');
  }
  online(onLine) {
    this.navigator.onLine = onLine;
    this.tell(onLine ? 'online' : 'offline');
  }
}

/** As a browser's, on the page's network; it never comes back by itself, as the client makes a new one each time. */
class FakeEventSource extends EventTarget {
  readyState = 0; onopen = null; onerror = null; lastEventId = '';

  constructor(url, { withCredentials }) {
    super();
    Object.assign(this, { url, withCredentials, abort: new AbortController() });
    real.setImmediate(() => this.#run());
  }

  async #run() {
    try {
      const response = await this.page.request(this.url, { signal: this.abort.signal, headers: { accept: 'text/event-stream' } });
      if (response.status !== 200) return this.#fail(2);
      this.readyState = 1;
      this.onopen?.(new Event('open'));
      const parse = createParser(({ event, data, id }) => {
        if (id !== undefined) this.lastEventId = id;
        if (data !== undefined && this.readyState !== 2) {
          this.dispatchEvent(Object.assign(new Event(event || 'message'), { data, lastEventId: this.lastEventId }));
        }
      });
      for await (const bytes of response.body) parse(bytes);
      return this.#fail(0);
    } catch {
      return this.#fail(0);
    }
  }

  #fail(readyState) {
    if (this.readyState === 2) return;
    this.readyState = readyState;
    this.onerror?.(new Event('error'));
  }

  close() {
    this.readyState = 2;
    this.abort.abort();
  }
}

export const GUARD = (id = '0-0', retry = 2000) => `:\nevent: sse-reset\nretry: ${retry}\nid: ${id}\n\n`;
export const message = (id, type, data) => `id: ${id}\ndata: ${JSON.stringify({ type, data })}\n\n`;
export const connected = (id = '0-0') => `id: ${id}\ndata: {"type":"connected","streamId":"s"}\n\n`;

/** openStream: see index.d.ts. The handles of one page that want the same share one connection, and what came over it. */
import { createStream, isOver } from './stream.js';

const KEPT = 1000, QUEUED = 10000;
const shared = new Map();

/** [stream, its members (called with a type and what to tell), the events for those who come later, as long as they are few enough] */
function createHub(url, options, key) {
  const members = new Set(), kept = [];
  const tell = (type, argument) => [...members].forEach((member) => member(type, argument));
  const hub = [createStream(url, options, (event) => {
    if (kept.push(event) > KEPT) {
      kept.length = 0;
      shared.delete(key);
    }
    tell(event.type, event);
  }, (state) => {
    if (isOver(state)) shared.delete(key);
    tell('', state);
  }), members, kept];
  shared.set(key, hub);
  return hub;
}

export function openStream(url, options = {}) {
  const key = url.call ? {} : JSON.stringify([url, options]);
  const [stream, members, kept] = shared.get(key) || createHub(url, options, key);
  const listeners = new Set();
  let early = [...kept], closed;

  /** Whoever throws while being told does not keep the others from hearing it. */
  const call = (listener, argument) => {
    try {
      listener(argument);
    } catch (error) {
      setTimeout(() => { throw error; });
    }
  };
  const tell = (type, argument) => {
    if (early && type) early.push(argument);
    else listeners.forEach(([wanted, listener]) => (wanted === type || (type && wanted === '*')) && call(listener, argument));
  };
  const handle = {
    get state() { return closed || stream.state; },
    get done() { return new Promise((resolve) => handle.subscribe((state) => isOver(state) && resolve(state))); },
    on(type, listener) {
      const item = [type, listener];
      listeners.add(item);
      return () => { listeners.delete(item); };
    },
    subscribe(observer) {
      call(observer, handle.state);
      return handle.on('', observer);
    },
    reconnect: () => closed || stream.reconnect(),
    close() {
      if (closed) return;
      closed = isOver(stream.state) ? stream.state : { ...stream.state, status: 'closed', nextRetryAt: null };
      members.delete(tell);
      if (!members.size) stream.close();
      tell('', closed);
      listeners.clear();
    },
    async *[Symbol.asyncIterator]() {
      const queue = [];
      let wake = () => {}, isFull;
      handle.on('*', (event) => wake(isFull = isFull || queue.push(event) > QUEUED));
      handle.subscribe(() => wake());
      try {
        while (queue.length || !isOver(handle.state)) {
          if (isFull) throw new Error('too slow');
          if (queue.length) yield queue.shift();
          else await new Promise((resolve) => { wake = resolve; });
        }
      } finally {
        handle.close();
      }
    },
  };

  members.add(tell);
  const { signal } = options;
  if (signal) signal.aborted ? handle.close() : signal.addEventListener('abort', handle.close);
  Promise.resolve().then(() => { // its listeners are there by now
    const missed = early;
    early = null;
    missed.forEach((event) => tell(event.type, event));
  });
  return handle;
}

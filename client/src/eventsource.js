/** For pages whose fetch cannot stream: the same openStream, which then listens by EventSource. See eventsource.d.ts. */
import { openStream as open } from './index.js';
import { query } from './transports.js';

/**
 * A transport. Each time with a new object: what an engine keeps of a torn event goes with the old one. Comments are not heard, so
 * only four times the silence counts. What EventSource gives up at it does not say: 404 asks recover for it.
 */
export const eventSource = ({ EventSource = globalThis.EventSource, credentials, types = [] }, signal, url, cursor, onBytes, onBlock) => new Promise((resolve) => {
  const source = new EventSource(query(url, 'lastEventId', cursor), { withCredentials: credentials === 'include' });
  let last;
  signal.addEventListener('abort', () => source.close());
  source.onopen = onBytes;
  source.onerror = () => resolve(source.readyState === 2 ? { code: 'closed', status: 404 } : { code: 'end' });
  ['message', 'completed', 'failed', 'cancelled', 'gap', 'orphaned', ...types].forEach((type) => source.addEventListener(type, ({ data, lastEventId }) => {
    onBytes();
    onBlock({ event: type, data, id: lastEventId !== last && lastEventId }); // the same one: an event without its own
    last = lastEventId;
  }));
});
eventSource.patience = 4;

const canStream = () => globalThis.fetch && globalThis.ReadableStream;

export const openStream = (url, options) => open(url, canStream() ? options : { transport: globalThis.EventSource ? eventSource : 'poll', ...options });

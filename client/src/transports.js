/**
 * Ways to ask a server, each for the events after the id `cursor`. `options`: see index.d.ts.
 *
 * hear resolves when the response has ended, with {code, status?, after?}: `end`, `http` (status says which; `after` are the ms of
 * Retry-After in seconds, else 0 or NaN) or `format` (no event stream, or an endless event). Both reject as fetch does.
 */
import { createParser } from './parser.js';

export const query = (url, name, value) => (value ? `${url + (url.includes('?') ? '&' : '?') + name}=${encodeURIComponent(value)}` : url);

/** An option, or what it returns when it is a function. */
export const valueOf = (option, about) => (option && option.call ? option(about) : option);

const get = async ({ fetch: request = fetch, headers, credentials }, signal, url, more) => request(url, {
  headers: { ...await valueOf(headers), ...more }, credentials, signal, cache: 'no-store',
});

const refusal = ({ status, headers }) => ({ code: 'http', status, after: headers.get('retry-after') * 1000 });

/** A header would make another origin's server answer a preflight: to an absolute URL the cursor goes in the query. */
export async function hear(options, signal, url, cursor, onBytes, onBlock) {
  const isOwn = cursor && !url.includes('//');
  const response = await get(options, signal, isOwn ? url : query(url, 'lastEventId', cursor), { accept: 'text/event-stream', ...(isOwn && { 'last-event-id': cursor }) });
  if (response.status !== 200) return refusal(response);
  const parse = createParser((block) => signal.aborted || onBlock(block)), reader = response.body.getReader();
  let isFit = /event-stream/.test(response.headers.get('content-type'));
  while (isFit) {
    const { done, value } = await reader.read();
    if (done || signal.aborted) return { code: 'end' };
    onBytes();
    isFit = parse(value);
  }
  return { code: 'format' };
}

/** What became of the stream, with the events after the cursor: the server's JSON, {} if it is none; or a refusal. */
export async function recover(options, signal, url, cursor) {
  const target = options.recoverUrl || url.replace(/\/?(\?|$)/, '/recover$1');
  const response = await get(options, signal, query(target, 'after', cursor || '0-0'));
  return [200, 404, 410].includes(response.status) ? response.json().catch(() => ({})) : refusal(response);
}

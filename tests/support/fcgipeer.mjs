// The web server's side of FastCGI 1.0 on a unix socket: for crowds that need no web server, and for peers that misbehave.
import net from 'node:net';
import { EventStream } from './sse.mjs';
import { settled } from './wait.mjs';

export const BEGIN = 1, ABORT = 2, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, STDERR = 7;
const CONTENT_MAX = 65535;

/** One record. `length` lies about the content's length; `version` about the version. */
export function record(type, content = Buffer.alloc(0), { id = 1, version = 1, padding = 0, length = content.length } = {}) {
  const head = Buffer.from([version, type, id >> 8, id & 255, length >> 8, length & 255, padding, 0]);
  return Buffer.concat([head, content, Buffer.alloc(padding)]);
}

export const begin = ({ keep = false, id = 1, role = 1 } = {}) => record(BEGIN, Buffer.from([0, role, keep ? 1 : 0, 0, 0, 0, 0, 0]), { id });

function lengthBytes(length) {
  if (length < 128) return Buffer.from([length]);
  const four = Buffer.alloc(4);
  four.writeUInt32BE((length | 0x80000000) >>> 0);
  return four;
}

/** Name-value pairs as PARAMS content. */
export const pairs = (params) => Buffer.concat(Object.entries(params).flatMap(([name, value]) => {
  const [n, v] = [Buffer.from(name), Buffer.from(String(value))];
  return [lengthBytes(n.length), lengthBytes(v.length), n, v];
}));

/** Content of any length as records of one type, with the empty one that ends it. */
export function streamOf(type, content, options) {
  const parts = [];
  for (let at = 0; at < content.length; at += CONTENT_MAX) parts.push(record(type, content.subarray(at, at + CONTENT_MAX), options));
  return Buffer.concat([...parts, record(type, undefined, options)]);
}

/** What lighttpd would send for a request. `params` adds or (with undefined) takes away. */
export function paramsOf({ method = 'GET', path = '/api/stream/x', mount = '/api/stream', query = '', user = 'u1', headers = {}, params = {} } = {}) {
  const all = {
    GATEWAY_INTERFACE: 'CGI/1.1', SERVER_PROTOCOL: 'HTTP/1.1', SERVER_SOFTWARE: 'peer', REMOTE_ADDR: '127.0.0.1', REMOTE_PORT: '4242',
    SERVER_ADDR: '127.0.0.1', SERVER_PORT: '80', SERVER_NAME: 'localhost', REQUEST_METHOD: method, CONTENT_LENGTH: '0',
    SCRIPT_NAME: path.startsWith(mount) ? mount : path, PATH_INFO: path.startsWith(mount) ? path.slice(mount.length) : '',
    QUERY_STRING: query, REQUEST_URI: path + (query && `?${query}`), DOCUMENT_ROOT: '/nowhere',
    ...(user && { HTTP_X_USER_ID: user }),
    ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [`HTTP_${name.toUpperCase().replaceAll('-', '_')}`, value])),
    ...params,
  };
  return Object.fromEntries(Object.entries(all).filter(([name, value]) => value !== undefined && (value !== '' || name === 'QUERY_STRING')));
}

export const requestBytes = (what = {}) =>
  Buffer.concat([begin(what), streamOf(PARAMS, pairs(paramsOf(what))), streamOf(STDIN, Buffer.from(what.body ?? ''))]);

/** One connection to the responder. What comes back is read as records, a CGI response, and its body as an event stream. */
export class Peer extends EventStream {
  stderr = ''; endRequest; bytes = 0;
  #records = Buffer.alloc(0);
  #head = Buffer.alloc(0);

  constructor(socketPath, options) {
    super(options);
    this.socket = net.connect(socketPath);
    this.connected = new Promise((resolve) => { this.socket.once('connect', resolve); });
    this.headed = new Promise((resolve) => { this.resolveHeaded = resolve; });
    this.gone = new Promise((resolve) => { this.socket.once('close', resolve); });
    this.socket.on('error', (error) => { this.error = error; });
    this.socket.on('data', (bytes) => this.#take(bytes));
    this.socket.on('close', () => { this.resolveHeaded(); this.finish(this.endRequest ? 'end' : 'cut'); });
  }

  /** Ask for something, as a web server would. */
  static request(socketPath, what, options) {
    const peer = new Peer(socketPath, options);
    peer.send(requestBytes(what));
    return peer;
  }

  send(bytes) { this.socket.write(bytes); return this; }
  abort() { return this.send(record(ABORT)); }
  close() { this.socket.destroy(); }
  pause() { this.socket.pause(); return this; }
  resume() { this.socket.resume(); return this; }

  #take(bytes) {
    this.bytes += bytes.length;
    this.#records = this.#records.length ? Buffer.concat([this.#records, bytes]) : bytes;
    let at = 0;
    while (this.#records.length - at >= 8) {
      const length = this.#records.readUInt16BE(at + 4);
      const whole = 8 + length + this.#records[at + 6];
      if (this.#records.length - at < whole) break;
      this.#record(this.#records[at + 1], this.#records.subarray(at + 8, at + 8 + length));
      at += whole;
    }
    this.#records = Buffer.from(this.#records.subarray(at));
  }

  #record(type, content) {
    if (type === STDERR) this.stderr += content.toString();
    else if (type === STDOUT && content.length) this.#stdout(content);
    else if (type === END) {
      this.endRequest = { appStatus: content.readUInt32BE(0), protocolStatus: content[4] };
      this.resolveHeaded();
      this.finish('end');
    }
  }

  #stdout(content) {
    if (this.headers) return this.feed(content);
    this.#head = Buffer.concat([this.#head, content]);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const lines = this.#head.subarray(0, end).toString('latin1').split('\r\n');
    this.headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
    this.status = Number((this.headers.status ?? '200').slice(0, 3));
    this.resolveHeaded();
    const rest = this.#head.subarray(end + 4);
    this.#head = undefined;
    return rest.length ? this.feed(rest) : undefined;
  }

  /** Wait for the CGI header block (or for the end of the connection: then status stays undefined). */
  async answered({ deadline = 10000 } = {}) {
    await settled(this.headed, { deadline, what: 'the CGI headers from the responder' });
    return this;
  }

  /** Wait for the responder to close the connection. */
  async dropped({ deadline = 10000 } = {}) {
    await settled(this.gone, { deadline, what: 'the responder to close the connection' });
    return this;
  }
}

/** One short exchange: {status, headers, text, json}. */
export async function ask(socketPath, what, { deadline = 10000 } = {}) {
  const peer = Peer.request(socketPath, what);
  try {
    await settled(Promise.race([peer.closed, peer.gone]), { deadline, what: `an answer to ${what.method ?? 'GET'} ${what.path}` });
  } finally {
    peer.close();
  }
  const text = Buffer.from(peer.raw, 'latin1').toString();
  let json;
  try { json = JSON.parse(text); } catch { json = undefined; }
  return { status: peer.status, headers: peer.headers, text, json, ended: peer.ended };
}

// A responder that answers with what a web server sent it: parameters and body as JSON. For what sse-fcgi would not show.
import net from 'node:net';
import { BEGIN, END, PARAMS, STDIN, STDOUT, record, streamOf } from './fcgipeer.mjs';

/** Name-value pairs of a whole PARAMS stream, as [name, value] in the order they came. */
function pairsOf(bytes) {
  const pairs = [];
  let at = 0;
  const length = () => {
    if (bytes[at] < 128) return bytes[at++];
    at += 4;
    return bytes.readUInt32BE(at - 4) & 0x7fffffff;
  };
  while (at < bytes.length) {
    const [n, v] = [length(), length()];
    pairs.push([bytes.toString('utf8', at, at + n), bytes.toString('utf8', at + n, at + n + v)]);
    at += n + v;
  }
  return pairs;
}

/** Listens on a unix socket. `rude`: closes every connection as soon as a request is whole, without a word. */
export class Echo {
  rude = false;
  requests = 0;

  constructor(socket) {
    this.server = net.createServer((connection) => this.#serve(connection)).unref(); // a test that failed need not close it
    this.listening = new Promise((resolve) => { this.server.listen(socket, resolve); });
  }

  #serve(connection) {
    let pending = Buffer.alloc(0);
    const streams = { [PARAMS]: [], [STDIN]: [] };
    let id = 1;
    connection.unref().on('error', () => {});
    connection.on('data', (bytes) => {
      pending = Buffer.concat([pending, bytes]);
      while (pending.length >= 8) {
        const [type, length] = [pending[1], pending.readUInt16BE(4)];
        const whole = 8 + length + pending[6];
        if (pending.length < whole) return;
        const content = pending.subarray(8, 8 + length);
        if (type === BEGIN) id = pending.readUInt16BE(2);
        else streams[type]?.push(content);
        pending = pending.subarray(whole);
        if (type === STDIN && length === 0) this.#answer(connection, id, pairsOf(Buffer.concat(streams[PARAMS])), Buffer.concat(streams[STDIN]).toString());
      }
    });
  }

  #answer(connection, id, pairs, body) {
    this.requests++;
    if (this.rude) return connection.destroy();
    const names = pairs.map(([name]) => name);
    const twice = names.filter((name, i) => names.indexOf(name) !== i);
    const text = `Status: 200 OK\r\nContent-Type: application/json\r\n\r\n${JSON.stringify({ params: Object.fromEntries(pairs), twice, body })}`;
    return connection.end(Buffer.concat([streamOf(STDOUT, Buffer.from(text), { id }), record(END, Buffer.alloc(8), { id })]));
  }
}

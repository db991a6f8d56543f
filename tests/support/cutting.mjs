// A relay in front of a server that cuts each connection after a random number of bytes of answers.
import net from 'node:net';
import { once } from 'node:events';

/** target: what net.connect() takes. Connections break with a reset, `from` to `to` bytes after their beginning, or never while `relay.whole` is set. */
export async function cutting(target, { from, to, chance = Math.random }) {
  const sockets = new Set();
  const server = net.createServer((client) => {
    const upstream = net.connect(target);
    let left = from + Math.floor(chance() * (to - from));
    const drop = () => { client.destroy(); upstream.destroy(); };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', drop).on('close', () => { sockets.delete(socket); drop(); });
    }
    client.pipe(upstream);
    upstream.on('data', (bytes) => {
      if (relay.whole || bytes.length < left) {
        left -= bytes.length;
        client.write(bytes);
        return;
      }
      relay.cuts++;
      client.write(bytes.subarray(0, left), () => { client.resetAndDestroy(); upstream.destroy(); });
      upstream.removeAllListeners('data').pause();
    });
    upstream.on('end', () => client.end());
  });
  const relay = {
    cuts: 0, whole: false,
    get port() { return server.address().port; },
    kill() { sockets.forEach((socket) => socket.destroy()); server.close(); },
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return relay;
}

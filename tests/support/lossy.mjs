// A relay in front of a server that loses every third answer: what was asked is done, but who asked never hears of it.
import net from 'node:net';
import { once } from 'node:events';

/** listen, target: what net.Server.listen() and net.connect() take. For protocols in which each request has one answer. */
export async function lossy(listen, target) {
  const sockets = new Set();
  let asked = 0;
  const server = net.createServer((client) => {
    const upstream = net.connect(target);
    let waiting = false;
    const cut = () => { client.destroy(); upstream.destroy(); };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', cut).on('close', () => { sockets.delete(socket); cut(); });
    }
    client.on('data', (bytes) => {
      if (!waiting) asked++;
      waiting = true;
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (waiting && asked % 3 === 0) {
        relay.lost++;
        cut();
        return;
      }
      waiting = false;
      client.write(bytes);
    });
    upstream.on('end', () => client.end());
  });
  const relay = {
    lost: 0,
    get port() { return server.address().port; },
    close() { sockets.forEach((socket) => socket.destroy()); server.close(); },
  };
  server.listen(listen);
  await once(server, 'listening');
  return relay;
}

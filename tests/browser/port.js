/** A port for a program that has to be told which: free for UDP and TCP on the loopback a moment ago. */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

export async function freePort() {
  const tcp = createServer();
  await once(tcp.listen(0, '127.0.0.1'), 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (tcp.address());
  const udp = createSocket('udp4');
  await once(udp.bind(port, '127.0.0.1'), 'listening');
  udp.close();
  tcp.close();
  return port;
}

/**
 * A STUN client as a process of its own, because a network namespace holds processes: `node binding.js ADDRESS PORT`.
 * Asks until it is answered, and prints what it was answered from.
 */

import { createSocket } from 'node:dgram';

const [address = '', port] = process.argv.slice(2);
const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
/** A Binding request without attributes (RFC 8489, 5). */
const request = Buffer.from('000100002112a442000102030405060708090a0b', 'hex');
const asking = setInterval(() => socket.send(request, Number(port), address), 200);
// As long as nothing listens there, the network may say so.
socket.on('error', () => {});
socket.once('message', (_, from) => {
  clearInterval(asking);
  console.log(`${from.address} ${from.port}`);
  socket.close();
});

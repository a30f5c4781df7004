/** A port for a program that has to be told which: free for UDP and TCP on the loopback a moment ago. */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that the system gives away by itself, so that no other program is given it meanwhile. */
const PORTS = { first: 20_000, count: 12_000 };

/** None is given twice: who asked for it may not listen yet. @type {Set<number>} */
const given = new Set();

/** @param {number} [wish] which is taken if it is free @returns {Promise<number>} */
export async function freePort(wish = PORTS.first + Math.floor(Math.random() * PORTS.count)) {
  if (given.has(wish)) return freePort();
  given.add(wish);
  return (await isFree(wish)) ? wish : freePort();
}

/** @param {number} port */
async function isFree(port) {
  const [tcp, udp] = [createServer(), createSocket('udp4')];
  try {
    await once(tcp.listen(port, '127.0.0.1'), 'listening');
    await once(udp.bind(port, '127.0.0.1'), 'listening');
    return true;
  } catch {
    return false;
  } finally {
    tcp.close();
    udp.close();
  }
}

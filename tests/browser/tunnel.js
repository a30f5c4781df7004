/** A way to a port of the loopback elsewhere, as in a network namespace: through a command that runs programs there. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

import { freePort } from './port.js';

/** What it runs there for each connection: its input goes to the port, and what comes from there is its output. */
const CARRY = 'exec 3<>"/dev/tcp/127.0.0.1/$0" && { cat <&3 & cat >&3; }';

/** @param {string[]} through @returns {Promise<number>} a port here that leads to the same port there, as long as this process lives */
export async function tunnel([command = '', ...words]) {
  const port = await freePort();
  const listener = createServer((socket) => {
    const { stdin, stdout } = spawn(command, [...words, 'bash', '-c', CARRY, `${port}`], { stdio: ['pipe', 'pipe', 'ignore'] });
    socket.pipe(stdin);
    stdout.pipe(socket);
    // Either end may go first.
    for (const stream of [socket, stdin]) stream.on('error', () => socket.destroy());
  });
  await once(listener.listen(port, '127.0.0.1'), 'listening');
  listener.unref();
  return port;
}

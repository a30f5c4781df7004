/** `make cluster`: three nodes and three NATS servers on the loopback, until Ctrl-C. The arguments are flags of each node. */

import { fileURLToPath } from 'node:url';

import { freePort } from '../browser/port.js';
import { Cluster } from './cluster.js';

const NAMES = ['a', 'b', 'c'];
const PORTS = [8443, 8444, 8445];

/** In sessions of their own, so that Ctrl-C ends this process alone, which then ends them in order. */
const THROUGH = ['setsid'];

/** Each node has a relay of its own, and relays must reach each other. */
const flags = async () => [
  '--stun-port', `${await freePort()}`, '--turn-listen', '127.0.0.1', '--turn-relay-address', '127.0.0.1',
  '--turn', '--turn-allow-peer', '127.0.0.0/8', '--turn-allow-peer', '::1', ...process.argv.slice(2),
];

/** @param {string} text */
const say = (text) => void process.stdout.write(`${text}\n`);

/** By a signal; a second one does not wait: what still runs is killed at `exit`. @type {Promise<void>} */
const interrupted = new Promise((interrupt) => {
  let count = 0;
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => (count++ === 0 ? interrupt() : process.exit(130)));
  }
});

/** Resolves with the name of the first process that ends. @param {Cluster} cluster */
function firstEnd({ nats, nodes }) {
  const servers = nats.servers.map(({ name, ended }) => ended.then(() => `the NATS server ${name}`));
  return Promise.race([...servers, ...nodes.map(({ ended }, index) => ended.then(() => `node ${NAMES[index]}`))]);
}

async function start() {
  say('starting three NATS servers and three nodes …');
  return Cluster.start({
    names: NAMES,
    // One after the other: of two that ask for the same one at once, both could find it free.
    ports: [await freePort(PORTS[0]), await freePort(PORTS[1]), await freePort(PORTS[2])],
    flags,
    // As with make run: a browser that has been told to trust the certificate need not be told again.
    folder: fileURLToPath(new URL('../..', import.meta.url)),
    through: THROUGH,
    hear: (name, line) => void process.stderr.write(`${name} ${line}\n`),
  });
}

/** Until told to end, or until one of the processes does. @param {Cluster} cluster */
async function run(cluster) {
  say('Call from the page of one node to that of another; Ctrl-C ends all.');
  cluster.nodes.forEach(({ url }, index) => say(`  node ${NAMES[index]}: ${url}`));
  say(`  NATS: ${cluster.nats.urls}`);
  const name = await Promise.race([firstEnd(cluster), interrupted]);
  if (name === undefined) return cluster.close();
  say(`${name} has ended: all others are ended too`);
  process.exitCode = 1;
  return cluster.kill();
}

try {
  const cluster = await Promise.race([start(), interrupted]);
  if (!cluster) process.exit(130);
  await run(cluster);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}

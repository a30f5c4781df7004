/**
 * What a relay of entremise costs, and one of coturn: `make bench-turn`.
 *
 * CPU: 200 clients (turnutils_uclient) send packets on channels over UDP through the server to an echo and get them
 * back, 50 a second each. The figure is the CPU time of the server's process (user and system) from when all clients have
 * their channels until the last has left, divided by the packets in and out at the relay. Runs alternate, each with a
 * server of its own. Memory: the growth of a server's resident memory with 1,000 relays that have a channel and almost no
 * traffic.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';

import { Coturn } from '../browser/coturn.js';
import { until } from '../browser/deadline.js';
import { mint, startClients } from './client.js';
import { Site } from './site.js';
import { Echo } from './tool.js';

/** @typedef {import('./client.js').Address} Address */
/** @typedef {{ pid: number, turn: Address, peer: Address, secret: string, close: () => Promise<void> }} Relay */

const CLIENTS = 200;
const MESSAGES = 500;
const ALLOCATIONS = 1000;
const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** @type {Record<string, () => Promise<Relay>>} */
const RELAYS = {
  entremise: async () => {
    const site = await Site.start('127.0.0.1');
    return { pid: known(site.pid), turn: site.turn, peer: site.peer, secret: site.secret, close: () => site.close() };
  },
  coturn: async () => {
    const [coturn, echo] = [await Coturn.start(), await Echo.start('127.0.0.1')];
    const secret = readFileSync(coturn.secretFile, 'utf8');
    const close = () => Promise.all([echo.close(), coturn.close()]).then(() => {});
    return { pid: known(coturn.pid), turn: { ip: '127.0.0.1', port: coturn.port }, peer: { ip: '127.0.0.1', port: echo.port }, secret, close };
  },
};

/** @param {Relay} relay */
async function cpu({ pid, turn, peer, secret }) {
  const clients = await startClients(turn, peer, mint(secret), { clients: CLIENTS, messages: MESSAGES });
  await until(60, 'all clients to be connected', () => clients.log.slice(-500), async () => /Total connect time/.test(clients.log));
  const before = ticks(pid);
  await clients.end();
  const used = ticks(pid) - before;
  const [, sent, received] = /tot_send_bytes ~ (\d+), tot_recv_bytes ~ (\d+)\n(?!.*tot_send_bytes)/s.exec(clients.log)?.map(Number) ?? [];
  if (!sent || !received) throw new Error(`the clients sent nothing: ${clients.log.slice(-500)}`);
  const packets = (sent + received) / 200;
  return { microseconds: (used / TICKS_PER_SECOND) * 1e6 / packets, packets, lost: 1 - received / sent };
}

/** @param {Relay} relay */
async function memory({ pid, turn, peer, secret }) {
  const user = mint(secret);
  // The first relay allocates what all share.
  const first = await startClients(turn, peer, user, { messages: 1 });
  await first.end();
  const before = residentKib(pid);
  // Each group has an address of its own, because clients of one address may share a port.
  const groups = await Promise.all(Array.from({ length: ALLOCATIONS / CLIENTS }, (_, group) =>
    startClients(turn, peer, user, { clients: CLIENTS, messages: 100_000, flags: ['-z', '1000', '-L', `127.0.1.${group + 1}`] })));
  try {
    await until(120, 'all clients to be connected', () => groups.map(({ log }) => log.slice(-200)).join(), async () =>
      groups.every(({ log }) => /Total connect time/.test(log)));
    return (residentKib(pid) - before) / ALLOCATIONS;
  } finally {
    await Promise.all(groups.map((group) => group.stop()));
  }
}

/** User and system time, of the process with all its threads. @param {number} pid */
function ticks(pid) {
  // The second field, the name, may have spaces in it.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** @param {number} pid */
function residentKib(pid) {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** @param {number | undefined} pid */
function known(pid) {
  if (!pid) throw new Error('the server does not run');
  return pid;
}

/** @param {number[]} numbers */
function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
}

/** @template T @param {string} name @param {(relay: Relay) => Promise<T>} measure */
async function measured(name, measure) {
  const relay = await RELAYS[name]?.();
  if (!relay) throw new Error(`no ${name}`);
  try {
    return await measure(relay);
  } finally {
    await relay.close();
  }
}

// Ends the processes that still run.
process.once('SIGINT', () => process.exit(130));

/**
 * @template T
 * @param {string} what
 * @param {number} runs
 * @param {(relay: Relay) => Promise<T>} measure
 * @param {(result: T) => number} number
 * @param {(result: T) => string} describe
 */
async function compare(what, runs, measure, number, describe) {
  /** @type {Record<string, number[]>} */
  const numbers = {};
  for (let run = 1; run <= runs; run++) {
    for (const name of Object.keys(RELAYS)) {
      const load = (loadavg()[0] ?? NaN).toFixed(1);
      const result = await measured(name, measure);
      (numbers[name] ??= []).push(number(result));
      console.log(`${name}: ${describe(result)} (load before: ${load})`);
    }
  }
  const [ours, theirs] = [median(numbers['entremise'] ?? []), median(numbers['coturn'] ?? [])];
  console.log(`${what}, medians of ${runs}: ${ours.toFixed(1)}, coturn ${theirs.toFixed(1)}, ratio ${(ours / theirs).toFixed(2)}\n`);
}

// An argument names the only measurement to run.
const wanted = process.argv[2];
if (!wanted || wanted === 'cpu') {
  await compare('µs a packet', 3, cpu, ({ microseconds }) => microseconds, ({ microseconds, packets, lost }) =>
    `${microseconds.toFixed(1)} µs a packet, ${packets} packets, ${(lost * 100).toFixed(2)} % lost`);
}
if (!wanted || wanted === 'memory') {
  // A single run: the tool leaves sockets open, and the clients of a second run would need their ports.
  await compare('KiB a relay', 1, memory, (kib) => kib, (kib) => `${kib.toFixed(1)} KiB a relay`);
}

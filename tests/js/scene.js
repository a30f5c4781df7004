/** Lines for tests, and calls between two of them. */

/** @import { Call } from '../../static/js/call.js' */
import assert from 'node:assert/strict';
import { Line } from '../../static/js/line.js';
import { FakeCallWorld, FakeSignaling } from './peers.js';

/** Two lines, `a` (which is polite, its id being smaller) and `b`. @param {RTCIceTransportPolicy} [policy] */
export function twoPeers(policy) {
  const signaling = new FakeSignaling();
  return { signaling, a: peer(signaling, 'a', policy), b: peer(signaling, 'b', policy) };
}

/** @param {FakeSignaling} signaling @param {string} id @param {RTCIceTransportPolicy} [iceTransportPolicy] */
export function peer(signaling, id, iceTransportPolicy = 'all') {
  const world = new FakeCallWorld();
  const endpoint = signaling.endpoint(id);
  const line = new Line(endpoint, { world, iceTransportPolicy });
  /** @type {string[]} */
  const story = [];
  line.on('incoming', ({ call }) => story.push(`${call.peer} rings`));
  line.on('call', ({ call }) => call.on('state', ({ state, reason }) => story.push(reason ? `${state} ${reason}` : state)));
  return { world, endpoint, line, story };
}

/** @param {{ line: Line }} peer @returns {Call} */
export function current({ line }) {
  assert.ok(line.current);
  return line.current;
}

/** A call from a to b that b has accepted. */
export async function inCall() {
  const peers = twoPeers();
  peers.a.line.call('b', null);
  await peers.signaling.deliver();
  void current(peers.b).accept(null);
  await peers.signaling.deliver();
  return peers;
}

/** As `inCall`, with media flowing. */
export async function connected() {
  const peers = await inCall();
  for (const { world } of [peers.a, peers.b]) world.connection.become('connected');
  return peers;
}

/** What `getStats` tells of a path. @param {number} responsesReceived */
export function packets(responsesReceived) {
  return new Map(Object.entries({ p: { id: 'p', type: 'candidate-pair', bytesReceived: 1000, responsesReceived } }));
}

/** Its path fails, and it has had its turn to seek another. @param {{ world: FakeCallWorld }} peer */
export async function fail({ world }) {
  world.connection.become('failed');
  await world.pass(3);
}

/** @param {{ world: FakeCallWorld }} peer */
export function channelOf({ world }) {
  const [channel] = world.connection.channels;
  assert.ok(channel);
  return channel;
}

/** NATS servers of a cluster that fail, one after the other, under nodes of ours. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { Cluster } from './cluster.js';
import { Peer, together, words } from './peer.js';

/** A node finds out in 3 s that its server carries nothing, and may try one or two others in vain, 2 s each. In seconds. */
const BACK = 10;

/** @type {Cluster} */
let cluster;
/** @type {Peer[]} */
let peers;

/** @param {string} when */
async function talk(when) {
  for (const [number, from] of peers.entries()) {
    for (const to of peers.filter((other) => other !== from)) {
      const message = `${when}, ${number} to ${peers.indexOf(to)}`;
      assert.equal((await from.say(to, message)).type, 'ack', message);
      await to.hears(message);
    }
  }
}

describe('nodes whose NATS servers fail', () => {
  before(async () => {
    cluster = await Cluster.start();
    peers = cluster.nodes.map(({ url, certificate }) => {
      const [command = '', ...rest] = words(`${url.replace('https', 'wss')}ws`, 'lobby');
      return new Peer(spawn(command, rest, { env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate } }));
    });
    await together(peers, BACK);
  });
  after(async () => {
    peers?.forEach((peer) => peer.leave());
    await cluster?.close();
  });

  /** Each node may be connected to any of them. @type {[number: number, how: 'killed' | 'suspended'][]} */
  const failures = [[0, 'suspended'], [1, 'suspended'], [2, 'suspended'], [0, 'killed']];
  for (const [number, how] of failures) {
    test(`number ${number + 1} is ${how}, and comes back`, async () => {
      const server = cluster.nats.servers[number];
      assert.ok(server);
      if (how === 'killed') await server.kill();
      else server.suspend();
      // The node that was connected to it is given up by the others until it has found another one.
      await delay(4000);
      await together(peers, BACK);
      await talk(`${how} ${number}`);
      if (how === 'killed') await server.start();
      else server.continue();
      await cluster.nats.joined();
      await together(peers, BACK);
      await talk(`${how} ${number}, back`);
    });
  }

  test('all are killed, and come back after 30 seconds', async () => {
    await cluster.nats.kill();
    await Promise.all(peers.map((peer) => peer.isWith(BACK)));
    const [one, other] = peers;
    assert.ok(one && other);
    assert.equal((await one.say(other, 'without NATS')).code, 'cluster-unavailable');
    assert.equal((await one.say(one, 'to itself')).type, 'ack', 'what needs no other node goes on');
    await delay(30_000);
    await cluster.nats.start();
    await together(peers, BACK);
    await talk('after 30 seconds');
    assert.ok(!other.frames.some(({ message }) => message === 'without NATS'), 'what was refused does not come later');
  });
});

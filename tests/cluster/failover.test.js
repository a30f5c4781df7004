/** NATS servers of a cluster that fail, one after the other, under nodes of ours. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';

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

  for (const how of /** @type {const} */ (['killed', 'suspended'])) {
    for (const number of [0, 1, 2]) {
      test(`number ${number + 1} is ${how}, and comes back`, async () => {
        const server = cluster.nats.servers[number];
        assert.ok(server);
        if (how === 'killed') await server.kill();
        else server.suspend();
        // The node that was connected to it is given up by the others until it has found another one.
        await new Promise((resolve) => setTimeout(resolve, 4000));
        await together(peers, BACK);
        await talk(`${how} ${number}`);
        if (how === 'killed') await server.start();
        else server.continue();
        await cluster.nats.joined();
        await together(peers, BACK);
        await talk(`${how} ${number}, back`);
      });
    }
  }
});

/** What the tests of a file share: one server, and its browsers. Each test has pages of its own. */

/** @import { Kind } from './browsers.js' */
import { after, before } from 'node:test';

import { closeBrowsers, launch } from './browsers.js';
import { Peer } from './peer.js';
import { Server } from './server.js';

/** @type {Server} */
export let server;

// An interrupted run asks its files to end. The server is killed at `exit`.
process.once('SIGTERM', () => void closeBrowsers().finally(() => process.exit(1)));

before(async () => void (server = await Server.start()));
after(async () => {
  await closeBrowsers();
  await server?.close();
});

/**
 * A test's body: opens a page in each of these browsers, lets them play, and then none may have complained.
 *
 * @param {Kind[]} kinds
 * @param {(...peers: Peer[]) => Promise<void>} play
 */
export function scene(kinds, play) {
  return async () => {
    /** @type {Peer[]} */
    const peers = [];
    try {
      for (const [index, kind] of kinds.entries()) {
        const name = `${['Alice', 'Bob', 'Carol'][index]} (${kind})`;
        peers.push(await Peer.open(await launch(kind), name, server.url));
      }
      await play(...peers);
      for (const peer of peers) peer.assertNoComplaint();
    } finally {
      await Promise.all(peers.map((peer) => peer.close()));
    }
  };
}

/** @param {Peer[]} peers @param {(peer: Peer) => Promise<unknown>} act at the same time */
export async function all(peers, act) {
  await Promise.all(peers.map(act));
}

/** @param {Peer} caller @param {Peer} callee */
export async function connect(caller, callee) {
  await caller.call(await callee.id());
  await caller.reaches('calling');
  await callee.accept();
  await all([caller, callee], (peer) => peer.reaches('in-call'));
}

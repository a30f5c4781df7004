/** What tests share: a server, and its browsers. Each test has pages of its own. */

/** @import { Kind } from './browsers.js' */
/** @import { Place } from './server.js' */
import { after, before } from 'node:test';

import { closeBrowsers, launch } from './browsers.js';
import { Peer } from './peer.js';
import { Server } from './server.js';

/** @type {Server} */
export let server;

// An interrupted run asks its files to end. The server is killed at `exit`.
process.once('SIGTERM', () => void closeBrowsers().finally(() => process.exit(1)));
// At the end of the file, not of each describe(): Firefox needs three seconds to start.
after(closeBrowsers);

/**
 * Runs a server for the tests of the file, or of the describe() around.
 *
 * @param {() => string[] | Promise<string[]>} [flags] asked for when the tests begin
 * @param {Place} [place]
 */
export function serve(flags = () => ['--stun-port', '0'], place = {}) {
  before(async () => void (server = await Server.start(await flags(), '127.0.0.1', place)));
  after(() => server?.close());
}

/**
 * A test's body: opens a page in each of these browsers, lets them play, and then none may have complained.
 *
 * @param {Kind[]} kinds
 * @param {(...peers: Peer[]) => Promise<void>} play
 * @param {string} [query] of the page's address
 */
export function scene(kinds, play, query = '') {
  return sceneAt(kinds, () => server.url + query, play);
}

/**
 * As `scene`, with a page that may be another one for each.
 *
 * @param {Kind[]} kinds
 * @param {(index: number) => string | undefined} address of the page for the one of this index
 * @param {(...peers: Peer[]) => Promise<void>} play
 */
export function sceneAt(kinds, address, play) {
  return async () => {
    /** @type {Peer[]} */
    const peers = [];
    try {
      for (const [index, kind] of kinds.entries()) {
        const name = `${['Alice', 'Bob', 'Carol'][index]} (${kind})`;
        peers.push(await Peer.open(await launch(kind), name, address(index) ?? ''));
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

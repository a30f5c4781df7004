/** What tests share that call between two homes: the internet, its server, and a Chromium in each home. */

/** @import { Kind } from './internet.js' */
import { after, before } from 'node:test';

import { closeBrowsers, launchIn } from '../browser/browsers.js';
import { Peer } from '../browser/peer.js';
import { Server } from '../browser/server.js';
import { Internet, SERVER } from './internet.js';

/** @type {Internet} */
let internet;
/** @type {Server} */
let server;

/** Runs a server on port 443 for the tests of the file, or of the describe() around. @param {string[]} flags */
export function serve(flags) {
  before(async () => {
    internet = new Internet();
    const through = ['ip', 'netns', 'exec', internet.namespace('server')];
    server = await Server.start(flags, SERVER, { port: 443, through });
  });
  after(async () => {
    await closeBrowsers();
    await server?.close();
    internet?.remove();
  });
}

/**
 * A test's body: opens the page in both homes, and lets them play.
 *
 * @param {Kind} left
 * @param {Kind} right
 * @param {(left: Peer, right: Peer) => Promise<void>} play
 */
export function between(left, right, play) {
  return async () => {
    internet.become('left', left);
    internet.become('right', right);
    /** @type {Peer[]} */
    const peers = [];
    try {
      const [alice, bob] = await Promise.all([open('left', left), open('right', right)]);
      await play(alice, bob);
    } finally {
      await Promise.all(peers.map((peer) => peer.close()));
    }

    /** @param {'left' | 'right'} side @param {Kind} kind */
    async function open(side, kind) {
      const peer = await Peer.open(await launchIn(internet.namespace(side)), `${side}, in ${kind}`, server.url);
      peers.push(peer);
      return peer;
    }
  };
}

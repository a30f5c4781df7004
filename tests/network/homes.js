/** What tests share that call between two homes: the internet, where the server stands in it, and a browser in each home. */

/** @import { Family, Kind } from './internet.js' */
/** @import { Vehicle } from '../browser/browsers.js' */
import { after, before } from 'node:test';

import { closeBrowsers, launchIn } from '../browser/browsers.js';
import { Peer } from '../browser/peer.js';
import { Server } from '../browser/server.js';
import { IPV4, Internet, NAME } from './internet.js';

/**
 * @typedef {{ family?: Family, start(internet: Internet): Promise<Server> }} Placement
 *   where a server stands: `start` adds its hosts to the internet, and runs it and what stands before it
 */

/** @type {Internet} */
let internet;
/** @type {Server} */
let server;

/** Runs a server for the tests of the file, or of the describe() around. @param {Placement} placement */
export function stand({ family, start }) {
  before(async () => {
    internet = new Internet(family);
    server = await start(internet);
  });
  after(async () => {
    await closeBrowsers();
    try {
      await server?.close();
    } finally {
      internet?.remove();
    }
  });
}

/** A server with a public address of its own. @param {string[]} flags @returns {Placement} */
export function inPublic(flags, family = IPV4) {
  return {
    family,
    async start(internet) {
      internet.attach('server', internet.server);
      return Server.start(flags, null, { url: `https://${NAME}/`, through: internet.on('server') });
    },
  };
}

/**
 * A test's body: opens the page in both homes, and lets them play.
 *
 * @param {Kind} left
 * @param {Kind} right
 * @param {(left: Peer, right: Peer) => Promise<void>} play
 * @param {Vehicle[]} [browsers] of the left and of the right
 */
export function between(left, right, play, [ofLeft = 'chromium', ofRight = 'chromium'] = []) {
  return async () => {
    internet.become('left', left);
    internet.become('right', right);
    /** @type {Peer[]} */
    const peers = [];
    try {
      const [alice, bob] = await Promise.all([open('left', left, ofLeft), open('right', right, ofRight)]);
      await play(alice, bob);
    } finally {
      await Promise.all(peers.map((peer) => peer.close()));
    }

    /** @param {'left' | 'right'} side @param {Kind} kind @param {Vehicle} vehicle */
    async function open(side, kind, vehicle) {
      const peer = await Peer.open(await launchIn(internet.on(side), vehicle), `${side}, in ${kind}`, server.url);
      peers.push(peer);
      return peer;
    }
  };
}

/** Lets nothing of a home through any more, until it `mend`s. @param {'left' | 'right'} side */
export function cut(side) {
  internet.filter(`${side}-router`, `
    add table ip home
    add chain ip home forward { type filter hook forward priority filter; policy drop; }
  `);
}

/** @param {'left' | 'right'} side @param {Kind} kind */
export function mend(side, kind) {
  internet.become(side, kind);
}

/** The network between Alice and the server, for tests in which it fails. */

/** @import { Peer } from './peer.js' */
import { after, before } from 'node:test';

import { Proxy } from './proxy.js';
import { serve, server } from './scene.js';

/** What a browser says of connections that are reset, and of our asking for the reason. */
const broken = /ERR_CONNECTION_RESET|WebSocket connection to|can.t establish a connection|was interrupted|\b426\b|NetworkError|ERR_/i;

/** @type {Proxy} */
export let network;

/** As `serve`, with such a network before the server. */
export function serveThroughNetwork(/** @type {Parameters<typeof serve>} */ ...how) {
  serve(...how);
  before(async () => void (network = await Proxy.start(server.url)));
  after(() => network?.close());
}

/** @param {Peer} alice @param {string} [query] */
export async function goThroughNetwork(alice, query = '') {
  alice.expect(broken);
  await alice.page.goto(network.url + query);
  return alice.id();
}

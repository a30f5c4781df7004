/** The path of a call's media that is lost together with the signaling, and another that is found. */

/** @import { Peer } from './peer.js' */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { kinds } from './kinds.js';
import { goThroughNetwork, network, serveThroughNetwork } from './network.js';
import { all, connect, scene } from './scene.js';

/** A browser may need half a minute to give a path up. In seconds. */
const UNTIL_PATH_IS_LOST = 60;
describe('a call that loses its media path and its signaling at once', () => {
  // Media go through the relay on the page's own port, and so by the same network. Firefox takes TURN over TLS only from a named host.
  serveThroughNetwork(() => ['--stun-port', '0', '--turn', '--turn-allow-peer', '127.0.0.0/8', '--resume-window', '120'], { name: 'localhost' });

  for (const kind of kinds) {
    test(`finds another path as soon as its session is resumed (${kind})`, scene([kind, 'chromium'], async (alice, bob) => {
      const id = await callThroughRelay(alice, bob);
      network.cut();
      await alice.isTold(/reconnecting/i);
      network.heal();
      await goesOn(alice, bob);
      assert.equal(await alice.id(), id);
    }));
  }

  // Firefox gives the connection up for good, after half a minute.
  test('finds another path also when the browser has given the first one up', scene(['chromium', 'chromium'], async (alice, bob) => {
    const id = await callThroughRelay(alice, bob);
    network.cut();
    await all([alice, bob], (peer) => peer.isTold(/finding a way .* reconnecting/i, UNTIL_PATH_IS_LOST));
    assert.equal(await alice.state(), 'in-call');
    network.heal();
    await goesOn(alice, bob);
    assert.equal(await alice.id(), id);
  }));

  /** @param {Peer} alice @param {Peer} bob */
  async function callThroughRelay(alice, bob) {
    const id = await goThroughNetwork(alice, '?relay');
    await alice.useOnly(/^turns:/);
    await connect(alice, bob);
    await all([alice, bob], (peer) => peer.seesTheOther());
    await alice.isConnectedBy(/TURN/);
    return id;
  }

  /** @param {Peer} alice @param {Peer} bob */
  async function goesOn(alice, bob) {
    await all([alice, bob], (peer) => peer.isTold(/^In a call with \w+\.$/));
    await all([alice, bob], (peer) => peer.seesTheOther());
    await alice.write('Back again.');
    await bob.reads('Back again.');
    await alice.click('#hang-up');
    await bob.reaches('ready');
  }
});

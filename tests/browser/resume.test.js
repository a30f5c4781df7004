/** A signaling connection that is lost, and taken up again: what a call, and a person, notice of it. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { kinds } from './kinds.js';
import { goThroughNetwork, network, serveThroughNetwork } from './network.js';
import { all, connect, scene, serve } from './scene.js';

describe('a call whose signaling is cut', () => {
  serveThroughNetwork();

  for (const kind of kinds) {
    test(`goes on, its chat too, and afterwards the page has its id and can be called (${kind})`, scene([kind, 'chromium'], async (alice, bob) => {
      const id = await goThroughNetwork(alice);
      await connect(alice, bob);
      await all([alice, bob], (peer) => peer.seesTheOther());

      network.cut();
      await alice.isTold(/the signaling is reconnecting; the call goes on/i);
      assert.equal(await alice.state(), 'in-call');
      await all([alice, bob], (peer) => peer.seesTheOther());
      await alice.write('Do you still read me?');
      await bob.reads('Do you still read me?');

      network.heal();
      await alice.isTold(/^In a call with \w+\.$/);
      await bob.click('#hang-up');
      await alice.isTold(/the other side hung up/i);
      assert.equal(await alice.id(), id);

      await bob.call(id);
      await alice.accept();
      await all([alice, bob], (peer) => peer.reaches('in-call'));
      await all([alice, bob], (peer) => peer.seesTheOther());
    }));
  }

  for (const kind of kinds) {
    test(`goes on when both sides are cut at once (${kind})`, scene([kind, 'chromium'], async (alice, bob) => {
      await all([alice, bob], (peer) => goThroughNetwork(peer));
      await connect(alice, bob);
      await all([alice, bob], (peer) => peer.seesTheOther());
      network.cut();
      await all([alice, bob], (peer) => peer.isTold(/reconnecting/i));
      network.heal();
      await all([alice, bob], (peer) => peer.isTold(/^In a call with \w+\.$/));
      await all([alice, bob], (peer) => peer.seesTheOther());
    }));
  }

  test('ends for both when one hangs up meanwhile: the chat channel says so', scene(['chromium', 'chromium'], async (alice, bob) => {
    await goThroughNetwork(alice);
    await connect(alice, bob);
    await all([alice, bob], (peer) => peer.seesTheOther());
    network.cut();
    await alice.isTold(/reconnecting/i);
    await alice.click('#hang-up');
    await bob.isTold(/the other side hung up/i);
    network.heal();
    await all([alice, bob], (peer) => peer.reaches('ready'));
  }));
});

describe('a page that is left for another, and come back to', () => {
  serve();

  // Firefox keeps no page while it is steered by WebDriver.
  test('has its id still, where the browser has kept it', scene(['chromium', 'chromium'], async (alice, bob) => {
    const id = await alice.id();
    await alice.page.goto('about:blank');
    await alice.page.goBack();
    assert.equal(await alice.id(), id);
    await connect(bob, alice);
  }));
});

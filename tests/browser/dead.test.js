/** A signaling connection that is dead, and that nothing has closed: how the page notices, and what a person does meanwhile. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { kinds } from './kinds.js';
import { goThroughNetwork, network, serveThroughNetwork } from './network.js';
import { all, connect, scene } from './scene.js';

describe('a page whose connection is dead without a sign', () => {
  serveThroughNetwork();

  for (const kind of kinds) {
    test(`notices when its person calls, takes its session over, and the call goes through (${kind})`, scene([kind, 'chromium'], async (alice, bob) => {
      const id = await goThroughNetwork(alice);
      network.hush();
      await connect(alice, bob);
      await all([alice, bob], (peer) => peer.seesTheOther());
      await alice.click('#hang-up');
      assert.equal(await alice.id(), id);
    }));

    test(`notices when its network comes back (${kind})`, scene([kind, 'chromium'], async (alice, bob) => {
      const id = await goThroughNetwork(alice);
      network.hush();
      await alice.page.evaluate(() => dispatchEvent(new Event('online')));
      await connect(bob, alice);
      await bob.click('#hang-up');
      assert.equal(await alice.id(), id);
    }));
  }

  test('is called meanwhile: its caller is told that it reconnects, and it rings when it is back', scene(['chromium', 'chromium'], async (alice, bob) => {
    const id = await goThroughNetwork(alice);
    network.cut();
    await alice.reaches('offline');
    assert.equal(await alice.text('#peer-id'), id);
    await bob.call(id);
    await bob.isTold(/the other side is reconnecting/i);
    network.heal();
    await alice.accept();
    await all([alice, bob], (peer) => peer.reaches('in-call'));
    await bob.isTold(/^In a call with \w+\.$/);
  }));

  test('does not show the secret by which it takes its session up, nor what it counts', scene(['chromium', 'chromium'], async (alice, bob) => {
    await goThroughNetwork(alice);
    network.cut();
    await alice.reaches('offline');
    network.heal();
    await alice.reaches('ready');
    await connect(alice, bob);
    await alice.page.$$eval('.diagram, .diagram details', (all) => all.forEach((details) => /** @type {HTMLDetailsElement} */ (details).open = true));
    await alice.showsInDiagram(/"resumed": true/);
    assert.doesNotMatch(await alice.text('#diagram'), /"resume":|\breceived\b/);
  }));
});

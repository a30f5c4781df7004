/** A signaling connection that is lost, and taken up again: what a call, and a person, notice of it. */

/** @import { Peer } from './peer.js' */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Proxy } from './proxy.js';
import { all, connect, scene, serve, server } from './scene.js';

/** A browser may need half a minute to give a path up. In seconds. */
const UNTIL_PATH_IS_LOST = 60;
/** What a browser says of connections that are reset, and of our asking for the reason. */
const broken = /ERR_CONNECTION_RESET|WebSocket connection to|can.t establish a connection|was interrupted|\b426\b|NetworkError|ERR_/i;
const kinds = /** @type {const} */ (['chromium', 'firefox']);

/** @type {Proxy} */
let network;

/** The network between Alice and the server, for the tests of the describe() around. */
function serveThroughNetwork(/** @type {Parameters<typeof serve>} */ ...how) {
  serve(...how);
  before(async () => void (network = await Proxy.start(server.url)));
  after(() => network?.close());
}

/** @param {Peer} alice @param {string} [query] */
async function goThroughNetwork(alice, query = '') {
  alice.expect(broken);
  await alice.page.goto(network.url + query);
  return alice.id();
}

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

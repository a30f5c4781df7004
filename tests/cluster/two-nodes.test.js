/** Calls between browsers whose pages are on two nodes of one service. */

/** @import { Kind } from '../browser/browsers.js' */
/** @import { Peer } from '../browser/peer.js' */
/** @import { Server } from '../browser/server.js' */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { away } from '../browser/peer.js';
import { all, connect, sceneAt } from '../browser/scene.js';
import { Cluster } from './cluster.js';

/** @type {Cluster} */
let cluster;

/**
 * A test's body, as `scene`: the first one's page is on node a, the second one's on node b, and so on in turn.
 *
 * @param {Kind[]} kinds
 * @param {(...peers: Peer[]) => Promise<void>} play
 */
const apart = (kinds, play) => sceneAt(kinds, (index) => cluster.nodes[index % cluster.nodes.length]?.url, play);

describe('two nodes', () => {
  before(async () => void (cluster = await Cluster.start({ names: ['a', 'b'] })));
  after(() => cluster?.close());

  /** @type {[caller: Kind, callee: Kind][]} */
  const pairs = [
    ['chromium', 'chromium'],
    ['firefox', 'chromium'],
    ['chromium', 'firefox'],
  ];
  for (const [caller, callee] of pairs) {
    test(`${caller} calls ${callee} on the other one, and is called back`, apart([caller, callee], async (alice, bob) => {
      await connect(alice, bob);
      await all([alice, bob], (peer) => peer.seesTheOther());
      await alice.write('Do you read me?');
      await bob.reads('Do you read me?');
      await alice.click('#hang-up');
      await all([alice, bob], (peer) => peer.reaches('ready'));
      await bob.isTold(/the other side hung up/i);

      await connect(bob, alice);
      await all([alice, bob], (peer) => peer.seesTheOther());
      await alice.click('#hang-up');
      await all([alice, bob], (peer) => peer.reaches('ready'));
      await bob.isTold(/the other side hung up/i);
    }));
  }

  test('the caller is told that the other side declined', apart(['chromium', 'chromium'], async (alice, bob) => {
    await alice.call(await bob.id());
    await bob.reaches('ringing');
    await bob.click('#decline');
    await all([alice, bob], (peer) => peer.reaches('ready'));
    await alice.isTold(/the other side declined/i);
  }));

  test('the ringing stops when the caller gives up', apart(['chromium', 'chromium'], async (alice, bob) => {
    await alice.call(await bob.id());
    await bob.reaches('ringing');
    await alice.click('#hang-up');
    await all([alice, bob], (peer) => peer.reaches('ready'));
    await bob.isTold(/missed a call/i);
  }));

  test('a third peer, on the node of the first, hears that the line is busy, and the call goes on', apart(['chromium', 'chromium', 'chromium'], async (alice, bob, carol) => {
    const bobsId = await bob.id();
    await connect(alice, bob);
    await carol.call(bobsId);
    await carol.isTold(/in another call/i);
    await carol.reaches('ready');
    await all([alice, bob], (peer) => peer.seesTheOther());
    assert.deepEqual([await alice.state(), await bob.state()], ['in-call', 'in-call']);
  }));

  test('two who call each other at the same moment are in one call', apart(['chromium', 'chromium'], async (alice, bob) => {
    await all([alice, bob], (peer) => peer.delayCameraPrompt());
    await Promise.all([alice.call(await bob.id()), bob.call(await alice.id())]);
    await all([alice, bob], (peer) => peer.reaches('calling'));
    const soon = Date.now() + 200;
    await all([alice, bob], (peer) => peer.answerCameraPrompt(soon));
    await all([alice, bob], (peer) => peer.reaches('in-call'));
    await all([alice, bob], (peer) => peer.seesTheOther());
  }));

  /** @type {[what: string, end: (node: Server) => Promise<void>][]} */
  const ends = [
    ['stopped', (node) => node.stop()],
    ['killed', (node) => node.kill()],
  ];
  for (const [what, end] of ends) {
    test(`the node of one is ${what} and started again: its id stays, the call goes on, and so does the next`, apart(['chromium', 'chromium'], async (alice, bob) => {
      // What the browser says of a refused connection, and of our asking for the reason.
      bob.expect(away);
      const [id, node] = [await bob.id(), /** @type {Server} */ (cluster.nodes[1])];
      await connect(alice, bob);
      await all([alice, bob], (peer) => peer.seesTheOther());
      await end(node);
      await bob.isTold(/the call goes on/i);
      await alice.write('Are you still there?');
      await bob.reads('Are you still there?');
      await node.start();
      await cluster.ready();
      await all([alice, bob], (peer) => peer.seesTheOther());
      await alice.click('#hang-up');
      await all([alice, bob], (peer) => peer.reaches('ready'));
      assert.equal(await bob.id(), id);
      await connect(alice, bob);
      await all([alice, bob], (peer) => peer.seesTheOther());
    }));
  }

  test('an unknown id is said in words', apart(['chromium'], async (alice) => {
    await alice.id();
    await alice.call('01234567-89ab-4def-8123-456789abcdef');
    await alice.isTold(/no one has this id/i);
    await alice.reaches('ready');
  }));
});

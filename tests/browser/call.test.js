/** Calls between browsers: how they begin, what passes, how they end. */

/** @import { Peer } from './peer.js' */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { kinds, pairs, whole } from './kinds.js';
import { all, connect, scene, serve } from './scene.js';

serve();

/** Who is the first is chance. */
const ROUNDS = whole ? 5 : 2;

for (const [caller, callee] of pairs) {
  describe(`${caller} calls ${callee}`, () => {
    test('they see, hear and read each other until the caller hangs up', scene([caller, callee], async (alice, bob) => {
      await connect(alice, bob);
      await all([alice, bob], (peer) => peer.seesTheOther());
      await all([alice, bob], (peer) => peer.hearsTheOther());
      await alice.write('Do you read me?');
      await bob.reads('Do you read me?');
      await bob.write('Loud & <b>clear</b> ✓');
      await alice.reads('Loud & <b>clear</b> ✓');
      await alice.click('#hang-up');
      await all([alice, bob], (peer) => peer.reaches('ready'));
      await bob.isTold(/the other side hung up/i);
    }));

    test('the called side may hang up, and be called again', scene([caller, callee], async (alice, bob) => {
      await connect(alice, bob);
      await bob.click('#hang-up');
      await all([alice, bob], (peer) => peer.reaches('ready'));
      await alice.isTold(/the other side hung up/i);
      await connect(alice, bob);
      await all([alice, bob], (peer) => peer.seesTheOther());
    }));
  });
}

describe('two rivals who call each other at the same moment', () => {
  for (const kind of kinds) {
    test(`are in one call, ${ROUNDS} times of ${ROUNDS} (${kind} and chromium)`, scene([kind, 'chromium'], async (alice, bob) => {
      await all([alice, bob], (peer) => peer.delayCameraPrompt());
      for (let round = 1; round <= ROUNDS; round++) await crossCalls(alice, bob);
    }));
  }

  /** @param {Peer} alice @param {Peer} bob */
  async function crossCalls(alice, bob) {
    await Promise.all([alice.call(await bob.id()), bob.call(await alice.id())]);
    await all([alice, bob], (peer) => peer.reaches('calling'));
    const soon = Date.now() + 200;
    await all([alice, bob], (peer) => peer.answerCameraPrompt(soon));
    await all([alice, bob], (peer) => peer.reaches('in-call'));
    await all([alice, bob], (peer) => peer.seesTheOther());
    await alice.write('One call?');
    await bob.reads('One call?');
    await alice.click('#hang-up');
    await all([alice, bob], (peer) => peer.reaches('ready'));
  }
});

describe('a call that is not taken', () => {
  test('an unknown id is said in words', scene(['chromium'], async (alice) => {
    await alice.id();
    await alice.call('01234567-89ab-4def-8123-456789abcdef');
    await alice.isTold(/no one has this id/i);
    await alice.reaches('ready');
  }));

  test('the caller is told that the other side declined', scene(['chromium', 'chromium'], async (alice, bob) => {
    await alice.call(await bob.id());
    await bob.reaches('ringing');
    await bob.click('#decline');
    await all([alice, bob], (peer) => peer.reaches('ready'));
    await alice.isTold(/the other side declined/i);
  }));

  test('the ringing stops when the caller gives up', scene(['chromium', 'chromium'], async (alice, bob) => {
    await alice.call(await bob.id());
    await bob.reaches('ringing');
    await alice.click('#hang-up');
    await all([alice, bob], (peer) => peer.reaches('ready'));
    await bob.isTold(/missed a call/i);
  }));

  test('a third peer hears that the line is busy, and the call goes on', scene(['chromium', 'chromium', 'chromium'], async (alice, bob, carol) => {
    const bobsId = await bob.id();
    await connect(alice, bob);
    await carol.call(bobsId);
    await carol.isTold(/in another call/i);
    await carol.reaches('ready');
    await all([alice, bob], (peer) => peer.seesTheOther());
    assert.deepEqual([await alice.state(), await bob.state()], ['in-call', 'in-call']);
  }));
});

describe('a tab that goes away during a call', () => {
  for (const kind of kinds) {
    test(`does not hold the other side (${kind} is closed)`, scene(['chromium', kind], async (alice, bob) => {
      await connect(alice, bob);
      await all([alice, bob], (peer) => peer.seesTheOther());
      await bob.page.close({ runBeforeUnload: true });
      // Its last word is a bye. A browser in a hurry may not send it: then the chat channel's end says so.
      await alice.reaches('ready');
      await alice.isTold(/the other side hung up/i);
    }));
  }
});

/** y-webrtc, as it is: documents that are shared between pages in profiles of their own, which have no other way to each other. */

/** @import { Visitor } from './visitor.js' */
import { describe, test } from 'node:test';

import { scene, serve, subject } from './scene.js';
import { asked } from './subject.js';

/** @param {Visitor[]} visitors @param {Record<string, string>} expected */
async function agree(visitors, expected) {
  for (const visitor of visitors) {
    await visitor.comesTo(`have ${JSON.stringify(expected)}`, async () => {
      const { a, b, c } = await visitor.ask('read');
      return JSON.stringify({ a, b, c }) === JSON.stringify(expected);
    });
  }
}

/** @param {Visitor} visitor @param {string} room @param {string | null} [password] @param {string} [url] */
const open = (visitor, room, password = null, url = subject.socketUrl) => visitor.ask('open', room, url, password);

/**
 * One after the other. Of two that come in the same instant each makes an offer, and once these have crossed the client may have a path and
 * no data channel (Chromium, seen in 156).
 *
 * @param {Visitor[]} visitors @param {string} room @param {string | null} [password]
 */
async function enter(visitors, room, password) {
  for (const visitor of visitors) {
    await open(visitor, room, password);
    await visitor.comesTo('be connected', () => visitor.ask('isConnected'));
  }
}

/** Their documents become one, with what each has written before and after they met. @param {Visitor} alice @param {Visitor} bob */
async function converge(alice, bob) {
  await agree([alice, bob], { a: 'of Alice', b: 'of Bob' });
  await bob.ask('write', 'c', 'later');
  await agree([alice, bob], { a: 'of Alice', b: 'of Bob', c: 'later' });
}

/** @param {Visitor} alice @param {Visitor} bob */
async function writeFirst(alice, bob) {
  await alice.ask('write', 'a', 'of Alice');
  await bob.ask('write', 'b', 'of Bob');
}

describe('y-webrtc', () => {
  serve('y-webrtc');

  for (const password of [null, 'open sesame']) {
    test(`two documents converge ${password === null ? 'without' : 'with'} a password`, scene(['chromium', 'chromium'], async (alice, bob) => {
      await writeFirst(alice, bob);
      await enter([alice, bob], `room ${password}`, password);
      await converge(alice, bob);
      for (const visitor of [alice, bob]) visitor.assertNoComplaint();
    }));
  }

  test('one page is in two rooms, with a neighbour in each', scene(['chromium', 'chromium', 'chromium'], async (alice, bob, carol) => {
    await writeFirst(alice, bob);
    for (const [visitor, room] of /** @type {const} */ ([[alice, 'left'], [alice, 'right'], [bob, 'left'], [carol, 'right']])) await open(visitor, room);
    await converge(alice, bob);
    await agree([carol], { a: 'of Alice', b: 'of Bob', c: 'later' });
  }));

  test('Firefox and Chromium converge', scene(['firefox', 'chromium'], async (alice, bob) => {
    await writeFirst(alice, bob);
    await enter([alice, bob], 'mixed');
    await converge(alice, bob);
  }));
});

describe('y-webrtc while its server is started again', () => {
  serve('y-webrtc');

  test('who was there before meets who comes afterwards', scene(['chromium', 'chromium'], async (alice, bob) => {
    await writeFirst(alice, bob);
    await open(alice, 'room');
    await alice.comesTo('be connected', () => alice.ask('isConnected'));
    await subject.restart();
    await open(bob, 'room');
    await converge(alice, bob);
  }));
});

describe('y-webrtc behind nginx', () => {
  serve('y-webrtc', { behind: 'nginx' });

  test('two documents converge', scene(['chromium', 'chromium'], async (alice, bob) => {
    await writeFirst(alice, bob);
    await enter([alice, bob], 'room');
    await converge(alice, bob);
  }));
});

// The original has one path, which is any.
if (asked === 'ours') {
  describe('y-webrtc', () => {
    serve('y-webrtc');

    test('a provider that was told the server without a path meets one that was told /y-webrtc', scene(['chromium', 'chromium'], async (alice, bob) => {
      await writeFirst(alice, bob);
      await open(alice, 'room', null, subject.url.replace(/^http/, 'ws'));
      await open(bob, 'room');
      await converge(alice, bob);
    }));
  });
}


/** Trystero's core, as it is, with a strategy that speaks to its relay. */

/** @import { Visitor } from './visitor.js' */
import { describe, test } from 'node:test';

import { Proxy } from '../browser/proxy.js';
import { isToldOfIceServers, refuses, serveGuarded, token, withToken } from './credentials.js';
import { all, scene, serve, subject } from './scene.js';
import { asked } from './subject.js';

/** @param {Visitor} alice @param {Visitor} bob */
async function meet(alice, bob) {
  const [a, b] = await all([alice, bob], (visitor) => visitor.ask('id'));
  await alice.hears(`${b}: hello`);
  await bob.hears(`${a}: hello`);
}

describe('Trystero', () => {
  serve('trystero');

  test('two pages meet', scene(['chromium', 'chromium'], async (alice, bob) => {
    await all([alice, bob], (visitor) => visitor.ask('open', 'room', subject.socketUrl));
    await meet(alice, bob);
    for (const visitor of [alice, bob]) visitor.assertNoComplaint();
  }));

  test('three pages meet, of two browsers', scene(['chromium', 'firefox', 'chromium'], async (alice, bob, carol) => {
    for (const visitor of [alice, bob, carol]) await visitor.ask('open', 'three', subject.socketUrl);
    await Promise.all([meet(alice, bob), meet(bob, carol), meet(carol, alice)]);
  }));
});

describe('Trystero behind nginx', () => {
  serve('trystero', { behind: 'nginx' });

  test('two pages meet', scene(['chromium', 'chromium'], async (alice, bob) => {
    await all([alice, bob], (visitor) => visitor.ask('open', 'room', subject.socketUrl));
    await meet(alice, bob);
  }));
});

// Its own relay forgets what a lost connection had subscribed to, and its client never says it again; and it lets all in.
if (asked === 'ours') {
  describe('Trystero after the loss of a connection', () => {
    serve('trystero');

    test('a page that was alone when it lost its connection meets one that comes afterwards', scene(['chromium', 'chromium'], async (alice, bob) => {
      const proxy = await Proxy.start(subject.url);
      try {
        const url = Object.assign(new URL(subject.socketUrl), { port: new URL(proxy.url).port }).href;
        await alice.ask('open', 'room', url);
        await alice.comesTo('have announced itself', () => alice.ask('hasAnnounced'));
        proxy.cut();
        await alice.comesTo('notice it', async () => !(await alice.ask('isConnected')));
        proxy.heal();
        await alice.comesTo('be connected again', () => alice.ask('isConnected'));
        await bob.ask('open', 'room', subject.socketUrl);
        await meet(alice, bob);
      } finally {
        await proxy.close();
      }
    }));
  });

  describe('Trystero with credentials', { concurrency: true }, () => {
    serveGuarded('trystero');

    test('two pages meet, and are told of ICE servers', scene(['chromium', 'firefox'], async (alice, bob) => {
      for (const visitor of [alice, bob]) {
        // Topics are hashes, so a list of rooms would have to be one of those.
        const own = token();
        await visitor.ask('open', 'room', withToken(own));
        await isToldOfIceServers(visitor, own);
      }
      await meet(alice, bob);
    }));

    // After six attempts its client gives up.
    refuses(6, (visitor, token) => visitor.ask('open', 'room', withToken(token)));
  });
}

/** GStreamer's library for browsers, as it is, producing and consuming. */

/** @import { Visitor } from './visitor.js' */
import { describe, test } from 'node:test';

import { isToldOfIceServers, refuses, serveGuarded, token, withToken } from './credentials.js';
import { all, scene, serve, subject } from './scene.js';
import { asked } from './subject.js';

/** Connects, and produces. @param {Visitor} visitor @param {string} name @param {string} [url] @returns {Promise<void>} */
async function produces(visitor, name, url) {
  await connects(visitor, name, url);
  await visitor.ask('produce');
  await visitor.hears('production: streaming');
}

/** @param {Visitor} visitor @param {string} name @param {string} [url] */
async function connects(visitor, name, url = subject.socketUrl) {
  await visitor.ask('open', url, name);
  await visitor.hears('connected');
}

/** The id of the producer with this name. @param {Visitor} visitor @param {string} name @returns {Promise<string>} */
async function finds(visitor, name) {
  const producer = async () => /** @type {{ id: string, meta: { name: string } }[]} */ (await visitor.ask('producers')).find(({ meta }) => meta.name === name);
  await visitor.comesTo(`know the producer ${name}`, async () => Boolean(await producer()));
  return (await producer())?.id ?? '';
}

/** @param {Visitor} visitor @param {string} id of the producer */
async function watches(visitor, id) {
  await visitor.ask('consume', id);
  await visitor.hears('consumption: streaming');
  await visitor.sees('#remote');
}

describe('gstwebrtc-api', () => {
  serve('gstreamer');

  test('who is there already is told of a producer, and sees what it produces', scene(['chromium', 'chromium'], async (alice, bob) => {
    await connects(bob, 'bob');
    await produces(alice, 'alice');
    await watches(bob, await finds(bob, 'alice'));
    await alice.hears('consumer added');
    for (const visitor of [alice, bob]) visitor.assertNoComplaint();
  }));

  test('who comes later finds the producer in the list, and several see it', scene(['chromium', 'firefox', 'chromium'], async (alice, bob, carol) => {
    await produces(alice, 'early');
    for (const visitor of [bob, carol]) await connects(visitor, 'late');
    await all([bob, carol], async (visitor) => watches(visitor, await finds(visitor, 'early')));
  }));

  test('a consumer who leaves a session is gone for the producer, and may come again', scene(['chromium', 'chromium'], async (alice, bob) => {
    await produces(alice, 'patient');
    await connects(bob, 'fickle');
    await watches(bob, await finds(bob, 'patient'));
    await bob.ask('stopConsuming');
    await alice.hears('consumer removed');
    await watches(bob, await finds(bob, 'patient'));
  }));

  test('a producer that stops ends the sessions of its consumers, and is a producer no more', scene(['chromium', 'chromium'], async (alice, bob) => {
    await produces(alice, 'short');
    await connects(bob, 'bob');
    await watches(bob, await finds(bob, 'short'));
    await alice.ask('stopProducing');
    await bob.hears('consumption: closed');
    await bob.hears('no producer: short');
  }));

  test('so does one whose page is closed', scene(['chromium', 'chromium'], async (alice, bob) => {
    await produces(alice, 'vanishing');
    await connects(bob, 'bob');
    await watches(bob, await finds(bob, 'vanishing'));
    await alice.page.close();
    await bob.hears('consumption: closed');
    await bob.hears('no producer: vanishing');
  }));

  // With the original it waits for ever.
  if (asked === 'ours') {
    test('a session with a producer that is absent is closed at once', scene(['chromium'], async (alice) => {
      await connects(alice, 'alice');
      await alice.ask('consume', '01234567-89ab-4def-8123-456789abcdef');
      await alice.hears('consumption: closed');
    }));
  }
});

describe('gstwebrtc-api while the server is started again', () => {
  serve('gstreamer');

  test('pages are connected again, and meet again', scene(['chromium', 'chromium'], async (alice, bob) => {
    await produces(alice, 'alice');
    await connects(bob, 'bob');
    await watches(bob, await finds(bob, 'alice'));
    await subject.restart();
    await all([alice, bob], async (visitor) => {
      await visitor.hears('disconnected');
      await visitor.comesTo('be connected again', async () => (await visitor.heard()).filter((line) => line === 'connected').length === 2);
    });
    await alice.ask('produce');
    await watches(bob, await finds(bob, 'alice'));
  }));
});

describe('gstwebrtc-api behind nginx', () => {
  serve('gstreamer', { behind: 'nginx' });

  test('a consumer sees what is produced', scene(['chromium', 'chromium'], async (alice, bob) => {
    await produces(alice, 'alice');
    await connects(bob, 'bob');
    await watches(bob, await finds(bob, 'alice'));
  }));
});

describe('gstwebrtc-api with credentials', { concurrency: true }, () => {
  serveGuarded('gstreamer');

  test('a consumer sees what is produced, and both are told of ICE servers', scene(['chromium', 'firefox'], async (alice, bob) => {
    const [alices, bobs] = [token({ sub: 'alice' }), token({ sub: 'bob', rooms: [] })];
    await produces(alice, 'alice', withToken(alices));
    await connects(bob, 'bob', withToken(bobs));
    await watches(bob, await finds(bob, 'alice'));
    await isToldOfIceServers(alice, alices);
    await isToldOfIceServers(bob, bobs);
  }));

  // It comes back each half second, as its page has asked for, and for ever.
  refuses(10, async (visitor, token) => {
    await visitor.ask('open', withToken(token), 'mallory');
    await visitor.hears('disconnected');
  });
});

/** PeerJS, as it is, in pages that were written for a server elsewhere. */

/** @import { Kind } from '../browser/browsers.js' */
/** @import { Visitor } from './visitor.js' */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Proxy } from '../browser/proxy.js';
import { briefToken, isRefused, isToldOfIceServers, refuses, serveGuarded, token } from './credentials.js';
import { all, scene, serve, subject } from './scene.js';
import { asked } from './subject.js';

/** What such a page says of its server. @param {string} path @param {string} [url] */
function server(path, url = subject.url) {
  const { hostname, port, protocol } = new URL(url);
  return { host: hostname, port: Number(port), path, secure: protocol === 'https:', config: { iceServers: [] } };
}

/** @param {Visitor} visitor @param {string} id @param {string} [path] */
async function isOpen(visitor, id, path = '/') {
  await visitor.ask('open', id, server(path));
  await visitor.hears(`open: ${id}`);
}

/** @param {Visitor} visitor @param {string} id */
async function isOpenAgain(visitor, id) {
  await visitor.comesTo('be open again', async () => (await visitor.heard()).filter((line) => line === `open: ${id}`).length === 2);
}

/** What a page with a token says of its server. @param {string} random what proves that the id is its own @param {string | null} token */
function guardedServer(random, token) {
  return { ...server('/'), token: token === null ? random : proof(random, token) };
}

/** @param {string} random @param {string} token */
const proof = (random, token) => `${random}&access_token=${token}`;

/** @param {Visitor} alice @param {Visitor} bob */
async function talk(alice, bob) {
  await all([alice, bob], (visitor) => visitor.hears('channel'));
  await alice.ask('say', 'Do you read me?');
  await bob.hears('data: Do you read me?');
  await bob.ask('say', 'Loud & clear ✓');
  await alice.hears('data: Loud & clear ✓');
}

/** @type {[Kind, Kind][]} */
const pairs = [['chromium', 'chromium'], ['firefox', 'chromium'], ['chromium', 'firefox']];

describe('PeerJS', () => {
  serve('peerjs');

  for (const [caller, callee] of pairs) {
    test(`data and media pass, by ids of one's own with a space (${caller} calls ${callee})`, scene([caller, callee], async (alice, bob) => {
      await isOpen(alice, 'Alice A1');
      await isOpen(bob, 'Bob B-2_3');
      await alice.ask('connect', 'Bob B-2_3');
      await talk(alice, bob);
      await alice.ask('call', 'Bob B-2_3');
      await all([alice, bob], (visitor) => visitor.sees('#remote'));
    }));
  }

  test('an id of the server is a UUID, and another for each', scene(['chromium', 'chromium'], async (alice, bob) => {
    const ids = await all([alice, bob], async (visitor) => {
      await visitor.ask('open', null, server('/'));
      await visitor.comesTo('have an id', async () => (await visitor.heard()).length > 0);
      return visitor.ask('id');
    });
    for (const id of ids) assert.match(id, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    assert.notEqual(ids[0], ids[1]);
    await alice.ask('connect', ids[1]);
    await talk(alice, bob);
  }));

  test('an id that another page has is unavailable', scene(['chromium', 'chromium'], async (alice, bob) => {
    await isOpen(alice, 'taken');
    await bob.ask('open', 'taken', server('/'));
    await bob.hears('error: unavailable-id');
    await bob.ask('open', 'free', server('/'));
    await bob.hears('open: free');
    await alice.ask('connect', 'free');
    await talk(alice, bob);
  }));

  test('a peer that is absent is said to be unavailable, after some seconds and not before', scene(['chromium'], async (alice) => {
    await isOpen(alice, 'lonely');
    const begin = Date.now();
    await alice.ask('connect', 'absent');
    await alice.hears('error: peer-unavailable');
    assert.ok(Date.now() - begin >= 4500, `after ${Date.now() - begin} ms`);
  }));

  test('a callee who opens her page a moment after the call is reached', scene(['chromium', 'chromium', 'chromium'], async (alice, bob, carol) => {
    await isOpen(alice, 'early');
    await isOpen(carol, 'present');
    await alice.ask('connect', 'late');
    await alice.comesTo('have offered', () => alice.ask('hasOffered', 'late'));
    // What follows in the same socket has arrived, so the offer has, too.
    await alice.ask('connect', 'present');
    await talk(alice, carol);
    await isOpen(bob, 'late');
    await bob.hears('channel');
    await bob.ask('say', 'Sorry, I am late.');
    await alice.hears('data: Sorry, I am late.');
  }));

  test('who disconnects and reconnects keeps the id, and a channel that is open meanwhile', scene(['chromium', 'chromium', 'chromium'], async (alice, bob, carol) => {
    await isOpen(alice, 'stays');
    await isOpen(bob, 'returns');
    await alice.ask('connect', 'returns');
    await talk(alice, bob);
    await bob.ask('disconnect');
    await bob.hears('disconnected');
    await alice.ask('say', 'Still there?');
    await bob.hears('data: Still there?');
    await bob.ask('reconnect');
    await isOpenAgain(bob, 'returns');
    await bob.ask('say', 'Yes.');
    await alice.hears('data: Yes.');
    await isOpen(carol, 'third');
    await carol.ask('connect', 'returns');
    await talk(carol, bob);
    assert.ok(!(await alice.heard()).includes('channel closed'));
  }));
});

describe('PeerJS while its server is started again', () => {
  serve('peerjs');

  test('a channel lives on, and who reconnects has the same id', scene(['chromium', 'chromium'], async (alice, bob) => {
    await isOpen(alice, 'stays');
    await isOpen(bob, 'returns');
    await alice.ask('connect', 'returns');
    await talk(alice, bob);
    await subject.restart();
    await all([alice, bob], (visitor) => visitor.hears('disconnected'));
    await bob.ask('reconnect');
    await isOpenAgain(bob, 'returns');
    await alice.ask('say', 'Still there?');
    await bob.hears('data: Still there?');
  }));
});

describe('PeerJS behind nginx', () => {
  serve('peerjs', { behind: 'nginx' });

  test('data and media pass', scene(['chromium', 'firefox'], async (alice, bob) => {
    await isOpen(alice, 'alice');
    await isOpen(bob, 'bob');
    await alice.ask('connect', 'bob');
    await talk(alice, bob);
    await bob.ask('call', 'alice');
    await all([alice, bob], (visitor) => visitor.sees('#remote'));
  }));
});

// What the original has not.
if (asked === 'ours') {
  describe('PeerJS with more than its own server gives', () => {
    serve('peerjs');

    test('pages that were told /peerjs/ meet those that were told /', scene(['chromium', 'chromium'], async (alice, bob) => {
      await isOpen(alice, 'beneath', '/peerjs/');
      await isOpen(bob, 'at the root');
      await bob.ask('connect', 'beneath');
      await talk(bob, alice);
    }));

    test('who comes back while the server still has the old connection is open at once', scene(['chromium', 'chromium'], async (alice, bob) => {
      const proxy = await Proxy.start(subject.url);
      try {
        await alice.ask('open', 'returns', server('/', proxy.url));
        await alice.hears('open: returns');
        proxy.hush();
        await alice.ask('disconnect');
        await alice.ask('reconnect');
        await isOpenAgain(alice, 'returns');
        await isOpen(bob, 'caller');
        await bob.ask('connect', 'returns');
        await talk(bob, alice);
      } finally {
        await proxy.close();
      }
    }));

    test('an id whose page has vanished without a word is free again within seconds', scene(['chromium', 'chromium'], async (alice, bob) => {
      const proxy = await Proxy.start(subject.url);
      try {
        await alice.ask('open', 'vanished', server('/', proxy.url));
        await alice.hears('open: vanished');
        proxy.hush();
        await isOpen(bob, 'vanished');
      } finally {
        await proxy.close();
      }
    }));
  });

  describe('PeerJS with credentials', { concurrency: true }, () => {
    serveGuarded('peerjs', { flags: ['--peerjs-discovery'] });

    test('data passes, and both are told of ICE servers', scene(['chromium', 'firefox'], async (alice, bob) => {
      const [alices, bobs] = [token({ sub: 'alice' }), token({ sub: 'bob' })];
      await alice.ask('open', null, guardedServer('a random one', alices));
      await alice.comesTo('have an id', async () => (await alice.heard()).length > 0);
      await bob.ask('open', 'bob', guardedServer('another', bobs));
      await bob.hears('open: bob');
      await alice.ask('connect', 'bob');
      await talk(alice, bob);
      await isToldOfIceServers(alice, alices);
      await isToldOfIceServers(bob, bobs);
    }));

    test('an id is given back to the subject that claimed it, and to no other', scene(['chromium', 'chromium', 'chromium'], async (alice, bob, again) => {
      await alice.ask('open', 'claimed', guardedServer('known', token({ sub: 'alice' })));
      await alice.hears('open: claimed');
      await bob.ask('open', 'claimed', guardedServer('known', token({ sub: 'bob' })));
      await bob.hears('error: unavailable-id');
      await again.ask('open', 'claimed', guardedServer('known', token({ sub: 'alice' })));
      await again.hears('open: claimed');
      await alice.hears('disconnected');
    }));

    test('who comes back with the token that has expired is refused, and with another has the same id', scene(['chromium'], async (alice) => {
      await alice.ask('open', 'lasting', guardedServer('the same', briefToken()));
      await alice.hears('open: lasting');
      await alice.hears('disconnected');
      await alice.ask('reconnect');
      await isRefused(alice, 1);
      await alice.ask('renew', proof('the same', token()));
      await alice.ask('reconnect');
      await isOpenAgain(alice, 'lasting');
    }));

    test('a page may read the list of all peers, and its client, which asks without credentials, is refused and disconnects', scene(['chromium'], async (alice) => {
      const own = token();
      await alice.ask('open', 'curious', guardedServer('random', own));
      await alice.hears('open: curious');
      for (const [query, headers] of /** @type {[string, Record<string, string>][]} */ ([[`?access_token=${own}`, {}], ['', { Authorization: `Bearer ${own}` }]])) {
        const url = `${subject.url}peerjs/peers${query}`;
        const ids = await alice.page.evaluate(async (url, headers) => (await fetch(url, { headers })).json(), url, headers);
        assert(ids.includes('curious'), ids);
      }
      await alice.ask('list');
      await alice.hears('error: server-error');
      await alice.hears('disconnected');
    }));

    refuses(1, async (visitor, token) => {
      await visitor.ask('open', 'mallory', guardedServer('random', token));
      await visitor.hears('error: network');
    });
  });
}

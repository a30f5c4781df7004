/** socket.io's client, as it is: with the tutorial's events in Node, in a page of another site, and the tutorial's page itself. */

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import { launch } from '../browser/browsers.js';
import { all, scene, serve, subject } from './scene.js';
import { Subject } from './subject.js';
import { Reader } from './reader.js';
import { calls, greeted, tutorialFolder } from './tutorial.js';
import { Visitor } from './visitor.js';

/** @import { Wish } from './subject.js' */
/** @import { Transports } from './reader.js' */

/** @type {Record<string, Transports>} */
const ways = { 'polling, then a WebSocket': ['polling', 'websocket'], 'polling alone': ['polling'], 'a WebSocket alone': ['websocket'] };

/** @param {Transports} transports @param {(...readers: Reader[]) => Promise<void>} play with three of them */
function inNode(transports, play) {
  return async () => {
    /** @type {Reader[]} */
    const readers = [];
    try {
      for (let n = 0; n < 3; n++) readers.push(await Reader.connect(subject.url, transports));
      await play(...readers);
    } finally {
      for (const reader of readers) reader.close();
    }
  };
}

for (const [way, transports] of Object.entries(ways)) {
  describe(`the tutorial's events over ${way}`, { concurrency: true }, () => {
    serve('socket.io');

    test('an offer, an answer and candidates reach whom they name, with the id of who has sent them', inNode(transports, async (alice, bob) => {
      const offer = { type: 'offer', sdp: 'v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n' };
      alice.socket.emit('offer', { offer, to: bob.id });
      await bob.hears('offer', { offer, from: alice.id });
      const answer = { type: 'answer', sdp: 'v=0\r\ns=é✓\u2028\r\n' };
      bob.socket.emit('answer', { answer, to: alice.id });
      await alice.hears('answer', { answer, from: bob.id });
      const candidate = { candidate: 'candidate:1 1 udp 1 127.0.0.1 9 typ host', sdpMid: '0', sdpMLineIndex: 0, usernameFragment: null };
      for (const [from, to] of /** @type {const} */ ([[alice, bob], [bob, alice]])) {
        from.socket.emit('candidate', { candidate, to: to.id });
        await to.hears('candidate', { candidate, from: from.id });
      }
    }));

    test('the transport is the one that was asked for', inNode(transports, async (alice, bob) => {
      for (const reader of [alice, bob]) await reader.reaches(/** @type {'polling' | 'websocket'} */ (transports.at(-1)));
      alice.socket.emit('offer', { offer: 1, to: bob.id });
      await bob.hears('offer', { offer: 1, from: alice.id });
    }));

    test('an offer to several reaches each of them', inNode(transports, async (alice, bob, carol) => {
      alice.socket.emit('offer', { offer: 'to all', to: [bob.id, carol.id] });
      await Promise.all([bob, carol].map((reader) => reader.hears('offer', { offer: 'to all', from: alice.id })));
    }));

    test('many offers at once keep their order', inNode(transports, async (alice, bob) => {
      for (let n = 0; n < 50; n++) alice.socket.emit('offer', { offer: n, to: bob.id });
      for (let n = 0; n < 50; n++) await bob.hears('offer', { offer: n, from: alice.id });
    }));

    test('an offer to an id that is not there is silent, and so is one to oneself or without an id', inNode(transports, async (alice, bob) => {
      for (const to of ['AAAAAAAAAAAAAAAAAAAA', alice.id, undefined]) alice.socket.emit('offer', { offer: 'lost', to });
      alice.socket.emit('offer', { offer: 'fence', to: bob.id });
      await bob.hears('offer', { offer: 'fence', from: alice.id });
      bob.socket.emit('answer', { answer: 'fence', to: alice.id });
      await alice.hears('answer', { answer: 'fence', from: bob.id });
    }));

    test('what is missing in an event is missing in what arrives, and null stays null', inNode(transports, async (alice, bob) => {
      alice.socket.emit('offer', { to: bob.id });
      await bob.hears('offer', { from: alice.id });
      alice.socket.emit('offer', { offer: null, to: bob.id, other: 1 }, 'more');
      await bob.hears('offer', { offer: null, from: alice.id });
    }));

    test('the others are not told that one leaves', inNode(transports, async (alice, bob, carol) => {
      bob.socket.emit('offer', { offer: 'before', to: alice.id });
      await alice.hears('offer', { offer: 'before', from: bob.id });
      bob.close();
      alice.socket.emit('offer', { offer: 'after', to: bob.id });
      carol.socket.emit('offer', { offer: 'fence', to: alice.id });
      await alice.hears('offer', { offer: 'fence', from: carol.id });
    }));
  });
}

describe('the server is started again', () => {
  serve('socket.io');

  test('all clients come back by themselves, each with another id', async () => {
    const readers = await Promise.all(Object.values(ways).map((transports) => Reader.connect(subject.url, transports)));
    try {
      const before = readers.map(({ id }) => id);
      await subject.restart();
      await Promise.all(readers.map((reader) => reader.isGreeted()));
      assert.equal(new Set([...before, ...readers.map(({ id }) => id)]).size, 2 * readers.length);
      await offersGoRound(readers);
    } finally {
      for (const reader of readers) reader.close();
    }
  });

  /** @param {Reader[]} readers each calls the next */
  async function offersGoRound(readers) {
    for (const [n, from] of readers.entries()) {
      const to = readers[(n + 1) % readers.length];
      from.socket.emit('offer', { offer: n, to: to?.id });
      await to?.hears('offer', { offer: n, from: from.id });
    }
  }
});

describe('behind nginx', () => {
  serve('socket.io', { behind: 'nginx' });

  for (const [way, transports] of Object.entries(ways)) {
    test(`offers pass over ${way}`, inNode(transports, async (alice, bob) => {
      for (const reader of [alice, bob]) await reader.reaches(/** @type {'polling' | 'websocket'} */ (transports.at(-1)));
      alice.socket.emit('offer', { offer: 1, to: bob.id });
      await bob.hears('offer', { offer: 1, from: alice.id });
    }));
  }
});

describe('pages of another site', () => {
  serve('socket.io');

  const transports = Object.values(ways);
  const kinds = transports.map(() => /** @type {const} */ ('chromium'));

  test(`connect over ${Object.keys(ways).join(', over ')}`, scene(kinds, async (...visitors) => {
    const ids = await Promise.all(visitors.map((visitor, n) => visitor.ask('connect', subject.url, transports[n])));
    for (const [n, visitor] of visitors.entries()) {
      const transport = transports[n]?.at(-1);
      await visitor.comesTo(`have ${transport}`, async () => (await visitor.ask('transport')) === transport);
    }
    for (const [n, visitor] of visitors.entries()) {
      const next = (n + 1) % visitors.length;
      await visitor.ask('offer', ids[next], { sdp: 'v=0' });
      await visitors[next]?.hears(JSON.stringify({ offer: { sdp: 'v=0' }, from: ids[n] }));
    }
    for (const visitor of visitors) visitor.assertNoComplaint();
  }));
});

/** The tutorial's page in the server's own place. @param {Wish['behind']} behind */
function tutorial(behind) {
  /** @type {string} */
  let folder;
  /** @type {Subject} */
  let server;

  before(async () => {
    folder = await tutorialFolder();
    server = await Subject.start('socket.io', { page: folder, ...(behind ? { behind } : {}) });
  });

  after(async () => {
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('two tabs see each other', async () => {
    const [alice, bob] = [await open(), await open()];
    try {
      await calls(alice, await greeted(bob));
      await all([alice, bob], (visitor) => visitor.sees('#distant'));
      for (const visitor of [alice, bob]) visitor.assertNoComplaint();
    } finally {
      await all([alice, bob], (visitor) => visitor.close());
    }
  });

  const open = async () => Visitor.open(await launch('chromium'), server.url);
}

describe("the tutorial's page", () => tutorial('nothing'));
describe("the tutorial's page behind nginx", () => tutorial('nginx'));

/** socket.io's client, as it is: with the tutorial's events in Node, in a page of another site, and the tutorial's page itself. */

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import { launch } from '../browser/browsers.js';
import { within } from '../browser/deadline.js';
import { briefToken, isToldOfIceServers, refused, serveGuarded, token, watched } from './credentials.js';
import { all, scene, serve, subject } from './scene.js';
import { asked, Subject } from './subject.js';
import { Reader } from './reader.js';
import { calls, greeted, tutorialFolder } from './tutorial.js';
import { Visitor } from './visitor.js';

/** @import { Wish } from './subject.js' */
/** @import { Options, Transports } from './reader.js' */

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

/** @param {Reader[]} readers each calls the next */
async function offersGoRound(readers) {
  for (const [n, from] of readers.entries()) {
    const to = readers[(n + 1) % readers.length];
    from.socket.emit('offer', { offer: n, to: to?.id });
    await to?.hears('offer', { offer: n, from: from.id });
  }
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

// The original lets all in.
if (asked === 'ours') {
  /** Where a client may have its token. @type {Record<string, (token: string) => Options>} */
  const places = {
    auth: (token) => authorized(async () => token),
    extraHeaders: (token) => ({ extraHeaders: { Authorization: `Bearer ${token}` } }),
    query: (token) => ({ query: { access_token: token } }),
  };

  /** @param {() => Promise<string | undefined>} fetchToken @returns {Options} */
  const authorized = (fetchToken) => ({ auth: async (/** @type {(data: object) => void} */ give) => give({ token: await fetchToken() }) });

  /** @param {Options[]} options each over each way */
  const overAllWays = (options) => Object.values(ways).flatMap((transports) => options.map((options) => ({ transports, options })));

  const withGoodTokens = async () => {
    const options = Object.values(places).map((place) => place(token()));
    const settled = await Promise.allSettled(overAllWays(options).map(({ transports, options }) => Reader.connect(subject.url, transports, options)));
    const readers = settled.flatMap((reader) => (reader.status === 'fulfilled' ? [reader.value] : []));
    try {
      assert.deepEqual(settled.filter(({ status }) => status === 'rejected'), []);
      await offersGoRound(readers);
    } finally {
      for (const reader of readers) reader.close();
    }
  };

  describe('with credentials', { concurrency: true }, () => {
    serveGuarded('socket.io');

    test(`clients with a token in ${Object.keys(places).join(', in ')} call each other`, withGoodTokens);

    for (const [name, { make, message }] of Object.entries(refused)) {
      test(`clients with ${name} are told why they are refused, and do not come back`, async () => {
        const bad = make();
        const options = bad === null ? [{}, authorized(async () => undefined)] : Object.values(places).map((place) => place(bad));
        await Promise.all(overAllWays(options).map(async ({ transports, options }) => {
          const { socket } = new Reader(subject.url, transports, options);
          let connections = 0;
          socket.io.on('open', () => void connections++);
          try {
            const refusal = new Promise((resolve) => void socket.on('connect_error', resolve));
            const { message: text, data } = await within(20, 'a refusal', () => '', refusal);
            assert.deepEqual({ text, data }, { text: message, data: { code: 'unauthorized' } });
            await watched();
            assert.deepEqual({ connections, active: socket.active }, { connections: 1, active: false });
          } finally {
            socket.close();
          }
        }));
      });
    }

    test('a client whose token expires is closed, asks for another and is there again, with another id', async () => {
      const readers = await Promise.all(Object.values(ways).map((transports) => {
        const tokens = [briefToken(), token()];
        return Reader.connect(subject.url, transports, authorized(async () => tokens.shift()));
      }));
      try {
        const before = readers.map(({ id }) => id);
        await Promise.all(readers.map((reader) => reader.isGreeted()));
        assert.equal(new Set([...before, ...readers.map(({ id }) => id)]).size, 2 * readers.length);
        await offersGoRound(readers);
      } finally {
        for (const reader of readers) reader.close();
      }
    });

    const kinds = Object.keys(ways).map(() => /** @type {const} */ ('chromium'));

    test('pages of another site call each other, and are told of ICE servers', scene(kinds, async (...visitors) => {
      const tokens = visitors.map(() => token());
      const ids = await Promise.all(visitors.map((visitor, n) => visitor.ask('connect', subject.url, Object.values(ways)[n], { token: tokens[n] })));
      for (const [n, visitor] of visitors.entries()) {
        const next = (n + 1) % visitors.length;
        await visitor.ask('offer', ids[next], { sdp: 'v=0' });
        await visitors[next]?.hears(JSON.stringify({ offer: { sdp: 'v=0' }, from: ids[n] }));
      }
      for (const [n, visitor] of visitors.entries()) {
        visitor.assertNoComplaint();
        await isToldOfIceServers(visitor, tokens[n] ?? '');
      }
    }));

    test('pages of another site are told why they are refused', scene(kinds, async (...visitors) => {
      await Promise.all(visitors.map(async (visitor, n) => {
        for (const { make, message } of Object.values(refused)) {
          assert.equal(await visitor.ask('connect', subject.url, Object.values(ways)[n], { token: make() }), 'unauthorized');
          // Its transport may be upgraded at the same moment.
          const errors = (await visitor.heard()).filter((heard) => heard.startsWith('error: '));
          assert.equal(errors.at(-1), `error: ${message}`);
        }
        // It may complain of a 400: the client polls as it closes, and the poll may come second. So it is with socket.io's server.
      }));
    }));
  });

  describe('with credentials, behind nginx', () => {
    serveGuarded('socket.io', { behind: 'nginx' });

    test('clients with a token call each other', withGoodTokens);
  });
}

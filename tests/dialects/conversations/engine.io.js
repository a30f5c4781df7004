/** Engine.IO 4, one corner after the other. */

/** @import { Conversation, Wire } from '../wire.js' */
import { connected, FENCE, fence, POLLING, Session, SID, WEBSOCKET } from './session.js';

/** More than maxPayload. */
const HUGE = `42${JSON.stringify(['offer', { offer: 'x'.repeat(1_000_100) }])}`;

const OPENED = '"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}';

/** @param {number} code @param {string} message */
const refused = (code, message) => `400 | application/json | ${JSON.stringify({ code, message })}`;

/** @type {Conversation[]} */
export const engineIo = [
  {
    title: 'the opening over polling',
    async talk(wire) {
      const alice = await Session.open(wire, 'alice');
      await alice.posts('40');
      const packets = await alice.receives(2);
      wire.learn(SID, packets[0] ?? '', 'alice');
      for (const packet of packets) wire.write(packet);
    },
    said: [
      `alice: 200 | text/plain; charset=UTF-8 | 0{"sid":"<session of alice>","upgrades":["websocket"],${OPENED}`,
      'alice posts: 200 | text/html | ok',
      '40{"sid":"<alice>"}',
      '42["newUser","Coucou user :  <alice>"]',
    ],
  },
  {
    title: 'the opening over a WebSocket',
    async talk(wire) {
      const client = await wire.connect('alice', WEBSOCKET);
      await client.hears();
      const own = wire.lines.pop() ?? '';
      wire.learn(SID, own, 'session');
      wire.write(own);
      client.sends('40{"token":"an auth payload"}');
      await client.hears();
      const connect = wire.lines.pop() ?? '';
      wire.learn(SID, connect, 'alice');
      wire.write(connect);
      await client.hears();
    },
    said: [
      `alice ← 0{"sid":"<session>","upgrades":[],${OPENED}`,
      'alice ← 40{"sid":"<alice>"}',
      'alice ← 42["newUser","Coucou user :  <alice>"]',
    ],
  },
  {
    title: 'headers of the opening',
    async talk(wire) {
      const show = ['cache-control', 'set-cookie'];
      const { line } = await wire.begin('GET', POLLING, { show });
      wire.write(line.replace(/ \| 0\{.*/, ''));
    },
    said: ['200 | text/plain; charset=UTF-8 | no-store | none'],
  },
  {
    title: 'a page of another site',
    async talk(wire) {
      const { line } = await wire.begin('GET', POLLING, { headers: { Origin: 'https://evil.example' }, show: ['access-control-allow-origin'] });
      wire.write(line.replace(/ \| 0\{.*/, ' | 0'));
    },
    said: ['200 | text/plain; charset=UTF-8 | https://site.example | 0'],
  },
  {
    title: 'a page of a site that is allowed',
    async talk(wire) {
      const { line } = await wire.begin('GET', POLLING, { headers: { Origin: 'https://site.example' }, show: ['access-control-allow-origin'] });
      wire.write(line.replace(/ \| 0\{.*/, ' | 0'));
    },
    said: ['200 | text/plain; charset=UTF-8 | https://site.example | 0'],
  },
  {
    title: 'JSONP',
    async talk(wire) {
      const { line } = await wire.begin('GET', `${POLLING}&j=0`);
      wire.write(line.replace(/\{.*/, ''));
    },
    said: ['200 | text/plain; charset=UTF-8 | ___eio[0]("0'],
  },
  {
    title: 'a large answer to a client that takes compressed ones',
    async talk(wire) {
      const alice = await Session.open(wire, 'alice');
      await alice.posts('40');
      const id = wire.learn(SID, (await alice.receives(2))[0] ?? '', 'alice');
      const bob = await connected(wire, 'bob');
      wire.lines = [];
      bob.client.sends(`42${JSON.stringify(['offer', { offer: 'x'.repeat(2000), to: id }])}`);
      const { line } = await wire.begin('GET', alice.path, { headers: { 'Accept-Encoding': 'gzip' }, show: ['content-encoding'] });
      wire.write(line.split(' | ').slice(0, 3).join(' | '));
    },
    said: ['200 | text/plain; charset=UTF-8 | gzip'],
  },
  {
    title: 'requests that open nothing',
    async talk(wire) {
      await wire.ask('an unknown transport', 'GET', '/socket.io/?EIO=4&transport=carrier');
      await wire.ask('no transport', 'GET', '/socket.io/?EIO=4');
      await wire.ask('an unknown session', 'GET', `${POLLING}&sid=AAAAAAAAAAAAAAAAAAAA`);
      await wire.ask('an unknown session, posting', 'POST', `${POLLING}&sid=AAAAAAAAAAAAAAAAAAAA`, { body: '1' });
      await wire.ask('a POST first', 'POST', POLLING, { body: '40' });
      await wire.ask('a WebSocket without an upgrade', 'GET', WEBSOCKET);
      await wire.ask('no version', 'GET', '/socket.io/?transport=polling');
      await wire.ask('version 3', 'GET', '/socket.io/?EIO=3&transport=polling');
      await (await wire.connect('an upgrade to an unknown transport', '/socket.io/?EIO=4&transport=carrier')).hears();
      await (await wire.connect('an upgrade of an unknown session', `${WEBSOCKET}&sid=AAAAAAAAAAAAAAAAAAAA`)).hears();
      await (await wire.connect('an upgrade of version 3', '/socket.io/?EIO=3&transport=websocket')).hears();
    },
    said: [
      `an unknown transport: ${refused(0, 'Transport unknown')}`,
      `no transport: ${refused(0, 'Transport unknown')}`,
      `an unknown session: ${refused(1, 'Session ID unknown')}`,
      `an unknown session, posting: ${refused(1, 'Session ID unknown')}`,
      `a POST first: ${refused(2, 'Bad handshake method')}`,
      `a WebSocket without an upgrade: ${refused(3, 'Bad request')}`,
      `no version: ${refused(5, 'Unsupported protocol version')}`,
      `version 3: ${refused(5, 'Unsupported protocol version')}`,
      'an upgrade to an unknown transport ← (400 | text/html | Transport unknown)',
      'an upgrade of an unknown session ← (400 | text/html | Session ID unknown)',
      'an upgrade of version 3 ← (closed 1006)',
    ],
  },
  {
    title: 'the path without its slash',
    async talk(wire) {
      const { line } = await wire.begin('GET', '/socket.io?EIO=4&transport=polling');
      wire.write(line.slice(0, 3));
    },
    said: ['404'],
  },
  {
    title: "socket.io's own file for pages",
    async talk(wire) {
      const { line } = await wire.begin('GET', '/socket.io/socket.io.js');
      wire.write(line.split(' | ').slice(0, 2).join(' | '));
    },
    said: ['200 | application/javascript; charset=utf-8'],
  },
  {
    title: 'other methods with a session',
    async talk(wire) {
      const alice = await Session.connect(wire, 'alice');
      for (const method of ['PUT', 'DELETE', 'HEAD', 'OPTIONS']) await wire.ask(method, method, alice.path);
      await alice.posts('40/fence');
      await alice.polls();
    },
    said: [
      'PUT: 500 | none | ',
      'DELETE: 500 | none | ',
      'HEAD: 500 | none | ',
      'OPTIONS: 204 | none | ',
      'alice posts: 200 | text/html | ok',
      `alice polls: 200 | text/plain; charset=UTF-8 | ${FENCE}`,
    ],
  },
  {
    title: 'two polls at once',
    async talk(wire) {
      const alice = await Session.connect(wire, 'alice');
      const first = alice.poll();
      await wire.arrived();
      await alice.polls();
      await alice.polls(first);
      await alice.polls();
    },
    said: [
      'alice polls: 400 | none | ',
      'alice polls: 200 | text/plain; charset=UTF-8 | 1',
      `alice polls: ${refused(1, 'Session ID unknown')}`,
    ],
  },
  ...Object.entries({
    'an unknown digit': '9',
    'no packet': '',
    'bad JSON': '42["offer"',
    'an event with a reserved name': '42["disconnect"]',
    'an event without a name': '42[{}]',
    'a ping': '2',
  }).map(([what, body]) => ({
    title: `a POST with ${what} ends the session`,
    /** @param {Wire} wire */
    async talk(wire) {
      const alice = await Session.connect(wire, 'alice');
      const poll = alice.poll();
      await wire.arrived();
      await alice.posts(body);
      await alice.polls(poll);
      await alice.polls();
    },
    said: [
      'alice posts: 200 | text/html | ok',
      'alice polls: 200 | text/plain; charset=UTF-8 | 1',
      `alice polls: ${refused(1, 'Session ID unknown')}`,
    ],
  })),
  {
    title: 'a POST that is too large, and the session lives',
    async talk(wire) {
      const alice = await Session.connect(wire, 'alice');
      await alice.posts(HUGE);
      await alice.posts('40/fence');
      await alice.polls();
    },
    said: [
      'alice posts: 413 | none | ',
      'alice posts: 200 | text/html | ok',
      `alice polls: 200 | text/plain; charset=UTF-8 | ${FENCE}`,
    ],
  },
  {
    title: 'a message over a WebSocket that is too large',
    async talk(wire) {
      const { client } = await connected(wire, 'alice');
      client.sends(HUGE);
      await client.hears();
    },
    said: ['alice ← (closed 1009)'],
  },
  {
    title: 'a POST of bytes ends the session',
    async talk(wire) {
      const alice = await Session.connect(wire, 'alice');
      await alice.posts('40/x', { 'Content-Type': 'application/octet-stream' });
      await alice.polls();
    },
    said: [
      'alice posts: 400 | none | ',
      `alice polls: ${refused(1, 'Session ID unknown')}`,
    ],
  },
  {
    title: 'a client that closes its session',
    async talk(wire) {
      const alice = await Session.connect(wire, 'alice');
      const poll = alice.poll();
      await wire.arrived();
      await alice.posts('1');
      await alice.polls(poll);
      await alice.polls();
      await alice.posts('1');
    },
    said: [
      'alice posts: 200 | text/html | ok',
      'alice polls: 200 | text/plain; charset=UTF-8 | 6',
      `alice polls: ${refused(1, 'Session ID unknown')}`,
      `alice posts: ${refused(1, 'Session ID unknown')}`,
    ],
  },
  {
    title: 'several packets in a POST',
    async talk(wire) {
      const alice = await Session.connect(wire, 'alice');
      await alice.posts('40/a\x1e40/b\x1e40/c');
      for (const packet of await alice.receives(3)) wire.write(packet);
    },
    said: [
      'alice posts: 200 | text/html | ok',
      ...['a', 'b', 'c'].map((name) => `44/${name},{"message":"Invalid namespace"}`),
    ],
  },
  {
    title: 'the upgrade',
    async talk(wire) {
      const alice = await Session.connect(wire, 'alice');
      const poll = alice.poll();
      await wire.arrived();
      const client = await wire.connect('alice', alice.path.replace('polling', 'websocket'));
      await client.opens();
      client.sends('2probe');
      await client.hears();
      await alice.polls(poll);
      await alice.posts('40/pending');
      client.sends('5');
      await client.hears();
      await alice.polls();
      await alice.posts('40/x');
      await (await wire.connect('another', alice.path.replace('polling', 'websocket'))).hears();
      await fence(client);
    },
    said: [
      'alice ← 3probe',
      'alice polls: 200 | text/plain; charset=UTF-8 | 6',
      'alice posts: 200 | text/html | ok',
      'alice ← 44/pending,{"message":"Invalid namespace"}',
      `alice polls: ${refused(3, 'Bad request')}`,
      `alice posts: ${refused(3, 'Bad request')}`,
      'another ← (closed 1005)',
      `alice ← ${FENCE}`,
    ],
  },
  {
    title: 'a probe that says something else is closed, and the session goes on',
    async talk(wire) {
      const alice = await Session.connect(wire, 'alice');
      const client = await wire.connect('alice', alice.path.replace('polling', 'websocket'));
      await client.opens();
      client.sends('40/x');
      await client.hears();
      await alice.posts('40/fence');
      await alice.polls();
    },
    said: [
      'alice ← (closed 1005)',
      'alice posts: 200 | text/html | ok',
      `alice polls: 200 | text/plain; charset=UTF-8 | ${FENCE}`,
    ],
  },
  {
    title: 'the heartbeat',
    async talk(wire) {
      const { client } = await connected(wire, 'alice');
      await client.hears();
      wire.tellTime('it comes');
      client.sends('3');
      await fence(client);
    },
    said: ['alice ← 2', 'it comes after 25 s', `alice ← ${FENCE}`],
  },
  {
    title: 'a heartbeat without an answer',
    async talk(wire) {
      const { client } = await connected(wire, 'alice');
      await client.hears();
      await client.hears();
      wire.tellTime('it is closed');
    },
    said: ['alice ← 2', 'alice ← (closed 1005)', 'it is closed after 45 s'],
  },
  {
    title: 'packets that are out of place over a WebSocket',
    async talk(wire) {
      const { client } = await connected(wire, 'alice');
      for (const packet of ['0', '3', '5', '6', '6x']) client.sends(packet);
      await fence(client);
      client.sends('1');
      await fence(client);
    },
    said: [`alice ← ${FENCE}`, `alice ← ${FENCE}`],
  },
  ...Object.entries({
    'a ping': '2',
    'an unknown digit': '9',
  }).map(([what, frame]) => ({
    title: `${what} over a WebSocket ends it`,
    /** @param {Wire} wire */
    async talk(wire) {
      const { client } = await connected(wire, 'alice');
      client.sends(frame);
      client.sends('40/fence');
      await client.hears();
    },
    said: ['alice ← (closed 1005)'],
  })),
];

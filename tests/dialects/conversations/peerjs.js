/** PeerJS's protocol, one corner after the other. */

/** @import { Conversation, Wire } from '../wire.js' */

/** @param {string} id @param {string} [token] @param {string} [key] */
const path = (id, token = 't', key = 'peerjs') => `/peerjs?key=${key}&id=${id}&token=${token}&version=1.5.5`;

/** Ids of several conversations are in one server. @param {string} type @param {string} [dst] @param {unknown} [payload] */
const message = (type, dst, payload) => JSON.stringify({ type, payload, dst });

/** @param {Wire} wire @param {string} id */
async function open(wire, id) {
  const client = await wire.connect(id, path(id));
  await client.hears();
  return client;
}

/** @type {Conversation[]} */
export const peerjs = [
  {
    title: 'HTTP',
    async talk(wire) {
      await wire.ask('root', 'GET', '/');
      await wire.ask('peers', 'GET', '/peerjs/peers');
    },
    said: [
      'root: 200 | application/json; charset=utf-8 | {"name":"PeerJS Server","description":"A server side element to broker connections between PeerJS clients.","website":"https://peerjs.com/"}',
      'peers: 401 | text/plain; charset=utf-8 | Unauthorized',
    ],
  },
  {
    title: 'a new id',
    async talk(wire) {
      const { line, body } = await wire.begin('GET', '/peerjs/id?ts=1&version=1.5.5');
      wire.learn(/^([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/, body, 'a UUID');
      wire.write(`id: ${line}`);
    },
    said: ['id: 200 | text/html; charset=utf-8 | <a UUID>'],
  },
  {
    title: 'origins over HTTP',
    async talk(wire) {
      const show = ['access-control-allow-origin', 'vary'];
      await wire.ask('allowed', 'GET', '/peerjs/peers', { headers: { Origin: 'https://site.example' }, show });
      await wire.ask('preflight', 'OPTIONS', '/peerjs/id', { headers: { Origin: 'https://site.example', 'Access-Control-Request-Method': 'GET' }, show });
      await wire.ask('other', 'GET', '/peerjs/peers', { headers: { Origin: 'https://evil.example' }, show });
    },
    said: [
      'allowed: 401 | text/plain; charset=utf-8 | https://site.example | Origin | Unauthorized',
      'preflight: 204 | none | https://site.example | Origin, Access-Control-Request-Headers | ',
      'other: 401 | text/plain; charset=utf-8 | https://evil.example | Origin | Unauthorized',
    ],
  },
  {
    title: 'another key over HTTP',
    async talk(wire) {
      const { line } = await wire.begin('GET', '/other/id');
      wire.write(`id: ${line.replace(/[\da-f]{8}-[\da-f-]{27}/, '<a UUID>')}`);
    },
    said: ['id: 200 | text/html; charset=utf-8 | <a UUID>'],
  },
  {
    title: 'connections that are refused',
    async talk(wire) {
      const paths = {
        'no id': '/peerjs?key=peerjs&token=t',
        'no token': '/peerjs?key=peerjs&id=a1',
        'no key': '/peerjs?id=a1&token=t',
        'another key': path('a1', 't', 'other'),
        'an empty id': path(''),
      };
      for (const [who, path] of Object.entries(paths)) await (await wire.connect(who, path)).hears(2);
      await (await wire.connect('a slash too many', '/peerjs/?key=peerjs&id=a1&token=t')).hears();
    },
    said: [
      ...['no id', 'no token', 'no key', 'another key', 'an empty id'].flatMap((who) => [
        `${who} ← {"type":"ERROR","payload":{"msg":"${who === 'another key' ? 'Invalid key provided' : 'No id, token, or key supplied to websocket server'}"}}`,
        `${who} ← (closed 1005)`,
      ]),
      'a slash too many ← (400 | text/html | Bad Request)',
    ],
  },
  {
    title: 'the last of two parameters counts',
    async talk(wire) {
      const b = await wire.connect('b2', `${path('b1')}&id=b2`);
      await b.hears();
      b.sends(message('OFFER', 'b2', 1));
      await b.hears();
    },
    said: ['b2 ← {"type":"OPEN"}', 'b2 ← {"type":"OFFER","src":"b2","dst":"b2","payload":1}'],
  },
  {
    title: 'an id that is taken',
    async talk(wire) {
      const holder = await open(wire, 'c1');
      await (await wire.connect('another', path('c1', 'u'))).hears(2);
      holder.sends(message('OFFER', 'c1', 'still mine'));
      await holder.hears();
    },
    said: [
      'c1 ← {"type":"OPEN"}',
      'another ← {"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}',
      'another ← (closed 1005)',
      'c1 ← {"type":"OFFER","src":"c1","dst":"c1","payload":"still mine"}',
    ],
  },
  {
    title: 'the same id with the same token',
    async talk(wire) {
      const [old, caller] = [await open(wire, 'd1'), await open(wire, 'd2')];
      const again = await wire.connect('d1 again', path('d1'));
      await again.opens();
      again.sends(message('OFFER', 'd1', 'to whom?'));
      await again.hearsUntil('to whom?');
      caller.sends(message('OFFER', 'd1', 'and now?'));
      await again.hears();
      await old.hearsOrNot();
      old.sends(message('OFFER', 'd2', 'from the old one'));
      if (wire.last.includes('nothing')) await caller.hears();
    },
    said: [
      'd1 ← {"type":"OPEN"}',
      'd2 ← {"type":"OPEN"}',
      'd1 again ← {"type":"OFFER","src":"d1","dst":"d1","payload":"to whom?"}',
      'd1 again ← {"type":"OFFER","src":"d2","dst":"d1","payload":"and now?"}',
      'd1 ← (nothing)',
      'd2 ← {"type":"OFFER","src":"d1","dst":"d2","payload":"from the old one"}',
    ],
  },
  {
    title: 'what is relayed',
    async talk(wire) {
      const [a, b] = [await open(wire, 'e1'), await open(wire, 'e 2')];
      for (const type of ['OFFER', 'ANSWER', 'CANDIDATE', 'LEAVE']) a.sends(message(type, 'e 2', { b: 1, a: ['é', '\u2028', null, 1e3] }));
      await b.hears(4);
      a.sends(JSON.stringify({ dst: 'e 2', more: 1, src: 'forged', payload: 'keys', type: 'OFFER' }));
      a.sends(JSON.stringify({ type: 'OFFER', dst: 'e 2' }));
      a.sends(Buffer.from(message('OFFER', 'e 2', 'binary')));
      await b.hears(3);
    },
    said: [
      'e1 ← {"type":"OPEN"}',
      'e 2 ← {"type":"OPEN"}',
      ...['OFFER', 'ANSWER', 'CANDIDATE', 'LEAVE'].map(
        (type) => `e 2 ← {"type":"${type}","src":"e1","dst":"e 2","payload":{"b":1,"a":["é","\u2028",null,1000]}}`,
      ),
      'e 2 ← {"type":"OFFER","src":"e1","dst":"e 2","payload":"keys"}',
      'e 2 ← {"type":"OFFER","src":"e1","dst":"e 2"}',
      'e 2 ← {"type":"OFFER","src":"e1","dst":"e 2","payload":"binary"}',
    ],
  },
  {
    title: 'what is not relayed',
    async talk(wire) {
      const a = await open(wire, 'f1');
      for (const type of ['HEARTBEAT', 'OPEN', 'ERROR', 'ID-TAKEN', 'offer', 'other']) a.sends(message(type, 'f1', type));
      for (const dst of [undefined, '']) a.sends(message('OFFER', dst, 'to no one'));
      a.sends(message('OFFER', 'f1', 'fence'));
      await a.hears();
    },
    said: ['f1 ← {"type":"OPEN"}', 'f1 ← {"type":"OFFER","src":"f1","dst":"f1","payload":"fence"}'],
  },
  {
    title: 'an EXPIRE that a client sends',
    async talk(wire) {
      const [a, b] = [await open(wire, 'g1'), await open(wire, 'g2')];
      a.sends(message('EXPIRE', 'g2'));
      a.sends(message('OFFER', 'g2', 'fence'));
      await b.hearsUntil('fence');
    },
    said: [
      'g1 ← {"type":"OPEN"}',
      'g2 ← {"type":"OPEN"}',
      'g2 ← {"type":"EXPIRE","src":"g1","dst":"g2"}',
      'g2 ← {"type":"OFFER","src":"g1","dst":"g2","payload":"fence"}',
    ],
  },
  {
    title: 'an addressee who is absent',
    async talk(wire) {
      const [a, b] = [await open(wire, 'h1'), await open(wire, 'h2')];
      wire.startClock();
      for (const type of ['OFFER', 'CANDIDATE']) a.sends(message(type, 'h absent', 1));
      b.sends(message('OFFER', 'h absent', 2));
      await Promise.all([a, b].map((client) => client.hears()));
      wire.lines.sort();
      wire.tellTime('they are told');
      for (const client of [a, b]) {
        client.sends(message('OFFER', client === a ? 'h1' : 'h2', 'fence'));
        await client.hears();
      }
    },
    said: [
      'h1 ← {"type":"EXPIRE","src":"h absent","dst":"h1"}',
      'h1 ← {"type":"OPEN"}',
      'h2 ← {"type":"EXPIRE","src":"h absent","dst":"h2"}',
      'h2 ← {"type":"OPEN"}',
      'they are told after 5 s',
      'h1 ← {"type":"OFFER","src":"h1","dst":"h1","payload":"fence"}',
      'h2 ← {"type":"OFFER","src":"h2","dst":"h2","payload":"fence"}',
    ],
  },
  {
    title: 'an addressee who comes a moment later',
    async talk(wire) {
      const a = await open(wire, 'i1');
      for (const type of ['OFFER', 'CANDIDATE', 'ANSWER']) a.sends(message(type, 'i2', 1));
      a.sends(message('OFFER', 'i1', 'fence'));
      await a.hears();
      const b = await open(wire, 'i2');
      await b.hears(3);
    },
    said: [
      'i1 ← {"type":"OPEN"}',
      'i1 ← {"type":"OFFER","src":"i1","dst":"i1","payload":"fence"}',
      'i2 ← {"type":"OPEN"}',
      'i2 ← {"type":"OFFER","src":"i1","dst":"i2","payload":1}',
      'i2 ← {"type":"CANDIDATE","src":"i1","dst":"i2","payload":1}',
      'i2 ← {"type":"ANSWER","src":"i1","dst":"i2","payload":1}',
    ],
  },
  {
    title: 'the others are not told that one leaves',
    async talk(wire) {
      const [a, b] = [await open(wire, 'j1'), await open(wire, 'j2')];
      b.sends(message('OFFER', 'j1', 'before'));
      await a.hears();
      b.leaves();
      await b.hears();
      a.sends(message('OFFER', 'j1', 'fence'));
      await a.hears();
    },
    said: [
      'j1 ← {"type":"OPEN"}',
      'j2 ← {"type":"OPEN"}',
      'j1 ← {"type":"OFFER","src":"j2","dst":"j1","payload":"before"}',
      'j2 ← (closed 1000)',
      'j1 ← {"type":"OFFER","src":"j1","dst":"j1","payload":"fence"}',
    ],
  },
  {
    title: 'a frame that is no JSON',
    alone: true,
    async talk(wire) {
      const a = await open(wire, 'k1');
      a.sends('no JSON');
      a.sends(message('OFFER', 'k1', 'fence'));
      await a.hearsOrNot();
    },
    said: ['k1 ← {"type":"OPEN"}', 'k1 ← (nothing)'],
  },
];

/** matchbox's protocol, one corner after the other. */

/** @import { Client, Conversation, Wire } from '../wire.js' */

/** A room's path, as clients have it who are given the whole URL. @param {Wire} wire @param {string} path */
const at = (wire, path) => wire.endpoint.replace(/\/$/, '') + path;

/** @typedef {{ client: Client, id: string }} Peer */

/** Comes, and has its id. @param {Wire} wire @param {string} name @param {string} path @returns {Promise<Peer>} */
async function come(wire, name, path) {
  const client = await wire.connect(name, at(wire, path));
  await client.hears();
  const id = wire.name(name);
  wire.lines.pop();
  return { client, id };
}

/** Comes, and is in or refused. @param {Wire} wire @param {string} name @param {string} path @param {Record<string, string>} [headers] */
async function knock(wire, name, path, headers) {
  const client = await wire.connect(name, at(wire, path), headers);
  await client.hears();
  if (wire.last.includes('IdAssigned')) wire.name('an id');
  return client;
}

/** @param {Client} from @param {string} receiver @param {string} data as JSON */
const signal = (from, receiver, data) => from.sends(`{"Signal":{"receiver":"${receiver}","data":${data}}}`);

/** What was said to this one before is through once it hears this. @param {Peer} from @param {Peer} to */
async function fence(from, to) {
  signal(from.client, to.id, '"fence"');
  await to.client.hearsUntil('fence');
}

/** @type {Conversation[]} */
export const matchbox = [
  {
    title: 'each is told its own id, and of those that come later',
    async talk(wire) {
      const [a, b] = [await come(wire, 'a', '/hall'), await come(wire, 'b', '/hall')];
      await a.client.hears();
      const c = await come(wire, 'c', '/hall');
      await a.client.hears();
      await b.client.hears();
      await fence(b, c);
    },
    said: ['a ← {"NewPeer":"<b>"}', 'a ← {"NewPeer":"<c>"}', 'b ← {"NewPeer":"<c>"}', 'c ← {"Signal":{"sender":"<b>","data":"fence"}}'],
  },
  {
    title: 'signals reach the one that they are for',
    async talk(wire) {
      const [a, b] = [await come(wire, 'a', '/signals'), await come(wire, 'b', '/signals')];
      await a.client.hears();
      a.client.sends('"KeepAlive"');
      for (const data of ['{"Offer":"v=0\\r\\n"}', '{"IceCandidate":"{\\"candidate\\":\\"\\"}"}', '{"IceCandidate":"null"}']) signal(a.client, b.id, data);
      await b.client.hears(3);
      signal(b.client, a.id, '{"Answer":"v=0\\r\\n"}');
      await a.client.hears();
    },
    said: [
      'a ← {"NewPeer":"<b>"}',
      'b ← {"Signal":{"sender":"<a>","data":{"Offer":"v=0\\r\\n"}}}',
      'b ← {"Signal":{"sender":"<a>","data":{"IceCandidate":"{\\"candidate\\":\\"\\"}"}}}',
      'b ← {"Signal":{"sender":"<a>","data":{"IceCandidate":"null"}}}',
      'a ← {"Signal":{"sender":"<b>","data":{"Answer":"v=0\\r\\n"}}}',
    ],
  },
  {
    title: "a signal's data is any JSON",
    async talk(wire) {
      const [a, b] = [await come(wire, 'a', '/data'), await come(wire, 'b', '/data')];
      await a.client.hears();
      for (const data of ['null', '"é\u2028"', '[1,-2.5,{}]', '{ "b" : 1 , "a" : 2 }', '1e3', '"\\u00e9\\/"', '{"a":1,"a":2}']) {
        signal(a.client, b.id, data);
        await b.client.hears();
      }
    },
    said: [
      'a ← {"NewPeer":"<b>"}',
      'b ← {"Signal":{"sender":"<a>","data":null}}',
      'b ← {"Signal":{"sender":"<a>","data":"é\u2028"}}',
      'b ← {"Signal":{"sender":"<a>","data":[1,-2.5,{}]}}',
      'b ← {"Signal":{"sender":"<a>","data":{"a":2,"b":1}}}',
      'b ← {"Signal":{"sender":"<a>","data":1000.0}}',
      'b ← {"Signal":{"sender":"<a>","data":"é/"}}',
      'b ← {"Signal":{"sender":"<a>","data":{"a":2}}}',
    ],
  },
  {
    title: 'a signal to oneself',
    async talk(wire) {
      const [a, b] = [await come(wire, 'a', '/mirror'), await come(wire, 'b', '/mirror')];
      await a.client.hears();
      signal(a.client, a.id, '"to myself"');
      await fence(b, a);
    },
    said: ['a ← {"NewPeer":"<b>"}', 'a ← {"Signal":{"sender":"<a>","data":"to myself"}}', 'a ← {"Signal":{"sender":"<b>","data":"fence"}}'],
  },
  {
    title: 'ids in capital letters, and without hyphens',
    async talk(wire) {
      const [a, b] = [await come(wire, 'a', '/capitals'), await come(wire, 'b', '/capitals')];
      await a.client.hears();
      signal(a.client, b.id.toUpperCase(), '"capitals"');
      signal(a.client, b.id.replaceAll('-', ''), '"no hyphens"');
      await fence(a, b);
    },
    said: [
      'a ← {"NewPeer":"<b>"}',
      'b ← {"Signal":{"sender":"<a>","data":"capitals"}}',
      'b ← {"Signal":{"sender":"<a>","data":"no hyphens"}}',
      'b ← {"Signal":{"sender":"<a>","data":"fence"}}',
    ],
  },
  {
    title: 'what is not understood is ignored, and so is a signal to one that is not there',
    async talk(wire) {
      const [a, b] = [await come(wire, 'a', '/noise'), await come(wire, 'b', '/noise')];
      await a.client.hears();
      const frames = [
        '', 'no JSON', '{}', 'null', '[]', '1', '"Signal"', '"keepAlive"', '{"KeepAlive":null}', '{"Signal":{}}', `{"Signal":{"receiver":"${b.id}"}}`,
        '{"Signal":{"data":1}}', '{"Signal":{"receiver":1,"data":1}}', '{"Other":1}', `{"IdAssigned":"${b.id}"}`, `{"PeerLeft":"${b.id}"}`,
        '{"Signal":{"receiver":"00000000-0000-4000-8000-000000000000","data":1}}', '{"Signal":{"receiver":"no id","data":1}}',
        `{"Signal":{"receiver":"${b.id}","data":1}}{}`,
      ];
      for (const frame of frames) a.client.sends(frame);
      a.client.sends(Buffer.from(`{"Signal":{"receiver":"${b.id}","data":"binary"}}`));
      await fence(a, b);
      await fence(b, a);
    },
    said: ['a ← {"NewPeer":"<b>"}', 'b ← {"Signal":{"sender":"<a>","data":"fence"}}', 'a ← {"Signal":{"sender":"<b>","data":"fence"}}'],
  },
  {
    title: 'further fields, and a signal as a list',
    async talk(wire) {
      const [a, b] = [await come(wire, 'a', '/fields'), await come(wire, 'b', '/fields')];
      await a.client.hears();
      a.client.sends(`{"Signal":{"more":1,"data":1,"receiver":"${b.id}"}}`);
      a.client.sends(`{"Signal":["${b.id}",2]}`);
      await fence(a, b);
    },
    said: [
      'a ← {"NewPeer":"<b>"}',
      'b ← {"Signal":{"sender":"<a>","data":1}}',
      'b ← {"Signal":{"sender":"<a>","data":2}}',
      'b ← {"Signal":{"sender":"<a>","data":"fence"}}',
    ],
  },
  {
    title: 'rooms, and groups of a room, do not hear of each other',
    async talk(wire) {
      const [a, b] = [await come(wire, 'a', '/apart'), await come(wire, 'b', '/apart2')];
      const [c, d] = [await come(wire, 'c', '/apart?next=2'), await come(wire, 'd', '/apart?next=3')];
      const e = await come(wire, 'e', '/apart?other=1');
      await a.client.hears();
      await fence(a, e);
      for (const to of [b, c, d]) {
        signal(a.client, to.id, '"from another room"');
        await to.client.hearsOrNot();
      }
    },
    said: [
      'a ← {"NewPeer":"<e>"}',
      'e ← {"Signal":{"sender":"<a>","data":"fence"}}',
      'b ← {"Signal":{"sender":"<a>","data":"from another room"}}',
      'c ← {"Signal":{"sender":"<a>","data":"from another room"}}',
      'd ← {"Signal":{"sender":"<a>","data":"from another room"}}',
    ],
  },
  {
    title: 'who leaves is gone for the others',
    async talk(wire) {
      const [a, b, c] = [await come(wire, 'a', '/leaving'), await come(wire, 'b', '/leaving'), await come(wire, 'c', '/leaving')];
      await a.client.hears(2);
      await b.client.hears();
      a.client.leaves();
      await a.client.hears();
      await b.client.hears();
      await c.client.hears();
      signal(b.client, a.id, '"late"');
      await fence(b, c);
      const again = await come(wire, 'a again', '/leaving');
      await b.client.hears();
      await c.client.hears();
      await fence(c, again);
    },
    said: [
      'a ← {"NewPeer":"<b>"}',
      'a ← {"NewPeer":"<c>"}',
      'b ← {"NewPeer":"<c>"}',
      'a ← (closed 1000)',
      'b ← {"PeerLeft":"<a>"}',
      'c ← {"PeerLeft":"<a>"}',
      'c ← {"Signal":{"sender":"<b>","data":"fence"}}',
      'b ← {"NewPeer":"<a again>"}',
      'c ← {"NewPeer":"<a again>"}',
      'a again ← {"Signal":{"sender":"<c>","data":"fence"}}',
    ],
  },
  {
    title: 'two and two are matched',
    async talk(wire) {
      const [a, b] = [await come(wire, 'a', '/two?next=2'), await come(wire, 'b', '/two?next=2')];
      await a.client.hears();
      const [c, d] = [await come(wire, 'c', '/two?next=2'), await come(wire, 'd', '/two?next=2')];
      await c.client.hears();
      await fence(a, b);
      await fence(b, a);
      await fence(c, d);
      a.client.leaves();
      await a.client.hears();
      await b.client.hears();
      await fence(c, d);
    },
    said: [
      'a ← {"NewPeer":"<b>"}',
      'c ← {"NewPeer":"<d>"}',
      'b ← {"Signal":{"sender":"<a>","data":"fence"}}',
      'a ← {"Signal":{"sender":"<b>","data":"fence"}}',
      'd ← {"Signal":{"sender":"<c>","data":"fence"}}',
      'a ← (closed 1000)',
      'b ← {"PeerLeft":"<a>"}',
      'd ← {"Signal":{"sender":"<c>","data":"fence"}}',
    ],
  },
  {
    title: 'who waits for three is told of each that comes and goes, and may signal',
    async talk(wire) {
      const [a, b] = [await come(wire, 'a', '/three?next=3'), await come(wire, 'b', '/three?next=3')];
      await a.client.hears();
      await fence(a, b);
      await fence(b, a);
      b.client.leaves();
      await b.client.hears();
      await a.client.hears();
      const [c, d] = [await come(wire, 'c', '/three?next=3'), await come(wire, 'd', '/three?next=3')];
      await a.client.hears(2);
      await c.client.hears();
      const e = await come(wire, 'e', '/three?next=3');
      await fence(a, d);
      d.client.leaves();
      await d.client.hears();
      await a.client.hears();
      await c.client.hears();
      a.client.leaves();
      await a.client.hears();
      await c.client.hears();
      await come(wire, 'f', '/three?next=3');
      await e.client.hears();
    },
    said: [
      'a ← {"NewPeer":"<b>"}',
      'b ← {"Signal":{"sender":"<a>","data":"fence"}}',
      'a ← {"Signal":{"sender":"<b>","data":"fence"}}',
      'b ← (closed 1000)',
      'a ← {"PeerLeft":"<b>"}',
      'a ← {"NewPeer":"<c>"}',
      'a ← {"NewPeer":"<d>"}',
      'c ← {"NewPeer":"<d>"}',
      'd ← {"Signal":{"sender":"<a>","data":"fence"}}',
      'd ← (closed 1000)',
      'a ← {"PeerLeft":"<d>"}',
      'c ← {"PeerLeft":"<d>"}',
      'a ← (closed 1000)',
      'c ← {"PeerLeft":"<a>"}',
      'e ← {"NewPeer":"<f>"}',
    ],
  },
  {
    title: 'the last of a group leaves while another waits',
    async talk(wire) {
      const [a, b] = [await come(wire, 'a', '/last?next=2'), await come(wire, 'b', '/last?next=2')];
      await a.client.hears();
      const c = await come(wire, 'c', '/last?next=2');
      a.client.leaves();
      await a.client.hears();
      await b.client.hears();
      b.client.leaves();
      await b.client.hears();
      await come(wire, 'd', '/last?next=2');
      await c.client.hearsUntil('NewPeer');
    },
    said: [
      'a ← {"NewPeer":"<b>"}',
      'a ← (closed 1000)',
      'b ← {"PeerLeft":"<a>"}',
      'b ← (closed 1000)',
      'c ← {"PeerLeft":"<b>"}',
      'c ← {"NewPeer":"<d>"}',
    ],
  },
  {
    title: 'a group of one',
    async talk(wire) {
      const [a, b] = [await come(wire, 'a', '/one?next=1'), await come(wire, 'b', '/one?next=1')];
      await a.client.hearsOrNot();
      a.client.leaves();
      await b.client.hearsOrNot();
    },
    said: ['a ← (nothing)', 'b ← (nothing)'],
  },
  {
    title: 'a group of none',
    alone: true,
    async talk(wire) {
      await knock(wire, 'a', '/none?next=0');
      const b = await knock(wire, 'b', '/others');
      await knock(wire, 'c', '/others');
      await b.hearsOrNot();
    },
    said: ['a ← {"IdAssigned":"<an id>"}', 'b ← {"IdAssigned":"<an id>"}', 'c ← {"IdAssigned":"<an id>"}', 'b ← (nothing)'],
  },
  {
    title: 'a number may be spelled in several ways, and of two the last counts',
    async talk(wire) {
      const pairs = [['next=2', 'next=02'], ['next=5&next=2', 'next=2'], ['next=2&next=two', '']];
      for (const [n, queries] of pairs.entries()) {
        const [a] = [await come(wire, 'a', `/numbers${n}?${queries[0]}`), await come(wire, 'b', `/numbers${n}?${queries[1]}`)];
        await a.client.hears();
      }
    },
    said: ['a ← {"NewPeer":"<b>"}', 'a ← {"NewPeer":"<b>"}', 'a ← {"NewPeer":"<b>"}'],
  },
  {
    title: 'what is no number is as good as absent',
    async talk(wire) {
      const a = await come(wire, 'a', '/absent');
      for (const query of ['?', '?next', '?next=', '?next=two', '?next=-1', '?next=1.5', '?next=99999999999999999999999', '?Next=2']) {
        const b = await come(wire, query, `/absent${query}`);
        await a.client.hears();
        b.client.leaves();
        await a.client.hears();
      }
    },
    said: [
      'a ← {"NewPeer":"<?>"}',
      'a ← {"PeerLeft":"<?>"}',
      'a ← {"NewPeer":"<?next>"}',
      'a ← {"PeerLeft":"<?next>"}',
      'a ← {"NewPeer":"<?next=>"}',
      'a ← {"PeerLeft":"<?next=>"}',
      'a ← {"NewPeer":"<?next=two>"}',
      'a ← {"PeerLeft":"<?next=two>"}',
      'a ← {"NewPeer":"<?next=-1>"}',
      'a ← {"PeerLeft":"<?next=-1>"}',
      'a ← {"NewPeer":"<?next=1.5>"}',
      'a ← {"PeerLeft":"<?next=1.5>"}',
      'a ← {"NewPeer":"<?next=99999999999999999999999>"}',
      'a ← {"PeerLeft":"<?next=99999999999999999999999>"}',
      'a ← {"NewPeer":"<?Next=2>"}',
      'a ← {"PeerLeft":"<?Next=2>"}',
    ],
  },
  {
    title: 'a number behind a plus',
    async talk(wire) {
      const a = await come(wire, 'a', '/plus');
      await come(wire, 'b', '/plus?next=+2');
      await a.client.hearsOrNot();
    },
    said: ['a ← {"NewPeer":"<b>"}'],
  },
  {
    title: 'a query in percent-encoding',
    async talk(wire) {
      const a = await come(wire, 'a', '/encoded?next=2');
      await come(wire, 'b', '/encoded?n%65xt=%32');
      await a.client.hearsOrNot();
    },
    said: ['a ← {"NewPeer":"<b>"}'],
  },
  {
    title: 'no room',
    async talk(wire) {
      const [a, b] = [await come(wire, 'a', ''), await come(wire, 'b', '/')];
      await a.client.hears();
      await come(wire, 'c', '/world');
      await fence(a, b);
      await come(wire, 'd', '/%2F');
      await fence(a, b);
    },
    said: ['a ← {"NewPeer":"<b>"}', 'b ← {"Signal":{"sender":"<a>","data":"fence"}}', 'b ← {"Signal":{"sender":"<a>","data":"fence"}}'],
  },
  {
    title: 'names of rooms',
    async talk(wire) {
      const a = await come(wire, 'a', '/caf%C3%A9%2F+');
      await come(wire, 'the same', '/caf%c3%a9%2f+');
      await a.client.hears();
      for (const path of ['/Caf%C3%A9%2F+', '/caf%C3%A9%2F%20']) await come(wire, path, path);
      const b = await come(wire, 'b', '/caf%C3%A9%2F+');
      await a.client.hears();
      await fence(b, a);
    },
    said: ['a ← {"NewPeer":"<the same>"}', 'a ← {"NewPeer":"<b>"}', 'a ← {"Signal":{"sender":"<b>","data":"fence"}}'],
  },
  {
    title: 'long names, and one that is no UTF-8',
    async talk(wire) {
      for (const length of [128, 129]) await knock(wire, `${length}`, `/${'r'.repeat(length)}`);
      await knock(wire, 'no UTF-8', '/%ff');
    },
    said: [
      '128 ← {"IdAssigned":"<an id>"}',
      '129 ← {"IdAssigned":"<an id>"}',
      'no UTF-8 ← (400 | text/plain; charset=utf-8 | Invalid URL: Invalid UTF-8 in `path`)',
    ],
  },
  {
    title: 'paths that are none',
    async talk(wire) {
      for (const path of ['/a/b', '/a/']) await knock(wire, path, path);
    },
    said: ['/a/b ← (404 | none | )', '/a/ ← (404 | none | )'],
  },
  {
    title: 'HTTP',
    async talk(wire) {
      await wire.ask('health', 'GET', '/health');
      await wire.ask('GET', 'GET', at(wire, '/hall'));
      await wire.ask('POST', 'POST', at(wire, '/hall'));
    },
    said: [
      'health: 200 | none | ',
      "GET: 400 | text/plain; charset=utf-8 | Connection header did not include 'upgrade'",
      'POST: 405 | none | ',
    ],
  },
  {
    title: 'a page of another site',
    async talk(wire) {
      const sites = { allowed: 'https://site.example', other: 'https://evil.example' };
      for (const [who, Origin] of Object.entries(sites)) await knock(wire, who, '/origin', { Origin });
    },
    said: ['allowed ← {"IdAssigned":"<an id>"}', 'other ← {"IdAssigned":"<an id>"}'],
  },
];

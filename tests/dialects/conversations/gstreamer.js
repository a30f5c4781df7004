/** GStreamer's protocol, one corner after the other. */

/** @import { Client, Conversation, Wire } from '../wire.js' */

/** @typedef {{ client: Client, id: string }} Peer */

/** Comes, and has its id. @param {Wire} wire @param {string} name @returns {Promise<Peer>} */
async function come(wire, name) {
  const client = await wire.connect(name, wire.endpoint);
  await client.hears();
  const id = wire.name(name);
  wire.lines.pop();
  return { client, id };
}

/** Comes, and is in or refused. @param {Wire} wire @param {string} name @param {string} path @param {Record<string, string>} [headers] */
async function knock(wire, name, path, headers) {
  const client = await wire.connect(name, path, headers);
  await client.hears();
  if (wire.last.includes('welcome')) wire.name('an id');
}

/** @param {Client} client @param {object} message */
const say = (client, message) => client.sends(JSON.stringify(message));

/** Comes as a listener, and has heard so. For tests that have a server of their own. @param {Wire} wire @param {string} name */
async function listen(wire, name) {
  const peer = await come(wire, name);
  say(peer.client, { type: 'setPeerStatus', roles: ['listener'], meta: null });
  await peer.client.hears();
  wire.lines.pop();
  return peer;
}

/** What it has said before is through, and nothing else was on its way to it. Not for listeners. @param {Client} client */
async function fence(client) {
  say(client, { type: 'startSession', peerId: 'fence' });
  await client.hears();
}

/** The same for one that has a server of its own. @param {Client} client @param {'list' | 'listConsumers'} type */
async function list(client, type) {
  say(client, { type });
  await client.hears();
}

/** Comes with this role, and listeners have heard so. @param {Wire} wire @param {string} name @param {string} role */
async function comeAs(wire, name, role) {
  const peer = await come(wire, name);
  say(peer.client, { type: 'setPeerStatus', roles: [role], meta: { name } });
  await fence(peer.client);
  wire.lines.pop();
  return peer;
}

/** @param {Wire} wire @param {Peer} consumer @param {Peer} producer @param {object} [more] @returns {Promise<string>} the session's id */
async function start(wire, consumer, producer, more) {
  say(consumer.client, { type: 'startSession', peerId: producer.id, ...more });
  await consumer.client.hears();
  const session = wire.name('session');
  await producer.client.hears();
  return session;
}

const ABSENT = '00000000-0000-4000-8000-000000000000';

/** @type {Conversation[]} */
export const gstreamer = [
  {
    title: 'a page hears its own status, and lists',
    alone: true,
    async talk(wire) {
      const { client: a } = await come(wire, 'a');
      say(a, { type: 'setPeerStatus', roles: ['listener'], meta: null });
      await a.hears();
      await list(a, 'list');
      await list(a, 'listConsumers');
      say(a, { type: 'setPeerStatus', roles: ['listener', 'producer'], meta: { name: 'a' } });
      await a.hears();
      await list(a, 'list');
      say(a, { type: 'setPeerStatus', roles: ['listener', 'consumer'], meta: { name: 'a' } });
      await a.hears();
      await list(a, 'list');
      await list(a, 'listConsumers');
    },
    said: [
      'a ← {"type":"peerStatusChanged","roles":["listener"],"meta":null,"peerId":"<a>"}',
      'a ← {"type":"list","producers":[]}',
      'a ← {"type":"listConsumers","consumers":[]}',
      'a ← {"type":"peerStatusChanged","roles":["listener","producer"],"meta":{"name":"a"},"peerId":"<a>"}',
      'a ← {"type":"list","producers":[{"id":"<a>","meta":{"name":"a"}}]}',
      'a ← {"type":"peerStatusChanged","roles":["listener","consumer"],"meta":{"name":"a"},"peerId":"<a>"}',
      'a ← {"type":"list","producers":[]}',
      'a ← {"type":"listConsumers","consumers":[{"id":"<a>","meta":{"name":"a"}}]}',
    ],
  },
  {
    title: 'listeners hear who produces, and who does not any more',
    alone: true,
    async talk(wire) {
      const { client: a } = await listen(wire, 'a');
      const { client: b } = await come(wire, 'b');
      const { client: c } = await come(wire, 'c');
      say(b, { type: 'setPeerStatus', roles: ['producer'], meta: { name: 'b' } });
      await a.hears();
      say(b, { type: 'setPeerStatus', roles: ['producer'], meta: { name: 'B' } });
      await a.hears();
      say(b, { type: 'setPeerStatus', roles: [], meta: { name: 'B' } });
      await a.hears();
      await list(a, 'list');
      await fence(b);
      await fence(c);
    },
    said: [
      'a ← {"type":"peerStatusChanged","roles":["producer"],"meta":{"name":"b"},"peerId":"<b>"}',
      'a ← {"type":"peerStatusChanged","roles":["producer"],"meta":{"name":"B"},"peerId":"<b>"}',
      'a ← {"type":"peerStatusChanged","roles":[],"meta":{"name":"B"},"peerId":"<b>"}',
      'a ← {"type":"list","producers":[]}',
      `b ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
      `c ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
    ],
  },
  {
    title: 'a status that is not new',
    alone: true,
    async talk(wire) {
      const a = await listen(wire, 'a');
      say(a.client, { type: 'setPeerStatus', roles: ['listener'], meta: null, peerId: a.id });
      await list(a.client, 'list');
      say(a.client, { type: 'setPeerStatus', roles: ['listener'], meta: null });
      await a.client.hears();
      say(a.client, { type: 'setPeerStatus', roles: ['listener'], peerId: ABSENT });
      await a.client.hears();
    },
    said: [
      'a ← {"type":"list","producers":[]}',
      'a ← {"type":"peerStatusChanged","roles":["listener"],"meta":null,"peerId":"<a>"}',
      'a ← {"type":"peerStatusChanged","roles":["listener"],"meta":null,"peerId":"<a>"}',
    ],
  },
  {
    title: 'roles in any order, and twice',
    alone: true,
    async talk(wire) {
      const { client: a } = await listen(wire, 'a');
      say(a, { type: 'setPeerStatus', roles: ['producer', 'listener'], meta: null });
      await a.hears();
      say(a, { type: 'setPeerStatus', roles: ['listener', 'producer', 'listener'], meta: null });
      await a.hears();
    },
    said: [
      'a ← {"type":"peerStatusChanged","roles":["producer","listener"],"meta":null,"peerId":"<a>"}',
      'a ← {"type":"peerStatusChanged","roles":["listener","producer","listener"],"meta":null,"peerId":"<a>"}',
    ],
  },
  {
    title: 'a meta is any JSON',
    alone: true,
    async talk(wire) {
      const { client: a } = await listen(wire, 'a');
      const { client: b } = await come(wire, 'b');
      for (const meta of ['"text"', '[1,-2.5,{}]', '{ "b" : 1 , "a" : 2 }', '1e3', '"\\u00e9\\/"', '{"a":1,"a":2}', 'null']) {
        b.sends(`{"type":"setPeerStatus","roles":["producer"],"meta":${meta}}`);
        await a.hears();
      }
      b.sends('{"type":"setPeerStatus","roles":["producer"]}');
      await a.hears();
    },
    said: [
      'a ← {"type":"peerStatusChanged","roles":["producer"],"meta":"text","peerId":"<b>"}',
      'a ← {"type":"peerStatusChanged","roles":["producer"],"meta":[1,-2.5,{}],"peerId":"<b>"}',
      'a ← {"type":"peerStatusChanged","roles":["producer"],"meta":{"a":2,"b":1},"peerId":"<b>"}',
      'a ← {"type":"peerStatusChanged","roles":["producer"],"meta":1000.0,"peerId":"<b>"}',
      'a ← {"type":"peerStatusChanged","roles":["producer"],"meta":"é/","peerId":"<b>"}',
      'a ← {"type":"peerStatusChanged","roles":["producer"],"meta":{"a":2},"peerId":"<b>"}',
      'a ← {"type":"peerStatusChanged","roles":["producer"],"meta":null,"peerId":"<b>"}',
      'a ← {"type":"peerStatusChanged","roles":["producer"],"meta":null,"peerId":"<b>"}',
    ],
  },
  {
    title: 'a session from its start to its end',
    async talk(wire) {
      const [a, b] = [await comeAs(wire, 'a', 'producer'), await come(wire, 'b')];
      const session = await start(wire, b, a);
      say(a.client, { type: 'peer', sessionId: session, sdp: { type: 'offer', sdp: 'v=0\r\n' } });
      await b.client.hears();
      say(b.client, { type: 'peer', sessionId: session, sdp: { type: 'answer', sdp: 'v=0\r\n' } });
      await a.client.hears();
      say(a.client, { type: 'peer', sessionId: session, ice: { candidate: 'é', sdpMid: '0', sdpMLineIndex: 0, usernameFragment: 'x' } });
      await b.client.hears();
      say(b.client, { type: 'peer', sessionId: session, ice: { candidate: '', sdpMLineIndex: 4294967295 }, more: 1 });
      await a.client.hears();
      say(a.client, { type: 'peer', sessionId: session, sdp: { type: 'answer', sdp: 'from the producer' } });
      await b.client.hears();
      say(b.client, { type: 'endSession', sessionId: session });
      await a.client.hears();
      say(a.client, { type: 'endSession', sessionId: session });
      say(a.client, { type: 'peer', sessionId: session, sdp: { type: 'offer', sdp: 'late' } });
      await fence(a.client);
      await fence(b.client);
    },
    said: [
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
      'a ← {"type":"startSession","peerId":"<b>","sessionId":"<session>","offer":null}',
      'b ← {"type":"peer","sessionId":"<session>","sdp":{"type":"offer","sdp":"v=0\\r\\n"}}',
      'a ← {"type":"peer","sessionId":"<session>","sdp":{"type":"answer","sdp":"v=0\\r\\n"}}',
      'b ← {"type":"peer","sessionId":"<session>","ice":{"candidate":"é","sdpMLineIndex":0}}',
      'a ← {"type":"peer","sessionId":"<session>","ice":{"candidate":"","sdpMLineIndex":4294967295}}',
      'b ← {"type":"peer","sessionId":"<session>","sdp":{"type":"answer","sdp":"from the producer"}}',
      'a ← {"type":"endSession","sessionId":"<session>"}',
      `a ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
      `b ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
    ],
  },
  {
    title: 'a consumer offers when it asks, and not later',
    async talk(wire) {
      const [a, b] = [await comeAs(wire, 'a', 'producer'), await come(wire, 'b')];
      const session = await start(wire, b, a, { offer: 'v=0\r\n' });
      say(b.client, { type: 'peer', sessionId: session, sdp: { type: 'offer', sdp: 'v=0\r\n' } });
      await b.client.hears();
      await fence(a.client);
      say(a.client, { type: 'endSession', sessionId: session });
      await b.client.hears();
    },
    said: [
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
      'a ← {"type":"startSession","peerId":"<b>","sessionId":"<session>","offer":"v=0\\r\\n"}',
      'b ← {"type":"error","details":"cannot forward offer from \\"<b>\\" to \\"<a>\\" as \\"<b>\\" is not the producer"}',
      `a ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
      'b ← {"type":"endSession","sessionId":"<session>"}',
    ],
  },
  {
    title: 'a consumer that waits for a producer',
    async talk(wire) {
      const [a, b] = [await comeAs(wire, 'a', 'consumer'), await come(wire, 'b')];
      say(b.client, { type: 'startSession', peerId: a.id });
      await a.client.hears();
      wire.name('session');
      await b.client.hears();
      say(a.client, { type: 'setPeerStatus', roles: [], meta: null });
      await b.client.hears();
      await fence(a.client);
    },
    said: [
      'a ← {"type":"sessionStarted","peerId":"<b>","sessionId":"<session>"}',
      'b ← {"type":"startSession","peerId":"<a>","sessionId":"<session>","offer":null}',
      'b ← {"type":"endSession","sessionId":"<session>"}',
      `a ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
    ],
  },
  {
    title: 'a session with oneself, and two with one producer',
    async talk(wire) {
      const [a, b] = [await comeAs(wire, 'a', 'producer'), await come(wire, 'b')];
      const own = await start(wire, a, a);
      say(a.client, { type: 'peer', sessionId: own, sdp: { type: 'answer', sdp: 'to myself' } });
      await a.client.hears();
      say(a.client, { type: 'peer', sessionId: own, sdp: { type: 'offer', sdp: 'to myself' } });
      await a.client.hears();
      say(a.client, { type: 'endSession', sessionId: own });
      await a.client.hears();
      await start(wire, b, a);
      await start(wire, b, a);
    },
    said: [
      'a ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
      'a ← {"type":"startSession","peerId":"<a>","sessionId":"<session>","offer":null}',
      'a ← {"type":"peer","sessionId":"<session>","sdp":{"type":"answer","sdp":"to myself"}}',
      'a ← {"type":"error","details":"cannot forward offer from \\"<a>\\" to \\"<a>\\" as \\"<a>\\" is not the producer"}',
      'a ← {"type":"endSession","sessionId":"<session>"}',
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
      'a ← {"type":"startSession","peerId":"<b>","sessionId":"<session>","offer":null}',
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
      'a ← {"type":"startSession","peerId":"<b>","sessionId":"<session>","offer":null}',
    ],
  },
  {
    title: 'what cannot be is an error for the one that asks',
    async talk(wire) {
      const [a, b] = [await come(wire, 'a'), await come(wire, 'b')];
      for (const peerId of [ABSENT, 'no id', a.id]) {
        say(b.client, { type: 'startSession', peerId });
        await b.client.hears();
      }
      say(b.client, { type: 'setPeerStatus', roles: ['producer', 'consumer'], meta: null });
      await b.client.hears();
      await fence(a.client);
    },
    said: [
      `b ← {"type":"error","details":"Peer with ID '00000000-0000-4000-8000-000000000000' not found"}`,
      `b ← {"type":"error","details":"Peer with ID 'no id' not found"}`,
      'b ← {"type":"error","details":"Missing a producer or a consumer: id <b> roles [], id <a> roles []"}',
      'b ← {"type":"error","details":"Cannot register peer <b> as both producer and passive consumer"}',
      `a ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
    ],
  },
  {
    title: 'a page that asks for a producer that is not there',
    alone: true,
    async talk(wire) {
      const a = await listen(wire, 'a');
      say(a.client, { type: 'startSession', peerId: 'absent' });
      await a.client.hears();
      say(a.client, { type: 'list' });
      await a.client.hears();
      if (!wire.last.includes('sessionId')) return;
      wire.name('session');
      await a.client.hears(2);
    },
    said: [`a ← {"type":"error","details":"Peer with ID 'absent' not found"}`, 'a ← {"type":"list","producers":[]}'],
  },
  {
    title: 'ids in capital letters',
    async talk(wire) {
      const [a, b] = [await comeAs(wire, 'a', 'producer'), await come(wire, 'b')];
      say(b.client, { type: 'startSession', peerId: wire.learn(/(.+)/, a.id.toUpperCase(), 'A') });
      await b.client.hears();
      const session = await start(wire, b, a);
      say(b.client, { type: 'peer', sessionId: session.toUpperCase(), sdp: { type: 'answer', sdp: 'capitals' } });
      say(b.client, { type: 'peer', sessionId: session, sdp: { type: 'answer', sdp: 'fence' } });
      await a.client.hearsUntil('fence');
    },
    said: [
      `b ← {"type":"error","details":"Peer with ID '<A>' not found"}`,
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
      'a ← {"type":"startSession","peerId":"<b>","sessionId":"<session>","offer":null}',
      'a ← {"type":"peer","sessionId":"<session>","sdp":{"type":"answer","sdp":"fence"}}',
    ],
  },
  {
    title: 'what is not understood is ignored',
    async talk(wire) {
      const [a, b] = [await comeAs(wire, 'a', 'producer'), await come(wire, 'b')];
      const session = await start(wire, b, a);
      const frames = [
        '', '{', 'no JSON', 'null', '1', '"list"', '[]', '{}', '{"type":"unknown"}', '{"type":1}', '{"type":"list","type":"list"}', '{"type":"list"}{}',
        '{"type":"welcome","peerId":"x"}', '{"type":"setPeerStatus"}', '{"type":"setPeerStatus","meta":null}',
        '{"type":"setPeerStatus","roles":["king"]}', '{"type":"setPeerStatus","roles":null}',
        ...['"\\ud800"', '1e999', `${'['.repeat(200)}${']'.repeat(200)}`].map((meta) => `{"type":"setPeerStatus","roles":[],"meta":${meta}}`),
        '{"type":"startSession"}', '{"type":"startSession","peerId":1}', `{"type":"startSession","peerId":"${a.id}","offer":{}}`,
        '{"type":"endSession"}', '{"type":"endSession","sessionId":"x"}', `{"type":"endSession","sessionId":"${ABSENT}"}`,
        `{"type":"peer","sessionId":"${ABSENT}","sdp":{"type":"offer","sdp":"v=0"}}`, `{"type":"peer","sessionId":"${session}"}`,
        ...['{"type":"answer"}', '{"type":"pranswer","sdp":"x"}', '{"type":"answer","sdp":"\\ud800"}']
          .map((sdp) => `{"type":"peer","sessionId":"${session}","sdp":${sdp}}`),
        ...['null', '{"candidate":"c"}', ...['-1', '4294967296', 'null'].map((index) => `{"candidate":"c","sdpMLineIndex":${index}}`)]
          .map((ice) => `{"type":"peer","sessionId":"${session}","ice":${ice}}`),
      ];
      for (const frame of frames) b.client.sends(frame);
      b.client.sends(Buffer.from('{"type":"list"}'));
      await fence(b.client);
      say(a.client, { type: 'peer', sessionId: session, sdp: { type: 'offer', sdp: 'fence' } });
      await b.client.hears();
      await fence(a.client);
    },
    said: [
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
      'a ← {"type":"startSession","peerId":"<b>","sessionId":"<session>","offer":null}',
      `b ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
      'b ← {"type":"peer","sessionId":"<session>","sdp":{"type":"offer","sdp":"fence"}}',
      `a ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
    ],
  },
  {
    title: 'both a description and a candidate',
    async talk(wire) {
      const [a, b] = [await comeAs(wire, 'a', 'producer'), await come(wire, 'b')];
      const session = await start(wire, b, a);
      const [sdp, ice] = ['"sdp":{"type":"answer","sdp":"x"}', '"ice":{"candidate":"c","sdpMLineIndex":0}'];
      for (const both of [`${sdp},${ice}`, `${ice},${sdp}`, `"sdp":null,${ice}`]) b.client.sends(`{"type":"peer","sessionId":"${session}",${both}}`);
      say(b.client, { type: 'peer', sessionId: session, sdp: { type: 'answer', sdp: 'fence' } });
      await a.client.hearsUntil('fence');
    },
    said: [
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
      'a ← {"type":"startSession","peerId":"<b>","sessionId":"<session>","offer":null}',
      'a ← {"type":"peer","sessionId":"<session>","sdp":{"type":"answer","sdp":"x"}}',
      'a ← {"type":"peer","sessionId":"<session>","ice":{"candidate":"c","sdpMLineIndex":0}}',
      'a ← {"type":"peer","sessionId":"<session>","sdp":{"type":"answer","sdp":"fence"}}',
    ],
  },
  {
    title: 'a message that is a list',
    alone: true,
    async talk(wire) {
      const { client: a } = await come(wire, 'a');
      a.sends('["list"]');
      await fence(a);
      if (!wire.last.includes('fence')) await a.hears();
    },
    said: ['a ← {"type":"list","producers":[]}', `a ← {"type":"error","details":"Peer with ID 'fence' not found"}`],
  },
  {
    title: 'a newPeer that a client sends',
    alone: true,
    async talk(wire) {
      const { client: a } = await come(wire, 'a');
      say(a, { type: 'setPeerStatus', roles: ['producer'], meta: null });
      say(a, { type: 'newPeer' });
      say(a, { type: 'list' });
      await a.hearsUntil('"list"');
    },
    said: ['a ← {"type":"welcome","peerId":"<a>"}', 'a ← {"type":"list","producers":[]}'],
  },
  {
    title: 'protocol 1.1',
    async talk(wire) {
      const [a, b] = [await comeAs(wire, 'a', 'producer'), await come(wire, 'b')];
      say(b.client, { type: 'setProtocolVersion', version: 'v1_1' });
      let session = await start(wire, b, a);
      say(a.client, { type: 'endSession', sessionId: session });
      await b.client.hears();
      session = await start(wire, b, a);
      say(b.client, { type: 'endSessionV1_1', sessionId: session, error: { code: 'x' } });
      await a.client.hearsOrNot();
      say(b.client, { type: 'setProtocolVersion', version: 'v1_0' });
      await fence(b.client);
      say(a.client, { type: 'endSessionV1_1', sessionId: session, error: { code: 'x' } });
      await fence(a.client);
    },
    said: [
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
      'a ← {"type":"startSession","peerId":"<b>","sessionId":"<session>","offer":null}',
      'b ← {"type":"endSession","sessionId":"<session>"}',
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
      'a ← {"type":"startSession","peerId":"<b>","sessionId":"<session>","offer":null}',
      'a ← (nothing)',
      `b ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
      `a ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
    ],
  },
  {
    title: 'who leaves ends its sessions, and listeners hear that it is gone',
    alone: true,
    async talk(wire) {
      const a = await listen(wire, 'a');
      const b = await comeAs(wire, 'b', 'producer');
      await a.client.hears();
      await start(wire, a, b);
      b.client.leaves();
      await b.client.hears();
      await a.client.hears(2);
      await list(a.client, 'list');
      say(a.client, { type: 'startSession', peerId: b.id });
      await a.client.hears();
    },
    said: [
      'a ← {"type":"peerStatusChanged","roles":["producer"],"meta":{"name":"b"},"peerId":"<b>"}',
      'a ← {"type":"sessionStarted","peerId":"<b>","sessionId":"<session>"}',
      'b ← {"type":"startSession","peerId":"<a>","sessionId":"<session>","offer":null}',
      'b ← (closed 1006)',
      'a ← {"type":"endSession","sessionId":"<session>"}',
      'a ← {"type":"peerStatusChanged","roles":[],"meta":{"name":"b"},"peerId":"<b>"}',
      'a ← {"type":"list","producers":[]}',
      `a ← {"type":"error","details":"Peer with ID '<b>' not found"}`,
    ],
  },
  {
    title: 'a consumer that leaves',
    async talk(wire) {
      const [a, b] = [await comeAs(wire, 'a', 'producer'), await come(wire, 'b')];
      await start(wire, b, a);
      b.client.leaves();
      await b.client.hears();
      await a.client.hears();
      await fence(a.client);
    },
    said: [
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
      'a ← {"type":"startSession","peerId":"<b>","sessionId":"<session>","offer":null}',
      'b ← (closed 1006)',
      'a ← {"type":"endSession","sessionId":"<session>"}',
      `a ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
    ],
  },
  {
    title: 'a producer that stops',
    async talk(wire) {
      const [a, b] = [await comeAs(wire, 'a', 'producer'), await come(wire, 'b')];
      await start(wire, b, a);
      say(a.client, { type: 'setPeerStatus', roles: ['listener'], meta: null });
      await b.client.hears();
      await fence(b.client);
    },
    said: [
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
      'a ← {"type":"startSession","peerId":"<b>","sessionId":"<session>","offer":null}',
      'b ← {"type":"endSession","sessionId":"<session>"}',
      `b ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
    ],
  },
  {
    title: 'a peer without a role',
    alone: true,
    async talk(wire) {
      const [a, b] = [await listen(wire, 'a'), await come(wire, 'b')];
      say(b.client, { type: 'setPeerStatus', roles: [], meta: { name: 'b' } });
      await fence(b.client);
      b.client.leaves();
      await b.client.hears();
      say(a.client, { type: 'listConsumers' });
      await a.client.hearsUntil('listConsumers');
    },
    said: [
      `b ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
      'b ← (closed 1006)',
      'a ← {"type":"peerStatusChanged","roles":[],"meta":{"name":"b"},"peerId":"<b>"}',
      'a ← {"type":"peerStatusChanged","roles":[],"meta":{"name":"b"},"peerId":"<b>"}',
      'a ← {"type":"listConsumers","consumers":[]}',
    ],
  },
  {
    title: 'a third peer that knows a session',
    async talk(wire) {
      const [a, b, c] = [await comeAs(wire, 'a', 'producer'), await come(wire, 'b'), await come(wire, 'c')];
      const sessionId = await start(wire, b, a);
      say(c.client, { type: 'peer', sessionId, sdp: { type: 'answer', sdp: 'from a third' } });
      say(c.client, { type: 'endSession', sessionId });
      say(c.client, { type: 'startSession', peerId: 'fence' });
      await c.client.hearsUntil('fence');
      say(a.client, { type: 'peer', sessionId, sdp: { type: 'offer', sdp: 'does it go on?' } });
      await b.client.hearsOrNot();
    },
    said: [
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
      'a ← {"type":"startSession","peerId":"<b>","sessionId":"<session>","offer":null}',
      'c ← {"type":"error","details":"Peer <c> is not part of <session>"}',
      'c ← {"type":"error","details":"Peer <c> is not part of <session>"}',
      `c ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
      'b ← (nothing)',
    ],
  },
  {
    title: 'nine sessions of the same two',
    async talk(wire) {
      const [a, b] = [await comeAs(wire, 'a', 'producer'), await come(wire, 'b')];
      for (let n = 0; n < 9; n++) say(b.client, { type: 'startSession', peerId: a.id });
      for (let n = 0; n < 9; n++) {
        await b.client.hears();
        if (wire.last.includes('sessionId')) wire.name('an id');
      }
    },
    said: [
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<an id>"}',
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<an id>"}',
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<an id>"}',
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<an id>"}',
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<an id>"}',
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<an id>"}',
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<an id>"}',
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<an id>"}',
      'b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<an id>"}',
    ],
  },
  {
    title: 'paths',
    async talk(wire) {
      for (const path of ['?a=1', '/', '/other']) await knock(wire, path, wire.endpoint.replace(/\/$/, '') + path);
    },
    said: [
      '?a=1 ← {"type":"welcome","peerId":"<an id>"}',
      '/ ← {"type":"welcome","peerId":"<an id>"}',
      '/other ← {"type":"welcome","peerId":"<an id>"}',
    ],
  },
  {
    title: 'a plain GET',
    talk: async (wire) => void (await wire.ask('GET', 'GET', wire.endpoint).catch(() => wire.write('GET: (no answer)'))),
    said: ['GET: (no answer)'],
  },
  {
    title: 'a page of another site',
    async talk(wire) {
      const sites = { allowed: 'https://site.example', other: 'https://evil.example' };
      for (const [who, Origin] of Object.entries(sites)) await knock(wire, who, wire.endpoint, { Origin });
    },
    said: ['allowed ← {"type":"welcome","peerId":"<an id>"}', 'other ← {"type":"welcome","peerId":"<an id>"}'],
  },
];

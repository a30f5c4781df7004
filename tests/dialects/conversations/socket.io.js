/** Socket.IO 5 as the tutorial's server uses it, one corner after the other. */

/** @import { Conversation, Wire } from '../wire.js' */
import { connected, FENCE, fence, WEBSOCKET } from './session.js';

/** @param {string} event @param {unknown[]} args */
const emits = (event, ...args) => `42${JSON.stringify([event, ...args])}`;

/** @type {Conversation[]} */
export const socketIo = [
  ...Object.entries({
    'CONNECT with a list': '40["x"]',
    'a second CONNECT': '40',
    'an unknown type of packet': '48',
    'an event with a reserved name': '42["connect"]',
    'text in place of an attachment': '451-["offer",{"_placeholder":true,"num":0}]',
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
  {
    title: 'an event before CONNECT ends it',
    async talk(wire) {
      const client = await wire.connect('alice', WEBSOCKET);
      await client.hears();
      wire.lines.pop();
      client.sends(emits('offer', { to: 'x' }));
      await client.hears();
    },
    said: ['alice ← (closed 1005)'],
  },
  {
    title: 'an unknown namespace, before and after CONNECT',
    async talk(wire) {
      const client = await wire.connect('alice', WEBSOCKET);
      await client.hears();
      wire.lines.pop();
      client.sends('40/nope,{"token":1}');
      await client.hears();
      client.sends('40');
      await client.hears(2);
      wire.lines.splice(-2);
      client.sends('40/nope');
      await client.hears();
    },
    said: ['alice ← 44/nope,{"message":"Invalid namespace"}', 'alice ← 44/nope,{"message":"Invalid namespace"}'],
  },
  {
    title: 'who leaves the namespace hears nothing more of it, and is not there for others',
    async talk(wire) {
      const [alice, bob] = [await connected(wire, 'alice'), await connected(wire, 'bob')];
      alice.client.sends('41');
      await fence(alice.client);
      bob.client.sends(emits('offer', { offer: 'lost', to: alice.id }));
      await fence(bob.client);
      await fence(alice.client);
    },
    said: [`alice ← ${FENCE}`, `bob ← ${FENCE}`, `alice ← ${FENCE}`],
  },
  {
    title: 'offers, answers and candidates',
    async talk(wire) {
      const [alice, bob] = [await connected(wire, 'alice'), await connected(wire, 'bob')];
      for (const event of ['offer', 'answer', 'candidate']) alice.client.sends(emits(event, { to: bob.id, [event]: { b: 'é\u2028', a: [1e3, null] }, more: 1 }, 'more'));
      alice.client.sends(emits('offer', { to: bob.id }));
      alice.client.sends(emits('offer', { to: bob.id, offer: null }));
      alice.client.sends(emits('offer', { to: bob.id, candidate: 'of another kind' }));
      await bob.client.hears(6);
    },
    said: [
      ...['offer', 'answer', 'candidate'].map((event) => `bob ← 42["${event}",{"${event}":{"b":"é\u2028","a":[1000,null]},"from":"<alice>"}]`),
      'bob ← 42["offer",{"from":"<alice>"}]',
      'bob ← 42["offer",{"offer":null,"from":"<alice>"}]',
      'bob ← 42["offer",{"from":"<alice>"}]',
    ],
  },
  {
    title: 'an offer to several',
    async talk(wire) {
      const [alice, bob, carol] = [await connected(wire, 'alice'), await connected(wire, 'bob'), await connected(wire, 'carol')];
      alice.client.sends(emits('offer', { offer: 1, to: [bob.id, carol.id, bob.id, alice.id] }));
      for (const { client } of [bob, carol]) {
        await client.hears();
        await fence(client);
      }
      await fence(alice.client);
    },
    said: [
      ...['bob', 'carol'].flatMap((who) => [`${who} ← 42["offer",{"offer":1,"from":"<alice>"}]`, `${who} ← ${FENCE}`]),
      `alice ← ${FENCE}`,
    ],
  },
  {
    title: 'an offer to an id that is not there',
    async talk(wire) {
      const { client } = await connected(wire, 'alice');
      client.sends(emits('offer', { offer: 1, to: 'AAAAAAAAAAAAAAAAAAAA' }));
      await fence(client);
    },
    said: [`alice ← ${FENCE}`],
  },
  {
    title: 'an offer to oneself',
    async talk(wire) {
      const { client, id } = await connected(wire, 'alice');
      client.sends(emits('offer', { offer: 1, to: id }));
      await fence(client);
    },
    said: [`alice ← ${FENCE}`],
  },
  {
    title: 'events that no one listens to',
    async talk(wire) {
      const { client } = await connected(wire, 'alice');
      for (const event of ['newUser', 'message', '', 'peer-unavailable']) client.sends(emits(event, { to: 'x' }));
      client.sends('42[1,2]');
      await fence(client);
    },
    said: [`alice ← ${FENCE}`],
  },
  {
    title: 'an offer with an acknowledgement',
    async talk(wire) {
      const [alice, bob] = [await connected(wire, 'alice'), await connected(wire, 'bob')];
      alice.client.sends(`427${JSON.stringify(['offer', { offer: 1, to: bob.id }])}`);
      await bob.client.hears();
      await fence(alice.client);
    },
    said: ['bob ← 42["offer",{"offer":1,"from":"<alice>"}]', `alice ← ${FENCE}`],
  },
  {
    title: 'an event with an attachment',
    async talk(wire) {
      const [alice, bob] = [await connected(wire, 'alice'), await connected(wire, 'bob')];
      alice.client.sends(`451-${JSON.stringify(['offer', { offer: { _placeholder: true, num: 0 }, to: bob.id }])}`);
      alice.client.sends(Buffer.from([1, 2]));
      await fence(alice.client);
      if (!wire.last.includes('closed')) await bob.client.hears(2);
    },
    said: [`alice ← ${FENCE}`, 'bob ← 451-["offer",{"offer":{"_placeholder":true,"num":0},"from":"<alice>"}]', 'bob ← binary 0102'],
  },
  {
    title: 'the others are not told that one leaves',
    async talk(wire) {
      const [alice, bob] = [await connected(wire, 'alice'), await connected(wire, 'bob')];
      bob.client.sends(emits('offer', { offer: 'before', to: alice.id }));
      await alice.client.hears();
      bob.client.leaves();
      await bob.client.hears();
      await fence(alice.client);
    },
    said: ['alice ← 42["offer",{"offer":"before","from":"<bob>"}]', 'bob ← (closed 1000)', `alice ← ${FENCE}`],
  },
  {
    title: 'an offer without an argument',
    alone: true,
    async talk(wire) {
      const { client } = await connected(wire, 'alice');
      client.sends('42["offer"]');
      await fence(client);
    },
    said: ['alice ← (closed 1006)'],
  },
  {
    title: 'an offer whose argument is null',
    alone: true,
    async talk(wire) {
      const { client } = await connected(wire, 'alice');
      client.sends('42["offer",null]');
      await fence(client);
    },
    said: ['alice ← (closed 1006)'],
  },
];

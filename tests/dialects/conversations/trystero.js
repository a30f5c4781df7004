/** Trystero's protocol, one corner after the other. */

/** @import { Client, Conversation } from '../wire.js' */
import { open, pageOfAnotherSite, say } from './topics.js';

/** What it has said before is through, and nothing else was on its way to it. @param {Client} client @param {string} name of a topic that no other has */
async function fence(client, name) {
  say(client, { type: 'subscribe', topic: name });
  say(client, { type: 'publish', topic: name, payload: 'fence' });
  await client.hears();
}

/** @type {Conversation[]} */
export const trystero = [
  {
    title: 'what is published reaches all who subscribe, the sender too',
    async talk(wire) {
      const [a, b] = [await open(wire, 'a'), await open(wire, 'b')];
      say(a, { type: 'subscribe', topic: 'a1' });
      say(a, { type: 'subscribe', topic: 'a2' });
      await fence(a, 'a3');
      say(b, { type: 'subscribe', topic: 'a1' });
      await fence(b, 'a4');
      say(a, { type: 'publish', topic: 'a1', payload: JSON.stringify({ peerId: '0123456789abcdefghij' }) });
      await a.hears();
      await b.hears();
      say(a, { type: 'publish', topic: 'a2', payload: { é: [1, null, '\u2028'] }, more: 1 });
      await a.hears();
      await fence(b, 'a4');
    },
    said: [
      'a ← {"topic":"a3","payload":"fence"}',
      'b ← {"topic":"a4","payload":"fence"}',
      'a ← {"topic":"a1","payload":"{\\"peerId\\":\\"0123456789abcdefghij\\"}"}',
      'b ← {"topic":"a1","payload":"{\\"peerId\\":\\"0123456789abcdefghij\\"}"}',
      'a ← {"topic":"a2","payload":{"é":[1,null,"\u2028"]}}',
      'b ← {"topic":"a4","payload":"fence"}',
    ],
  },
  {
    title: 'to publish takes no subscription, and a payload is any JSON',
    async talk(wire) {
      const [a, b] = [await open(wire, 'a'), await open(wire, 'b')];
      say(b, { type: 'subscribe', topic: 'b1' });
      await fence(b, 'b2');
      for (const payload of [null, false, 0, '', [], {}]) say(a, { type: 'publish', topic: 'b1', payload });
      await b.hears(6);
      say(a, { type: 'publish', topic: 'b of no one', payload: 1 });
      await fence(a, 'b3');
    },
    said: [
      'b ← {"topic":"b2","payload":"fence"}',
      'b ← {"topic":"b1","payload":null}',
      'b ← {"topic":"b1","payload":false}',
      'b ← {"topic":"b1","payload":0}',
      'b ← {"topic":"b1","payload":""}',
      'b ← {"topic":"b1","payload":[]}',
      'b ← {"topic":"b1","payload":{}}',
      'a ← {"topic":"b3","payload":"fence"}',
    ],
  },
  {
    title: 'to subscribe twice is to subscribe, and unsubscribe ends it',
    async talk(wire) {
      const a = await open(wire, 'a');
      for (let n = 0; n < 2; n++) say(a, { type: 'subscribe', topic: 'c1' });
      say(a, { type: 'publish', topic: 'c1', payload: 'once' });
      await a.hears();
      for (const topic of ['c1', 'c never']) say(a, { type: 'unsubscribe', topic });
      say(a, { type: 'publish', topic: 'c1', payload: 'never' });
      await fence(a, 'c2');
    },
    said: ['a ← {"topic":"c1","payload":"once"}', 'a ← {"topic":"c2","payload":"fence"}'],
  },
  {
    title: 'who leaves is gone, and the others are not told',
    async talk(wire) {
      const [a, b] = [await open(wire, 'a'), await open(wire, 'b')];
      for (const client of [a, b]) say(client, { type: 'subscribe', topic: 'd1' });
      await fence(b, 'd2');
      b.leaves();
      await b.hears();
      say(a, { type: 'publish', topic: 'd1', payload: 'alone' });
      await a.hears();
    },
    said: ['b ← {"topic":"d2","payload":"fence"}', 'b ← (closed 1000)', 'a ← {"topic":"d1","payload":"alone"}'],
  },
  {
    title: 'what is not understood is ignored',
    async talk(wire) {
      const a = await open(wire, 'a');
      say(a, { type: 'subscribe', topic: 'e1' });
      const frames = [
        '', 'no JSON', 'null', '1', '[]', '{}', '"x"', '{"type":"other"}', '{"type":1,"topic":"e1"}', '{"type":"ping"}', '{"topic":"e1","payload":1}',
        '{"type":"subscribe"}', '{"type":"subscribe","topic":["e1"]}', '{"type":"publish","topic":1,"payload":1}', '{"type":"publish","topic":"e1"}',
        '{"type":"publish","topics":["e1"],"data":1}', '{"type":"publish","topic":"e1","payload":1}{}',
      ];
      for (const frame of frames) a.sends(frame);
      say(a, { type: 'publish', topic: 'e1', payload: 'the only one' });
      await a.hears();
    },
    said: ['a ← {"topic":"e1","payload":"the only one"}'],
  },
  {
    title: 'a binary frame is taken as text',
    async talk(wire) {
      const a = await open(wire, 'a');
      say(a, { type: 'subscribe', topic: 'f1' });
      a.sends(Buffer.from('{"type":"publish","topic":"f1","payload":"binary é"}'));
      a.sends(Buffer.from('{"type":"publish","topic":"f1","payload":"no UTF-8: \xe9"}', 'latin1'));
      await fence(a, 'f2');
      await a.hears();
      if (!wire.last.includes('fence')) await a.hears();
    },
    said: ['a ← {"topic":"f1","payload":"binary é"}', 'a ← {"topic":"f1","payload":"no UTF-8: �"}', 'a ← {"topic":"f2","payload":"fence"}'],
  },
  {
    title: 'fields in any order, twice, and spelled in other ways',
    async talk(wire) {
      const a = await open(wire, 'a');
      say(a, { type: 'subscribe', topic: 'g1' });
      a.sends(' { "payload" : { "b" : 1e3 , "a" : "\\u00e9" } , "topic":"no one", "topic" : "g1" , "type" : "publish" } ');
      await a.hears();
    },
    said: ['a ← {"topic":"g1","payload":{"b":1000,"a":"é"}}'],
  },
  {
    title: 'long topics',
    async talk(wire) {
      for (const topic of ['é'.repeat(256), 'è'.repeat(257)]) {
        const client = await open(wire, `${topic.length}`);
        await fence(client, wire.learn(/(.+)/, topic, 'a long topic'));
      }
    },
    said: ['256 ← {"topic":"<a long topic>","payload":"fence"}', '257 ← (closed 1008)'],
  },
  {
    title: 'a topic without a name',
    async talk(wire) {
      const a = await open(wire, 'a');
      say(a, { type: 'subscribe', topic: '' });
      say(a, { type: 'publish', topic: '', payload: 'to no name' });
      await fence(a, 'i1');
      if (!wire.last.includes('fence')) await a.hears();
    },
    said: ['a ← {"topic":"","payload":"to no name"}', 'a ← {"topic":"i1","payload":"fence"}'],
  },
  {
    title: 'many topics',
    async talk(wire) {
      const a = await open(wire, 'a');
      for (let n = 0; n < 128; n++) say(a, { type: 'subscribe', topic: `j${n}` });
      say(a, { type: 'publish', topic: 'j127', payload: 'the 128th' });
      await a.hears();
      say(a, { type: 'subscribe', topic: 'j0' });
      say(a, { type: 'publish', topic: 'j0', payload: 'the first' });
      await a.hears();
      await fence(a, 'j128');
    },
    said: ['a ← {"topic":"j127","payload":"the 128th"}', 'a ← {"topic":"j0","payload":"the first"}', 'a ← (closed 1008)'],
  },
  {
    title: 'a plain GET',
    talk: async (wire) => void (await wire.ask('GET', 'GET', wire.endpoint)),
    said: ['GET: 426 | text/plain | Upgrade Required'],
  },
  pageOfAnotherSite,
];

/** y-webrtc's protocol, one corner after the other. */

/** @import { Client, Conversation } from '../wire.js' */
import { open, pageOfAnotherSite, say } from './topics.js';

/** What has been said before is through once this is answered. @param {Client} client */
async function fence(client) {
  say(client, { type: 'ping' });
  await client.hears();
}

/** @type {Conversation[]} */
export const yWebrtc = [
  {
    title: 'a plain GET',
    talk: async (wire) => void (await wire.ask('GET', 'GET', wire.endpoint)),
    said: ['GET: 200 | text/plain | okay'],
  },
  {
    title: 'what is published reaches all who subscribe, with their number, the sender too',
    async talk(wire) {
      const [a, b] = [await open(wire, 'a'), await open(wire, 'b')];
      say(a, { type: 'subscribe', topics: ['a1', 'a2'] });
      await fence(a);
      say(b, { type: 'subscribe', topics: ['a1'] });
      await fence(b);
      say(a, { type: 'publish', topic: 'a1', data: { é: [1, null, '\u2028'] }, more: 1e3 });
      await a.hears();
      await b.hears();
      say(a, { type: 'publish', clients: 'mine', topic: 'a2' });
      await a.hears();
    },
    said: [
      'a ← {"type":"pong"}',
      'b ← {"type":"pong"}',
      'a ← {"type":"publish","topic":"a1","data":{"é":[1,null,"\u2028"]},"more":1000,"clients":2}',
      'b ← {"type":"publish","topic":"a1","data":{"é":[1,null,"\u2028"]},"more":1000,"clients":2}',
      'a ← {"type":"publish","clients":1,"topic":"a2"}',
    ],
  },
  {
    title: 'to publish takes no subscription',
    async talk(wire) {
      const [a, b] = [await open(wire, 'a'), await open(wire, 'b')];
      say(b, { type: 'subscribe', topics: ['b1'] });
      await fence(b);
      say(a, { type: 'publish', topic: 'b1', data: 1 });
      await b.hears();
      say(a, { type: 'publish', topic: 'b of no one', data: 1 });
      await fence(a);
    },
    said: ['b ← {"type":"pong"}', 'b ← {"type":"publish","topic":"b1","data":1,"clients":1}', 'a ← {"type":"pong"}'],
  },
  {
    title: 'to subscribe twice is to subscribe, and unsubscribe ends it',
    async talk(wire) {
      const a = await open(wire, 'a');
      for (let n = 0; n < 2; n++) say(a, { type: 'subscribe', topics: ['c1', 'c1'] });
      say(a, { type: 'publish', topic: 'c1', data: 'once' });
      await a.hears();
      say(a, { type: 'unsubscribe', topics: ['c1', 'c never'] });
      say(a, { type: 'publish', topic: 'c1', data: 'never' });
      await fence(a);
    },
    said: ['a ← {"type":"publish","topic":"c1","data":"once","clients":1}', 'a ← {"type":"pong"}'],
  },
  {
    title: 'who leaves is counted no more, and the others are not told',
    async talk(wire) {
      const [a, b] = [await open(wire, 'a'), await open(wire, 'b')];
      for (const client of [a, b]) {
        say(client, { type: 'subscribe', topics: ['d1'] });
        await fence(client);
      }
      b.leaves();
      await b.hears();
      say(a, { type: 'publish', topic: 'd1' });
      await a.hears();
    },
    said: ['a ← {"type":"pong"}', 'b ← {"type":"pong"}', 'b ← (closed 1000)', 'a ← {"type":"publish","topic":"d1","clients":1}'],
  },
  {
    title: 'what is not understood is ignored',
    async talk(wire) {
      const a = await open(wire, 'a');
      for (const frame of ['null', '1', '[]', '{}', '"x"', '{"type":"other"}', '{"type":1}', '{"type":"publish"}', '{"type":"publish","topic":""}']) a.sends(frame);
      say(a, { type: 'subscribe' });
      say(a, { type: 'unsubscribe' });
      say(a, { type: 'subscribe', topics: [1, null, {}, ['e1'], 'e1'] });
      say(a, { type: 'publish', topic: 'e1', data: 'the only one' });
      await a.hears();
      await fence(a);
    },
    said: ['a ← {"type":"publish","topic":"e1","data":"the only one","clients":1}', 'a ← {"type":"pong"}'],
  },
  {
    title: 'a binary frame is taken as text',
    async talk(wire) {
      const a = await open(wire, 'a');
      say(a, { type: 'subscribe', topics: ['f1'] });
      a.sends(Buffer.from('{"type":"publish","topic":"f1","data":"binary"}'));
      say(a, { type: 'publish', topic: 'f1', data: 'fence' });
      await a.hearsUntil('fence');
    },
    said: [
      'a ← {"type":"publish","topic":"f1","data":"binary","clients":1}',
      'a ← {"type":"publish","topic":"f1","data":"fence","clients":1}',
    ],
  },
  {
    title: 'fields in any order, and spelled in other ways',
    async talk(wire) {
      const a = await open(wire, 'a');
      say(a, { type: 'subscribe', topics: ['g1'] });
      a.sends(' { "data" : { "b" : 1e3 , "a" : "\\u00e9" } , "topic" : "g1" , "type" : "publish" } ');
      await a.hears();
    },
    said: ['a ← {"data":{"b":1000,"a":"é"},"topic":"g1","type":"publish","clients":1}'],
  },
  pageOfAnotherSite,
  {
    title: 'a frame that is no JSON',
    alone: true,
    async talk(wire) {
      const a = await open(wire, 'a');
      await fence(a);
      a.sends('no JSON');
      await fence(a);
    },
    said: ['a ← {"type":"pong"}', 'a ← (closed 1006)'],
  },
  {
    title: 'topics that are no list',
    alone: true,
    async talk(wire) {
      const a = await open(wire, 'a');
      await fence(a);
      say(a, { type: 'subscribe', topics: 'x' });
      await fence(a);
    },
    said: ['a ← {"type":"pong"}', 'a ← (closed 1006)'],
  },
];

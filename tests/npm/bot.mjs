// Two clients without a page, beside the bot of the examples, in its room.
import { Client, SignalingError } from 'entremise';
import WebSocket from 'ws';

const [url, room] = process.argv.slice(2);
const once = (emitter, type) => new Promise((resolve) => { const undo = emitter.on(type, (event) => (undo(), resolve(event))); });

const [alice, bob] = [new Client({ url, WebSocket }), new Client({ url, WebSocket })];
for (const bot of [alice, bob]) {
  const welcome = once(bot, 'welcome');
  bot.connect();
  await welcome;
}
const greeted = once(alice, 'message');
const [robot] = await alice.join(room);
const greeting = await greeted;
if (greeting.from !== robot || greeting.message.text !== 'hello') throw new Error('the bot does not greet');
const echoed = once(alice, 'message');
await alice.message({ to: robot }, { count: 1 });
if ((await echoed).message.count !== 1) throw new Error('the bot does not say it back');
const joined = once(alice, 'peer-joined');
const greetedToo = once(bob, 'message');
if ((await bob.join(room)).length !== 2) throw new Error('the roster is wrong');
if ((await joined).peer !== bob.id) throw new Error('the newcomer is wrong');
await greetedToo;
const heard = once(bob, 'message');
await alice.message({ to: bob.id }, { hello: 'bob' });
if ((await heard).message.hello !== 'bob') throw new Error('the message is wrong');
const refused = await alice.offer('00000000-0000-4000-8000-000000000000', {}).catch((error) => error);
if (!(refused instanceof SignalingError) || refused.code !== 'peer-unavailable') throw new Error(`refused as ${refused}`);
if ('window' in globalThis || 'document' in globalThis) throw new Error('this is no plain Node');
alice.close();
bob.close();
console.log('met');

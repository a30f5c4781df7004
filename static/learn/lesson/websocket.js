/** WebSockets: two peers, and what the server carries between them. */

/** @import { Lesson } from '../live.js' */
import { SignalingError } from '../../js/client.js';

/** Of no peer: the version and variant digits of an id that is made at random are others. */
const STRANGER = '00000000-0000-0000-0000-000000000000';

/** @type {Lesson} */
export const websocket = {
  name: 'websocket',
  isSequence: true,
  acks: 'rows',
  steps: [
    { name: 'alice', async run(scene) {
      void scene.sequence;
      await scene.alice.connect();
      return ['websocket-alice-done', { id: scene.alice.id }];
    } },
    { name: 'bob', async run(scene) {
      await scene.bob.connect();
      return ['websocket-bob-done', { id: scene.bob.id }];
    } },
    { name: 'hello', async run({ alice, bob, say }) {
      const heard = bob.next('message');
      await alice.client.message({ to: bob.id }, say('hello-bob'));
      await heard;
      return 'websocket-hello-done';
    } },
    { name: 'reply', async run({ alice, bob, say }) {
      const heard = alice.next('message');
      await bob.client.message({ to: alice.id }, say('hello-alice'));
      await heard;
      return 'websocket-reply-done';
    } },
    { name: 'stranger', async run({ alice, say }) {
      const refusal = await alice.client.message({ to: STRANGER }, say('hello-bob')).then(() => null, (error) => error);
      if (!(refusal instanceof SignalingError)) throw refusal ?? new Error(STRANGER);
      return ['websocket-stranger-done', { code: refusal.code }];
    } },
  ],
};

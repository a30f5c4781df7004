/** What conversations over topics have in common: those of y-webrtc and of Trystero. */

/** @import { Client, Conversation, Wire } from '../wire.js' */

/** @param {Wire} wire @param {string} who */
export async function open(wire, who) {
  const client = await wire.connect(who, wire.endpoint);
  await client.opens();
  return client;
}

/** @param {Client} client @param {object} message */
export const say = (client, message) => client.sends(JSON.stringify(message));

/** @type {Conversation} */
export const pageOfAnotherSite = {
  title: 'a page of another site',
  async talk(wire) {
    for (const [who, Origin] of Object.entries({ allowed: 'https://site.example', other: 'https://evil.example' })) {
      const client = await wire.connect(who, wire.endpoint, { Origin });
      await client.opens();
      client.leaves();
      await client.hears();
    }
  },
  said: ['allowed ← (closed 1000)', 'other ← (closed 1000)'],
};

/** matchbox's frames through nginx, as its client writes them. The client itself is native: `make test-matchbox`. */

/** @import { Client } from './wire.js' */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Subject } from './subject.js';
import { Wire } from './wire.js';

/** @type {Subject} */
let server;
/** @type {Wire} */
let wire;

before(async () => {
  server = await Subject.start('matchbox', { kind: 'ours', behind: 'nginx' });
  wire = new Wire(server);
});

after(async () => {
  wire?.close();
  await server?.close();
});

/** Comes, and has its id. @param {string} name @param {string} path */
async function come(name, path) {
  const client = await wire.connect(name, `${wire.endpoint}/${path}`);
  await client.hears();
  const id = wire.learn(/^\S+ ← \{"IdAssigned":"([\da-f-]{36})"\}$/, wire.last, name);
  wire.lines.pop();
  return { client, id };
}

/** @param {Client} from @param {string} receiver @param {object} data */
const signal = (from, receiver, data) => from.sends(JSON.stringify({ Signal: { receiver, data } }));

for (const path of ['hall', 'game?next=2']) {
  test(`two meet behind nginx, signal both ways, and one hears that the other leaves (${path})`, async () => {
    const alice = await come('alice', path);
    const bob = await come('bob', path);
    await alice.client.hears();
    alice.client.sends('"KeepAlive"');
    signal(alice.client, bob.id, { Offer: 'v=0\r\n' });
    signal(alice.client, bob.id, { IceCandidate: 'null' });
    await bob.client.hears(2);
    signal(bob.client, alice.id, { Answer: 'v=0\r\n' });
    await alice.client.hears();
    bob.client.leaves();
    await alice.client.hears();
    assert.deepEqual(wire.lines.splice(0), [
      'alice ← {"NewPeer":"<bob>"}',
      'bob ← {"Signal":{"sender":"<alice>","data":{"Offer":"v=0\\r\\n"}}}',
      'bob ← {"Signal":{"sender":"<alice>","data":{"IceCandidate":"null"}}}',
      'alice ← {"Signal":{"sender":"<bob>","data":{"Answer":"v=0\\r\\n"}}}',
      'alice ← {"PeerLeft":"<bob>"}',
    ]);
  });
}

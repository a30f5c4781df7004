/** matchbox's frames through nginx, as its client writes them. The client itself is native: `make test-matchbox`. */

/** @import { Client } from './wire.js' */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { guard, keepsTokensSecret, refused, token } from './credentials.js';
import { Subject } from './subject.js';
import { Wire } from './wire.js';

/** @type {Subject} */
let server;
/** @type {Wire} */
let wire;

/** @param {string[]} [flags] */
function serve(flags = []) {
  before(async () => {
    server = await Subject.start('matchbox', { kind: 'ours', behind: 'nginx', flags });
    wire = new Wire(server);
  });
  after(async () => {
    wire?.close();
    await server?.close();
  });
}

/** Comes, and has its id. @param {string} name @param {string} path @param {Record<string, string>} [headers] */
async function come(name, path, headers) {
  const client = await wire.connect(name, `${wire.endpoint}/${path}`, headers);
  await client.hears();
  const id = wire.learn(/^\S+ ← \{"IdAssigned":"([\da-f-]{36})"\}$/, wire.last, name);
  wire.lines.pop();
  return { client, id };
}

/** @param {Client} from @param {string} receiver @param {object} data */
const signal = (from, receiver, data) => from.sends(JSON.stringify({ Signal: { receiver, data } }));

describe('behind nginx', () => {
  serve();

  for (const path of ['hall', 'game?next=2']) {
    test(`two meet, signal both ways, and one hears that the other leaves (${path})`, async () => {
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
});

describe('behind nginx, with credentials', () => {
  serve(guard('nginx'));
  after(() => keepsTokensSecret(server));

  test('a page has its token in the address, and a native client in a header', async () => {
    const alice = await come('alice', `hall?next=2&access_token=${token({ rooms: ['hall'] })}`);
    const bob = await come('bob', 'hall?next=2', { Authorization: `Bearer ${token({ sub: 'bob' })}` });
    await alice.client.hears();
    signal(alice.client, bob.id, { Offer: 'v=0\r\n' });
    await bob.client.hears();
    assert.deepEqual(wire.lines.splice(0), ['alice ← {"NewPeer":"<bob>"}', 'bob ← {"Signal":{"sender":"<alice>","data":{"Offer":"v=0\\r\\n"}}}']);
  });

  for (const [name, { make, message }] of Object.entries(refused)) {
    test(`who has ${name} is refused before the 101`, async () => {
      const bad = make();
      const client = await wire.connect('mallory', `${wire.endpoint}/hall${bad === null ? '' : `?access_token=${bad}`}`);
      await client.hears();
      assert.deepEqual(wire.lines.splice(0), [`mallory ← (401 | application/json | {"code":"unauthorized","message":"${message}"})`]);
    });
  }

  test('a token opens the rooms that it names, and / is the one of a path without a name', async () => {
    const own = token({ rooms: ['/'] });
    await come('alice', `?access_token=${own}`);
    const client = await wire.connect('mallory', `${wire.endpoint}/hall?access_token=${own}`);
    await client.hears();
    assert.deepEqual(wire.lines.splice(0), ['mallory ← (403 | application/json | {"code":"room-not-allowed","message":"the credentials are not for this room"})']);
  });
});

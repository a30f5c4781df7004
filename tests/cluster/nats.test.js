/** The NATS servers between the nodes of a cluster, before any node: joined, and joined again after what tests do to them. */

/** @import { Release } from './nats.js' */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Nats } from './nats.js';

for (const release of /** @type {Release[]} */ (['current', 'debian'])) {
  describe(`three NATS servers (${release})`, () => {
    /** @type {Nats} */
    let nats;
    before(async () => void (nats = await Nats.start({ release })));
    after(() => nats?.close());

    test('elect another leader when theirs is killed, and take it back', async () => {
      const leader = await nats.joined();
      await leader.kill();
      const next = await nats.joined();
      assert.notEqual(next.name, leader.name);
      await nats.start();
      assert.equal(nats.servers.filter(({ isRunning }) => isRunning).length, 3);
    });

    test('take one back that was suspended', async () => {
      const leader = await nats.joined();
      leader.suspend();
      assert.equal(await leader.view(), null);
      const next = await nats.joined();
      assert.notEqual(next.name, leader.name);
      leader.continue();
      await nats.joined();
      assert.notEqual(await leader.view(), null);
    });

    test('are joined again after all were killed', async () => {
      const before = nats.servers.map(({ pid }) => pid);
      await nats.kill();
      assert.deepEqual(await Promise.all(nats.servers.map((server) => server.view())), [null, null, null]);
      await nats.start();
      nats.servers.forEach(({ pid }, index) => assert.notEqual(pid, before[index]));
    });
  });
}

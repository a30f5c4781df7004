/** Debian's older NATS servers, without any node: joined, and joined again after what tests do to them. Current ones: failover.test.js. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Nats } from './nats.js';

describe('three NATS servers of Debian', () => {
  /** @type {Nats} */
  let nats;
  before(async () => void (nats = await Nats.start({ release: 'debian' })));
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

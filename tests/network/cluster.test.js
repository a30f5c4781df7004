/** Nodes on hosts of their own, each with its NATS server, between which the network fails. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

import { program } from '../browser/server.js';
import { natsServer } from '../cluster/nats.js';
import { Peer, together, words } from '../cluster/peer.js';
import { Namespaces, need } from './namespaces.js';

const DEADLINE = { timeout: 120_000 };

/** A node that is not heard of for 3 s is gone, and its peers' rooms are told. In seconds. */
const GONE = 10;

/** As much, and what TCP takes to send again what it could not, which doubles each time. */
const BACK = 40;

/** @typedef {'a' | 'b' | 'c'} Host */
const hosts = /** @type {Host[]} */ (['a', 'b', 'c']);

/** @param {Host} host */
const address = (host) => `10.78.0.${hosts.indexOf(host) + 1}`;

/** @type {Namespaces} */
let network;
/** @type {string} */
let folder;

before(async () => {
  need('nft', 'nftables');
  const nats = natsServer('current');
  folder = mkdtempSync(join(tmpdir(), 'entremise-network-'));
  writeFileSync(join(folder, 'key'), randomBytes(32).toString('hex'), { mode: 0o600 });
  network = new Namespaces('exchange', ...hosts);
  network.ip('exchange', 'link', 'add', 'world', 'type', 'bridge');
  network.ip('exchange', 'link', 'set', 'world', 'up');
  for (const host of hosts) {
    network.cable({ host: 'exchange', device: `to-${host}` }, { host, device: 'cable', address: `${address(host)}/24` });
    network.ip('exchange', 'link', 'set', `to-${host}`, 'master', 'world');
  }
  const routes = hosts.map((host) => `"nats://${address(host)}:6222"`).join(', ');
  for (const host of hosts) {
    writeFileSync(join(folder, `${host}.conf`), `
      server_name: ${host}
      listen: "${address(host)}:4222"
      cluster { name: entremise, listen: "${address(host)}:6222", routes: [${routes}] }
    `);
    network.spawn(host, [nats, '-c', join(folder, `${host}.conf`)], { stdio: ['pipe', 'ignore', 'ignore'] });
  }
  await Promise.all(hosts.map(start));
}, DEADLINE);

after(() => {
  network?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** A node. It knows of its host's NATS server, and hears from that of the others. @param {Host} host */
async function start(host) {
  mkdirSync(join(folder, host));
  const flags = ['--listen', '127.0.0.1:8443', '--stun-port', '0', '--cluster', `nats://${address(host)}:4222`, '--cluster-key-file', join(folder, 'key'), '--node-name', host];
  const node = network.spawn(host, [program, ...flags, '--log', 'warn'], { cwd: join(folder, host) });
  assert.ok(node.stdout);
  await createInterface({ input: node.stdout })[Symbol.asyncIterator]().next();
}

/** @param {Host} host */
function peer(host) {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, host, 'certs/cert.pem') };
  return new Peer(network.spawn(host, words('wss://localhost:8443/ws', 'lobby'), { env }));
}

/** A peer on each host, all of which are in one room. */
async function three() {
  const peers = /** @type {[Peer, Peer, Peer]} */ (hosts.map(peer));
  await together(peers, GONE);
  return peers;
}

/** Nothing goes between a host and others any more. @param {Host} host @param {Host[]} others */
function cut(host, ...others) {
  const set = `{ ${others.map(address).join(', ')} }`;
  network.run(host, ['nft', '-f', '-'], `
    add table ip cut
    add chain ip cut in { type filter hook input priority filter; }
    add chain ip cut out { type filter hook output priority filter; }
    add rule ip cut in ip saddr ${set} drop
    add rule ip cut out ip daddr ${set} drop
  `);
}

/** @param {Host} host */
const heal = (host) => network.run(host, ['nft', '-f', '-'], 'flush ruleset');

test('a host that is cut off from all others and joined again', DEADLINE, async () => {
  const [alice, bob, carol] = await three();
  cut('a', 'b', 'c');
  await Promise.all([alice.isWith(GONE), bob.isWith(GONE, carol), carol.isWith(GONE, bob)]);
  assert.equal((await bob.say(carol, 'the others go on')).type, 'ack');
  const { code, took } = await alice.say(bob, 'into the void');
  assert.match(code, /^(peer|cluster)-unavailable$/);
  assert.ok(took < 4000, `${took} ms`);

  heal('a');
  await together([alice, bob, carol], BACK);
  assert.equal((await alice.say(bob, 'here again')).type, 'ack');
  await bob.hears('here again');
  assert.ok(!bob.frames.some(({ message }) => message === 'into the void'), 'what was refused does not come later');
  [alice, bob, carol].forEach((peer) => peer.leave());
});

test('two hosts that do not reach each other, while a third one reaches both', DEADLINE, async () => {
  const [alice, bob, carol] = await three();
  cut('a', 'b');
  const answers = [];
  for (let number = 0; number < 20; number++) {
    answers.push(await alice.say(carol, `${number} from alice`), await bob.say(carol, `${number} from bob`));
  }
  const { code } = await alice.say(bob, 'between the two');
  assert.match(code ?? '', /^(peer|cluster)-unavailable$/);
  await Promise.all([alice.isWith(GONE, carol), bob.isWith(GONE, carol)]);
  answers.push(await alice.say(carol, '20 from alice'), await bob.say(carol, '20 from bob'));
  answers.forEach((answer) => assert.equal(answer.type, 'ack', `whom they reach, they reach all the time: ${JSON.stringify(answer)}`));

  heal('a');
  await together([alice, bob, carol], BACK);
  assert.equal((await bob.say(alice, 'here again')).type, 'ack');
  await alice.hears('here again');
  for (const peer of ['alice', 'bob']) {
    const heard = carol.frames.map(({ message }) => `${message}`).filter((message) => message.endsWith(` from ${peer}`));
    assert.deepEqual(heard, Array.from({ length: 21 }, (_, number) => `${number} from ${peer}`), 'once, and in order');
  }
  [alice, bob, carol].forEach((peer) => peer.leave());
});

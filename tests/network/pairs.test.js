/** Every kind of network with every kind, with `--turn` and nothing else. Says at the end which path each pair took. */

/** @import { Path } from '../../static/js/path.js' */
/** @import { Kind } from './internet.js' */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { all, connect } from '../browser/scene.js';
import { between, serve } from './homes.js';
import { settledPath } from './path.js';

/** @type {Kind[]} */
const kinds = [
  'an open network',
  'a full-cone NAT',
  'an address-restricted NAT',
  'a port-restricted NAT',
  'a symmetric NAT',
  'a network without UDP',
  'a network that lets out TCP 443 alone',
];
const pairs = kinds.flatMap((left, index) => kinds.slice(index).map((right) => /** @type {const} */ ([left, right])));

/** @type {string[]} */
const table = [];
/** Of the pairs that can do without a relay: did they, on both sides? @type {boolean[]} */
const direct = [];

serve(['--turn']);

for (const [left, right] of pairs) {
  test(`a call connects ${left} and ${right}`, between(left, right, async (alice, bob) => {
    await connect(alice, bob);
    await all([alice, bob], (peer) => peer.seesTheOther());
    // Where there is a direct way, a busy browser may stay with the relay that connected it first: that is ICE's to choose.
    const way = canPunch(left, right) ? 'any way' : 'through a relay';
    const ways = await Promise.all([alice, bob].map(({ page }) => settledPath(page, way)));
    if (canPunch(left, right)) direct.push(ways.every(({ kind }) => kind !== 'turn'));
    table.push(`${left} | ${right} | ${ways.map(wordsOf).join(' | ')}`);
  }));
}

test('most pairs that can do without the relay do', () => {
  assert.ok(direct.filter(Boolean).length > direct.length / 2, `${direct}`);
});

after(() => console.log(`\nleft | right | path of the left | path of the right\n${table.join('\n')}`));

/** Do two such networks let each other in, once each has knocked at the other's public address? @param {Kind} left @param {Kind} right */
function canPunch(left, right) {
  const both = [left, right];
  if (both.some((kind) => kind.startsWith('a network'))) return false;
  return !both.includes('a symmetric NAT') || !both.every((kind) => kind === 'a symmetric NAT' || kind === 'a port-restricted NAT');
}

/** @param {Path} path */
function wordsOf({ kind, local, remote, relayProtocol }) {
  return `${kind}${relayProtocol ? `/${relayProtocol}` : ''} (${local}–${remote})`;
}

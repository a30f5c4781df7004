/** Pairs of networks between which calls are tried: all of them, or the part that is tried at each change. */

/** @import { Path } from '../../static/js/path.js' */
/** @import { Kind } from './internet.js' */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { all, connect } from '../browser/scene.js';
import { between } from './homes.js';
import { settledPath } from './path.js';

/** @typedef {readonly [left: Kind, right: Kind]} Pair */

/** Is everything tried? `make test-network-all` says so. */
const whole = process.env['WHOLE'] === '1';

/** @type {Kind[]} */
export const kinds = [
  'an open network',
  'a full-cone NAT',
  'an address-restricted NAT',
  'a port-restricted NAT',
  'a symmetric NAT',
  'a network without UDP',
  'a network that lets out TCP 443 alone',
];
/** Those from which a path differs most. @type {Kind[]} */
export const few = ['an open network', 'a symmetric NAT', 'a network without UDP', 'a network that lets out TCP 443 alone'];
/** Those that need a relay, whatever the other is. @type {Kind[]} */
export const hard = ['a symmetric NAT', 'a network without UDP', 'a network that lets out TCP 443 alone'];

/** Each with each, and with itself. @param {Kind[]} kinds @returns {Pair[]} */
export function pairsOf(kinds) {
  return kinds.flatMap((left, index) => kinds.slice(index).map((right) => /** @type {const} */ ([left, right])));
}

/** Each with itself. @param {Kind[]} kinds @returns {Pair[]} */
export function alike(kinds) {
  return kinds.map((kind) => [kind, kind]);
}

/** @param {Pair[]} every @param {Pair[]} part @returns {Pair[]} each once */
export function chosen(every, part) {
  return whole ? every : every.filter((pair) => part.some((other) => `${other}` === `${pair}`));
}

/**
 * Tests that calls connect these pairs, and says at the end which path each took.
 *
 * @param {string} where
 * @param {Pair[]} pairs
 */
export function callsConnect(where, pairs) {
  /** @type {string[]} */
  const table = [];
  /** Of the pairs that can do without a relay: did they, on both sides? @type {boolean[]} */
  const direct = [];

  for (const [left, right] of pairs) {
    test(`${where}, a call connects ${left} and ${right}`, between(left, right, async (alice, bob) => {
      await connect(alice, bob);
      await all([alice, bob], (peer) => peer.seesTheOther());
      // Where there is a direct way, a busy browser may stay with the relay that connected it first: that is ICE's to choose.
      const way = canPunch([left, right]) ? 'any way' : 'through a relay';
      const ways = await Promise.all([alice, bob].map(({ page }) => settledPath(page, way)));
      if (canPunch([left, right])) direct.push(ways.every(({ kind }) => kind !== 'turn'));
      table.push(`${left} | ${right} | ${ways.map(wordsOf).join(' | ')}`);
    }));
  }

  // Of few, all may be those with a busy browser.
  if (pairs.filter(canPunch).length > 3) {
    test(`${where}, most pairs that can do without the relay do`, () => {
      assert.ok(direct.filter(Boolean).length > direct.length / 2, `${direct}`);
    });
  }

  after(() => console.log(`\n${where}\nleft | right | path of the left | path of the right\n${table.join('\n')}`));
}

/** Do two such networks let each other in, once each has knocked at the other's public address? @param {Pair} both */
export function canPunch(both) {
  if (both.some((kind) => kind.startsWith('a network'))) return false;
  return !both.includes('a symmetric NAT') || !both.every((kind) => kind === 'a symmetric NAT' || kind === 'a port-restricted NAT');
}

/** @param {Path} path */
function wordsOf({ kind, local, remote, relayProtocol }) {
  return `${kind}${relayProtocol ? `/${relayProtocol}` : ''} (${local}–${remote})`;
}

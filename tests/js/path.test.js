import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pathOf } from '../../static/js/path.js';

/** @param {string} local @param {string} remote @returns {any[]} */
const candidates = (local, remote) => [
  { id: 'l', type: 'local-candidate', candidateType: local, protocol: 'udp' },
  { id: 'r', type: 'remote-candidate', candidateType: remote, protocol: 'udp' },
];
const pair = { id: 'p', type: 'candidate-pair', localCandidateId: 'l', remoteCandidateId: 'r' };
const transport = { id: 't', type: 'transport', selectedCandidatePairId: 'p' };

/** @param {string} local @param {string} remote */
const kind = (local, remote) => pathOf([pair, transport, ...candidates(local, remote)])?.kind;

describe('the path of a call', () => {
  it('is direct between addresses that the two sides know themselves', () => {
    assert.equal(kind('host', 'host'), 'direct');
    assert.equal(kind('prflx', 'host'), 'direct');
  });

  it('is found through STUN if either side learned its address there', () => {
    assert.equal(kind('srflx', 'host'), 'stun');
    assert.equal(kind('host', 'srflx'), 'stun');
  });

  it('goes through TURN if either side is relayed', () => {
    assert.equal(kind('relay', 'srflx'), 'turn');
    assert.equal(kind('host', 'relay'), 'turn');
  });

  it('is read as Firefox reports it: without a transport, the pair marked itself', () => {
    assert.equal(pathOf([{ ...pair, selected: true }, ...candidates('host', 'host')])?.kind, 'direct');
  });

  it('is unknown while none is chosen', () => {
    assert.equal(pathOf([]), null);
    assert.equal(pathOf([pair, ...candidates('host', 'host')]), null);
    assert.equal(pathOf([{ ...transport, selectedCandidatePairId: 'other' }, ...candidates('host', 'host')]), null);
  });
});

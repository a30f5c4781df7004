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

/** As recorded in Chromium 156, numbers of bytes and packets left out. @param {string | undefined} relayProtocol @returns {any[]} */
const inChromium = (relayProtocol) => [
  { id: 'T01', type: 'transport', selectedCandidatePairId: 'CP3YuDlBHD_vl+Rn/iu', dtlsState: 'connected' },
  {
    id: 'CP3YuDlBHD_vl+Rn/iu', type: 'candidate-pair', localCandidateId: 'I3YuDlBHD', remoteCandidateId: 'Ivl+Rn/iu', nominated: true,
    state: 'succeeded', transportId: 'T01', writable: true,
  },
  {
    id: 'I3YuDlBHD', type: 'local-candidate', address: '127.0.0.1', candidateType: 'relay', ip: '127.0.0.1', isRemote: false,
    networkType: 'unknown', port: 50169, priority: 25042943, protocol: 'udp', relayProtocol, url: 'turn:127.0.0.1:34780?transport=tcp',
  },
  {
    id: 'Ivl+Rn/iu', type: 'remote-candidate', address: '192.0.2.2', candidateType: 'host', ip: '192.0.2.2', isRemote: true, port: 33698,
    priority: 2122187007, protocol: 'udp',
  },
  { id: 'Iy4wea7jx', type: 'local-candidate', address: '127.0.0.1', candidateType: 'relay', port: 50198, protocol: 'udp', relayProtocol: 'udp' },
];

/** As recorded in Firefox 153. @param {'host' | 'relay'} local @param {string} remote @returns {any[]} */
const inFirefox = (local, remote) => [
  {
    id: 'bf3356c2', type: 'candidate-pair', localCandidateId: 'e922ae20', remoteCandidateId: 'aff4c276', nominated: true, readable: true,
    selected: true, state: 'succeeded', writable: true,
  },
  {
    id: 'e922ae20', type: 'local-candidate', address: '192.0.2.2', candidateType: local, foundation: '0', port: 33698, priority: 2122187007,
    protocol: 'udp', ...(local === 'relay' ? { relayProtocol: 'tcp' } : {}),
  },
  { id: 'ae8bbe13', type: 'remote-candidate', address: '127.0.0.1', candidateType: 'prflx', port: 50198, priority: 1853628415, protocol: 'udp' },
  { id: 'aff4c276', type: 'remote-candidate', address: '127.0.0.1', candidateType: remote, port: 50169, priority: 1853759487, protocol: 'udp' },
];

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

  it('through TURN names what is spoken with the relay, as Chromium reports it', () => {
    for (const relayProtocol of ['udp', 'tcp', 'tls']) {
      assert.deepEqual(pathOf(inChromium(relayProtocol)), { kind: 'turn', local: 'relay', remote: 'host', protocol: 'udp', relayProtocol });
    }
  });

  it('through TURN names what is spoken with the relay, as Firefox reports it', () => {
    assert.deepEqual(pathOf(inFirefox('relay', 'relay')), { kind: 'turn', local: 'relay', remote: 'relay', protocol: 'udp', relayProtocol: 'tcp' });
  });

  it('leaves out what is spoken with the relay where the browser does, or speaks otherwise', () => {
    for (const relayProtocol of [undefined, 'smoke']) assert.equal(pathOf(inChromium(relayProtocol))?.relayProtocol, null);
  });

  it('to the other side’s relay is not taken for a direct one in Firefox, which has seen the address before it was told', () => {
    assert.equal(pathOf(inFirefox('host', 'prflx'))?.kind, 'direct');
    const path = pathOf(inFirefox('host', 'prflx'), new Map([['127.0.0.1 50169', 'relay']]));
    assert.deepEqual([path?.kind, path?.remote, path?.relayProtocol], ['turn', 'relay', null]);
  });

  it('to an address that was never told stays one', () => {
    assert.equal(pathOf(inFirefox('host', 'prflx'), new Map([['127.0.0.1 50170', 'relay']]))?.kind, 'direct');
  });

  it('is unknown while none is chosen', () => {
    assert.equal(pathOf([]), null);
    assert.equal(pathOf([pair, ...candidates('host', 'host')]), null);
    assert.equal(pathOf([{ ...transport, selectedCandidatePairId: 'other' }, ...candidates('host', 'host')]), null);
  });
});

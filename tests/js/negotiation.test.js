import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Negotiation } from '../../static/js/negotiation.js';
import { FakeConnection } from './peers.js';
import { settled } from './world.js';

/** @param {{ polite: boolean }} options */
function negotiation({ polite }) {
  const connection = new FakeConnection();
  /** @type {any[]} */
  const said = [];
  /** @type {unknown[]} */
  const failures = [];
  const negotiation = new Negotiation(/** @type {any} */ (connection), {
    polite,
    say: (words) => said.push(words),
    fail: (error) => failures.push(error),
  });
  return { connection, negotiation, said, failures, kinds: () => said.map(({ type }) => type).filter((type) => type !== 'candidate') };
}

const offer = { type: /** @type {const} */ ('offer'), offer: { type: 'offer', sdp: 'v=0' } };
const answer = { type: /** @type {const} */ ('answer'), answer: { type: 'answer', sdp: 'v=0' } };
/** @param {string} candidate */
const candidate = (candidate) => ({ type: /** @type {const} */ ('candidate'), candidate: { candidate } });

/** One that has made its offer, and waits for the answer. @param {{ polite: boolean }} options */
async function offering(options) {
  const all = negotiation(options);
  all.connection.need();
  await settled();
  return all;
}

describe('a negotiation', () => {
  it('offers when the connection needs it, and sends the candidates and their end', async () => {
    const { connection, said } = await offering({ polite: false });
    await settled();
    assert.deepEqual(said.map(({ type }) => type), ['offer', 'candidate', 'candidate']);
    assert.equal(said[0].offer, connection.localDescription);
    assert.equal(said[2].candidate, null);
  });

  it('answers an offer', async () => {
    const { negotiation: n, kinds } = negotiation({ polite: false });
    n.take(offer);
    await settled();
    assert.deepEqual(kinds(), ['answer']);
  });

  it('takes its answer', async () => {
    const { connection, negotiation: n } = await offering({ polite: false });
    n.take(answer);
    await settled();
    assert.equal(connection.signalingState, 'stable');
  });

  it('keeps candidates that come before their description, and adds them after it', async () => {
    const { connection, negotiation: n } = await offering({ polite: false });
    n.take(candidate('early'));
    n.take({ type: 'candidate', candidate: null });
    await settled();
    assert.deepEqual(connection.candidates, []);
    n.take(answer);
    n.take(candidate('late'));
    await settled();
    assert.deepEqual(connection.candidates, [{ candidate: 'early' }, null, { candidate: 'late' }]);
  });

  it('keeps a bounded number of early candidates', async () => {
    const { connection, negotiation: n } = await offering({ polite: false });
    for (let i = 0; i < 1000; i++) {
      n.take(candidate(`${i}`));
      await null;
    }
    await settled();
    n.take(answer);
    await settled();
    await settled();
    assert.equal(connection.candidates.length, 256);
  });

  it('of the impolite side passes over an offer that crosses its own, and the candidates of it', async () => {
    const { connection, negotiation: n, kinds } = await offering({ polite: false });
    n.take(offer);
    n.take(candidate('of the offer passed over'));
    n.take(answer);
    n.take(candidate('of the answer'));
    await settled();
    assert.deepEqual(kinds(), ['offer']);
    assert.equal(connection.signalingState, 'stable');
    assert.deepEqual(connection.candidates, [{ candidate: 'of the answer' }]);
  });

  it('of the polite side takes its own offer back and answers', async () => {
    const { connection, negotiation: n, kinds } = await offering({ polite: true });
    n.take(offer);
    await settled();
    assert.equal(connection.rollbacks, 1);
    assert.deepEqual(kinds().slice(0, 2), ['offer', 'answer']);
  });

  it('of the impolite side passes over an offer that comes while its own is being made', async () => {
    const { connection, negotiation: n, kinds } = negotiation({ polite: false });
    connection.addEventListener('negotiationneeded', () => n.take(offer), { once: true });
    connection.need();
    await settled();
    assert.deepEqual(kinds(), ['offer']);
  });

  it('passes over an answer to nothing', async () => {
    const { connection, negotiation: n, failures } = negotiation({ polite: true });
    n.take(answer);
    await settled();
    assert.deepEqual([connection.remoteDescription, failures], [null, []]);
  });

  it('is not ended by a candidate that is broken, or is none', async () => {
    const { connection, negotiation: n, failures } = negotiation({ polite: true });
    n.take(offer);
    n.take(candidate('broken'));
    for (const nonsense of [7, 'x', [], {}, { candidate: 7 }]) n.take({ type: 'candidate', candidate: nonsense });
    n.take(candidate('good'));
    await settled();
    assert.deepEqual([connection.candidates, failures], [[{ candidate: 'good' }], []]);
  });

  it('fails by a description that no browser understands', async () => {
    const { negotiation: n, failures } = negotiation({ polite: true });
    n.take({ type: 'offer', offer: { type: 'offer', sdp: 'broken' } });
    await settled();
    assert.equal(failures.length, 1);
  });

  it('takes the type of a description from the message, not from inside', async () => {
    const { connection, negotiation: n } = negotiation({ polite: true });
    n.take({ type: 'offer', offer: { type: 'rollback', sdp: 'v=0' } });
    await settled();
    assert.equal(connection.remoteDescription.type, 'offer');
  });

  it('that answered first keeps its DTLS role in its later offers', async () => {
    const { connection, negotiation: n, said } = negotiation({ polite: true });
    connection.setup = 'active';
    n.take(offer);
    await settled();
    connection.setup = 'actpass';
    connection.need();
    await settled();
    const last = said.findLast(({ type }) => type === 'offer');
    assert.equal(last.offer.type, 'offer');
    assert.match(last.offer.sdp, /^a=setup:active\r$/m);
  });

  it('that offered first keeps its DTLS role in its later answers, even in a browser that would change it', async () => {
    const { connection, negotiation: n, said } = await offering({ polite: false });
    assert.match(said[0].offer.sdp, /^a=setup:actpass\r$/m);
    n.take({ type: 'answer', answer: { type: 'answer', sdp: 'v=0\r\na=setup:active\r\n' } });
    await settled();
    connection.setup = 'active';
    n.take(offer);
    await settled();
    assert.match(said.findLast(({ type }) => type === 'answer').answer.sdp, /^a=setup:passive\r$/m);
  });

  it('says no more once it is closed', async () => {
    const { connection, negotiation: n, said } = negotiation({ polite: true });
    connection.need();
    n.close();
    await settled();
    await settled();
    assert.deepEqual(said, []);
  });
});

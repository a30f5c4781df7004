import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MOST_MESSAGES, Session } from '../../static/js/session.js';
import { chanceFrom } from './chance.js';

/** @param {Session} session @param {number} ref @param {number} [bytes] */
const keep = (session, ref, bytes = 1) => session.keep({ ref, text: `${ref}`, bytes });

/** @param {number} count how many messages are on their way */
function sessionWith(count) {
  const session = new Session();
  for (let ref = 1; ref <= count; ref++) keep(session, ref);
  session.next();
  return session;
}

describe('what was said in a session', () => {
  it('goes out once on a connection, in order', () => {
    const session = new Session();
    for (const ref of [1, 2]) keep(session, ref);
    assert.deepEqual(session.next(), ['1', '2']);
    keep(session, 3);
    assert.deepEqual(session.next(), ['3']);
    assert.deepEqual(session.next(), []);
  });

  it('goes out again, from what the server has not processed on', () => {
    const session = sessionWith(4);
    session.resume(2);
    assert.deepEqual(session.next(), ['3', '4']);
  });

  it('goes out behind it, if it was said while there was no connection', () => {
    const session = sessionWith(2);
    keep(session, 3);
    session.resume(1);
    assert.deepEqual(session.next(), ['2', '3']);
  });

  it('is known to have been processed by an answer to it, or to a later message', () => {
    const session = sessionWith(4);
    session.settle(3);
    session.resume(0);
    assert.deepEqual(session.next(), ['4']);
  });

  it('is numbered with the acknowledgements that go between: the server counts those too', () => {
    const session = sessionWith(1);
    session.count();
    session.acknowledge();
    keep(session, 2);
    session.next();
    session.resume(2);
    assert.deepEqual(session.next(), ['2']);
  });

  it('gets the numbers anew that were lost with what need not be sent again', () => {
    const session = sessionWith(1);
    session.count();
    session.acknowledge();
    keep(session, 2);
    session.next();
    session.resume(1);
    assert.deepEqual(session.next(), ['2']);
    session.resume(2);
    assert.deepEqual(session.next(), []);
  });

  it('is not sent again if nothing waits for it any more', () => {
    const session = sessionWith(3);
    session.withdraw(2);
    keep(session, 4);
    assert.deepEqual(session.next(), ['4']);
    session.resume(0);
    assert.deepEqual(session.next(), ['1', '3', '4']);
  });

  it('goes out on time, whatever behind it was given up before it went out', () => {
    const session = sessionWith(1);
    for (const ref of [2, 3]) keep(session, ref);
    session.withdraw(2);
    assert.deepEqual(session.next(), ['3']);
  });

  it('is taken for processed if the server resumes without a number: nothing may arrive twice', () => {
    const session = sessionWith(2);
    keep(session, 3);
    session.resume();
    assert.deepEqual(session.next(), ['3']);
  });

  it('is bounded: it refuses what is beyond its bounds, and forgets nothing', () => {
    const many = sessionWith(MOST_MESSAGES);
    assert.equal(keep(many, 1000), false);
    many.resume(0);
    assert.equal(many.next().length, MOST_MESSAGES);
    const large = new Session();
    assert.equal(keep(large, 1, 1 << 20), true);
    assert.equal(keep(large, 2, 1), false);
    large.next();
    large.settle(1);
    assert.equal(keep(large, 2, 1 << 20), true);
  });
});

describe('what was received in a session', () => {
  it('is unacknowledged until the server is told', () => {
    const session = new Session();
    for (let i = 0; i < 3; i++) session.count();
    assert.deepEqual([session.received, session.unacknowledged], [3, 3]);
    assert.equal(session.acknowledge(), 3);
    assert.equal(session.unacknowledged, 0);
  });

  it('is told by the offer of the next connection, so that nothing is left to acknowledge', () => {
    const session = new Session();
    session.count();
    session.resume(0);
    assert.deepEqual([session.received, session.unacknowledged], [1, 0]);
  });
});

describe('a session and a server that sees a random part of each connection', () => {
  it('agree on what was said: all of it, once, in order', () => {
    for (let seed = 1; seed <= 500; seed++) {
      const chance = chanceFrom(seed);
      const session = new Session();
      /** @type {string[]} */
      const processed = [];
      let [accepted, said] = [0, 0];
      for (let connection = 0; connection < 12; connection++) {
        // null: an acknowledgement
        /** @type {(string | null)[]} */
        const wire = [];
        for (let step = 0; step < 10; step++) {
          if (chance() < 0.5) keep(session, ++said);
          else session.count();
          if (chance() < 0.6) wire.push(...session.next());
          if (session.unacknowledged > 0 && chance() < 0.3 && session.acknowledge()) wire.push(null);
        }
        wire.push(...session.next());
        const seen = wire.slice(0, connection === 11 ? wire.length : Math.floor(chance() * (wire.length + 1)));
        accepted += seen.length;
        processed.push(...seen.filter((text) => text !== null));
        const answered = Math.floor(chance() * (processed.length + 1));
        if (answered > 0) session.settle(Number(processed[answered - 1]));
        if (connection < 11) session.resume(accepted);
      }
      assert.deepEqual(processed.map(Number), Array.from({ length: said }, (_, index) => index + 1), `seed ${seed}`);
    }
  });
});

/** What goes on beside a call: the mark of its connection, its duration, its ring and notification, the keys. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyOf } from '../../static/js/page/keys.js';
import { Quality } from '../../static/js/page/quality.js';
import { Ring } from '../../static/js/page/ring.js';
import { durationOf } from '../../static/js/page/timer.js';

/** A connection, sampled. */
class Samples {
  #quality = new Quality();
  #bytes = 0;
  #arrived = 0;
  #lost = 0;

  /**
   * What the browser measures after the next interval.
   *
   * @param {{ bytes?: number, arrived?: number, lost?: number, lostThere?: number | undefined, roundTrip?: number | undefined, reported?: number | undefined }} [interval]
   */
  next({ bytes = 1000, arrived = 100, lost = 0, lostThere, roundTrip, reported } = {}) {
    this.#bytes += bytes;
    this.#arrived += arrived;
    this.#lost += lost;
    return this.#quality.take([
      { id: 'p', type: 'candidate-pair', nominated: true, state: 'succeeded', bytesReceived: this.#bytes, currentRoundTripTime: roundTrip },
      { id: 'i', type: 'inbound-rtp', packetsReceived: this.#arrived, packetsLost: this.#lost },
      { id: 'r', type: 'remote-inbound-rtp', fractionLost: lostThere, roundTripTime: reported },
    ]);
  }

  /** @param {number} times @param {Parameters<Samples['next']>[0]} [interval] @returns {string} the last grade */
  grade(times, interval) {
    let grade = '';
    for (let time = 1; time <= times; time++) ({ grade } = this.next(interval));
    return grade;
  }
}

describe('a connection', () => {
  it('is good while little is lost and the round trip is short', () => {
    const samples = new Samples();
    assert.equal(samples.grade(5, { lost: 1, roundTrip: 0.12 }), 'good');
    assert.deepEqual(samples.next({ lost: 1, roundTrip: 0.12 }), { grade: 'good', roundTrip: 120, loss: 3 / 303 });
  });

  it('is poor where packets are lost on their way here', () => {
    assert.equal(new Samples().grade(3, { arrived: 95, lost: 5 }), 'poor');
  });

  it('is poor where packets are lost on their way there, as the other side reports', () => {
    assert.equal(new Samples().grade(2, { lostThere: 0.05 }), 'poor');
  });

  it('is poor where the round trip is long, as ICE measures it, or else as media do', () => {
    assert.equal(new Samples().grade(1, { roundTrip: 0.5 }), 'poor');
    assert.equal(new Samples().grade(1, { reported: 0.5 }), 'poor');
    assert.equal(new Samples().grade(1, { roundTrip: 0.1, reported: 0.5 }), 'good');
  });

  it('is not poor by one lost packet of a few', () => {
    assert.equal(new Samples().grade(3, { arrived: 3, lost: 1 }), 'good');
  });

  it('that was poor is good again only when it is clearly better, lest it change each second', () => {
    const samples = new Samples();
    assert.equal(samples.grade(1, { roundTrip: 0.45 }), 'poor');
    assert.equal(samples.grade(1, { roundTrip: 0.35 }), 'poor');
    assert.equal(samples.grade(1, { roundTrip: 0.25 }), 'good');
    assert.equal(samples.grade(1, { roundTrip: 0.35 }), 'good');
  });

  it('is lost when nothing at all has come for 8 s, and found again at once', () => {
    const samples = new Samples();
    assert.equal(samples.grade(2), 'good');
    const nothing = { bytes: 0, arrived: 0 };
    assert.equal(samples.grade(3, nothing), 'good');
    assert.equal(samples.grade(1, nothing), 'lost');
    assert.equal(samples.grade(1), 'good');
  });

  it('of which the browser measures nothing is said to be good, and has no numbers', () => {
    assert.deepEqual(new Quality().take([]), { grade: 'good', roundTrip: null, loss: null });
  });

  it('whose counters run backwards has lost nothing', () => {
    const samples = new Samples();
    samples.grade(2, { lost: 50 });
    samples.grade(3);
    assert.equal(samples.next({ lost: -40 }).loss, 0);
  });
});

describe('the duration of a call', () => {
  it('is shown as clocks show it', () => {
    assert.deepEqual([0, 7.9, 754, 3723, -1].map(durationOf), ['0:00', '0:07', '12:34', '1:02:03', '0:00']);
  });
});

class FakeContext {
  currentTime = 0;
  destination = {};
  closed = 0;
  /** @type {number[]} */
  starts = [];

  createOscillator() {
    return { frequency: { value: 0 }, connect: (/** @type {unknown} */ next) => next, start: (/** @type {number} */ at) => void this.starts.push(at), stop() {} };
  }

  createGain() {
    return { gain: { setValueAtTime() {}, linearRampToValueAtTime() {}, exponentialRampToValueAtTime() {} }, connect: (/** @type {unknown} */ next) => next };
  }

  async close() {
    this.closed++;
  }
}

describe('the ring', () => {
  /** @param {() => boolean} mayPlay */
  function ringing(mayPlay = () => true) {
    /** @type {FakeContext[]} */
    const contexts = [];
    const create = () => {
      contexts.push(new FakeContext());
      return /** @type {AudioContext} */ (/** @type {unknown} */ (contexts.at(-1)));
    };
    return { ring: new Ring(create, mayPlay), contexts };
  }

  it('is planned for the minute that a call rings, and no longer', () => {
    const { ring, contexts } = ringing();
    ring.start();
    assert.equal(contexts[0]?.starts.length, 80);
    assert.ok(Math.max(...(contexts[0]?.starts ?? [])) < 60);
  });

  it('is one, and stops at once', () => {
    const { ring, contexts } = ringing();
    ring.start();
    ring.start();
    ring.stop();
    ring.stop();
    assert.deepEqual(contexts.map(({ closed }) => closed), [1]);
  });

  it('is silent where the person has not touched the page yet: the browser would refuse, and complain', () => {
    const { ring, contexts } = ringing(() => false);
    ring.start();
    ring.stop();
    assert.equal(contexts.length, 0);
  });

  it('is silent where there is no sound card', () => {
    const ring = new Ring(() => { throw new DOMException('', 'NotSupportedError'); }, () => true);
    ring.start();
    ring.stop();
  });
});

describe('a key', () => {
  const stroke = { key: 'm', ctrlKey: false, altKey: false, metaKey: false, repeat: false, isComposing: false, defaultPrevented: false, target: null };

  it('is a shortcut by its letter, large or small', () => {
    assert.deepEqual(['m', 'M', '?'].map((key) => keyOf({ ...stroke, key }, false)), ['m', 'm', '?']);
  });

  it('in a field is what is written there', () => {
    assert.equal(keyOf(stroke, true), null);
  });

  it('that is held, or with another, or has no letter, is none: Escape, Tab and Enter do as ever', () => {
    for (const other of [{ ctrlKey: true }, { altKey: true }, { metaKey: true }, { repeat: true }, { isComposing: true }, { defaultPrevented: true }]) {
      assert.equal(keyOf({ ...stroke, ...other }, false), null);
    }
    for (const key of ['Escape', 'Tab', 'Enter', 'F5', 'Dead']) assert.equal(keyOf({ ...stroke, key }, false), null);
  });
});

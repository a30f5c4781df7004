import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Emitter } from '../../static/js/emitter.js';
import { HowItGoes } from '../../static/js/page/how-it-goes.js';
import { sayIn } from '../../static/js/page/language.js';
import { presentValue, written } from '../../static/js/page/measure.js';
import { extremes, lineOf, SPAN, topOf, withSample } from '../../static/js/page/plot.js';
import { readingOf } from '../../static/js/page/reading.js';
import { lineOf as lineOfRoute, placesIn, waysOf } from '../../static/js/page/route.js';
import { FakeElement, setDocument } from './document.js';
import { chromiumStats, firefoxStats, report } from './stats.js';
import { FakeClock, settled } from './world.js';

/** @import { CallState } from '../../static/js/call.js' */
/** @import { Sample } from '../../static/js/page/reading.js' */

/** @param {any[]} stats @param {Record<string, Record<string, unknown>>} changes by id */
const changed = (stats, changes) => report(stats.map((stat) => ({ ...stat, ...changes[stat.id] })));
/** @param {Partial<Sample>} fields @returns {Sample} */
const sample = (fields) => ({
  at: 0, roundTrip: null, lossIn: null, lossOut: null, jitterIn: null, jitterOut: null, bitsIn: null, bitsOut: null,
  framesIn: null, framesOut: null, widthIn: null, widthOut: null, heightIn: null, heightOut: null, ...fields,
});

describe('a reading of a stats report', () => {
  const video = 'IT01V4010367810';
  const pair = 'CPX4xyWJlY_gCxfQJZH';

  it('has of Chromium’s all that is told at one moment, and a dash for what takes two', () => {
    assert.deepEqual(readingOf(report(chromiumStats), 1000, null).sample, sample({
      at: 1000, roundTrip: 2, lossOut: 0, jitterIn: 2, jitterOut: 0.001687 * 1000, framesIn: 20, framesOut: 20, widthIn: 640, widthOut: 640, heightIn: 480, heightOut: 480,
    }));
  });

  it('takes the round trip of Firefox from the reports on media, where the pair says 0', () => {
    const { roundTrip, widthIn, heightIn } = readingOf(report(firefoxStats), 1000, null).sample;
    assert.deepEqual([roundTrip?.toFixed(2), widthIn, heightIn], ['1.54', 480, 360]);
  });

  it('has rates and loss of the time since the last one', () => {
    const last = readingOf(report(chromiumStats), 1000, null);
    const next = changed(chromiumStats, {
      [pair]: { bytesReceived: 548409 + 125_000, bytesSent: 539825 + 250_000 }, [video]: { packetsReceived: 513 + 90, packetsLost: 10 },
    });
    const { bitsIn, bitsOut, lossIn } = readingOf(next, 3000, last).sample;
    assert.deepEqual([bitsIn, bitsOut, lossIn], [500, 1000, 10]);
  });

  it('has none after a long pause, nor where the path is another and its counts begin anew', () => {
    const last = readingOf(report(chromiumStats), 1000, null);
    const next = changed(chromiumStats, { [pair]: { bytesReceived: 5 } });
    assert.equal(readingOf(report(chromiumStats), 17_000, last).sample.bitsIn, null);
    assert.equal(readingOf(next, 2000, last).sample.bitsIn, null);
  });

  it('counts frames itself where the browser tells no rate', () => {
    const without = (/** @type {number} */ frames) => changed(chromiumStats, { [video]: { framesPerSecond: undefined, framesDecoded: frames } });
    assert.equal(readingOf(without(124), 2000, readingOf(without(100), 1000, null)).sample.framesIn, 24);
  });

  it('takes a packet that came late after all for one that was not lost', () => {
    const lost = (/** @type {number} */ packetsLost, /** @type {number} */ packetsReceived) => changed(chromiumStats, { [video]: { packetsLost, packetsReceived } });
    assert.equal(readingOf(lost(3, 600), 2000, readingOf(lost(5, 513), 1000, null)).sample.lossIn, 0);
    assert.ok(Number(readingOf(lost(-1, 600), 2000, readingOf(lost(-2, 513), 1000, null)).sample.lossIn) > 0);
  });

  it('is of dashes alone where nothing is told, or nonsense', () => {
    for (const stats of [[], [{ id: 'a', type: 'inbound-rtp', jitter: NaN, packetsLost: 'x', frameWidth: -1 }], [{ id: 'a', type: 'transport', selectedCandidatePairId: 'none' }]]) {
      assert.deepEqual(readingOf(report(stats), 1000, null).sample, sample({ at: 1000 }));
    }
  });
});

describe('a plot', () => {
  const box = { x: 0, y: 0, width: 180, height: 100 };

  it('has the last three minutes, and never more than 240 samples', () => {
    /** @type {Sample[]} */
    let samples = [];
    for (let at = 0; at <= 400_000; at += 1000) samples = withSample(samples, sample({ at }));
    assert.deepEqual([samples[0]?.at, samples.length], [400_000 - SPAN + 1000, 180]);
    for (let at = 400_000; at < 401_000; at++) samples = withSample(samples, sample({ at }));
    assert.equal(samples.length, 240);
  });

  it('ends its axis at a round number', () => {
    assert.deepEqual([[3], [11], [0.4], [20], [21], [null], []].map((values) => topOf(values, 1)), [5, 20, 1, 20, 50, 1, 1]);
    assert.equal(topOf([7], 100), 100);
  });

  it('draws a line that breaks where a value is missing, and after a pause', () => {
    const values = [[0, 0], [1000, 10], [2000, null], [3000, 10], [10_000, 5]];
    const samples = values.map(([at, roundTrip]) => sample({ at: at ?? 0, roundTrip: roundTrip ?? null }));
    assert.equal(lineOf(samples, 'roundTrip', { top: 10, now: SPAN, box }), 'M0.0 100.0h0L1.0 0.0L3.0 0.0M10.0 50.0h0');
    assert.equal(lineOf([], 'roundTrip', { top: 10, now: 0, box }), '');
  });

  it('tells the present, the least and the most', () => {
    const samples = [sample({ bitsIn: 5 }), sample({ bitsIn: 2 }), sample({})];
    assert.deepEqual(extremes(samples, 'bitsIn'), { now: null, least: 2, most: 5 });
    assert.deepEqual(extremes([], 'bitsIn'), { now: null, least: null, most: null });
  });

  it('writes values as its reader does, and a dash for none', () => {
    assert.equal(written(1234.5, 'kbit/s', 'en'), '1,235\u00a0kbit/s');
    assert.equal(written(1.55, 'ms', 'fr'), '1,6\u00a0ms');
    assert.equal(written(null, 'ms', 'fr'), '–');
    const size = { series: /** @type {const} */ ('heightIn'), width: /** @type {const} */ ('widthIn'), way: /** @type {const} */ ('in') };
    assert.equal(presentValue(sample({ heightIn: 480, widthIn: 640 }), size, 'px', 'en'), '640\u00a0×\u00a0480');
    assert.equal(presentValue(undefined, size, 'px', 'en'), '–');
  });
});

describe('the ways that ICE has tried', () => {
  it('have the chosen pair first, in both browsers’ reports', () => {
    const { routes, pairs, count } = waysOf(report(chromiumStats));
    assert.deepEqual(routes, [{ kind: 'direct', state: 'chosen', count: 4 }]);
    assert.deepEqual(pairs.map(({ state }) => state), ['chosen', 'works', 'waiting', 'waiting']);
    assert.deepEqual(pairs[0], { state: 'chosen', kind: 'direct', local: 'host UDP [fd00::2]:33742', remote: 'host UDP [fd00::2]:59119', roundTrip: 2 });
    assert.equal(count, 4);
    assert.deepEqual(waysOf(report(firefoxStats)).routes, [{ kind: 'direct', state: 'chosen', count: 1 }]);
  });

  it('are of one state each: the best of their pairs', () => {
    const candidate = (/** @type {string} */ id, /** @type {string} */ candidateType) => ({ id, type: 'local-candidate', candidateType, protocol: 'udp', address: '192.0.2.1', port: 1 });
    const pair = (/** @type {string} */ local, /** @type {string} */ remote, /** @type {string} */ state) => ({ id: `${local}${remote}`, type: 'candidate-pair', localCandidateId: local, remoteCandidateId: remote, state });
    const stats = report([
      candidate('h', 'host'), candidate('s', 'srflx'), { ...candidate('r', 'relay'), relayProtocol: 'tls' },
      pair('h', 'h', 'failed'), pair('s', 'h', 'failed'), pair('s', 's', 'in-progress'), pair('r', 'h', 'succeeded'), pair('r', 's', 'succeeded'), pair('x', 'h', 'succeeded'),
      { id: 't', type: 'transport', selectedCandidatePairId: 'rh' },
    ]);
    const { routes, pairs } = waysOf(stats);
    assert.deepEqual(routes, [{ kind: 'direct', state: 'failed', count: 1 }, { kind: 'stun', state: 'waiting', count: 2 }, { kind: 'turn', state: 'chosen', count: 2 }]);
    assert.equal(pairs[0]?.local, 'relay UDP 192.0.2.1:1 (TLS)');
  });

  it('are bounded, however many there are', () => {
    const many = Array.from({ length: 2000 }, (_, id) => ({ id: `p${id}`, type: 'candidate-pair', localCandidateId: 'a', remoteCandidateId: 'a', state: 'failed' }));
    const { pairs, count } = waysOf(report([...many, { id: 'a', type: 'local-candidate', candidateType: 'host', address: 'x'.repeat(5000) }]));
    assert.deepEqual([pairs.length, count], [12, 500]);
    assert.ok((pairs[0]?.local.length ?? 0) <= 90);
  });

  it('are drawn within the card, from the narrowest on', () => {
    for (const width of [240, 640]) {
      for (const kind of /** @type {const} */ (['direct', 'stun', 'turn'])) {
        const { line } = lineOfRoute(kind, placesIn(width));
        for (const { x, y } of line) assert.ok(x > 0 && x < width && y > 0 && y < 200);
        assert.deepEqual(line.map(({ x }) => x), line.map(({ x }) => x).sort((a, b) => a - b));
      }
    }
  });
});

describe('how it goes', () => {
  /** @type {Record<string, FakeElement>} */
  let elements = {};
  let clock = new FakeClock();
  let now = 0;

  class FakeCall {
    /** @type {CallState} */
    state = 'connecting';
    asked = 0;
    listeners = 0;
    #events = /** @type {Emitter<any>} */ (new Emitter());

    async stats() {
      this.asked++;
      return report(chromiumStats);
    }

    /** @param {any} type @param {any} listener */
    on(type, listener) {
      this.listeners++;
      const undo = this.#events.on(type, listener);
      return () => {
        this.listeners--;
        undo();
      };
    }

    /** @param {CallState} state */
    async become(state) {
      this.state = state;
      this.#events.emit({ type: 'state', state, reason: null });
      await settled();
    }
  }

  beforeEach(() => {
    elements = Object.fromEntries(['how-it-goes', 'measures-told', 'measures', 'numbers', 'numbers-card', 'plots', 'way'].map((id) => [id, new FakeElement()]));
    setDocument(elements);
    clock = new FakeClock();
    now = 0;
  });

  const make = () => new HowItGoes(sayIn('en'), 'en', { clock, now: () => (now += 1000) });
  /** @param {boolean} isOpen */
  async function open(isOpen) {
    const card = elements['how-it-goes'];
    if (card) card.open = isOpen;
    card?.fire('toggle');
    await settled();
  }
  const told = () => elements['measures-told']?.textContent;

  it('asks for nothing while the card is closed, or no call is connected', async () => {
    const [card, call] = [make(), new FakeCall()];
    card.follow(call);
    await call.become('connected');
    await clock.pass(10);
    assert.deepEqual([call.asked, clock.pending], [0, 0]);
    await call.become('connecting');
    await open(true);
    await clock.pass(10);
    assert.deepEqual([call.asked, clock.pending], [0, 0]);
    assert.equal(told(), 'Nothing is measured: no call is connected.');
  });

  it('asks each second from when both are so, until one is not', async () => {
    const [card, call] = [make(), new FakeCall()];
    card.follow(call);
    await open(true);
    await call.become('connected');
    await clock.pass(1);
    await clock.pass(1);
    assert.deepEqual([call.asked, told()], [3, 'The last three minutes.']);
    await open(false);
    await clock.pass(5);
    assert.deepEqual([call.asked, clock.pending], [3, 0]);
    await open(true);
    assert.equal(call.asked, 4);
    await call.become('ended');
    await clock.pass(5);
    assert.deepEqual([call.asked, clock.pending, told()], [4, 0, 'The call is over: this is how it went.']);
    assert.equal(elements['measures']?.hidden, false);
  });

  it('does not ask twice at once, however often the card is opened and closed', async () => {
    const [card, call] = [make(), new FakeCall()];
    card.follow(call);
    await call.become('connected');
    for (let time = 0; time < 5; time++) await Promise.all([open(true), open(false), open(true)]);
    assert.equal(clock.pending, 1);
  });

  it('follows the call that the page says, and lets go of the other', async () => {
    const [card, one, other] = [make(), new FakeCall(), new FakeCall()];
    await open(true);
    card.follow(one);
    await one.become('connected');
    card.follow(other);
    assert.equal(elements['measures']?.hidden, true);
    await other.become('connected');
    await clock.pass(1);
    assert.deepEqual([one.asked, other.asked, one.listeners, other.listeners], [1, 2, 0, 1]);
    card.follow(null);
    await clock.pass(5);
    assert.deepEqual([other.asked, other.listeners, clock.pending], [2, 0, 0]);
    assert.equal(told(), 'The call is over: this is how it went.');
  });

  it('shows values, a dash for what the browser does not tell, and tables once they are opened', async () => {
    const [card, call] = [make(), new FakeCall()];
    card.follow(call);
    await open(true);
    await call.become('connected');
    const words = elements['plots']?.textContent.replaceAll('\u00a0', ' ') ?? '';
    assert.match(words, /Round trip2 ms/);
    assert.match(words, /Packets lostreceived –sent 0 %/);
    assert.match(words, /640 × 480/);
    assert.match(elements['way']?.textContent ?? '', /✓ directly/);
    assert.equal(elements['numbers']?.textContent, '');
    Object.assign(elements['numbers-card'] ?? {}, { open: true });
    elements['numbers-card']?.fire('toggle');
    assert.match(elements['numbers']?.textContent ?? '', /in usehost UDP \[fd00::2\]:33742/);
  });
});

/**
 * How good a call's connection is, by what the browser has measured (webrtc-stats): packets that were lost on either way, and the round
 * trip. Pure: it is given samples, and keeps the last few.
 */

/** @import { Stat } from '../path.js' */
import { receivedOf } from '../path.js';

/** @typedef {'good' | 'poor' | 'lost'} Grade */
/** @typedef {{ grade: Grade, roundTrip: number | null, loss: number | null }} Measure `roundTrip` in milliseconds; `loss` as a share, 0 to 1 */
/** @typedef {{ received: number, lost: number, arrived: number }} Sample sums since the call began: of anything; of packets of media */

/** In milliseconds, from sample to sample. */
export const SAMPLE_INTERVAL = 2000;
/** In intervals: over so much time is loss averaged, so that one burst is not yet a bad connection. */
const WINDOW = 3;
/** In intervals: browsers check a silent path each 6 s at the latest (RFC 7675, 5.1), and 8 s without anything are no pause. */
const LOST_AFTER = 4;
/** Of fewer packets than this, one that is lost says nothing. */
const LEAST_PACKETS = 20;

/**
 * From where on it is poor; and what it has to be below to be good again, lest it change each second. ITU-T G.1010 wants less than 3 % of
 * speech lost; G.114 wants 400 ms one way never to be exceeded, and above 150 ms people notice: 400 ms there and back lies between.
 */
const POOR = { loss: 0.03, roundTrip: 400 };
const GOOD = { loss: 0.02, roundTrip: 300 };

export class Quality {
  /** Invariant: at most WINDOW + 1, or LOST_AFTER + 1, whichever is more. @type {Sample[]} */
  #samples = [];
  /** @type {'good' | 'poor'} */
  #grade = 'good';

  /** @param {Iterable<Stat>} stats a SAMPLE_INTERVAL after the last @returns {Measure} */
  take(stats) {
    const all = [...stats];
    this.#samples = [...this.#samples, sampleOf(all)].slice(-1 - Math.max(WINDOW, LOST_AFTER));
    const [loss, roundTrip] = [greatest([this.#lossIn(), lossOut(all)]), roundTripOf(all)];
    this.#judge(loss ?? 0, roundTrip ?? 0);
    return { grade: this.#isLost() ? 'lost' : this.#grade, roundTrip, loss };
  }

  /** @param {number} loss @param {number} roundTrip */
  #judge(loss, roundTrip) {
    const limits = this.#grade === 'poor' ? GOOD : POOR;
    this.#grade = loss >= limits.loss || roundTrip >= limits.roundTrip ? 'poor' : 'good';
  }

  #isLost() {
    const [first, last] = [this.#samples.at(-1 - LOST_AFTER), this.#samples.at(-1)];
    return first !== undefined && first.received === last?.received;
  }

  #lossIn() {
    const window = this.#samples.slice(-1 - WINDOW);
    const [first, last] = [window[0], window.at(-1)];
    if (!first || !last) return null;
    // Packets that come twice, or late, are taken off again.
    const lost = Math.max(0, last.lost - first.lost);
    const expected = lost + last.arrived - first.arrived;
    return expected < LEAST_PACKETS ? null : lost / expected;
  }
}

/** @param {Stat[]} stats @returns {Sample} */
function sampleOf(stats) {
  const streams = stats.filter(({ type }) => type === 'inbound-rtp');
  return { received: receivedOf(stats), lost: sum(streams, 'packetsLost'), arrived: sum(streams, 'packetsReceived') };
}

/** As the other side reports it, of the time since its last report. @param {Stat[]} stats */
function lossOut(stats) {
  return greatest(stats.filter(({ type }) => type === 'remote-inbound-rtp').map((stat) => numberIn(stat, 'fractionLost')));
}

/** Of the pair that is in use; where the browser does not measure it there, of media. @param {Stat[]} stats in milliseconds */
function roundTripOf(stats) {
  const pairs = stats.filter(({ type, ...stat }) => type === 'candidate-pair' && stat['nominated'] && stat['state'] === 'succeeded');
  const reports = stats.filter(({ type }) => type === 'remote-inbound-rtp');
  const seconds = greatest(pairs.map((stat) => numberIn(stat, 'currentRoundTripTime'))) ?? greatest(reports.map((stat) => numberIn(stat, 'roundTripTime')));
  return seconds === null ? null : seconds * 1000;
}

/** @param {Stat} stat @param {string} name @returns {number | null} */
function numberIn(stat, name) {
  return Number.isFinite(stat[name]) ? stat[name] : null;
}

/** @param {Stat[]} stats @param {string} name */
function sum(stats, name) {
  return stats.reduce((total, stat) => total + (numberIn(stat, name) ?? 0), 0);
}

/** @param {(number | null)[]} values */
function greatest(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? Math.max(...known) : null;
}

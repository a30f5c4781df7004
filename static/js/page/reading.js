/**
 * What a stats report (https://www.w3.org/TR/webrtc-stats/) says of a call at one moment, as numbers. Most are of the time since the
 * report before. Pure, and total: what a browser does not tell is null.
 */

/** @import { Stat } from '../path.js' */
import { selectedPair } from '../path.js';

/** In milliseconds. A slow machine answers late; after a longer pause, what was counted meanwhile says nothing of a moment. */
const LONGEST_INTERVAL = 15_000;

/** @typedef {number | null} Figure */
/**
 * @typedef {{
 *   at: number, roundTrip: Figure, lossIn: Figure, lossOut: Figure, jitterIn: Figure, jitterOut: Figure, bitsIn: Figure, bitsOut: Figure,
 *   framesIn: Figure, framesOut: Figure, widthIn: Figure, widthOut: Figure, heightIn: Figure, heightOut: Figure,
 * }} Sample `at`, `roundTrip` and jitter in milliseconds, loss in percent, `bits` in kbit/s, frames per second; `In` is what comes from the other side
 */
/**
 * @typedef {{ at: number, bytesIn: Figure, bytesOut: Figure, packetsIn: Figure, lostIn: Figure, decoded: Figure, encoded: Figure, sample: Sample }} Reading
 *   what counts up, for the next reading to compare
 */

/** @param {ReadonlyMap<string, Stat>} stats @param {number} at in milliseconds @param {Reading | null} last @returns {Reading} */
export function readingOf(stats, at, last) {
  const all = [...stats.values()];
  const of = (/** @type {string} */ type) => all.filter((stat) => stat.type === type);
  const [inbound, outbound, remote] = [of('inbound-rtp'), of('outbound-rtp'), of('remote-inbound-rtp')];
  const pair = selectedPair(stats);
  const counts = {
    at,
    bytesIn: figure(pair?.['bytesReceived']) ?? sum(inbound, 'bytesReceived'),
    bytesOut: figure(pair?.['bytesSent']) ?? sum(outbound, 'bytesSent'),
    packetsIn: sum(inbound, 'packetsReceived'),
    lostIn: lostOf(inbound),
    decoded: sum(inbound, 'framesDecoded'),
    encoded: sum(outbound, 'framesEncoded'),
  };
  const before = last && at - last.at <= LONGEST_INTERVAL && at > last.at ? last : null;
  /** @param {'bytesIn' | 'bytesOut' | 'packetsIn' | 'decoded' | 'encoded'} name */
  const grown = (name) => difference(counts[name], before?.[name] ?? null);
  const seconds = before ? (at - before.at) / 1000 : 1;
  return {
    ...counts,
    sample: {
      at,
      roundTrip: roundTripOf(pair, remote),
      lossIn: shareOf(before && lostSince(before.lostIn, counts.lostIn), grown('packetsIn')),
      lossOut: times(greatest(remote, 'fractionLost'), 100),
      jitterIn: times(greatest(inbound, 'jitter'), 1000),
      jitterOut: times(greatest(remote, 'jitter'), 1000),
      bitsIn: times(grown('bytesIn'), 8 / 1000 / seconds),
      bitsOut: times(grown('bytesOut'), 8 / 1000 / seconds),
      framesIn: greatest(inbound, 'framesPerSecond') ?? times(grown('decoded'), 1 / seconds),
      framesOut: greatest(outbound, 'framesPerSecond') ?? times(grown('encoded'), 1 / seconds),
      widthIn: greatest(inbound, 'frameWidth'),
      widthOut: greatest(outbound, 'frameWidth'),
      heightIn: greatest(inbound, 'frameHeight'),
      heightOut: greatest(outbound, 'frameHeight'),
    },
  };
}

/** Firefox (seen in 153) counts whole milliseconds in the pair, and says 0 for less than one; the reports on media know better. @param {Stat | undefined} pair @param {Stat[]} remote */
function roundTripOf(pair, remote) {
  return times(figure(pair?.['currentRoundTripTime']) || greatest(remote, 'roundTripTime'), 1000);
}

/** @param {unknown} value @returns {Figure} */
function figure(value) {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

/** @param {Stat[]} stats @param {string} field @returns {number[]} */
function figures(stats, field) {
  return stats.map((stat) => figure(stat[field])).filter((value) => value !== null);
}

/** @param {Stat[]} stats @param {string} field @returns {Figure} */
function sum(stats, field) {
  const values = figures(stats, field);
  return values.length ? values.reduce((total, value) => total + value, 0) : null;
}

/** @param {Stat[]} stats @param {string} field @returns {Figure} */
function greatest(stats, field) {
  const values = figures(stats, field);
  return values.length ? Math.max(...values) : null;
}

/** Negative, where more packets came twice than were lost (RFC 3550, section 6.4.1). @param {Stat[]} inbound @returns {Figure} */
function lostOf(inbound) {
  const values = inbound.map((stat) => Number(stat['packetsLost'])).filter(Number.isFinite);
  return values.length ? values.reduce((total, value) => total + value, 0) : null;
}

/** A packet that comes late is lost no more. @param {Figure} before @param {Figure} now @returns {Figure} */
function lostSince(before, now) {
  return before === null || now === null ? null : Math.max(0, now - before);
}

/** A count that has shrunk is another one, as after a change of the path. @param {Figure} now @param {Figure} before @returns {Figure} */
function difference(now, before) {
  return now === null || before === null || now < before ? null : now - before;
}

/** @param {Figure} lost @param {Figure} received @returns {Figure} in percent */
function shareOf(lost, received) {
  return lost === null || received === null || lost + received === 0 ? null : (100 * lost) / (lost + received);
}

/** @param {Figure} value @param {number} factor @returns {Figure} */
function times(value, factor) {
  return value === null ? null : value * factor;
}

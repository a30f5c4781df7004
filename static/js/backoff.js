/** How long to wait before the next connection: full jitter, so that a crowd that lost its server does not come back as one. */

/** @import { Cause, Patience } from './cause.js' */

const BASE = 0.5;
const CAP = 15;
/** An hour: beyond 2³¹ ms a browser's timer would fire at once. */
const LONGEST = 3600;

/** The attempt at which to begin: `spread` over up to 2 s, `long` up to the cap. @type {Record<Patience, number>} */
const FIRST = { short: 0, spread: 2, long: 5 };

/**
 * @param {number} attempt since the last welcome, from 0
 * @param {Cause} cause
 * @param {number} random from 0 to 1
 * @returns {number} seconds
 */
export function reconnectDelay(attempt, cause, random) {
  const ceiling = Math.min(CAP, BASE * 2 ** Math.max(attempt, FIRST[cause.patience]));
  return Math.min(LONGEST, Math.max(0, cause.retryAfter ?? 0)) + random * ceiling;
}

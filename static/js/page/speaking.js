/** Who speaks at the moment, by the loudness that browsers measure of what comes. */

/** @import { Call } from '../call.js' */
import { clock } from '../world.js';

/** In milliseconds. */
const BREATH = 400;
/** Of 1: above the noise of a room. */
const LOUD = 0.02;

export class Speaking {
  #calls;
  #onChange;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => Call[]} calls @param {(loud: Set<Call>) => void} onChange */
  constructor(calls, onChange) {
    this.#calls = calls;
    this.#onChange = onChange;
  }

  start() {
    this.stop();
    this.#timer = clock.setTimeout(() => void this.#look(), BREATH);
  }

  stop() {
    clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #look() {
    const timer = this.#timer;
    const calls = this.#calls();
    const levels = await Promise.all(calls.map(async (call) => loudnessIn(await call.stats())));
    if (this.#timer !== timer) return;
    this.#onChange(new Set(calls.filter((_, index) => (levels[index] ?? 0) > LOUD)));
    this.start();
  }
}

/** @param {Map<string, any>} stats @returns {number} 0 to 1 */
export function loudnessIn(stats) {
  return Math.max(0, ...[...stats.values()].map(({ type, kind, audioLevel }) => (type === 'inbound-rtp' && kind === 'audio' && audioLevel) || 0));
}

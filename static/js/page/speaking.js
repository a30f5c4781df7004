/** Who speaks at the moment. */

/** @import { Call } from '../call.js' */

/** In milliseconds. */
const BREATH = 400;
/** Of 1: above the noise of a room. */
const LOUD = 0.02;

export class Speaking {
  #calls;
  #onChange;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {() => Call[]} calls @param {(loud: Set<Call>) => void} onChange */
  constructor(calls, onChange) {
    this.#calls = calls;
    this.#onChange = onChange;
  }

  start() {
    this.stop();
    this.#timer = setInterval(() => this.#onChange(new Set(this.#calls().filter(({ loudness }) => loudness > LOUD))), BREATH);
  }

  stop() {
    clearInterval(this.#timer);
  }
}

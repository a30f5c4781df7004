/** How long a call has been on. */

import { elementById } from './element.js';

export class CallTimer {
  #element = elementById('timer', HTMLSpanElement);
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** @type {number | null} */
  #since = null;

  /** The two are connected; a second time changes nothing. */
  start() {
    if (this.#since !== null) return;
    this.#since = performance.now();
    this.#timer = setInterval(() => this.#show(), 1000);
    this.#show();
    this.#element.hidden = false;
  }

  stop() {
    clearInterval(this.#timer);
    this.#since = null;
    this.#element.hidden = true;
  }

  #show() {
    this.#element.textContent = durationOf((performance.now() - (this.#since ?? 0)) / 1000);
  }
}

/** As clocks show it: 0:07, 12:34, 1:02:03. @param {number} seconds */
export function durationOf(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

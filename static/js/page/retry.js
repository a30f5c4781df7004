/** When the next attempt to connect is, second by second, and a button for those who don't want to wait. */

/** @import { Say } from './language.js' */
import { elementById, show } from './element.js';

export class Retry {
  #say;
  #line = elementById('retry', HTMLParagraphElement);
  #in = elementById('retry-in', HTMLSpanElement);
  #due = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticking;

  /** @param {Say} say @param {() => void} hurry */
  constructor(say, hurry) {
    this.#say = say;
    elementById('retry-now', HTMLButtonElement).addEventListener('click', hurry);
  }

  /** @param {number | null} seconds from now; null: none is due */
  show(seconds) {
    clearInterval(this.#ticking);
    show(this.#line, seconds !== null);
    if (seconds === null) return;
    this.#due = performance.now() + seconds * 1000;
    this.#ticking = setInterval(() => this.#tick(), 1000);
    this.#tick();
  }

  #tick() {
    const seconds = Math.max(0, Math.ceil((this.#due - performance.now()) / 1000));
    this.#in.textContent = this.#say('retry-in', { seconds });
  }
}

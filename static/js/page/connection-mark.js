/** The mark on a picture that says how good the connection is. It measures while a call is connected, and at no other time. */

/** @import { Call } from '../call.js' */
/** @import { Say } from './language.js' */
/** @import { Grade, Measure } from './quality.js' */
import { Quality, SAMPLE_INTERVAL } from './quality.js';

export class ConnectionMark {
  #say;
  #mark;
  #words;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** Which call it follows: an answer about an earlier one is passed over. @type {Pick<Call, 'state' | 'stats'> | null} */
  #call = null;
  /** Nothing comes any more, as the call itself has noticed. */
  #silent = false;

  /** @param {Say} say @param {HTMLElement} mark an icon; its words are in a `span` */
  constructor(say, mark) {
    this.#say = say;
    this.#mark = mark;
    this.#words = /** @type {HTMLElement} */ (mark.querySelector('span'));
  }

  /** It is connected, for the first time or again. @param {Pick<Call, 'state' | 'stats'>} call */
  follow(call) {
    if (this.#call === call) return;
    this.clear();
    this.#call = call;
    const quality = new Quality();
    const measure = () => void this.#measure(call, quality);
    this.#timer = setInterval(measure, SAMPLE_INTERVAL);
    measure();
  }

  /** @param {boolean} silent */
  showSilence(silent) {
    this.#silent = silent;
    if (silent && this.#call) this.#show('lost', '');
  }

  clear() {
    clearInterval(this.#timer);
    this.#call = null;
    this.#silent = false;
    this.#mark.hidden = true;
  }

  /** @param {Pick<Call, 'state' | 'stats'>} call @param {Quality} quality */
  async #measure(call, quality) {
    if (call.state !== 'connected') return this.#show('lost', '');
    const measure = quality.take((await call.stats()).values());
    if (this.#call !== call || this.#silent) return;
    this.#show(measure.grade, this.#numbers(measure));
  }

  /** @param {Grade} grade @param {string} numbers */
  #show(grade, numbers) {
    this.#mark.dataset['quality'] = grade;
    this.#words.textContent = this.#say(`quality-${grade}`);
    this.#mark.title = numbers;
    this.#mark.hidden = false;
  }

  /** @param {Measure} measure */
  #numbers({ roundTrip, loss }) {
    const known = [
      roundTrip === null ? '' : this.#say('quality-round-trip', { milliseconds: Math.round(roundTrip) }),
      loss === null ? '' : this.#say('quality-loss', { percent: (loss * 100).toFixed(1) }),
    ];
    return known.filter(Boolean).join(', ');
  }
}

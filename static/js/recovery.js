/**
 * A call's path once there was one: whether anything still comes over it, and when another is sought. `call.js` says what becomes of the
 * call; this knows neither consent nor signaling.
 */

/** @import { Leg } from './leg.js' */
/** @import { Clock, Timer } from './world.js' */

/** In milliseconds: how long the polite side waits for the other's offer before it seeks the path anew itself. */
const TURN = 3000;
/** In milliseconds: browsers ask over a path that lives every 2.5 s (Chromium) to 6 s (RFC 7675, section 5.1), whatever else it carries. */
const SILENCE = 6500;
/** In milliseconds: how often this side says that it is there, and looks whether anything has come. */
const BEAT = 1000;
/** In beats without anything: the other side beats too, and so nothing comes any more. */
const SILENT_AFTER = 3;
/** The same for one that does not beat: then it is the browsers that ask, at the latest every 6 s. */
const SILENT_AFTER_WITHOUT_BEATS = 8;

export class Recovery {
  #clock;
  #polite;
  #owner;
  /** While this side waits before it seeks the path anew. @type {Timer | undefined} */
  #turn;
  /** @type {Timer | undefined} */
  #beat;
  /** The leg that is watched, while its path is there. @type {Leg | null} */
  #leg = null;
  /** Beats without anything. */
  #quiet = 0;
  /** What had come at the last beat. @type {number | null} */
  #received = null;
  #silent = false;
  /** Questions whether anything comes. `since`: a beat has passed since, and so what comes from now on is an answer. @type {{ tell(silent: boolean): void, since: boolean }[]} */
  #asked = [];

  /**
   * @param {Clock} clock
   * @param {boolean} polite
   * @param {{ seek(): void, onSilent(silent: boolean): void }} owner `seek` another path; `onSilent`: nothing comes any more, or something does
   */
  constructor(clock, polite, owner) {
    this.#clock = clock;
    this.#polite = polite;
    this.#owner = owner;
  }

  /** There is a path. @param {Leg} leg */
  watch(leg) {
    if (this.#leg === leg) return;
    this.#leg = leg;
    this.#quiet = 0;
    this.#received = null;
    this.#awaitBeat();
  }

  /** There is none at the moment. */
  lose() {
    this.#leg = null;
    this.#clock.clearTimeout(this.#beat);
    this.#settle(true);
  }

  /** The call is over. */
  stop() {
    for (const timer of [this.#turn, this.#beat]) this.#clock.clearTimeout(timer);
    this.#leg = null;
    this.#answer(true, this.#asked.splice(0));
  }

  /** @returns {Promise<boolean>} after some seconds at most */
  isSilent() {
    if (!this.#leg || this.#silent) return Promise.resolve(true);
    return new Promise((resolve) => void this.#asked.push({ tell: resolve, since: false }));
  }

  /**
   * The signaling was cut, and is back: the network may have changed, and the path may be dead without a sign. In Firefox (seen in 153)
   * it is too late to seek another once the browser has noticed by itself. One that lives is left alone: to seek it anew costs Firefox
   * the picture at times.
   */
  async refresh() {
    const leg = this.#leg;
    if (!leg) return;
    const before = await leg.received();
    if (this.#leg !== leg) return;
    this.#clock.clearTimeout(this.#turn);
    this.#turn = this.#clock.setTimeout(() => void this.#seekIfSilent(leg, before), SILENCE);
  }

  /**
   * Both sides may notice at once. Offers that cross are agreed on, but the browser that takes its own back may gather no candidates
   * for the answer (Chromium, seen in 156), or lose a path that lived (beside Firefox, seen in 153). So the polite side lets the other
   * go first.
   */
  seekInTurn() {
    this.#clock.clearTimeout(this.#turn);
    if (this.#polite) this.#turn = this.#clock.setTimeout(() => this.#owner.seek(), TURN);
    else this.#owner.seek();
  }

  /** The other side seeks it. */
  yield() {
    this.#clock.clearTimeout(this.#turn);
  }

  /** @param {Leg} leg @param {number} before what had come when the signaling came back */
  async #seekIfSilent(leg, before) {
    if (this.#leg === leg && (await leg.received()) === before) this.seekInTurn();
  }

  #awaitBeat() {
    this.#clock.clearTimeout(this.#beat);
    this.#beat = this.#clock.setTimeout(() => void this.#look(), BEAT);
  }

  async #look() {
    const leg = this.#leg;
    if (!leg) return;
    if (this.#isBeatNeeded(leg)) leg.note({});
    const received = await leg.received();
    if (this.#leg !== leg) return;
    if (this.#received !== null) this.#judge(received !== this.#received, leg.beats ? SILENT_AFTER : SILENT_AFTER_WITHOUT_BEATS);
    this.#received = received;
    this.#awaitBeat();
  }

  /**
   * Sound tells as well that this side is there. And what is written into a connection that is lost (TURN over TLS) costs Firefox (seen
   * in 153) the whole call, where media that are lost cost nothing. On a path that is known to be dead, beats would only pile up.
   *
   * @param {Leg} leg
   */
  #isBeatNeeded(leg) {
    return !this.#silent && !leg.sendsSound;
  }

  /** @param {boolean} hasCome since the last beat @param {number} limit */
  #judge(hasCome, limit) {
    this.#quiet = hasCome ? 0 : this.#quiet + 1;
    if (hasCome) this.#settle(false);
    else if (this.#quiet >= limit) this.#settle(true);
  }

  /** @param {boolean} silent */
  #settle(silent) {
    this.#answer(silent, silent ? this.#asked.splice(0) : this.#takeOld());
    if (silent === this.#silent) return;
    this.#silent = silent;
    this.#owner.onSilent(silent);
  }

  /** Those that were asked before the last beat. */
  #takeOld() {
    const old = this.#asked.filter(({ since }) => since);
    this.#asked = this.#asked.filter(({ since }) => !since);
    for (const question of this.#asked) question.since = true;
    return old;
  }

  /** @param {boolean} silent @param {{ tell(silent: boolean): void }[]} questions */
  #answer(silent, questions) {
    for (const { tell } of questions) tell(silent);
  }
}

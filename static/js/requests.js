/**
 * The messages that were said and not yet answered: each waits for the one answer that carries its `ref`.
 * They belong to the session, not to a connection: without one, no deadline runs.
 */

/** @import { ClientMessage, Reply } from './protocol.js' */
/** @import { Clock, Timer } from './world.js' */
import { MOST_MESSAGES } from './session.js';
import { SignalingError } from './signaling-error.js';

/** In milliseconds. An answer takes one round trip. */
const DEADLINE = 10_000;

/**
 * @typedef {{
 *   resolve: (answer: Reply) => void,
 *   reject: (error: SignalingError) => void,
 *   deadline: number,
 *   timer: Timer | undefined,
 * }} Request
 */

export class Requests {
  #clock;
  #onTimeout;
  /** Invariant: at most MOST_MESSAGES; "a client with too many unanswered messages refuses one more". @type {Map<number, Request>} */
  #waiting = new Map();
  #lastRef = 0;
  #running = false;

  /** @param {Clock} clock @param {(ref: number) => void} onTimeout no promise waits for this answer any more */
  constructor(clock, onTimeout) {
    this.#clock = clock;
    this.#onTimeout = onTimeout;
  }

  /**
   * Gives the message its ref, and hands it to `say`.
   *
   * @param {ClientMessage} message
   * @param {(message: ClientMessage & { ref: number }) => void} say may throw; then nothing waits
   * @param {number} [deadline] in milliseconds, from now or from the next connection on
   * @returns {Promise<Reply>}
   */
  async ask(message, say, deadline = DEADLINE) {
    if (this.#waiting.size >= MOST_MESSAGES) throw new SignalingError('too-many-requests', 'too many messages are still unanswered');
    const ref = ++this.#lastRef;
    say({ ...message, ref });
    return new Promise((resolve, reject) => {
      const request = { resolve, reject, deadline, timer: undefined };
      this.#waiting.set(ref, request);
      if (this.#running) this.#start(ref, request);
    });
  }

  /** There is a connection: every deadline begins anew. */
  run() {
    this.#running = true;
    for (const [ref, request] of this.#waiting) this.#start(ref, request);
  }

  /** There is none: no answer can be late. */
  pause() {
    this.#running = false;
    for (const { timer } of this.#waiting.values()) this.#clock.clearTimeout(timer);
  }

  /**
   * @param {Reply} answer
   * @returns {boolean} whether a promise waited for it
   */
  settle(answer) {
    const request = this.#take(answer.ref);
    if (!request) return false;
    if (answer.type === 'error') request.reject(new SignalingError(answer.code, answer.message, answer));
    else request.resolve(answer);
    return true;
  }

  /** @param {SignalingError} error what every sender is told */
  abandon(error) {
    for (const ref of [...this.#waiting.keys()]) this.#take(ref)?.reject(error);
  }

  /** @param {number} ref @param {Request} request */
  #start(ref, request) {
    request.timer = this.#clock.setTimeout(() => this.#expire(ref), request.deadline);
  }

  /** @param {number} ref */
  #expire(ref) {
    this.#onTimeout(ref);
    this.#take(ref)?.reject(new SignalingError('timeout', 'the server did not answer in time'));
  }

  /** @param {unknown} ref */
  #take(ref) {
    if (typeof ref !== 'number') return undefined;
    const request = this.#waiting.get(ref);
    this.#waiting.delete(ref);
    this.#clock.clearTimeout(request?.timer);
    return request;
  }
}

/**
 * The messages that were sent and not yet answered: each waits for the one answer that carries its `ref`.
 * They belong to the session, not to a connection.
 */

/** @import { ClientMessage, Reply } from './protocol.js' */
/** @import { Clock, Timer } from './world.js' */
import { SignalingError } from './signaling-error.js';

/** Well under the server's default burst of 400 messages, and more than any page has under way. */
const MOST = 256;
/** In milliseconds. An answer takes one round trip. */
const DEADLINE = 10_000;

/**
 * @typedef {{
 *   message: ClientMessage,
 *   resolve: (answer: Reply) => void,
 *   reject: (error: SignalingError) => void,
 *   timer: Timer,
 * }} Request
 */

export class Requests {
  #clock;
  /** Invariant: at most MOST entries; "a client with too many unanswered messages refuses one more". @type {Map<number, Request>} */
  #waiting = new Map();
  #lastRef = 0;

  /** @param {Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /**
   * Gives the message its ref, and hands it to `send`.
   *
   * @param {ClientMessage} message
   * @param {(message: ClientMessage) => void} send may throw; then nothing waits
   * @returns {Promise<Reply>}
   */
  async ask(message, send) {
    if (this.#waiting.size >= MOST) throw new SignalingError('too-many-requests', 'too many messages are still unanswered');
    const ref = ++this.#lastRef;
    const numbered = { ...message, ref };
    send(numbered);
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimeout(() => this.#expire(ref), DEADLINE);
      this.#waiting.set(ref, { message: numbered, resolve, reject, timer });
    });
  }

  /**
   * @param {Reply} answer
   * @returns {boolean} whether somebody waited for it
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

  /** @param {number} ref */
  #expire(ref) {
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

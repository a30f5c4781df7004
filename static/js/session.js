/**
 * One session's account: how many frames went each way over all its connections, and what was said that the server may not have
 * processed yet. It knows no socket, no timer and no meaning; `conversation.js` has those.
 */

/** Well under the server's default burst of 400 messages, so that all may be sent again at once; and more than a page has under way. */
export const MOST_MESSAGES = 256;
const MOST_BYTES = 1 << 20;

/** @typedef {{ ref: number, text: string, bytes: number }} Said a message, and the ref by which its answer is known */

export class Session {
  /** Frames that were put on a connection, numbered as the server counts them: what it never saw gives its number back. */
  #sent = 0;
  /**
   * What was said and may not have been processed, in order; a number once it is on its way.
   * Invariant: at most MOST_MESSAGES and MOST_BYTES; "it refuses what is beyond its bounds, and forgets nothing".
   *
   * @type {(Said & { number: number })[]}
   */
  #kept = [];
  /** How many of these, the first ones, are on their way over the present connection. */
  #underWay = 0;
  #bytes = 0;
  #received = 0;
  /** Of the frames received: how many the server knows of. */
  #acknowledged = 0;

  /** Frames that came, `welcome` left out. */
  get received() {
    return this.#received;
  }

  get unacknowledged() {
    return this.#received - this.#acknowledged;
  }

  /** @param {Said} said @returns {boolean} false: there is no room for it */
  keep(said) {
    if (this.#kept.length >= MOST_MESSAGES || this.#bytes + said.bytes > MOST_BYTES) return false;
    this.#kept.push({ ...said, number: 0 });
    this.#bytes += said.bytes;
    return true;
  }

  /** @returns {string[]} what is to be put on the connection now, in order */
  next() {
    const next = this.#kept.slice(this.#underWay);
    for (const said of next) said.number = ++this.#sent;
    this.#underWay = this.#kept.length;
    return next.map(({ text }) => text);
  }

  /** An answer has come: what it answers was processed, and so was all before it. @param {unknown} ref */
  settle(ref) {
    this.#drop(0, this.#kept.findIndex((said) => said.ref === ref) + 1);
  }

  /** No promise waits for it any more: it is not sent again. @param {number} ref */
  withdraw(ref) {
    const index = this.#kept.findIndex((said) => said.ref === ref);
    if (index !== -1) this.#drop(index, 1);
  }

  /** A frame has come that is no `welcome`. */
  count() {
    this.#received++;
  }

  /** @returns {number} the count for the `received` frame that is now put on the connection */
  acknowledge() {
    this.#sent++;
    return (this.#acknowledged = this.#received);
  }

  /**
   * A new connection goes on with the session. What the server never saw is to be sent again, but for `received` frames: the offer
   * of this connection has said the same.
   *
   * @param {number} [accepted] how many frames the server has processed; if it doesn't say, all, as nothing may arrive twice
   */
  resume(accepted = this.#sent) {
    const seen = this.#kept.slice(0, this.#underWay).findLastIndex(({ number }) => number <= accepted) + 1;
    this.#drop(0, seen);
    this.#underWay = 0;
    this.#sent = accepted;
    this.#acknowledged = this.#received;
  }

  /** @param {number} index @param {number} count */
  #drop(index, count) {
    for (const { bytes } of this.#kept.splice(index, count)) this.#bytes -= bytes;
    this.#underWay -= Math.min(count, Math.max(0, this.#underWay - index));
  }
}

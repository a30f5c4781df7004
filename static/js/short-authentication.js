/**
 * Are the two sides of a call connected with each other, and with no one in between? Both make the same four words of what each knows of
 * the connection, the fingerprints of the two DTLS certificates, and of two nonces; people compare them by voice. A server that gives
 * each side another certificate makes the words differ.
 *
 * One side commits itself to its nonce before it hears the other's, as in ZRTP (RFC 6189, section 4.4.1.1): who stands in between can't try
 * nonces until both pairs of words agree. It has one chance in 2³⁶ for each call.
 */

/** @import { Note } from './note.js' */
import { fingerprintsOf } from './description.js';
import { bytesOfHex, hexOf } from './hex.js';
import { wordsOf } from './word-list.js';

const WORDS_COMPARED = 4;

/** @typedef {{ local: string, remote: string }} Descriptions the two of the connection, as SDP */

export class ShortAuthentication {
  #commits;
  #owner;
  #own = crypto.getRandomValues(new Uint8Array(32));
  /** Of the other side: what it says that its nonce will be. @type {string | null} */
  #commitment = null;
  /** Only once: each further try would be another chance for who stands in between. */
  #over = false;

  /**
   * @param {boolean} commits the other side does not
   * @param {{ note(note: Note): void, descriptions(): Descriptions | null, onWords(words: string[]): void }} owner
   */
  constructor(commits, owner) {
    this.#commits = commits;
    this.#owner = owner;
  }

  /** The channel for notes is open. */
  async begin() {
    if (this.#commits) this.#owner.note({ commitment: hexOf(await sha256(this.#own)) });
  }

  /** @param {Note} note of the other side */
  async hear({ commitment, nonce }) {
    if (this.#over) return;
    if (commitment && !this.#commits && this.#commitment === null) {
      this.#commitment = commitment;
      this.#owner.note({ nonce: hexOf(this.#own) });
    }
    if (nonce) await this.#conclude(bytesOfHex(nonce));
  }

  /** @param {Uint8Array<ArrayBuffer>} nonce the other side's */
  async #conclude(nonce) {
    if (!this.#commits && this.#commitment === null) return;
    this.#over = true;
    if (this.#commits) this.#owner.note({ nonce: hexOf(this.#own) });
    else if (hexOf(await sha256(nonce)) !== this.#commitment) return;
    const descriptions = this.#owner.descriptions();
    if (!descriptions) return;
    const fingerprints = this.#inOrder(descriptions.local, descriptions.remote).map((sdp) => fingerprintsOf(sdp).join(' '));
    const nonces = this.#inOrder(this.#own, nonce).map(hexOf);
    const digest = await sha256(new TextEncoder().encode(['entremise', ...fingerprints, ...nonces].join('\n')));
    this.#owner.onWords(wordsOf(digest, WORDS_COMPARED));
  }

  /** What is of the side that commits comes first. @template T @param {T} own @param {T} other @returns {T[]} */
  #inOrder(own, other) {
    return this.#commits ? [own, other] : [other, own];
  }
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

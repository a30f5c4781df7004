/** The digest of a file that is never whole in memory: SHA-256 over the digest so far and the next block, from 32 zero bytes on. */

import { hexOf } from './hex.js';

/** In bytes: of each block but the last. Both sides have to agree. */
export const BLOCK = 1 << 18;

/** A page that did not come over https has none. */
export const canDigest = () => globalThis.crypto?.subtle !== undefined;

export class FileDigest {
  #digest = new Uint8Array(32);

  /** @param {Uint8Array} block */
  async add(block) {
    const joined = new Uint8Array(this.#digest.length + block.length);
    joined.set(this.#digest);
    joined.set(block, this.#digest.length);
    this.#digest = new Uint8Array(await crypto.subtle.digest('SHA-256', joined));
  }

  /** In hexadecimal digits. */
  get text() {
    return hexOf(this.#digest);
  }
}

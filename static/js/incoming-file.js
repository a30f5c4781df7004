/** The side of a transfer that receives: puts pieces together to blocks, keeps them, and tells the sender how far it is. */

/** @import { Progress, Sink, TransferReason } from './file-transfer.js' */
/** @import { ReceiverWord, SenderWord } from './file-words.js' */
import { BLOCK, FileDigest } from './file-digest.js';
import { isOver } from './file-transfer.js';
import { WINDOW } from './outgoing-file.js';
import { unreachable } from './protocol.js';

export class IncomingFile {
  #id;
  #size;
  #progress;
  #owner;
  /** @type {Sink | null} */
  #sink = null;
  #digest = new FileDigest();
  /** The block that is being put together, and how much of it is there. */
  #block = new Uint8Array(0);
  #filled = 0;
  #taken = 0;
  #kept = 0;
  /** In bytes: of whole blocks that are not kept yet. */
  #waiting = 0;
  /** Blocks are kept one after the other. Invariant: twice the WINDOW waits at most; "a sender that does not wait is refused". */
  #work = Promise.resolve();

  /**
   * @param {number} id
   * @param {number} size
   * @param {Progress} progress
   * @param {{ say(word: ReceiverWord): void }} owner
   */
  constructor(id, size, progress, owner) {
    this.#id = id;
    this.#size = size;
    this.#progress = progress;
    this.#owner = owner;
  }

  /** @param {Sink} [sink] */
  accept(sink) {
    this.#sink = sink ?? memory((blob) => this.#progress.keep(blob));
    this.#progress.become('running');
    this.#owner.say({ type: 'accept', id: this.#id });
  }

  cancel() {
    this.#refuse('canceled', 'here', 'there');
  }

  /** The channel is gone. */
  lose() {
    this.#finish('failed', 'lost');
  }

  /** @param {Exclude<SenderWord, { type: 'file' }>} word */
  hear(word) {
    switch (word.type) {
      case 'end':
        return this.#then(() => this.#settle(word.digest));
      case 'withdraw':
        return this.#finish(word.reason === 'there' ? 'canceled' : 'failed', word.reason);
      default:
        return unreachable(word);
    }
  }

  /** @param {Uint8Array} bytes the next of the file */
  take(bytes) {
    if (this.#progress.state !== 'running') return;
    this.#taken += bytes.length;
    if (this.#taken > this.#size) return this.#refuse('failed', 'corrupt');
    if (this.#taken - this.#kept > 2 * WINDOW) return this.#refuse('failed', 'too-fast');
    for (let at = 0; at < bytes.length; ) at += this.#fill(bytes.subarray(at));
  }

  /** @param {Uint8Array} bytes @returns {number} how many of them fit into the block */
  #fill(bytes) {
    if (this.#filled === 0) this.#block = new Uint8Array(Math.min(BLOCK, this.#size - this.#kept - this.#waiting));
    const fitting = bytes.subarray(0, this.#block.length - this.#filled);
    this.#block.set(fitting, this.#filled);
    this.#filled += fitting.length;
    if (this.#filled === this.#block.length) this.#release();
    return fitting.length;
  }

  #release() {
    const block = this.#block;
    this.#filled = 0;
    this.#waiting += block.length;
    this.#then(() => this.#keep(block));
  }

  /** @param {() => Promise<void>} work what comes after all that came before it */
  #then(work) {
    this.#work = this.#work.then(async () => {
      if (this.#progress.state === 'running') await work();
    }).catch(() => this.#refuse('failed', 'unwritable'));
  }

  /** @param {Uint8Array<ArrayBuffer>} block */
  async #keep(block) {
    await this.#digest.add(block);
    await this.#sink?.write(block);
    this.#waiting -= block.length;
    this.#kept += block.length;
    if (this.#progress.state !== 'running') return;
    this.#progress.advance(this.#kept);
    this.#owner.say({ type: 'received', id: this.#id, bytes: this.#kept });
  }

  /** @param {string} digest */
  async #settle(digest) {
    if (this.#kept !== this.#size || this.#digest.text !== digest) return this.#refuse('failed', 'corrupt');
    await this.#sink?.close();
    this.#sink = null;
    this.#owner.say({ type: 'kept', id: this.#id });
    this.#finish('done');
  }

  /** @param {'canceled' | 'failed'} state @param {TransferReason} reason @param {TransferReason} [told] to the sender */
  #refuse(state, reason, told = reason) {
    if (isOver(this.#progress.state)) return;
    this.#owner.say({ type: 'refuse', id: this.#id, reason: told });
    this.#finish(state, reason);
  }

  /** @param {'done' | 'canceled' | 'failed'} state @param {TransferReason} [reason] */
  #finish(state, reason) {
    if (isOver(this.#progress.state)) return;
    this.#progress.become(state, reason);
    void Promise.resolve(this.#sink?.abort?.()).catch(() => {});
  }
}

/** Where a file is kept that has no other place. @param {(blob: Blob) => void} onWhole @returns {Sink} */
function memory(onWhole) {
  /** Blobs, which a browser may put on its disk. @type {Blob[]} */
  const blocks = [];
  return {
    write: (block) => void blocks.push(new Blob([block])),
    close: () => onWhole(new Blob(blocks)),
  };
}

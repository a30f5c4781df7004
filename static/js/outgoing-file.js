/** The side of a transfer that sends: reads, and goes on as far as the receiver and the channel take it. */

/** @import { Progress, TransferReason } from './file-transfer.js' */
/** @import { ReceiverWord, SenderWord } from './file-words.js' */
import { BLOCK, FileDigest } from './file-digest.js';
import { unreachable } from './protocol.js';

/** In bytes: what may be on its way that the receiver has not said to have kept. It holds as much in memory, at most. */
export const WINDOW = 1 << 22;
/** In bytes: what any browser takes as one message (RFC 8831, section 6.6). */
const PIECE = 1 << 14;

export class OutgoingFile {
  #id;
  #file;
  #progress;
  #owner;
  #sent = 0;
  #received = 0;
  /** What waits until there is room. @type {(() => void) | null} */
  #wake = null;

  /**
   * @param {number} id
   * @param {Blob} file
   * @param {Progress} progress
   * @param {{ say(word: SenderWord): void, put(id: number, piece: Uint8Array): void, hasRoom(): boolean }} owner
   *   `hasRoom`: the channel takes more at the moment; where it does not, `goOn` is called when it does again
   */
  constructor(id, file, progress, owner) {
    this.#id = id;
    this.#file = file;
    this.#progress = progress;
    this.#owner = owner;
  }

  cancel() {
    this.#withdraw('canceled', 'here', 'there');
  }

  /** The channel is gone. */
  lose() {
    this.#finish('failed', 'lost');
  }

  /** The channel takes more. */
  goOn() {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** @param {ReceiverWord} word */
  hear(word) {
    switch (word.type) {
      case 'accept':
        return this.#begin();
      case 'received':
        return this.#note(word.bytes);
      case 'kept':
        return this.#settle();
      case 'refuse':
        return this.#finish(word.reason === 'there' ? 'canceled' : 'failed', word.reason);
      default:
        return unreachable(word);
    }
  }

  #begin() {
    if (this.#progress.state !== 'offered') return;
    this.#progress.become('running');
    void this.#run();
  }

  async #run() {
    const digest = new FileDigest();
    try {
      for (let at = 0; at < this.#file.size && this.#isRunning; at += BLOCK) {
        const block = new Uint8Array(await this.#file.slice(at, at + BLOCK).arrayBuffer());
        await digest.add(block);
        await this.#send(block);
      }
    } catch {
      // The file was changed on the disk, or is not there any more.
      return this.#withdraw('failed', 'unreadable', 'unreadable');
    }
    if (this.#isRunning) this.#owner.say({ type: 'end', id: this.#id, digest: digest.text });
  }

  /** @param {Uint8Array} block */
  async #send(block) {
    for (let at = 0; at < block.length; at += PIECE) {
      while (this.#isRunning && !this.#hasRoom()) await new Promise((wake) => void (this.#wake = () => wake(null)));
      if (!this.#isRunning) return;
      const piece = block.subarray(at, at + PIECE);
      this.#owner.put(this.#id, piece);
      this.#sent += piece.length;
    }
  }

  get #isRunning() {
    return this.#progress.state === 'running';
  }

  #hasRoom() {
    return this.#sent - this.#received < WINDOW && this.#owner.hasRoom();
  }

  /** It can't have kept what was not sent, and takes nothing back. @param {number} bytes */
  #note(bytes) {
    if (bytes > this.#sent || bytes <= this.#received) return;
    this.#received = bytes;
    this.#progress.advance(bytes);
    this.goOn();
  }

  #settle() {
    if (this.#received === this.#file.size) this.#finish('done');
  }

  /** @param {'canceled' | 'failed'} state @param {TransferReason} reason @param {TransferReason} told to the receiver */
  #withdraw(state, reason, told) {
    this.#owner.say({ type: 'withdraw', id: this.#id, reason: told });
    this.#finish(state, reason);
  }

  /** @param {'done' | 'canceled' | 'failed'} state @param {TransferReason} [reason] */
  #finish(state, reason) {
    this.#progress.become(state, reason);
    this.goOn();
  }
}

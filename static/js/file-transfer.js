/**
 * One file on its way between the two sides of a call, past the server:
 *
 *     const transfer = call.sendFile(file);
 *     transfer?.on('progress', ({ bytes }) => show(bytes / file.size));
 *     call.on('file', async ({ transfer }) => {
 *       if (confirm(`Take ${transfer.name}?`)) transfer.accept();
 *       else transfer.cancel();
 *     });
 *
 * The receiver is asked first, and what it has is the sender's file to the byte: both make a digest of it. A transfer outlives changes of
 * path, as its call does; where the call ends, it fails.
 */

import { Emitter } from './emitter.js';

/**
 * @typedef {'offered' | 'running' | 'done' | 'canceled' | 'failed'} TransferState
 *   `offered`: the receiver has not answered yet; `canceled`: one of the two did not want it, or no longer
 */
/**
 * @typedef {'here' | 'there' | 'lost' | 'unreadable' | 'unwritable' | 'corrupt' | 'too-fast' | 'too-many'} TransferReason
 *   `here`, `there`: on which side it was canceled; `lost`: the call is over; `unreadable`, `unwritable`: by its sender, by its receiver;
 *   `corrupt`: what came is not what was sent; `too-fast`, `too-many`: more than the receiver had agreed to hold
 */
/** @typedef {{ type: 'state', state: TransferState, reason: TransferReason | null } | { type: 'progress', bytes: number }} TransferEvent */
/**
 * @typedef {{ write(block: Uint8Array<ArrayBuffer>): unknown, close(): unknown, abort?(): unknown }} Sink
 *   where a file is kept, block after block: each call may be answered by a promise, and the next waits for it.
 *   A `FileSystemWritableFileStream` is one
 */
/** @typedef {{ direction: 'outgoing' | 'incoming', name: string, size: number, mime: string }} FileFacts */
/**
 * @typedef {{ readonly state: TransferState, become(state: TransferState, reason?: TransferReason): void, advance(bytes: number): void, keep(blob: Blob): void }} Progress
 *   what the side that drives a transfer knows and reports of it: once it is over, it becomes nothing else
 */
/** @typedef {{ accept(sink: Sink | undefined): void, cancel(): void }} Driver */

/** @param {TransferState} state */
export function isOver(state) {
  return state !== 'offered' && state !== 'running';
}

export class FileTransfer {
  /** `outgoing` or `incoming`. @readonly */
  direction;
  /** As its sender says, without what would lead out of a folder. @readonly */
  name;
  /** In bytes. @readonly */
  size;
  /** What its sender says that it is; '' if it does not say. @readonly */
  mime;
  #driver;
  /** @type {Emitter<TransferEvent>} */
  #events = new Emitter();
  /** @type {TransferState} */
  #state = 'offered';
  /** @type {TransferReason | null} */
  #reason = null;
  #bytes = 0;
  /** @type {Blob | null} */
  #blob = null;

  /** @param {FileFacts} facts @param {(progress: Progress) => Driver} drive */
  constructor({ direction, name, size, mime }, drive) {
    this.direction = direction;
    this.name = name;
    this.size = size;
    this.mime = mime;
    const state = () => this.#state;
    this.#driver = drive({
      get state() {
        return state();
      },
      become: (state, reason) => this.#become(state, reason ?? null),
      advance: (bytes) => this.#advance(bytes),
      keep: (blob) => void (this.#blob = blob),
    });
  }

  get state() {
    return this.#state;
  }

  /** Why it was canceled, or has failed. */
  get reason() {
    return this.#reason;
  }

  /** How many bytes the receiver has kept. */
  get bytes() {
    return this.#bytes;
  }

  /** The file that has come, if it was accepted without a place of its own. It has no type: what a stranger calls a page is not opened as one. */
  get blob() {
    return this.#blob;
  }

  /**
   * @template {TransferEvent['type']} T
   * @param {T} type
   * @param {(event: Extract<TransferEvent, { type: T }>) => void} listener
   * @returns {() => void} the undo
   */
  on(type, listener) {
    return this.#events.on(type, listener);
  }

  /** Takes a file that is offered. @param {Sink} [sink] where it is kept; by default in memory, as `blob` */
  accept(sink) {
    if (this.direction === 'incoming' && this.#state === 'offered') this.#driver.accept(sink);
  }

  /** Declines it, takes it back, or stops it. */
  cancel() {
    if (!isOver(this.#state)) this.#driver.cancel();
  }

  /** @param {TransferState} state @param {TransferReason | null} reason */
  #become(state, reason) {
    if (isOver(this.#state) || state === this.#state) return;
    this.#state = state;
    this.#reason = reason;
    this.#events.emit({ type: 'state', state, reason });
  }

  /** @param {number} bytes */
  #advance(bytes) {
    this.#bytes = bytes;
    this.#events.emit({ type: 'progress', bytes });
  }
}

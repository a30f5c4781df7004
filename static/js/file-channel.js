/** The data channel of a call that carries files: several at a time, both ways. */

/** @import { FileWord, ReceiverWord, SenderWord } from './file-words.js' */
import { FileTransfer, isOver } from './file-transfer.js';
import { fileWordIn, pieceIn, pieceOf } from './file-words.js';
import { IncomingFile } from './incoming-file.js';
import { OutgoingFile } from './outgoing-file.js';
import { fileName } from './plain-text.js';

/** In bytes: what may wait to leave; more is put in when half of it has left. */
const MOST_BUFFERED = 1 << 20;
/** Files that are not over, each way. */
export const MOST_FILES = 32;

/** As for chat, beside its channel. @type {RTCDataChannelInit} */
export const FILES = { negotiated: true, id: 1 };

export class FileChannel {
  #channel;
  #owner;
  #last = 0;
  /** By the ids that this side has chosen. @type {Map<number, OutgoingFile>} */
  #outgoing = new Map();
  /** By the ids that the other side has chosen. Invariant: at most MOST_FILES; "more files than a person can answer for are refused". @type {Map<number, IncomingFile>} */
  #incoming = new Map();

  /**
   * @param {RTCDataChannel} channel
   * @param {{ onFile(transfer: FileTransfer): void, onChange(): void }} owner `onFile`: one is offered
   */
  constructor(channel, owner) {
    this.#channel = channel;
    this.#owner = owner;
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = MOST_BUFFERED / 2;
    channel.addEventListener('bufferedamountlow', () => this.#goOn());
    channel.addEventListener('open', () => owner.onChange());
    channel.addEventListener('close', () => this.close());
    channel.addEventListener('message', ({ data }) => this.#hear(data));
  }

  get isOpen() {
    return this.#channel.readyState === 'open';
  }

  /** @param {Blob} file @param {string} name @returns {FileTransfer | null} null: it can't be sent now */
  send(file, name) {
    if (!this.isOpen || this.#outgoing.size >= MOST_FILES) return null;
    const id = ++this.#last;
    const facts = { name: fileName(name), size: file.size, mime: file.type };
    const transfer = new FileTransfer({ direction: 'outgoing', ...facts }, (progress) => {
      const outgoing = new OutgoingFile(id, file, progress, {
        say: (word) => this.#say(word),
        put: (of, piece) => this.#channel.send(pieceOf(of, piece)),
        hasRoom: () => this.isOpen && this.#channel.bufferedAmount < MOST_BUFFERED,
      });
      this.#outgoing.set(id, outgoing);
      return { accept: () => {}, cancel: () => outgoing.cancel() };
    });
    forgetInTime(this.#outgoing, id, transfer);
    this.#say({ type: 'file', id, ...facts });
    return transfer;
  }

  /** The channel is gone, and what was on its way. */
  close() {
    for (const file of [...this.#outgoing.values(), ...this.#incoming.values()]) file.lose();
    this.#owner.onChange();
  }

  #goOn() {
    for (const file of this.#outgoing.values()) file.goOn();
  }

  /** @param {SenderWord | ReceiverWord} word */
  #say(word) {
    if (this.isOpen) this.#channel.send(JSON.stringify(word));
  }

  /** @param {unknown} data */
  #hear(data) {
    if (typeof data === 'string') return this.#follow(fileWordIn(data));
    const piece = data instanceof ArrayBuffer ? pieceIn(data) : null;
    if (piece) this.#incoming.get(piece.id)?.take(piece.bytes);
  }

  /** @param {FileWord | null} word */
  #follow(word) {
    if (!word) return;
    switch (word.type) {
      case 'file':
        return this.#consider(word);
      case 'end':
      case 'withdraw':
        return this.#incoming.get(word.id)?.hear(word);
      default:
        return this.#outgoing.get(word.id)?.hear(word);
    }
  }

  /** @param {Extract<SenderWord, { type: 'file' }>} offer */
  #consider({ id, name, size, mime }) {
    if (this.#incoming.has(id)) return;
    if (this.#incoming.size >= MOST_FILES) return this.#say({ type: 'refuse', id, reason: 'too-many' });
    const transfer = new FileTransfer({ direction: 'incoming', name, size, mime }, (progress) => {
      const incoming = new IncomingFile(id, size, progress, { say: (word) => this.#say(word) });
      this.#incoming.set(id, incoming);
      return incoming;
    });
    forgetInTime(this.#incoming, id, transfer);
    this.#owner.onFile(transfer);
  }
}

/** What is over hears no more. @param {Map<number, unknown>} files @param {number} id @param {FileTransfer} transfer */
function forgetInTime(files, id, transfer) {
  transfer.on('state', ({ state }) => void (isOver(state) && files.delete(id)));
}

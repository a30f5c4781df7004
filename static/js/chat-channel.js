/**
 * The data channel of a call. Text is what the two people write to each other; bytes are notes, which the two programs exchange. Neither
 * passes a server.
 */

/** @import { Note } from './note.js' */
import { bytesOfNote, noteIn } from './note.js';

/** In UTF-16 units. A longer text from the other side is cut. */
export const LONGEST_TEXT = 2000;
/** In bytes: what may wait to leave. */
const MOST_BUFFERED = 1 << 20;

/** Agreed beforehand, so that crossed offers make one channel and not two. @type {RTCDataChannelInit} */
export const CHANNEL = { negotiated: true, id: 0 };

export class ChatChannel {
  #channel;
  #wasOpen = false;

  /**
   * @param {RTCDataChannel} channel
   * @param {{ onText(text: string): void, onNote(note: Note): void, onChange(open: boolean): void, onLeft(): void }} owner
   *   `onLeft`: it was open, and is closed; one that the other side does not take never opens
   */
  constructor(channel, { onText, onNote, onChange, onLeft }) {
    this.#channel = channel;
    channel.binaryType = 'arraybuffer';
    channel.addEventListener('open', () => onChange((this.#wasOpen = true)));
    channel.addEventListener('close', () => {
      onChange(false);
      if (this.#wasOpen) onLeft();
    });
    channel.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') return onText(data.slice(0, LONGEST_TEXT));
      const note = noteIn(data);
      if (note) onNote(note);
    });
  }

  /** @param {string} text @returns {boolean} whether it is on its way */
  send(text) {
    if (!this.#hasRoom()) return false;
    this.#channel.send(text.slice(0, LONGEST_TEXT));
    return true;
  }

  /** @param {Note} note */
  note(note) {
    if (this.#wasOpen && this.#hasRoom()) this.#channel.send(bytesOfNote(note));
  }

  #hasRoom() {
    return this.#channel.readyState === 'open' && this.#channel.bufferedAmount <= MOST_BUFFERED;
  }
}

/**
 * The data channel of a call. Text is what the two people write to each other; bytes are notes, which the two programs exchange: what the
 * other side's media are, and where its program can be reached now. Notes pass no server, and a side that knows none passes over them.
 */

import { isRecord } from './protocol.js';

/** In UTF-16 units. A longer text from the other side is cut. */
export const LONGEST_TEXT = 2000;
/** In bytes: what may wait to leave. */
const MOST_BUFFERED = 1 << 20;
/** In bytes: a longer one is no note. */
const LONGEST_NOTE = 1024;
/** As ids of the protocol are, at most. */
const LONGEST_ID = 128;

/** Agreed beforehand, so that crossed offers make one channel and not two. @type {RTCDataChannelInit} */
export const CHANNEL = { negotiated: true, id: 0 };

/** @typedef {{ audio: boolean, video: boolean }} MediaSent what a side sends at the moment */
/**
 * @typedef {{ id?: string | undefined, media?: MediaSent | undefined }} Note
 *   `id`: the address at the signaling server; one with nothing in it says that its side is there
 */

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
    if (this.#wasOpen && this.#hasRoom()) this.#channel.send(new TextEncoder().encode(JSON.stringify(note)));
  }

  #hasRoom() {
    return this.#channel.readyState === 'open' && this.#channel.bufferedAmount <= MOST_BUFFERED;
  }
}

/** @param {unknown} data @returns {Note | null} */
function noteIn(data) {
  if (!(data instanceof ArrayBuffer) || data.byteLength > LONGEST_NOTE) return null;
  try {
    const value = JSON.parse(new TextDecoder().decode(data));
    return isRecord(value) ? { id: idIn(value['id']), media: mediaIn(value['media']) } : null;
  } catch {
    return null;
  }
}

/** @param {unknown} id */
function idIn(id) {
  return typeof id === 'string' && id.length > 0 && id.length <= LONGEST_ID ? id : undefined;
}

/** @param {unknown} media @returns {MediaSent | undefined} */
function mediaIn(media) {
  return isRecord(media) ? { audio: media['audio'] === true, video: media['video'] === true } : undefined;
}

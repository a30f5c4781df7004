/** Text between the two sides of a call, over a data channel of their connection. */

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
   * @param {{ onText(text: string): void, onChange(open: boolean): void, onLeft(): void }} owner
   *   `onLeft`: it was open, and is closed; one that the other side does not take never opens
   */
  constructor(channel, { onText, onChange, onLeft }) {
    this.#channel = channel;
    channel.addEventListener('open', () => onChange((this.#wasOpen = true)));
    channel.addEventListener('close', () => {
      onChange(false);
      if (this.#wasOpen) onLeft();
    });
    channel.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') onText(data.slice(0, LONGEST_TEXT));
    });
  }

  /** @param {string} text @returns {boolean} whether it is on its way */
  send(text) {
    const { readyState, bufferedAmount } = this.#channel;
    if (readyState !== 'open' || bufferedAmount > MOST_BUFFERED) return false;
    this.#channel.send(text.slice(0, LONGEST_TEXT));
    return true;
  }
}

/**
 * One WebSocket, from its opening to its end. It knows no session and never comes back: the client makes a new one.
 */

/** @import { ServerMessage } from './protocol.js' */
import { parseServerMessage } from './protocol.js';

export class Connection {
  #socket;
  #opened = false;
  /** Aborted when the connection is over for us, whatever the socket may still have to say. */
  #attached = new AbortController();

  /**
   * @param {WebSocket} socket
   * @param {{
   *   onFrame(message: ServerMessage | null): void,
   *   onEnd(end: { code: number, opened: boolean }): void,
   * }} owner `onFrame`: null for what this version does not know; `opened` is false if the server refused, or could not be reached
   */
  constructor(socket, owner) {
    this.#socket = socket;
    const { signal } = this.#attached;
    socket.addEventListener('open', () => void (this.#opened = true), { signal });
    socket.addEventListener('message', ({ data }) => owner.onFrame(messageIn(data)), { signal });
    socket.addEventListener('close', ({ code }) => owner.onEnd({ code, opened: this.#opened }), { signal });
  }

  /** @param {string} text */
  send(text) {
    this.#socket.send(text);
  }

  /** Says goodbye, and hears no more: a dead network could keep the closing socket for minutes. @param {number} code */
  close(code) {
    this.#attached.abort();
    this.#socket.close(code);
  }
}

/** @param {unknown} data */
function messageIn(data) {
  return typeof data === 'string' ? parseServerMessage(data) : null;
}

/**
 * One WebSocket, from its opening to its end. It knows no session and never comes back: the client makes a new one.
 */

/** @import { ClientMessage, ServerMessage } from './protocol.js' */
import { parseServerMessage } from './protocol.js';

export class Connection {
  #socket;
  #opened = false;
  /** Aborted when the connection is over for us, whatever the socket may still have to say. */
  #attached = new AbortController();

  /**
   * @param {WebSocket} socket
   * @param {{
   *   onMessage(message: ServerMessage): void,
   *   onEnd(end: { code: number, opened: boolean }): void,
   * }} owner `opened` is false if the server refused, or could not be reached
   */
  constructor(socket, owner) {
    this.#socket = socket;
    const { signal } = this.#attached;
    socket.addEventListener('open', () => void (this.#opened = true), { signal });
    socket.addEventListener('message', ({ data }) => this.#read(data, owner), { signal });
    socket.addEventListener('close', ({ code }) => owner.onEnd({ code, opened: this.#opened }), { signal });
  }

  /** @param {ClientMessage} message */
  send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  /** Says goodbye, and hears no more: a dead network could keep the closing socket for minutes. */
  close() {
    this.#attached.abort();
    this.#socket.close(1000);
  }

  /** @param {unknown} data @param {{ onMessage(message: ServerMessage): void }} owner */
  #read(data, owner) {
    const message = typeof data === 'string' ? parseServerMessage(data) : null;
    if (message) owner.onMessage(message);
  }
}

/**
 * One WebSocket, from its opening to its end. It knows no session and never comes back: the client makes a new one.
 */

/** @import { ServerMessage } from './protocol.js' */
import { parseServerMessage } from './protocol.js';

/** `WebSocket.CLOSING`: a client may be given a `WebSocket` of its own, and there need be no global one. */
const CLOSING = 2;

export class Connection {
  #socket;
  #opened = false;
  /** The connection is over for us, whatever the socket may still have to say. */
  #over = false;

  /**
   * @param {WebSocket} socket
   * @param {{
   *   onFrame(message: ServerMessage | null): void,
   *   onEnd(end: { code: number, opened: boolean }): void,
   * }} owner `onFrame`: null for what this version does not know; `opened` is false if the server refused, or could not be reached
   */
  constructor(socket, owner) {
    this.#socket = socket;
    this.#on('open', () => void (this.#opened = true));
    this.#on('message', ({ data }) => owner.onFrame(messageIn(data)));
    this.#on('close', ({ code }) => owner.onEnd({ code, opened: this.#opened }));
    // The WebSocket of Node's package `ws` throws an error that is not listened to. What matters of it comes as `close`.
    this.#on('error', () => {});
  }

  /**
   * What is said while the socket closes is dropped, as the socket itself would, but without the browser's complaint in the
   * console: the session keeps each message until the server has counted it.
   *
   * @param {string} text
   */
  send(text) {
    if (this.#socket.readyState >= CLOSING) return;
    this.#socket.send(text);
  }

  /** Says goodbye, and hears no more: a dead network could keep the closing socket for minutes. @param {number} code */
  close(code) {
    this.#over = true;
    this.#socket.close(code);
  }

  /** Sockets outside of browsers know no `signal` by which to be left. @template {keyof WebSocketEventMap} T @param {T} type @param {(event: WebSocketEventMap[T]) => void} act */
  #on(type, act) {
    this.#socket.addEventListener(type, (event) => {
      if (!this.#over) act(event);
    });
  }
}

/** @param {unknown} data */
function messageIn(data) {
  return typeof data === 'string' ? parseServerMessage(data) : null;
}

/**
 * The signaling client: one session with the server, over as many connections as it takes. Import it from the server itself:
 *
 *     import { Client } from 'https://host/js/client.js';
 *     const client = new Client();
 *     client.on('welcome', ({ id }) => console.log('I am', id));
 *     client.on('message', ({ from, message }) => console.log(from, 'says', message));
 *     client.connect();
 *
 * It sends no heartbeat: the server's pings do that, so a throttled background tab lives.
 */

/** @import { Ack, ClientMessage, ErrorMessage, PeerJoined, PeerLeft, Relayed, Reply, ServerMessage, Welcome } from './protocol.js' */
/** @import { StateChange } from './link.js' */
import { lost } from './cause.js';
import { Emitter } from './emitter.js';
import { Link } from './link.js';
import { unreachable } from './protocol.js';
import { Requests } from './requests.js';
import { SignalingError } from './signaling-error.js';
import { browser } from './world.js';

export { SignalingError };

/**
 * @typedef {{ type: 'frame', direction: 'sent', message: ClientMessage }
 *   | { type: 'frame', direction: 'received', message: ServerMessage }} Frame
 */
/** @typedef {StateChange | Welcome | Relayed | PeerJoined | PeerLeft | ErrorMessage | Frame} ClientEvent `error`: one that no promise carries. */

export class Client {
  #link;
  /** @type {Emitter<ClientEvent>} */
  #events = new Emitter();
  #requests;
  /** The session: what its welcome said. @type {Welcome | null} */
  #welcome = null;

  /** @param {{ url?: string, world?: import('./world.js').World }} [options] without a `url`: the server that this module came from */
  constructor({ url = serverOf(import.meta.url), world = browser } = {}) {
    this.#requests = new Requests(world);
    this.#link = new Link(url, world, {
      onState: (change) => this.#follow(change),
      onMessage: (message) => this.#receive(message),
      onReturn: () => void this.#probe(),
    });
  }

  /** @returns {string | null} our address, while there is a session */
  get id() {
    return this.#welcome?.id ?? null;
  }

  get state() {
    return this.#link.state;
  }

  /**
   * @template {ClientEvent['type']} T
   * @param {T} type
   * @param {(event: Extract<ClientEvent, { type: T }>) => void} listener
   * @returns {() => void} the undo
   */
  on(type, listener) {
    return this.#events.on(type, listener);
  }

  /** Connects, and from then on reconnects, until `close()`. */
  connect() {
    if (this.#link.closed) throw new SignalingError('closed', 'a closed client stays closed');
    if (this.#link.state === 'closed') this.#link.start();
  }

  /** Ends the session. Final. */
  close() {
    if (!this.#link.closed) this.#link.close();
  }

  /** @param {string} to @param {unknown} offer @returns {Promise<Ack>} */
  offer(to, offer) {
    return this.#ask({ type: 'offer', to, offer }, 'ack');
  }

  /** @param {string} to @param {unknown} answer @returns {Promise<Ack>} */
  answer(to, answer) {
    return this.#ask({ type: 'answer', to, answer }, 'ack');
  }

  /** @param {string} to @param {unknown} candidate null: there will be no more @returns {Promise<Ack>} */
  candidate(to, candidate) {
    return this.#ask({ type: 'candidate', to, candidate }, 'ack');
  }

  /** @param {{ to: string } | { room: string }} addressee @param {unknown} message @returns {Promise<Ack>} */
  message(addressee, message) {
    return this.#ask({ type: 'message', ...addressee, message }, 'ack');
  }

  /** @param {string} to @param {unknown} [bye] @returns {Promise<Ack>} */
  bye(to, bye) {
    return this.#ask(bye === undefined ? { type: 'bye', to } : { type: 'bye', to, bye }, 'ack');
  }

  /** @param {string} room @returns {Promise<string[]>} the members already there */
  async join(room) {
    return (await this.#ask({ type: 'join', room }, 'joined')).peers;
  }

  /** @param {string} room @returns {Promise<void>} */
  async leave(room) {
    await this.#ask({ type: 'leave', room }, 'left');
  }

  /** Is the connection alive? @returns {Promise<void>} */
  async ping() {
    await this.#ask({ type: 'ping' }, 'ack');
  }

  /** @returns {Promise<RTCIceServer[]>} with fresh credentials, for `new RTCPeerConnection({ iceServers })` */
  async iceServers() {
    return (await this.#ask({ type: 'ice-servers' }, 'ice-servers')).iceServers;
  }

  /**
   * @template {Exclude<Reply['type'], 'error'>} T
   * @param {ClientMessage} message
   * @param {T} expected
   * @returns {Promise<Extract<Reply, { type: T }>>}
   */
  async #ask(message, expected) {
    const answer = await this.#requests.ask(message, (numbered) => this.#send(numbered));
    if (answer.type !== expected) throw new SignalingError('unexpected-answer', `the server answered with ${answer.type}`);
    return /** @type {Extract<Reply, { type: T }>} */ (answer);
  }

  /** @param {ClientMessage} message */
  #send(message) {
    if (!this.#welcome) throw new SignalingError('not-connected', 'there is no connection to the server');
    const most = this.#welcome.maxMessageBytes;
    if (bytesOf(message) > most) throw new SignalingError('message-too-large', `the server takes ${most} bytes at most`);
    this.#link.send(message);
    this.#events.emit({ type: 'frame', direction: 'sent', message });
  }

  /** @param {ServerMessage} message */
  #receive(message) {
    this.#events.emit({ type: 'frame', direction: 'received', message });
    switch (message.type) {
      case 'welcome':
        return this.#begin(message);
      case 'ack':
      case 'joined':
      case 'left':
      case 'ice-servers':
        return void this.#requests.settle(message);
      case 'error':
        return void (this.#requests.settle(message) || this.#events.emit(message));
      case 'offer':
      case 'answer':
      case 'candidate':
      case 'message':
      case 'bye':
      case 'peer-joined':
      case 'peer-left':
        return this.#events.emit(message);
      default:
        return unreachable(message);
    }
  }

  /** @param {Welcome} welcome */
  #begin(welcome) {
    if (this.#link.state !== 'connecting') return;
    this.#welcome = welcome;
    this.#link.confirm();
    this.#events.emit(welcome);
  }

  /** Without resume, a session ends with its connection. @param {StateChange} change */
  #follow(change) {
    if (change.state === 'waiting' || change.state === 'closed') {
      this.#welcome = null;
      this.#requests.abandon(new SignalingError('connection-lost', change.cause?.message ?? 'the client was closed'));
    }
    this.#events.emit(change);
  }

  /** After a change of network a connection may be dead without a sign: ask. */
  async #probe() {
    const session = this.#welcome;
    try {
      await this.ping();
    } catch (error) {
      if (this.#welcome === session && error instanceof SignalingError && error.code === 'timeout') this.#link.lose(lost);
    }
  }
}

/** @param {string} moduleUrl `https://host/prefix/js/client.js` gives `wss://host/prefix/ws` */
export function serverOf(moduleUrl) {
  return new URL('../ws', moduleUrl).href.replace(/^http/, 'ws');
}

/** @param {ClientMessage} message */
function bytesOf(message) {
  return new TextEncoder().encode(JSON.stringify(message)).length;
}

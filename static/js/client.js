/**
 * The signaling client: one session with the server at a time, over as many connections as it takes. Import it from the server itself:
 *
 *     import { Client } from 'https://host/js/client.js';
 *     const client = new Client();
 *     client.on('welcome', ({ id }) => console.log('I am', id));
 *     client.on('message', ({ from, message }) => console.log(from, 'says', message));
 *     client.connect();
 *
 * A lost connection is followed by another, which takes the session up again: the id stays, messages go on where they were cut, and
 * promises are kept. What is said meanwhile goes out then. Only if the server has given the session up is there a new `welcome`, with
 * a new id; what was still unanswered is then rejected as `connection-lost`, and rooms have to be joined again. Where it is the node of a
 * cluster that is gone, the new `welcome` has the same id, and the client enters its rooms again by itself (`rejoined`). The secret that
 * takes a session up is in this object alone: a page that is loaded anew is a new peer.
 *
 * It sends no heartbeat: the server's pings do that, so a throttled background tab lives.
 */

/** @import { Ack, ClientMessage, ErrorMessage, PeerJoined, PeerLeft, Relayed, Reply, ServerMessage, Welcome } from './protocol.js' */
/** @import { Credentials, StateChange } from './link.js' */
/** @import { SocketConstructor, World } from './world.js' */
import { Conversation } from './conversation.js';
import { Emitter } from './emitter.js';
import { Link } from './link.js';
import { unreachable } from './protocol.js';
import { serverOf, webSocketUrl } from './server-url.js';
import { SignalingError } from './signaling-error.js';
import { subprotocols } from './subprotocol.js';
import { worldWith } from './world.js';

export { SignalingError, serverOf };

/**
 * @typedef {{ type: 'frame', direction: 'sent', message: ClientMessage }
 *   | { type: 'frame', direction: 'received', message: ServerMessage }} Frame
 */
/** @typedef {{ type: 'resumed' }} Resumed */
/** @typedef {{ type: 'rejoined', room: string, peers: string[] }} Rejoined the others that are in the room now: who is not among them has left */
/**
 * @typedef {StateChange | Welcome | Resumed | Rejoined | Relayed | PeerJoined | PeerLeft | ErrorMessage | Frame} ClientEvent
 *   `welcome`: a session begins; `resumed`: it goes on, on a new connection, and there is nothing to do; `rejoined`: a new session of the same id is in a room of the earlier one again; `error`: one that no promise carries; `frame`: a message on its way, told once however often it is sent
 */

/** In milliseconds: a connection that answers nothing for so long is taken for dead. */
const CHECK_DEADLINE = 5000;

export class Client {
  #link;
  #world;
  /** @type {Emitter<ClientEvent>} */
  #events = new Emitter();
  /** The session, on a connection or between two. @type {Conversation | null} */
  #conversation = null;
  /** Those that it has entered, and not left. @type {Set<string>} */
  #rooms = new Set();
  #checking = false;

  /**
   * @param {{ url?: string, credentials?: Credentials, WebSocket?: SocketConstructor | undefined, world?: World }} [options]
   *   without a `url`: the server that this module came from. `credentials`: where the server asks for them, a token that is good for now.
   *   `WebSocket`: where there is none by itself, as in Node before 22
   * @throws {TypeError} if the url is none, or no WebSocket is there
   */
  constructor({ url = serverOf(import.meta.url), credentials, WebSocket = globalThis.WebSocket, world = worldWith(WebSocket) } = {}) {
    this.#world = world;
    this.#link = new Link(webSocketUrl(url), world, {
      credentials: credentials ?? null,
      offer: (bearer) => subprotocols(bearer, this.#conversation?.resumption ?? null),
      onState: (change) => this.#follow(change),
      onFrame: (message) => this.#receive(message),
      onReturn: () => this.check(),
    });
  }

  /** @returns {string | null} our address, while there is a session: also while its connection is lost, and may be made good */
  get id() {
    return this.#conversation?.id ?? null;
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

  /** Connects, and from then on reconnects, until `close()`. While it waits for the next attempt, that is made now. */
  connect() {
    if (this.#link.closed) throw new SignalingError('closed', 'a closed client stays closed');
    if (this.#link.state === 'closed') this.#link.start();
    else if (this.#link.state === 'waiting') this.#link.hurry();
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
    const { peers } = await this.#ask({ type: 'join', room }, 'joined');
    this.#rooms.add(room);
    return peers;
  }

  /** @param {string} room @returns {Promise<void>} */
  async leave(room) {
    await this.#ask({ type: 'leave', room }, 'left');
    this.#rooms.delete(room);
  }

  /** A question that the server answers at once. @returns {Promise<void>} */
  async ping() {
    await this.#ask({ type: 'ping' }, 'ack');
  }

  /**
   * After a change of network a connection may be dead without a sign. This asks, and replaces one that does not answer; the client
   * does so by itself when the network or the person comes back. Call it before the connection is relied on.
   */
  check() {
    if (this.#link.state === 'open' && !this.#checking) void this.#probe();
  }

  /** @returns {Promise<RTCIceServer[]>} with fresh credentials, for `new RTCPeerConnection({ iceServers })` */
  async iceServers() {
    return (await this.#ask({ type: 'ice-servers' }, 'ice-servers')).iceServers;
  }

  /**
   * @template {Exclude<Reply['type'], 'error'>} T
   * @param {ClientMessage} message
   * @param {T} expected
   * @param {number} [deadline] in milliseconds
   * @returns {Promise<Extract<Reply, { type: T }>>}
   */
  async #ask(message, expected, deadline) {
    if (!this.#conversation) throw new SignalingError('not-connected', 'there is no session with the server');
    const answer = await this.#conversation.ask(message, deadline);
    if (answer.type !== expected) throw new SignalingError('unexpected-answer', `the server answered with ${answer.type}`);
    return /** @type {Extract<Reply, { type: T }>} */ (answer);
  }

  /** @param {ServerMessage | null} message */
  #receive(message) {
    if (message?.type === 'welcome') return this.#welcome(message);
    if (this.#link.state !== 'open' || !this.#conversation) return;
    const isAnswer = this.#conversation.hear(message);
    if (message) this.#tell(message, isAnswer);
  }

  /** @param {Exclude<ServerMessage, Welcome>} message @param {boolean} isAnswer a promise carries it */
  #tell(message, isAnswer) {
    this.#events.emit({ type: 'frame', direction: 'received', message });
    switch (message.type) {
      case 'ack':
      case 'joined':
      case 'left':
      case 'ice-servers':
        return;
      case 'error':
        return isAnswer ? undefined : this.#events.emit(message);
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
  #welcome(welcome) {
    const { resume, ...told } = welcome;
    this.#events.emit({ type: 'frame', direction: 'received', message: told });
    if (this.#link.state !== 'connecting') return;
    const goesOn = welcome.resumed && this.#conversation !== null;
    const lost = goesOn ? [] : [...this.#rooms];
    const isRevived = !goesOn && this.id === welcome.id;
    if (!goesOn) this.#begin(welcome);
    this.#conversation?.attach(welcome);
    this.#link.confirm();
    this.#events.emit(goesOn ? { type: 'resumed' } : told);
    if (isRevived) for (const room of lost) void this.#rejoin(room);
  }

  /** Enters a room again. One that can't be entered any more is left. @param {string} room */
  async #rejoin(room) {
    try {
      this.#events.emit({ type: 'rejoined', room, peers: await this.join(room) });
    } catch {
      // The error has been told, or the session is over.
    }
  }

  /** @param {Welcome} welcome */
  #begin(welcome) {
    this.#end('the session could not be taken up again');
    this.#rooms.clear();
    this.#conversation = new Conversation(welcome, this.#world, {
      put: (text) => this.#link.send(text),
      onSaid: (message) => this.#events.emit({ type: 'frame', direction: 'sent', message }),
      onExpired: () => this.#expire(),
    });
  }

  /** The connection that is being opened may have offered to go on: the next one does not. */
  #expire() {
    this.#end('the connection was lost for too long');
    if (this.#link.state === 'connecting') this.#link.replace();
  }

  /** @param {string} why */
  #end(why) {
    const over = this.#conversation;
    this.#conversation = null;
    over?.end(new SignalingError('connection-lost', why));
  }

  /** @param {StateChange} change */
  #follow(change) {
    if (change.state !== 'open') this.#leave(change);
    this.#events.emit(change);
  }

  /** The connection is gone; the session may not be. @param {StateChange} change */
  #leave({ state, cause }) {
    if (state !== 'closed' && !cause?.endsSession && this.#conversation?.resumption) this.#conversation.detach();
    else this.#end(cause?.message ?? 'the client was closed');
  }

  /** Whatever comes is a sign of life, not only the answer. */
  async #probe() {
    const conversation = this.#conversation;
    const received = conversation?.received;
    this.#checking = true;
    try {
      await this.#ask({ type: 'ping' }, 'ack', CHECK_DEADLINE);
    } catch (error) {
      const isLate = error instanceof SignalingError && error.code === 'timeout';
      if (isLate && this.#conversation === conversation && conversation?.received === received) this.#link.replace();
    } finally {
      this.#checking = false;
    }
  }
}

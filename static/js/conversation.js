/**
 * What is said in one session, over as many connections as it takes: promises wait for their answers, what the server may not have
 * is said again, and what has come is acknowledged. The connections are the link's; what the messages mean is the client's.
 */

/** @import { ClientMessage, Received, Reply, ServerMessage, Welcome } from './protocol.js' */
/** @import { Clock, Timer } from './world.js' */
import { Requests } from './requests.js';
import { Session } from './session.js';
import { SignalingError } from './signaling-error.js';

/** The server is told what has come after this many frames, or after this silence, in milliseconds. */
const MOST_UNACKNOWLEDGED = 8;
const SILENCE = 1000;

export class Conversation {
  #clock;
  #owner;
  #welcome;
  #session = new Session();
  #requests;
  #attached = false;
  /** While frames are unacknowledged. @type {Timer | undefined} */
  #silence;
  /** While there is no connection: until the server has surely given the session up. @type {Timer | undefined} */
  #expiry;

  /**
   * @param {Welcome} welcome
   * @param {Clock} clock
   * @param {{ put(text: string): void, onSaid(message: ClientMessage): void, onExpired(): void }} owner
   *   `put`: on the present connection; `onSaid`: once for each message, now or later on its way
   */
  constructor(welcome, clock, owner) {
    this.#welcome = welcome;
    this.#clock = clock;
    this.#owner = owner;
    this.#requests = new Requests(clock, (ref) => this.#session.withdraw(ref));
  }

  get id() {
    return this.#welcome.id;
  }

  /** Frames that have come. */
  get received() {
    return this.#session.received;
  }

  /** What the next connection offers, to go on with this session. @returns {{ token: string, received: number } | null} null: it can't */
  get resumption() {
    const { resume: token } = this.#welcome;
    return token === undefined ? null : { token, received: this.#session.received };
  }

  /**
   * Says it now, or as soon as there is a connection again.
   *
   * @param {ClientMessage} message
   * @param {number} [deadline] in milliseconds
   * @returns {Promise<Reply>}
   */
  ask(message, deadline) {
    return this.#requests.ask(message, (numbered) => this.#say(numbered), deadline);
  }

  /** @param {ServerMessage | null} message null: one that this version does not know @returns {boolean} whether a promise waited for it */
  hear(message) {
    this.#session.count();
    this.#acknowledgeInTime();
    if (!isReply(message)) return false;
    this.#session.settle(message.ref);
    return this.#requests.settle(message);
  }

  /** There is a connection, and the server has said that the session begins on it, or goes on. @param {Welcome} welcome */
  attach(welcome) {
    this.#welcome = welcome;
    this.#clock.clearTimeout(this.#expiry);
    this.#expiry = undefined;
    if (welcome.resumed) this.#session.resume(welcome.accepted);
    this.#attached = true;
    this.#flush();
    this.#requests.run();
  }

  /** The connection is lost. */
  detach() {
    this.#attached = false;
    this.#clock.clearTimeout(this.#silence);
    this.#requests.pause();
    this.#expiry ??= this.#clock.setTimeout(() => this.#owner.onExpired(), 1000 * this.#patience());
  }

  /** The session is over. Final. @param {SignalingError} error what each promise that still waits is rejected with */
  end(error) {
    this.#attached = false;
    this.#clock.clearTimeout(this.#silence);
    this.#clock.clearTimeout(this.#expiry);
    this.#requests.abandon(error);
  }

  /** In seconds: the server may need two heartbeats to notice that the connection is lost. */
  #patience() {
    const { resumeWindow = 0, heartbeat } = this.#welcome;
    return resumeWindow + 2 * heartbeat;
  }

  /** @param {ClientMessage & { ref: number }} message */
  #say(message) {
    const text = JSON.stringify(message);
    const bytes = new TextEncoder().encode(text).length;
    const { maxMessageBytes } = this.#welcome;
    if (bytes > maxMessageBytes) throw new SignalingError('message-too-large', `the server takes ${maxMessageBytes} bytes at most`);
    if (!this.#session.keep({ ref: message.ref, text, bytes })) throw new SignalingError('too-many-requests', 'too much is still unanswered');
    this.#flush();
    this.#owner.onSaid(message);
  }

  #flush() {
    if (!this.#attached) return;
    for (const text of this.#session.next()) this.#owner.put(text);
  }

  #acknowledgeInTime() {
    this.#clock.clearTimeout(this.#silence);
    if (this.#session.unacknowledged >= MOST_UNACKNOWLEDGED) this.#acknowledge();
    else this.#silence = this.#clock.setTimeout(() => this.#acknowledge(), SILENCE);
  }

  #acknowledge() {
    /** @type {Received} */
    const received = { type: 'received', count: this.#session.acknowledge() };
    this.#owner.put(JSON.stringify(received));
  }
}

/** @param {ServerMessage | null} message @returns {message is Reply} */
function isReply(message) {
  return message !== null && 'ref' in message;
}

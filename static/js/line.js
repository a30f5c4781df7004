/**
 * One line: at most one call at a time, as on a telephone. It makes calls, lets them ring, and tells whoever calls meanwhile that
 * it is busy.
 *
 *     const line = new Line(client);
 *     line.on('incoming', ({ call }) => call.accept(null));
 *     line.on('call', ({ call }) => call.on('track', ({ track }) => show(track)));
 *     const call = line.call(peer, navigator.mediaDevices.getUserMedia({ audio: true, video: true }));
 *
 * Whoever must not show its address to the other side, or wants to try the TURN server, goes through that alone:
 *
 *     const line = new Line(client, { iceTransportPolicy: 'relay' });
 */

/** @import { CallOptions, CallWorld, Media, Role, Signaling } from './call.js' */
/** @import { Resumed } from './client.js' */
/** @import { Answer, Bye, Candidate, ErrorMessage, Offer } from './protocol.js' */
import { Call } from './call.js';
import { descriptionOf, sessionOf } from './description.js';
import { Emitter } from './emitter.js';
import { clock } from './world.js';

/** @typedef {Offer | Answer | Candidate | Bye} Heard */
/** @typedef {Heard | ErrorMessage | Resumed} News */
/**
 * @typedef {Signaling & {
 *   on<T extends News['type']>(type: T, listener: (news: Extract<News, { type: T }>) => void): () => void,
 * }} TwoWaySignaling `Client` is one
 */
/** @typedef {{ type: 'call', call: Call } | { type: 'incoming', call: Call }} LineEvent `call`: any new one; `incoming`: one that rings */

/** In milliseconds: how long an offer may be under way that was said before our bye was heard. */
const CROSSING = 5000;

/** @type {CallWorld} */
const browser = { ...clock, createConnection: (configuration) => new RTCPeerConnection(configuration) };

export class Line {
  #signaling;
  #options;
  /** @type {Emitter<LineEvent>} */
  #events = new Emitter();
  /** @type {Call | null} */
  #call = null;
  /** The other side's session in the call that has just ended: an offer that crossed our bye must not ring. @type {string | null} */
  #over = null;
  #undo;

  /** @param {TwoWaySignaling} signaling @param {Partial<CallOptions>} [options] of each call; by default, any path will do */
  constructor(signaling, { world = browser, iceTransportPolicy = 'all' } = {}) {
    this.#signaling = signaling;
    this.#options = { world, iceTransportPolicy };
    this.#undo = [
      signaling.on('offer', (message) => this.#hear(message)),
      signaling.on('answer', (message) => this.#hear(message)),
      signaling.on('candidate', (message) => this.#hear(message)),
      signaling.on('bye', (message) => this.#hear(message)),
      signaling.on('error', (error) => this.#hearOfLoss(error)),
      signaling.on('resumed', () => void this.#call?.refresh()),
    ];
  }

  /** @returns {Call | null} the call that is not over */
  get current() {
    return this.#call;
  }

  /**
   * @template {LineEvent['type']} T
   * @param {T} type
   * @param {(event: Extract<LineEvent, { type: T }>) => void} listener
   * @returns {() => void} the undo
   */
  on(type, listener) {
    return this.#events.on(type, listener);
  }

  /**
   * Calls a peer, or takes its call if it rings.
   *
   * @param {string} peer
   * @param {Media} media
   * @returns {Call}
   */
  call(peer, media) {
    const call = this.#call ?? this.#begin(peer, 'caller');
    if (call.peer !== peer) throw new Error('the line is taken');
    void (call.role === 'caller' ? call.start(media) : call.accept(media));
    return call;
  }

  /** Hangs up, and hears no more. */
  close() {
    for (const undo of this.#undo.splice(0)) undo();
    this.#call?.hangUp();
  }

  /** @param {Heard} message */
  #hear(message) {
    if (message.from === this.#call?.peer) return this.#call.take(message);
    if (message.type !== 'offer' || this.#isStray(message)) return;
    if (this.#call) return void this.#signaling.bye(message.from, { reason: 'busy' }).catch(() => {});
    this.#ring(message);
  }

  /** @param {ErrorMessage} error */
  #hearOfLoss({ code, to }) {
    if (code === 'undelivered' && to === this.#call?.peer) this.#call?.takeLoss();
  }

  /** @param {Offer} message */
  #ring(message) {
    const call = this.#begin(message.from, 'callee');
    call.take(message);
    this.#events.emit({ type: 'incoming', call });
  }

  /** @param {Offer} message */
  #isStray({ offer }) {
    const description = descriptionOf('offer', offer);
    return !description || (this.#over !== null && sessionOf(description.sdp) === this.#over);
  }

  /** @param {string} peer @param {Role} role */
  #begin(peer, role) {
    const call = new Call(this.#signaling, peer, role, this.#options);
    this.#call = call;
    call.on('state', ({ state }) => {
      if (state === 'ended') this.#end(call);
    });
    this.#events.emit({ type: 'call', call });
    return call;
  }

  /** @param {Call} call */
  #end(call) {
    this.#call = null;
    this.#over = call.remoteSession;
    this.#options.world.setTimeout(() => void (this.#over = null), CROSSING);
  }
}

/**
 * One line: at most one call at a time, as on a telephone. It makes calls, lets them ring, and tells those who call meanwhile that
 * it is busy.
 *
 *     const line = new Line(client);
 *     line.on('incoming', ({ call }) => call.accept(null));
 *     line.on('call', ({ call }) => call.on('track', ({ track }) => show(track)));
 *     const call = line.call(peer, navigator.mediaDevices.getUserMedia({ audio: true, video: true }));
 *
 * It hangs up when the page is left. A call whose other side is gone without a word does not keep the line from the next.
 *
 * Where the other side must not see this one's address, or to try the TURN server, calls go through that alone:
 *
 *     const line = new Line(client, { iceTransportPolicy: 'relay' });
 */

/** @import { CallOptions, Media, Role, Signaling } from './call.js' */
/** @import { Resumed } from './client.js' */
/** @import { Answer, Bye, Candidate, ErrorMessage, Offer, Welcome } from './protocol.js' */
import { Call } from './call.js';
import { browser } from './call-world.js';
import { descriptionOf, sessionOf } from './description.js';
import { EarlyCandidates } from './early-candidates.js';
import { Emitter } from './emitter.js';
import { callIn } from './identity.js';
import { roomOf } from './room-signaling.js';

/** @typedef {Offer | Answer | Candidate | Bye} Heard */
/** @typedef {Heard | ErrorMessage | Resumed | Pick<Welcome, 'type'>} News */
/**
 * @typedef {Signaling & {
 *   on<T extends News['type']>(type: T, listener: (news: Extract<News, { type: T }>) => void): () => void,
 * }} TwoWaySignaling `Client` is one
 */
/** @typedef {{ type: 'call', call: Call } | { type: 'incoming', call: Call }} LineEvent `call`: any new one; `incoming`: one that rings */

/** In milliseconds: how long an offer may be under way that was said before our bye was heard. */
const CROSSING = 5000;
/** So many peers are called back that called while another was called. */
const CALLED_BACK = 16;

export class Line {
  #signaling;
  #options;
  #isBusy;
  /** @type {Emitter<LineEvent>} */
  #events = new Emitter();
  /** @type {Call | null} */
  #call = null;
  /** The other side's session in the call that has just ended: an offer that crossed our bye must not ring. @type {string | null} */
  #over = null;
  #early;
  /** The call to a peer without a connection that was made because there was no better: it gives way to any that comes. @type {Call | null} */
  #lastResort = null;
  /** Who called while one of several was called, and was told that the line is busy. @type {Set<string>} */
  #missed = new Set();
  /** Its caller waits until it is known whether the other side of the call is still there. One at a time. @type {Offer | null} */
  #waiting = null;
  #undo;

  /**
   * @param {TwoWaySignaling} signaling
   * @param {Partial<CallOptions> & { isBusy?: () => boolean }} [options] of each call; by default, any path will do. `isBusy`: this side
   *   speaks elsewhere at the moment, and takes no call
   */
  constructor(signaling, { world = browser, iceTransportPolicy = 'all', name = () => '', isBusy = () => false, maxBitrate } = {}) {
    this.#signaling = signaling;
    this.#options = { world, iceTransportPolicy, name, maxBitrate };
    this.#isBusy = isBusy;
    this.#early = new EarlyCandidates(world);
    const leave = () => this.#call?.hangUp();
    // Order: captured, and so before the client ends the connection that our bye needs.
    world.page?.addEventListener('pagehide', leave, { capture: true });
    this.#undo = [
      () => world.page?.removeEventListener('pagehide', leave, { capture: true }),
      signaling.on('offer', (message) => this.#hear(message)),
      signaling.on('answer', (message) => this.#hear(message)),
      signaling.on('candidate', (message) => this.#hear(message)),
      signaling.on('bye', (message) => this.#hear(message)),
      signaling.on('error', (error) => this.#hearOfLoss(error)),
      signaling.on('resumed', () => this.#call?.refresh()),
      signaling.on('welcome', () => this.#call?.takeNewSession()),
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

  /**
   * Calls one of them: the first that is there and takes the call. If none does, those are called back that called meanwhile. If none
   * is there, the first that has lost its connection is left ringing for the time when it is back, and that call gives way to any that
   * comes in meanwhile. A line that is taken makes no call.
   *
   * @param {string[]} peers
   * @param {() => Media} media asked for once, if there is a peer to call
   * @returns {Promise<Call | null>} the call that is on the line now
   */
  async callOneOf(peers, media) {
    if (this.#call) return this.#call;
    const own = memoized(media);
    /** @type {string[]} */
    const parked = [];
    this.#missed.clear();
    for (const peer of oneAfterTheOther(peers, this.#missed)) {
      if (this.#call) return this.#call;
      const fate = await fateOf(this.call(peer, own()));
      if (fate === 'hung-up') return null;
      if (fate === 'parked') parked.push(peer);
    }
    const [first] = parked;
    if (!this.#call && first !== undefined) this.#lastResort = this.call(first, own());
    return this.#call;
  }

  /** Hangs up, and hears no more. */
  close() {
    for (const undo of this.#undo.splice(0)) undo();
    this.#waiting = null;
    this.#call?.hangUp();
  }

  /** @param {Heard} message */
  #hear(message) {
    if (roomOf(message) !== null) return;
    if (this.#call?.isMeantBy(message)) return this.#call.take(message);
    if (message.type === 'candidate') return this.#early.keep(message);
    if (message.from === this.#waiting?.from) this.#waiting = null;
    if (message.type !== 'offer' || this.#isStray(message)) return;
    const named = callIn(message.offer);
    if (named !== null) return this.#dismiss(message.from, { call: named });
    if (this.#options.world.isAble?.() === false) return this.#dismiss(message.from, { reason: 'unable' });
    if (this.#isBusy()) return this.#miss(message.from);
    this.#makeRoomFor(message.from);
    if (this.#call) void this.#consider(message);
    else this.#ring(message);
  }

  /** @param {string} peer @param {object} bye */
  #dismiss(peer, bye) {
    this.#signaling.bye(peer, bye).catch(() => {});
  }

  /** What gives way to a new call by itself: an old one with the same peer, and the last resort. @param {string} peer */
  #makeRoomFor(peer) {
    const call = this.#call;
    if (call?.peer === peer) call.takeReplacement();
    else if (call && call === this.#lastResort && call.state === 'calling') call.hangUp();
  }

  /** The line is busy, unless the other side of the call has gone without a word. @param {Offer} message */
  async #consider(message) {
    const call = this.#call;
    if (!call || this.#waiting) return this.#miss(message.from);
    this.#waiting = message;
    if (await call.isAbandoned()) call.abandon();
    if (this.#waiting !== message) return;
    this.#waiting = null;
    if (this.#call) this.#miss(message.from);
    else this.#ring(message);
  }

  /** @param {string} peer */
  #miss(peer) {
    if (this.#missed.size < CALLED_BACK) this.#missed.add(peer);
    this.#dismiss(peer, { reason: 'busy' });
  }

  /** @param {ErrorMessage} error */
  #hearOfLoss({ code, to }) {
    if (code === 'undelivered' && to === this.#call?.peer) this.#call?.takeLoss();
  }

  /** @param {Offer} message */
  #ring(message) {
    const call = this.#begin(message.from, 'callee');
    call.take(message);
    for (const candidate of this.#early.take(message.from)) call.take(candidate);
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

/**
 * A call that is being made: `parked`: the peer has lost its connection, and the call was given up for that.
 *
 * @param {Call} call
 * @returns {Promise<'taken' | 'parked' | 'hung-up' | 'over'>}
 */
function fateOf(call) {
  return new Promise((resolve) => {
    call.on('parked', ({ parked }) => {
      if (!parked || call.state !== 'calling') return;
      resolve('parked');
      call.hangUp();
    });
    call.on('state', ({ state, reason }) => {
      if (state !== 'ended') resolve('taken');
      else resolve(reason === 'hung-up' ? 'hung-up' : 'over');
    });
  });
}

/** What is added to a collection meanwhile is part of it. @template T @param {Iterable<T>[]} collections */
function* oneAfterTheOther(...collections) {
  for (const collection of collections) yield* collection;
}

/** @template T @param {() => T} make @returns {() => T} */
function memoized(make) {
  /** @type {{ made: T } | null} */
  let once = null;
  return () => (once ??= { made: make() }).made;
}

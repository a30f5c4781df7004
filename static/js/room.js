/**
 * A room: each member has a call with each other one. Who comes later calls those who are there already.
 *
 *     const room = new Room(client, 'our-room', { media: () => navigator.mediaDevices.getUserMedia({ audio: true, video: true }) });
 *     room.on('call', ({ call }) => call.on('track', ({ track }) => show(call.peer, track)));
 *     room.on('members', ({ members }) => list(members));
 *     await room.enter();
 *
 * Each sends its picture once to each other, so a room is small: the uplink of a home carries five pictures, not fifty.
 *
 * Members that lose their connection to the server keep their calls; one that comes back with another id takes its place again.
 */

/** @import { Call, CallOptions, Media, Signaling } from './call.js' */
/** @import { Heard, News } from './line.js' */
/** @import { PeerJoined, PeerLeft } from './protocol.js' */
/** @import { Timer } from './world.js' */
import { browser } from './call-world.js';
import { Emitter } from './emitter.js';
import { codeOf } from './end-reason.js';
import { Member } from './member.js';
import { roomOf, signalingIn } from './room-signaling.js';
import { SignalingError } from './signaling-error.js';

/** This side and five others: docs/client.md has the arithmetic of uplinks. */
const MOST_MEMBERS = 6;
/** In bits per second: a browser would take 1.7 million for as small a picture as 640 × 360, and so five times that. */
const PICTURE_BITRATE = 500_000;
/** In milliseconds: how long members that have another id are given to tell it over their calls, before they are taken for new ones. */
const GRACE = 2000;
/** Calls that members begin: each makes this browser open a connection, and none asks the person. So many are taken within so many milliseconds. */
const MOST_ANSWERED = 32;
const ANSWERED_WITHIN = 30_000;
/** In milliseconds: before a room is entered again that could not be at the moment; its calls go on meanwhile. */
const PAUSE = 3000;
const PASSING = ['timeout', 'rate-limited', 'cluster-unavailable', 'too-many-requests'];

/** @typedef {News | PeerJoined | PeerLeft} RoomNews */
/**
 * @typedef {Signaling & {
 *   join(room: string): Promise<string[]>,
 *   leave(room: string): Promise<void>,
 *   on<T extends RoomNews['type']>(type: T, listener: (news: Extract<RoomNews, { type: T }>) => void): () => void,
 * }} RoomSignaling `Client` is one
 */
/** @typedef {'outside' | 'entering' | 'inside'} RoomState */
/**
 * @typedef {{ type: 'state', state: RoomState, reason: string | null }
 *   | { type: 'members', members: string[] }
 *   | { type: 'call', call: Call }} RoomEvent
 *   `reason`: the code of the error for which it is outside; `members`: the others, in the order in which they came; `call`: a new one with
 *   a member, also where the one before has failed
 */

export class Room {
  /** @readonly */
  name;
  #signaling;
  #inner;
  #options;
  #media;
  #most;
  /** @type {Emitter<RoomEvent>} */
  #events = new Emitter();
  /** @type {RoomState} */
  #state = 'outside';
  /** By their ids. Invariant: fewer than `most`; "a room that is full takes no more". @type {Map<string, Member>} */
  #members = new Map();
  /** Those who the server says are in it. Who is connected, but not among them, has lost its session, and is on its way back. @type {Set<string>} */
  #roster = new Set();
  /** While it is entered anew: until others have told their new ids. @type {Timer | undefined} */
  #grace;
  /** Until it is tried again to enter it. @type {Timer | undefined} */
  #pause;
  /** Calls taken since `#window` began. Invariant: at most MOST_ANSWERED; "members that call without end are told that it is busy". */
  #answered = 0;
  /** @type {Timer | undefined} */
  #window;
  /** @type {(() => void)[]} */
  #undo = [];

  /**
   * @param {RoomSignaling} signaling
   * @param {string} name 1 to 128 bytes
   * @param {Partial<CallOptions> & { media?: () => Media, most?: number }} [options] of each call; `media`: what this side sends in each;
   *   `most`: members, this side among them
   */
  constructor(signaling, name, options = {}) {
    const { media = () => null, most = MOST_MEMBERS, world = browser, iceTransportPolicy = 'all', name: own = () => '', maxBitrate = PICTURE_BITRATE } = options;
    this.name = name;
    this.#signaling = signaling;
    this.#inner = signalingIn(signaling, name);
    this.#options = { world, iceTransportPolicy, name: own, maxBitrate };
    this.#media = media;
    this.#most = most;
  }

  get state() {
    return this.#state;
  }

  /** The ids of the others, in the order in which they came. */
  get members() {
    return [...this.#members.keys()];
  }

  /** The calls with them, as far as there are any. */
  get calls() {
    return [...this.#members.values()].flatMap(({ call }) => call ?? []);
  }

  /**
   * @template {RoomEvent['type']} T
   * @param {T} type
   * @param {(event: Extract<RoomEvent, { type: T }>) => void} listener
   * @returns {() => void} the undo
   */
  on(type, listener) {
    return this.#events.on(type, listener);
  }

  /**
   * @returns {Promise<void>}
   * @throws {SignalingError} `room-full`, or what the server says
   */
  async enter() {
    if (this.#state !== 'outside') return;
    this.#listen();
    this.#become('entering');
    try {
      const peers = await this.#join();
      for (const peer of peers) this.#memberOf(peer)?.dial();
      this.#become('inside');
      this.#tellMembers();
    } catch (error) {
      this.#close(codeOf(error));
      throw error;
    }
  }

  /** Ends all its calls. */
  leave() {
    if (this.#state === 'outside') return;
    this.#close(null);
    this.#signaling.leave(this.name).catch(() => {});
  }

  /** @param {string} text to all @returns {boolean} whether it is on its way to each that is connected, and to one at least */
  chat(text) {
    const connected = this.calls.filter(({ state }) => state === 'connected');
    return connected.length > 0 && connected.map((call) => call.chat(text)).every(Boolean);
  }

  #listen() {
    const { world } = this.#options;
    const leave = () => this.leave();
    // Order: as in a line, captured: before the client ends the connection that our byes need.
    world.page?.addEventListener('pagehide', leave, { capture: true });
    this.#undo = [
      () => world.page?.removeEventListener('pagehide', leave, { capture: true }),
      ...['offer', 'answer', 'candidate', 'bye'].map((type) => this.#signaling.on(/** @type {Heard['type']} */ (type), (message) => this.#hear(message))),
      this.#signaling.on('error', ({ code, to }) => void (code === 'undelivered' && this.#members.get(to ?? '')?.takeLoss())),
      this.#signaling.on('peer-joined', ({ room, peer }) => void (room === this.name && this.#seeJoin(peer))),
      this.#signaling.on('peer-left', ({ room, peer }) => void (room === this.name && this.#seeLeave(peer))),
      this.#signaling.on('resumed', () => this.calls.forEach((call) => call.refresh())),
      this.#signaling.on('welcome', () => void this.#returnAnew()),
    ];
  }

  /** @returns {Promise<string[]>} those who are in it */
  async #join() {
    const peers = await this.#signaling.join(this.name);
    if (peers.length >= this.#most) {
      this.#signaling.leave(this.name).catch(() => {});
      throw new SignalingError('room-full', `the room has ${peers.length} members, and takes ${this.#most}`);
    }
    this.#roster = new Set(peers);
    return peers;
  }

  /** @param {Heard} message */
  #hear(message) {
    if (roomOf(message) !== this.name) return;
    const member = [...this.#members.values()].find((each) => each.isMeantBy(message)) ?? this.#memberOf(message.from);
    if (member) member.hear(message);
    else if (message.type === 'offer') this.#inner.bye(message.from, { reason: 'busy' }).catch(() => {});
  }

  /** One that found no place when it came has one once another is gone. @param {string} peer */
  #memberOf(peer) {
    return this.#members.get(peer) ?? (this.#roster.has(peer) ? this.#admit(peer) : null);
  }

  /** It calls, being the later one. @param {string} peer */
  #seeJoin(peer) {
    this.#roster.add(peer);
    this.#memberOf(peer)?.awaitCall();
    this.#tellMembers();
  }

  /** A connected one may have lost its session alone; then its call lives on, and it comes back. @param {string} peer */
  #seeLeave(peer) {
    this.#roster.delete(peer);
    const member = this.#members.get(peer);
    if (!member?.isConnected) this.#dismiss(peer);
    else void member.call?.isAbandoned().then((gone) => void (gone && !this.#roster.has(member.peer) && this.#dismiss(member.peer)));
  }

  /** @param {string} peer @returns {Member | null} null: there is no place */
  #admit(peer) {
    if (this.#members.size >= this.#most - 1) return null;
    const member = new Member(peer, this.#inner, this.#options, {
      media: this.#media,
      onCall: (call) => this.#events.emit({ type: 'call', call }),
      mayAnswer: () => this.#mayAnswer(),
      onMoved: (from, to) => this.#move(from, to),
      onEnded: () => this.#loseCall(member),
    });
    this.#members.set(peer, member);
    return member;
  }

  #mayAnswer() {
    this.#window ??= this.#options.world.setTimeout(() => {
      this.#window = undefined;
      this.#answered = 0;
    }, ANSWERED_WITHIN);
    return this.#answered++ < MOST_ANSWERED;
  }

  /** Who is not on the roster was there by its call alone. @param {Member} member */
  #loseCall(member) {
    if (!this.#roster.has(member.peer)) this.#dismiss(member.peer);
  }

  /** @param {string} peer */
  #dismiss(peer) {
    const member = this.#members.get(peer);
    if (!member || !this.#members.delete(peer)) return;
    member.leave();
    this.#tellMembers();
  }

  /** Told over its call: it has another id. One that was seen by that id already, and has no call yet, is the same. @param {string} from @param {string} to */
  #move(from, to) {
    const member = this.#members.get(from);
    if (!member) return;
    this.#members.get(to)?.leave();
    const others = [...this.#members].filter(([peer]) => peer !== to);
    this.#members = new Map(others.map(([peer, each]) => (peer === from ? [to, each] : [peer, each])));
    // Order: after the call has told all who listen to it, who would take the member for another one otherwise.
    queueMicrotask(() => this.#tellMembers());
  }

  /** A new session is in no room, whether its id is another one or not. */
  async #returnAnew() {
    for (const call of this.calls) call.takeNewSession();
    if (this.#state !== 'inside') return;
    this.#options.world.clearTimeout(this.#pause);
    this.#roster.clear();
    const own = this.#signaling.id;
    try {
      const peers = await this.#join();
      if (this.#signaling.id === own && this.#state === 'inside') this.#meetAgain(peers);
    } catch (error) {
      // A session that was lost meanwhile is followed by another, and so by another attempt.
      if (this.#signaling.id !== own || this.#state !== 'inside') return;
      if (PASSING.includes(codeOf(error))) this.#pause = this.#options.world.setTimeout(() => void this.#returnAnew(), PAUSE);
      else this.#close(codeOf(error));
    }
  }

  /** Those who have a call with us keep it; the others are called, once members on their way back have told their new ids. @param {string[]} peers */
  #meetAgain(peers) {
    this.#roster = new Set(peers);
    for (const [peer, member] of this.#members) if (!this.#roster.has(peer) && !member.isConnected) this.#dismiss(peer);
    this.#options.world.clearTimeout(this.#grace);
    const isExpected = [...this.#members.keys()].some((peer) => !this.#roster.has(peer));
    this.#grace = this.#options.world.setTimeout(() => this.#callTheRest(peers), isExpected ? GRACE : 0);
  }

  /** @param {string[]} peers */
  #callTheRest(peers) {
    for (const peer of peers) if (this.#roster.has(peer)) this.#memberOf(peer)?.dial();
    this.#tellMembers();
  }

  #tellMembers() {
    this.#events.emit({ type: 'members', members: this.members });
  }

  /** @param {string | null} reason */
  #close(reason) {
    for (const undo of this.#undo.splice(0)) undo();
    for (const timer of [this.#grace, this.#pause, this.#window]) this.#options.world.clearTimeout(timer);
    this.#window = undefined;
    this.#answered = 0;
    const members = [...this.#members.values()];
    this.#members.clear();
    this.#roster.clear();
    for (const member of members) member.leave();
    this.#become('outside', reason);
  }

  /** @param {RoomState} state @param {string | null} [reason] */
  #become(state, reason = null) {
    this.#state = state;
    this.#events.emit({ type: 'state', state, reason });
  }
}

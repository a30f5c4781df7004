/**
 * One other member of a room, as this side sees it: the call with it, and the next one where that has failed. The side that came later
 * makes the calls, so that they never cross.
 */

/** @import { CallOptions, CallState, Media, Role, Signaling } from './call.js' */
/** @import { Heard } from './line.js' */
/** @import { Timer } from './world.js' */
import { Call } from './call.js';
import { descriptionOf, sessionOf } from './description.js';
import { EarlyCandidates } from './early-candidates.js';
import { callIn } from './identity.js';

/** In milliseconds: before a call that has failed is made again; each time twice as long. */
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;
/** Calls in a row that failed: after them the two are left without one. */
const MOST_ATTEMPTS = 8;

export class Member {
  #peer;
  #signaling;
  #options;
  #owner;
  /** @type {Call | null} */
  #call = null;
  /** Does this side make the calls? */
  #calls = false;
  #attempts = 0;
  /** Until the next attempt. @type {Timer | undefined} */
  #retry;
  /** The other side's session in the last call: an offer that crossed the end of it begins no other. @type {string | null} */
  #over = null;
  #early;
  #gone = false;

  /**
   * @param {string} peer
   * @param {Signaling} signaling that says what belongs to the room
   * @param {CallOptions} options
   * @param {{ media(): Media, mayAnswer(): boolean, onCall(call: Call): void, onMoved(from: string, to: string): void, onEnded(): void }} owner
   *   `mayAnswer`: one more call that the other side begins may be taken now; `onMoved`: it has another id; `onEnded`: there is no call with it at the moment
   */
  constructor(peer, signaling, options, owner) {
    this.#peer = peer;
    this.#signaling = signaling;
    this.#options = options;
    this.#owner = owner;
    this.#early = new EarlyCandidates(options.world);
  }

  get peer() {
    return this.#peer;
  }

  get call() {
    return this.#call;
  }

  /** Are the two connected, as far as can be told? Such a call needs no signaling. */
  get isConnected() {
    return this.#call?.state === 'connected';
  }

  /** This side came later. */
  dial() {
    this.#calls = true;
    if (!this.#gone && !this.#call) void this.#begin('caller').start(this.#owner.media());
  }

  /** The other side came later. */
  awaitCall() {
    this.#calls = false;
  }

  /** @param {Heard} message of its room, from whatever id @returns {boolean} whether it is about the call with it */
  isMeantBy(message) {
    return this.#call?.isMeantBy(message) ?? false;
  }

  /** @param {Heard} message from its id, or about its call */
  hear(message) {
    if (this.#call?.isMeantBy(message)) return this.#call.take(message);
    if (message.type === 'candidate') return this.#early.keep(message);
    if (message.type !== 'offer') return;
    const description = descriptionOf('offer', message.offer);
    if (!description || callIn(message.offer) !== null || sessionOf(description.sdp) === this.#over) return;
    if (this.#owner.mayAnswer()) this.#answer(message);
    else this.#signaling.bye(message.from, { reason: 'busy' }).catch(() => {});
  }

  /** Its session is over, and what was said to it last may not have arrived. */
  takeLoss() {
    this.#call?.takeLoss();
  }

  /** It is in the room no more, or this side is not. */
  leave() {
    this.#gone = true;
    this.#options.world.clearTimeout(this.#retry);
    this.#call?.hangUp();
  }

  /** The other side calls, and whatever call there was is over for it. @param {Extract<Heard, { type: 'offer' }>} message */
  #answer(message) {
    this.#calls = false;
    this.#options.world.clearTimeout(this.#retry);
    this.#call?.takeReplacement();
    const call = this.#begin('callee');
    call.take(message);
    for (const candidate of this.#early.take(message.from)) call.take(candidate);
    void call.accept(this.#owner.media());
  }

  /** @param {Role} role */
  #begin(role) {
    const call = new Call(this.#signaling, this.#peer, role, this.#options);
    this.#call = call;
    call.on('state', ({ state }) => this.#follow(call, state));
    call.on('peer', ({ peer }) => this.#move(peer));
    this.#owner.onCall(call);
    return call;
  }

  /** @param {Call} call @param {CallState} state */
  #follow(call, state) {
    if (state === 'connected') this.#attempts = 0;
    if (state !== 'ended') return;
    this.#over = call.remoteSession ?? this.#over;
    if (this.#call !== call) return;
    this.#call = null;
    if (this.#calls) this.#tryAgain();
    this.#owner.onEnded();
  }

  #tryAgain() {
    if (this.#gone || this.#attempts >= MOST_ATTEMPTS) return;
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#attempts++);
    this.#retry = this.#options.world.setTimeout(() => this.dial(), wait);
  }

  /** @param {string} peer */
  #move(peer) {
    const from = this.#peer;
    this.#peer = peer;
    this.#owner.onMoved(from, peer);
  }
}

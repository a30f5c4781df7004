/**
 * One call with one peer: ringing, consent, deadlines, the end. It needs no page, and any signaling that has the five words;
 * `line.js` brings it what the peer says, `leg.js` is its RTCPeerConnection.
 */

/** @import { LegEvent } from './leg.js' */
/** @import { Words } from './negotiation.js' */
/** @import { Clock, Timer } from './world.js' */
import { descriptionOf, sessionOf } from './description.js';
import { Emitter } from './emitter.js';
import { Leg } from './leg.js';
import { MOST_KEPT } from './negotiation.js';
import { isRecord } from './protocol.js';

/**
 * @typedef {{
 *   readonly id: string | null,
 *   offer(to: string, offer: unknown): Promise<unknown>,
 *   answer(to: string, answer: unknown): Promise<unknown>,
 *   candidate(to: string, candidate: unknown): Promise<unknown>,
 *   bye(to: string, bye?: unknown): Promise<unknown>,
 *   iceServers?(): Promise<RTCIceServer[]>,
 * }} Signaling what a call needs to speak: each promise rejects, with a `code` where one is known, if the peer was not reached
 */

/** @typedef {Clock & { createConnection(configuration: RTCConfiguration): RTCPeerConnection }} CallWorld */
/** @typedef {'caller' | 'callee'} Role */
/** @typedef {MediaStream | null | Promise<MediaStream | null>} Media stays its owner's: the end of the call does not stop it */
/** @typedef {'calling' | 'ringing' | 'connecting' | 'connected' | 'ended'} CallState */
/**
 * @typedef {'hung-up' | 'remote-hung-up' | 'canceled' | 'declined' | 'busy' | 'no-answer' | 'failed' | (string & {})} EndReason
 *   `canceled`: the caller gave up while it rang here; `failed`: no path between the two was found, or none is left.
 *   Any other is the code of a signaling error.
 */

/** @typedef {{ type: 'state', state: CallState, reason: EndReason | null }} CallStateChange */
/** @typedef {CallStateChange | LegEvent} CallEvent */
/** @typedef {Words | { type: 'bye', bye?: unknown }} CallWords */

/** In milliseconds, as all clients agree: a call that nobody answers ends. */
const RINGING_DEADLINE = 60_000;
/** In milliseconds: browsers find a path, or give up on it, within 30 s; then there is time for one ICE restart. */
const CONNECTING_DEADLINE = 45_000;

export class Call {
  /** @readonly */
  peer;
  /** @readonly */
  role;
  #signaling;
  #world;
  #polite;
  /** @type {Emitter<CallEvent>} */
  #events = new Emitter();
  /** @type {CallState} */
  #state;
  /** What this side brings to a leg, once its person and the server have answered. @type {{ stream: MediaStream | null, iceServers: RTCIceServer[] } | null} */
  #means = null;
  /** @type {Leg | null} */
  #leg = null;
  /** What the peer said before there was a leg: its last offer, and what followed. Invariant: at most MOST_KEPT. @type {Words[]} */
  #kept = [];
  /** @type {string | null} */
  #remoteSession = null;
  /** Of the state: until somebody answers, until there is a path. @type {Timer | undefined} */
  #timer;

  /**
   * @param {Signaling} signaling
   * @param {string} peer
   * @param {Role} role
   * @param {CallWorld} world
   */
  constructor(signaling, peer, role, world) {
    this.peer = peer;
    this.role = role;
    this.#signaling = signaling;
    this.#world = world;
    this.#polite = (signaling.id ?? '') < peer;
    this.#state = role === 'caller' ? 'calling' : 'ringing';
    if (role === 'callee') this.#setDeadline(RINGING_DEADLINE, 'no-answer');
  }

  get state() {
    return this.#state;
  }

  /** Names the other side's RTCPeerConnection, once it has described itself. */
  get remoteSession() {
    return this.#remoteSession;
  }

  /**
   * @template {CallEvent['type']} T
   * @param {T} type
   * @param {(event: Extract<CallEvent, { type: T }>) => void} listener
   * @returns {() => void} the undo
   */
  on(type, listener) {
    return this.#events.on(type, listener);
  }

  /** Makes the call. Without media, or if they fail, it receives only. @param {Media} media */
  async start(media) {
    if (this.role === 'caller') await this.#open(media);
  }

  /** Takes the call. @param {Media} media as in `start` */
  async accept(media) {
    if (this.#state !== 'ringing') return;
    this.#become('connecting');
    await this.#open(media);
  }

  decline() {
    if (this.#state === 'ringing') this.#end('declined', { reason: 'declined' });
  }

  hangUp() {
    this.#end('hung-up');
  }

  /** @param {string} text @returns {boolean} whether it is on its way */
  chat(text) {
    return this.#leg?.chat(text) ?? false;
  }

  /** Takes what the peer says. @param {CallWords} words */
  take(words) {
    if (this.#state === 'ended') return;
    if (words.type === 'bye') return this.#finish(this.#reasonOf(words.bye));
    this.#noteDescription(words);
    if (words.type === 'offer' && this.#polite && this.#leg && !this.#leg.isDescribed) return this.#startOver(words);
    if (this.#leg) this.#leg.take(words);
    else this.#keep(words);
  }

  /**
   * Two first offers crossed, and ours yields. Nothing is agreed yet, so a fresh leg costs nothing; rolled back while it gathers
   * candidates, Chromium (seen in 156) may never gather for the answer.
   *
   * @param {Words} offer
   */
  #startOver(offer) {
    this.#leg?.close();
    this.#keep(offer);
    this.#begin();
  }

  /** An answer is consent, and so is an offer that crosses ours. @param {Words} words */
  #noteDescription(words) {
    if (words.type === 'candidate') return;
    const description = descriptionOf(words.type, words.type === 'offer' ? words.offer : words.answer);
    if (!description) return;
    this.#remoteSession = sessionOf(description.sdp);
    if (this.#state === 'calling') this.#become('connecting');
  }

  /** @param {Words} words */
  #keep(words) {
    if (words.type === 'offer') this.#kept = [];
    if (this.#kept.length < MOST_KEPT) this.#kept.push(words);
  }

  /** @param {Media} media */
  async #open(media) {
    const [stream, iceServers] = await Promise.all([Promise.resolve(media).catch(() => null), this.#iceServers()]);
    if (this.#state === 'ended' || this.#means) return;
    this.#means = { stream, iceServers };
    this.#begin();
  }

  #begin() {
    const { stream = null, iceServers = [] } = this.#means ?? {};
    try {
      const leg = this.#makeLeg({ iceServers });
      this.#leg = leg;
      leg.begin(stream, this.#kept.splice(0));
      this.#awaitProgress();
    } catch {
      this.#end('failed');
    }
  }

  /** @param {RTCConfiguration} configuration */
  #makeLeg(configuration) {
    return new Leg(this.#world.createConnection(configuration), {
      polite: this.#polite,
      say: (words) => void this.#say(words),
      fail: () => this.#end('failed'),
      emit: (event) => this.#events.emit(event),
      onState: (state) => this.#follow(state),
    });
  }

  /** @param {RTCPeerConnectionState} state */
  #follow(state) {
    if (state === 'connected') this.#become('connected');
    if (state === 'failed') void this.#restart();
  }

  async #restart() {
    this.#become('connecting');
    const iceServers = await this.#iceServers();
    if (this.#state !== 'ended') this.#leg?.restart(iceServers);
  }

  /** A call without ICE servers still finds its way on one network. */
  async #iceServers() {
    return (await this.#signaling.iceServers?.().catch(() => [])) ?? [];
  }

  /** @param {Words} words */
  async #say(words) {
    try {
      await this.#send(words);
    } catch (error) {
      if (this.#isOverBy(words, codeOf(error))) this.#finish(codeOf(error));
    }
  }

  /** @param {Words} words */
  #send(words) {
    switch (words.type) {
      case 'offer':
        return this.#signaling.offer(this.peer, words.offer);
      case 'answer':
        return this.#signaling.answer(this.peer, words.answer);
      case 'candidate':
        return this.#signaling.candidate(this.peer, words.candidate);
    }
  }

  /**
   * Once media flow they need no signaling; until then, a peer that can't be told anything is gone.
   *
   * @param {Words} words
   * @param {string} code
   */
  #isOverBy(words, code) {
    if (this.#state === 'connected') return false;
    if (this.#state === 'calling' && words.type === 'offer') return true;
    return code === 'peer-unavailable' || (code === 'peer-busy' && words.type !== 'candidate');
  }

  /** @param {unknown} bye @returns {EndReason} */
  #reasonOf(bye) {
    if (this.#state === 'ringing') return 'canceled';
    const reason = isRecord(bye) ? bye['reason'] : null;
    return reason === 'declined' || reason === 'busy' || reason === 'no-answer' ? reason : 'remote-hung-up';
  }

  /** @param {CallState} state @param {EndReason | null} [reason] */
  #become(state, reason = null) {
    if (state === this.#state || this.#state === 'ended') return;
    this.#state = state;
    this.#awaitProgress();
    this.#events.emit({ type: 'state', state, reason });
  }

  /** While a person is still asked for the camera there is no leg, and only the other side's deadline runs. */
  #awaitProgress() {
    this.#world.clearTimeout(this.#timer);
    if (!this.#leg) return;
    if (this.#state === 'calling') this.#setDeadline(RINGING_DEADLINE, 'no-answer');
    if (this.#state === 'connecting') this.#setDeadline(CONNECTING_DEADLINE, 'failed');
  }

  /** @param {number} milliseconds @param {'no-answer' | 'failed'} reason */
  #setDeadline(milliseconds, reason) {
    this.#timer = this.#world.setTimeout(() => this.#end(reason, { reason }), milliseconds);
  }

  /** Ends it from this side, and tells the peer. @param {EndReason} reason @param {{ reason: string }} [bye] */
  #end(reason, bye) {
    if (this.#state === 'ended') return;
    if (this.#hasSpoken()) this.#signaling.bye(this.peer, bye).catch(() => {});
    this.#finish(reason);
  }

  /** A caller who gives up before the offer has left has nothing to take back. */
  #hasSpoken() {
    return this.#leg !== null || this.#state !== 'calling';
  }

  /** @param {EndReason} reason */
  #finish(reason) {
    this.#kept = [];
    this.#leg?.close();
    this.#become('ended', reason);
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return isRecord(error) && typeof error['code'] === 'string' ? error['code'] : 'failed';
}

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
import { offersRelay } from './relay.js';

/**
 * @typedef {{
 *   readonly id: string | null,
 *   offer(to: string, offer: unknown): Promise<unknown>,
 *   answer(to: string, answer: unknown): Promise<unknown>,
 *   candidate(to: string, candidate: unknown): Promise<unknown>,
 *   bye(to: string, bye?: unknown): Promise<unknown>,
 *   iceServers?(): Promise<RTCIceServer[]>,
 *   check?(): void,
 * }} Signaling what a call needs to speak: each promise rejects, with a `code` where one is known, if the peer was not reached;
 *   a promise of `{ parked: true }` says that the peer will hear it once it has its connection again. `check` is called when the call is
 *   about to rely on the connection.
 */

/** @typedef {Clock & { createConnection(configuration: RTCConfiguration): RTCPeerConnection }} CallWorld */
/**
 * @typedef {{ world: CallWorld, iceTransportPolicy: RTCIceTransportPolicy }} CallOptions
 *   `iceTransportPolicy` as in an RTCConfiguration: with `relay`, media take no path but through a TURN server
 */
/** @typedef {'caller' | 'callee'} Role */
/** @typedef {MediaStream | null | Promise<MediaStream | null>} Media stays its owner's: the end of the call does not stop it */
/** @typedef {'calling' | 'ringing' | 'connecting' | 'connected' | 'ended'} CallState */
/**
 * @typedef {'no-relay' | 'needs-relay' | 'relay-silent' | 'no-path' | 'path-lost'} NoPath
 *   why there is no path between the two. `no-relay`: none was found, and no TURN server was among the ICE servers; `needs-relay`: nor
 *   was one sought, as the policy is `relay`; `relay-silent`: a TURN server was among them, and did not answer; `no-path`: it did, to no
 *   avail; `path-lost`: there was a path, and no other was found.
 */
/**
 * @typedef {'hung-up' | 'remote-hung-up' | 'gone' | 'canceled' | 'declined' | 'busy' | 'no-answer' | 'failed' | NoPath | (string & {})} EndReason
 *   `gone`: the other side was there, and its id is nobody's any more; `canceled`: the caller gave up while it rang here;
 *   `failed`: the browser refused a description, or the ICE servers. Any other is the code of a signaling error.
 */

/** @typedef {{ type: 'state', state: CallState, reason: EndReason | null }} CallStateChange */
/** @typedef {{ type: 'parked', parked: boolean }} ParkedChange the other side's connection to the server is lost at the moment, or is back */
/** @typedef {CallStateChange | ParkedChange | LegEvent} CallEvent */
/** @typedef {Words | { type: 'bye', bye?: unknown }} CallWords */

/** In milliseconds, as all clients agree: a call that nobody answers ends. */
const RINGING_DEADLINE = 60_000;
/** In milliseconds: browsers find a path, or give up on it, within 30 s; then there is time for one ICE restart. */
const CONNECTING_DEADLINE = 45_000;
/** In milliseconds: how long the polite side waits for the other's offer before it seeks the path anew itself. */
const TURN = 3000;
/** In milliseconds: browsers ask over a path that lives every 2.5 s (Chromium) to 6 s (RFC 7675, section 5.1), whatever else it carries. */
const SILENCE = 6500;

export class Call {
  /** @readonly */
  peer;
  /** @readonly */
  role;
  #signaling;
  #options;
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
  #wasConnected = false;
  #isParked = false;
  /** Of the state: until somebody answers, until there is a path. @type {Timer | undefined} */
  #timer;
  /** While this side waits before it seeks the path anew. @type {Timer | undefined} */
  #turn;

  /**
   * @param {Signaling} signaling
   * @param {string} peer
   * @param {Role} role
   * @param {CallOptions} options
   */
  constructor(signaling, peer, role, options) {
    this.peer = peer;
    this.role = role;
    this.#signaling = signaling;
    this.#options = options;
    this.#polite = (signaling.id ?? '') < peer;
    this.#state = role === 'caller' ? 'calling' : 'ringing';
    if (role === 'callee') this.#awaitAnswer();
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

  /**
   * The signaling was cut, and is back: the network may have changed, and the path may be dead without a sign. In Firefox (seen in 153)
   * it is too late to seek another once the browser has noticed by itself. One that lives is left alone: to seek it anew costs Firefox
   * the picture at times.
   */
  async refresh() {
    const leg = this.#leg;
    if (this.#state !== 'connected' || !leg) return;
    const before = await leg.received();
    if (this.#state !== 'connected') return;
    this.#options.world.clearTimeout(this.#turn);
    this.#turn = this.#options.world.setTimeout(() => void this.#restartIfSilent(leg, before), SILENCE);
  }

  /** The peer's session has ended, and what was said to it last may not have arrived. While media flow they need no signaling. */
  takeLoss() {
    if (this.#state !== 'connected') this.#finish('gone');
  }

  /** Takes what the peer says. @param {CallWords} words */
  take(words) {
    if (this.#state === 'ended') return;
    this.#notePresence(false);
    if (words.type === 'bye') return this.#finish(this.#reasonOf(words.bye));
    this.#noteDescription(words);
    if (words.type === 'offer') this.#options.world.clearTimeout(this.#turn);
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
    this.#signaling.check?.();
    const [stream, iceServers] = await Promise.all([Promise.resolve(media).catch(() => null), this.#iceServers()]);
    if (this.#state === 'ended' || this.#means) return;
    this.#means = { stream, iceServers };
    if (this.#canFindPath()) this.#begin();
    else this.#giveUp();
  }

  #canFindPath() {
    return this.#options.iceTransportPolicy === 'all' || this.#isOfferedRelay();
  }

  #isOfferedRelay() {
    return offersRelay(this.#means?.iceServers ?? []);
  }

  #begin() {
    try {
      const leg = this.#makeLeg();
      this.#leg = leg;
      leg.begin(this.#means?.stream ?? null, this.#kept.splice(0));
      this.#awaitProgress();
    } catch {
      this.#end('failed');
    }
  }

  #makeLeg() {
    return new Leg(this.#options.world.createConnection(this.#configuration()), {
      polite: this.#polite,
      say: (words) => void this.#say(words),
      fail: () => this.#end('failed'),
      emit: (event) => this.#events.emit(event),
      onState: (state) => this.#follow(state),
      onLeft: () => this.#finish('remote-hung-up'),
      onBroken: () => this.#giveUp(),
    });
  }

  /** @returns {RTCConfiguration} */
  #configuration() {
    return { iceServers: this.#means?.iceServers ?? [], iceTransportPolicy: this.#options.iceTransportPolicy };
  }

  /** @param {RTCPeerConnectionState} state */
  #follow(state) {
    if (state === 'disconnected' || state === 'failed') this.#signaling.check?.();
    if (state === 'connected') this.#become('connected');
    if (state !== 'failed') return;
    this.#become('connecting');
    this.#restartInTurn();
  }

  /** @param {Leg} leg @param {number} before what had come when the signaling came back */
  async #restartIfSilent(leg, before) {
    if (this.#state === 'connected' && (await leg.received()) === before) this.#restartInTurn();
  }

  /**
   * Both sides may notice at once. Offers that cross are agreed on, but the browser that takes its own back may gather no candidates
   * for the answer (Chromium, seen in 156), or lose a path that lived (beside Firefox, seen in 153). So the polite side lets the other
   * go first.
   */
  #restartInTurn() {
    this.#options.world.clearTimeout(this.#turn);
    if (this.#polite) this.#turn = this.#options.world.setTimeout(() => void this.#restart(), TURN);
    else void this.#restart();
  }

  async #restart() {
    const iceServers = await this.#iceServers();
    if (this.#means) this.#means.iceServers = iceServers;
    if (this.#state !== 'ended') this.#leg?.restart(this.#configuration());
  }

  /** Fresh ones, or those that we have: credentials that may have expired are better than none, and one network needs no ICE server. */
  async #iceServers() {
    const last = this.#means?.iceServers ?? [];
    return (await this.#signaling.iceServers?.().catch(() => last)) ?? last;
  }

  /** @param {Words} words */
  async #say(words) {
    try {
      const ack = await this.#send(words);
      this.#notePresence(isRecord(ack) && ack['parked'] === true);
    } catch (error) {
      if (this.#isOverBy(words, codeOf(error))) this.#finish(this.#reasonOfError(codeOf(error)));
    }
  }

  /** @param {boolean} parked */
  #notePresence(parked) {
    if (parked === this.#isParked || this.#state === 'ended') return;
    this.#isParked = parked;
    this.#events.emit({ type: 'parked', parked });
  }

  /** An id that we have spoken with is not unknown. @param {string} code @returns {EndReason} */
  #reasonOfError(code) {
    return code === 'peer-unavailable' && this.#wasConnected ? 'gone' : code;
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
    if (reason === 'failed') return this.#whyNoPath();
    return reason === 'declined' || reason === 'busy' || reason === 'no-answer' ? reason : 'remote-hung-up';
  }

  /** @param {CallState} state @param {EndReason | null} [reason] */
  #become(state, reason = null) {
    if (state === this.#state || this.#state === 'ended') return;
    this.#state = state;
    this.#wasConnected ||= state === 'connected';
    this.#awaitProgress();
    this.#events.emit({ type: 'state', state, reason });
  }

  /** While a person is still asked for the camera there is no leg, and only the other side's deadline runs. */
  #awaitProgress() {
    this.#options.world.clearTimeout(this.#timer);
    if (!this.#leg) return;
    if (this.#state === 'calling') this.#awaitAnswer();
    if (this.#state === 'connecting') this.#timer = this.#options.world.setTimeout(() => this.#giveUp(), CONNECTING_DEADLINE);
  }

  #awaitAnswer() {
    this.#timer = this.#options.world.setTimeout(() => this.#end('no-answer', { reason: 'no-answer' }), RINGING_DEADLINE);
  }

  #giveUp() {
    this.#end(this.#whyNoPath(), { reason: 'failed' });
  }

  /** As far as this side can tell. @returns {NoPath} */
  #whyNoPath() {
    if (this.#wasConnected) return 'path-lost';
    if (!this.#isOfferedRelay()) return this.#options.iceTransportPolicy === 'relay' ? 'needs-relay' : 'no-relay';
    return this.#leg?.isRelayed ? 'no-path' : 'relay-silent';
  }

  /** Ends it from this side, and tells the peer. @param {EndReason} reason @param {{ reason: string }} [bye] */
  #end(reason, bye) {
    if (this.#state === 'ended') return;
    this.#signaling.check?.();
    if (this.#hasSpoken()) this.#signaling.bye(this.peer, bye).catch(() => {});
    this.#finish(reason);
  }

  /** A caller who gives up before the offer has left has nothing to take back. */
  #hasSpoken() {
    return this.#leg !== null || this.#state !== 'calling';
  }

  /** @param {EndReason} reason */
  #finish(reason) {
    this.#options.world.clearTimeout(this.#turn);
    this.#kept = [];
    this.#leg?.close();
    this.#become('ended', reason);
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return isRecord(error) && typeof error['code'] === 'string' ? error['code'] : 'failed';
}

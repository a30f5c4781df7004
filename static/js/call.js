/**
 * One call with one peer: ringing, consent, deadlines, the end. It needs no page, and any signaling that has the five words;
 * `line.js` brings it what the peer says, `leg.js` is its RTCPeerConnection.
 */

/** @import { EndReason, NoPath } from './end-reason.js' */
/** @import { FileTransfer } from './file-transfer.js' */
/** @import { LegEvent } from './leg.js' */
/** @import { Words } from './negotiation.js' */
/** @import { MediaSent } from './note.js' */
/** @import { Clock, Timer, World } from './world.js' */
import { descriptionOf } from './description.js';
import { Emitter } from './emitter.js';
import { codeOf, reasonOfBye, reasonOfError } from './end-reason.js';
import { Identity, nameIn } from './identity.js';
import { Leg } from './leg.js';
import { MOST_KEPT } from './negotiation.js';
import { personName } from './plain-text.js';
import { isRecord } from './protocol.js';
import { Recovery } from './recovery.js';
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

/**
 * @typedef {Clock & {
 *   createConnection(configuration: RTCConfiguration): RTCPeerConnection,
 *   isAble?(): boolean,
 *   page?: World['page'],
 * }} CallWorld `isAble`: are there RTCPeerConnections? `page`: what tells when it is left
 */
/**
 * @typedef {{ world: CallWorld, iceTransportPolicy: RTCIceTransportPolicy, name?: () => string, maxBitrate?: number | undefined }} CallOptions
 *   `iceTransportPolicy` as in an RTCConfiguration: with `relay`, media take no path but through a TURN server; `name`: what this side
 *   calls itself at the moment, for the other side to show; `maxBitrate`: of the picture that it sends, in bits per second; otherwise the
 *   browser's own limit
 */
/** @typedef {'caller' | 'callee'} Role */
/** @typedef {MediaStream | null | Promise<MediaStream | null>} Media stays its owner's: the end of the call does not stop it */
/** @typedef {'calling' | 'ringing' | 'connecting' | 'connected' | 'ended'} CallState */
/** @typedef {{ type: 'state', state: CallState, reason: EndReason | null }} CallStateChange */
/** @typedef {{ type: 'parked', parked: boolean }} ParkedChange the other side's connection to the server is lost at the moment, or is back */
/** @typedef {{ type: 'silent', silent: boolean }} Silence nothing has come from the other side for some seconds; or something does again */
/** @typedef {{ type: 'peer', peer: string }} PeerChange the other side has another id now */
/** @typedef {CallStateChange | ParkedChange | Silence | PeerChange | LegEvent} CallEvent */
/** @typedef {Words | { type: 'bye', bye?: unknown }} CallWords */

/** In milliseconds, as all clients agree: an unanswered call ends. */
const RINGING_DEADLINE = 60_000;
/** In milliseconds: browsers find a path, or give up on it, within 30 s; then there is time for one ICE restart. */
const CONNECTING_DEADLINE = 45_000;
export class Call {
  /** @readonly */
  role;
  #peer;
  /** By which the other side knows this one. @type {string | null} */
  #ownId;
  #signaling;
  #options;
  #polite;
  #recovery;
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
  #identity = new Identity();
  /** @type {MediaSent | undefined} */
  #media;
  #name = '';
  #wasConnected = false;
  #isParked = false;
  /** Of the state: until it is answered, until there is a path. @type {Timer | undefined} */
  #timer;

  /**
   * @param {Signaling} signaling
   * @param {string} peer
   * @param {Role} role
   * @param {CallOptions} options
   */
  constructor(signaling, peer, role, options) {
    this.role = role;
    this.#peer = peer;
    this.#ownId = signaling.id;
    this.#signaling = signaling;
    this.#options = options;
    this.#polite = (signaling.id ?? '') < peer;
    this.#recovery = new Recovery(options.world, this.#polite, {
      seek: () => void this.#restart(),
      onSilent: (silent) => this.#events.emit({ type: 'silent', silent }),
    });
    this.#state = role === 'caller' ? 'calling' : 'ringing';
    if (role === 'callee') this.#awaitAnswer();
  }

  get state() {
    return this.#state;
  }

  /** The other side's id. It changes if the server loses its session in mid-call. */
  get peer() {
    return this.#peer;
  }

  /** What the other side calls itself, or ''. It proves nothing: to be shown beside the id, not in its place. */
  get name() {
    return this.#name;
  }

  /** Is the other side's connection to the server lost at the moment, as far as is known? */
  get isParked() {
    return this.#isParked;
  }

  /** Names the other side's RTCPeerConnection, once it has described itself. */
  get remoteSession() {
    return this.#identity.remote;
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
   * Offers a file to the other side, past the server.
   *
   * @param {Blob} file
   * @param {string} [name] by default, the file's own
   * @returns {FileTransfer | null} null: files can't be sent now (`files-state`), or too many are on their way
   */
  sendFile(file, name = 'name' in file ? String(file.name) : 'file') {
    return this.#leg?.sendFile(file, name) ?? null;
  }

  /** Tells the other side what this one calls itself now. */
  introduce() {
    this.#leg?.note({ name: this.#ownName });
  }

  get #ownName() {
    return personName(this.#options.name?.());
  }

  /**
   * What this side sends at the moment, for the other side to show. An application that never says it is taken to send what it has.
   *
   * @param {MediaSent} media
   */
  describeMedia(media) {
    this.#media = media;
    this.#leg?.note({ media });
  }

  /**
   * Sends another track of this kind, or none: a camera that is off is let go of, and taken again later; a screen takes its place. A call
   * that began without any of the kind is negotiated anew.
   *
   * @param {'audio' | 'video'} kind
   * @param {MediaStreamTrack | null} track
   */
  async replaceTrack(kind, track) {
    await this.#leg?.replaceTrack(kind, track);
  }

  /**
   * What the browser measures of the connection: https://www.w3.org/TR/webrtc-stats/.
   *
   * @returns {Promise<Map<string, any>>} by their ids; empty, while there is no connection
   */
  async stats() {
    return (await this.#leg?.stats()) ?? new Map();
  }

  /** How loud the other side is at the moment: 0 is silence, 1 the loudest. */
  get loudness() {
    return this.#state === 'connected' ? (this.#leg?.loudness ?? 0) : 0;
  }

  /** The signaling was cut, and is back with the same session. */
  refresh() {
    void this.#recovery.refresh();
  }

  /**
   * The signaling is back with another session, and this side may have another id. A call with media tells it over its own channel. One
   * without any can't be found any more: both sides are told now, and not when one of them waits in vain.
   */
  takeNewSession() {
    if (this.#signaling.id === this.#ownId) return;
    this.#ownId = this.#signaling.id;
    if (!this.#wasConnected) return this.#end('session-lost', { reason: 'session-lost' });
    this.#leg?.note({ id: this.#ownId ?? undefined });
    if (this.#state === 'connecting') this.#recovery.seekInTurn();
  }

  /** The same peer has begun another call: it has left this one without a word. */
  takeReplacement() {
    this.#finish('remote-hung-up');
  }

  /**
   * Is the other side gone, without a word? Its session is over, or waits for its connection, and nothing comes over the path. To learn
   * the first, the end of the candidates is said once more, which changes nothing.
   *
   * @returns {Promise<boolean>} after some seconds at most
   */
  async isAbandoned() {
    if (!this.#wasConnected || (await this.#isPresent())) return false;
    return this.#recovery.isSilent();
  }

  /** Ends it for want of the other side. */
  abandon() {
    this.#finish('gone');
  }

  async #isPresent() {
    try {
      const ack = await this.#signaling.candidate(this.peer, null);
      return !isRecord(ack) || ack['parked'] !== true;
    } catch (error) {
      return codeOf(error) !== 'peer-unavailable';
    }
  }

  /** The peer's session has ended, and what was said to it last may not have arrived. While media flow they need no signaling. */
  takeLoss() {
    if (this.#state !== 'connected') this.#finish('gone');
  }

  /**
   * Is this said within this call? What names the call is, from any id: its sender may have another by now. What names none is, if it
   * comes from the peer, but for a description of another connection than the one that we have media with.
   *
   * @param {CallWords & { from: string }} words
   */
  isMeantBy(words) {
    const name = nameIn(words);
    const isNamed = name !== null && this.#identity.isNamed(name);
    if (!this.#wasConnected) return isNamed || words.from === this.#peer;
    return (isNamed || (name === null && words.from === this.#peer)) && !this.#identity.isOfAnother(words);
  }

  /** Takes what the peer says. @param {CallWords & { from?: string }} words */
  take(words) {
    if (this.#state === 'ended') return;
    this.#notePresence(false);
    if (words.type === 'bye') return this.#finish(reasonOfBye(words.bye, this.#standing()));
    if (words.type === 'offer') this.#noteName(nameOfPerson(words.offer));
    if (words.type === 'offer' && this.#wasConnected) this.#moveTo(words.from ?? this.#peer);
    this.#noteDescription(words);
    if (words.type === 'offer') this.#recovery.yield();
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

  /** @param {string} name */
  #noteName(name) {
    if (name === '' || name === this.#name) return;
    this.#name = name;
    this.#events.emit({ type: 'name', name });
  }

  /** @param {string} peer */
  #moveTo(peer) {
    if (peer === this.#peer) return;
    this.#peer = peer;
    this.#events.emit({ type: 'peer', peer });
  }

  /** An answer is consent, and so is an offer that crosses ours. @param {Words} words */
  #noteDescription(words) {
    if (words.type === 'candidate') return;
    const description = descriptionOf(words.type, words.type === 'offer' ? words.offer : words.answer);
    if (!description) return;
    this.#identity.noteRemote(description);
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
      this.#fail();
    }
  }

  #fail() {
    this.#end('failed', { reason: 'unable' });
  }

  #makeLeg() {
    return new Leg(this.#options.world.createConnection(this.#configuration()), {
      polite: this.#polite,
      maxBitrate: this.#options.maxBitrate,
      say: (words) => void this.#say(words),
      fail: () => this.#fail(),
      emit: (event) => (event.type === 'name' ? this.#noteName(event.name) : this.#events.emit(event)),
      greeting: () => ({ id: this.#ownId ?? undefined, media: this.#media, name: this.#ownName || undefined }),
      onAddress: (id) => this.#moveTo(id),
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
    if (state === 'connected') this.#connect();
    if (state !== 'failed') return;
    this.#become('connecting');
    this.#recovery.lose();
    this.#recovery.seekInTurn();
  }

  #connect() {
    this.#become('connected');
    if (this.#leg) this.#recovery.watch(this.#leg);
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
      if (this.#isOverBy(words, codeOf(error))) this.#finish(reasonOfError(codeOf(error), this.#wasConnected));
    }
  }

  /** @param {boolean} parked */
  #notePresence(parked) {
    if (parked === this.#isParked || this.#state === 'ended') return;
    this.#isParked = parked;
    this.#events.emit({ type: 'parked', parked });
  }

  /** @param {Words} words */
  #send(words) {
    switch (words.type) {
      case 'offer':
        this.#identity.noteOwn(words.offer);
        return this.#signaling.offer(this.#peer, this.#wasConnected ? this.#identity.nameOffer(words.offer) : this.#introduced(words.offer));
      case 'answer':
        this.#identity.noteOwn(words.answer);
        return this.#signaling.answer(this.#peer, words.answer);
      case 'candidate':
        return this.#signaling.candidate(this.#peer, words.candidate);
    }
  }

  /** @param {unknown} offer the first: the other side may show from whom it is, before it agrees to anything */
  #introduced(offer) {
    const { type, sdp } = /** @type {RTCSessionDescriptionInit} */ (offer);
    return this.#ownName ? { type, sdp, name: this.#ownName } : offer;
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

  #standing() {
    return { state: this.#state, wasConnected: this.#wasConnected, whyNoPath: () => this.#whyNoPath() };
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

  /** Ends it from this side, and tells the peer. @param {EndReason} reason @param {{ reason?: string }} [bye] */
  #end(reason, bye) {
    if (this.#state === 'ended') return;
    this.#signaling.check?.();
    if (this.#hasSpoken()) this.#signaling.bye(this.#peer, this.#identity.nameBye(bye)).catch(() => {});
    this.#finish(reason);
  }

  /** A caller who gives up before the offer has left has nothing to take back. */
  #hasSpoken() {
    return this.#leg !== null || this.#state !== 'calling';
  }

  /** @param {EndReason} reason */
  #finish(reason) {
    this.#recovery.stop();
    this.#kept = [];
    this.#leg?.close();
    this.#become('ended', reason);
  }
}

/** What the one who offers calls herself. @param {unknown} offer */
function nameOfPerson(offer) {
  return isRecord(offer) ? personName(offer['name']) : '';
}

/**
 * A call's connection: one RTCPeerConnection with its media, its negotiation, its chat and its path. It knows nothing of ringing
 * or consent: it exists once this side has agreed to the call.
 */

/** @import { ChannelEvent } from './channels.js' */
/** @import { FileTransfer } from './file-transfer.js' */
/** @import { Words } from './negotiation.js' */
/** @import { Note } from './note.js' */
/** @import { Path } from './path.js' */
import { Channels } from './channels.js';
import { addressOf, candidateOf, descriptionOf, offersData } from './description.js';
import { MOST_KEPT, Negotiation } from './negotiation.js';
import { pathOf, receivedOf } from './path.js';
import { isRelayed } from './relay.js';

/**
 * @typedef {{ type: 'track', track: MediaStreamTrack } | { type: 'path', path: Path } | ChannelEvent} LegEvent
 */

export class Leg {
  #connection;
  #negotiation;
  #owner;
  #polite;
  #maxBitrate;
  /** Some browsers are set up without data channels: they call all the same. @type {Channels | null} */
  #channels = null;
  #described = false;
  #relayed = false;
  /** The types of the other side's candidates, by their address. Invariant: at most MOST_KEPT. @type {Map<string, string>} */
  #told = new Map();
  /** The one last told. @type {Path | null} */
  #path = null;
  #closed = false;

  /**
   * @param {RTCPeerConnection} connection
   * @param {{
   *   polite: boolean,
   *   maxBitrate: number | undefined,
   *   say(words: Words): void,
   *   fail(): void,
   *   emit(event: LegEvent): void,
   *   greeting(): Note,
   *   onAddress(id: string): void,
   *   onState(state: RTCPeerConnectionState): void,
   *   onLeft(): void,
   *   onBroken(): void,
   * }} owner `greeting`: the first note to it; `onAddress`: where the other side's program can be reached now; `onLeft`: the other side has closed its connection, and its word of it may be under way, or lost; `onBroken`: this browser has
   *   given its connection up
   */
  constructor(connection, { polite, maxBitrate, say, fail, ...owner }) {
    this.#connection = connection;
    this.#polite = polite;
    this.#maxBitrate = maxBitrate;
    this.#owner = owner;
    this.#negotiation = new Negotiation(connection, { polite, say, fail });
    connection.addEventListener('icecandidate', ({ candidate }) => void (this.#relayed ||= isRelayed(candidate)));
    connection.addEventListener('track', ({ track }) => owner.emit({ type: 'track', track }));
    connection.addEventListener('connectionstatechange', () => {
      owner.onState(connection.connectionState);
      this.#followIce();
      void this.#limitPictures();
      void this.#readPath();
    });
  }

  /** @param {MediaStream | null} stream what we send @param {Words[]} heard what the other side said before */
  begin(stream, heard) {
    const offer = heard.find((words) => words.type === 'offer');
    for (const track of stream?.getTracks() ?? []) this.#connection.addTrack(track, /** @type {MediaStream} */ (stream));
    if (!offer) askForMedia(this.#connection);
    if (!offer || offersData(descriptionOf('offer', offer.offer)?.sdp ?? '')) this.#openChannels();
    for (const words of heard) this.take(words);
  }

  /** Has the other side described itself? */
  get isDescribed() {
    return this.#described;
  }

  /** Has a relay given this side an address? */
  get isRelayed() {
    return this.#relayed;
  }

  /** @param {Words} words */
  take(words) {
    this.#described ||= words.type !== 'candidate';
    if (words.type === 'candidate') this.#noteCandidate(candidateOf(words.candidate)?.candidate ?? '');
    this.#negotiation.take(words);
  }

  /** Does the other side's program tell that it is there? */
  get beats() {
    return (this.#channels?.notes ?? 0) > 0;
  }

  /** Does sound leave this side? It does so without a pause, muted by its person or not; a picture that stands still may not. */
  get sendsSound() {
    return this.#connection.getTransceivers().some(({ sender: { track }, currentDirection }) => {
      const isSent = currentDirection === 'sendrecv' || currentDirection === 'sendonly';
      return isSent && track?.kind === 'audio' && track.readyState === 'live' && !track.muted;
    });
  }

  /** Grows as long as anything comes from the other side. @returns {Promise<number>} */
  async received() {
    return (this.#channels?.notes ?? 0) + receivedOf((await this.stats()).values());
  }

  /** What the browser measures of the connection (webrtc-stats); nothing, if it is being closed. @returns {Promise<Map<string, any>>} by their ids */
  async stats() {
    return /** @type {any} */ (await this.#connection.getStats().catch(() => new Map()));
  }

  /** How loud what comes is, by its last packets: 0 to 1. Asked often, it costs no report. @returns {number} */
  get loudness() {
    const sources = this.#connection.getReceivers().flatMap((receiver) => receiver.getSynchronizationSources());
    return Math.max(0, ...sources.map(({ audioLevel }) => audioLevel ?? 0));
  }

  /** @param {Note} note to the other side's program; it is lost where there is no channel */
  note(note) {
    this.#channels?.note(note);
  }

  /**
   * Sends another track of this kind, or none. Where nothing of the kind was sent before, the two sides negotiate anew.
   *
   * @param {'audio' | 'video'} kind
   * @param {MediaStreamTrack | null} track
   */
  async replaceTrack(kind, track) {
    const transceiver = this.#connection.getTransceivers().find((each) => isOfKind(each, kind));
    if (transceiver) await replaceIn(transceiver, track);
    else if (track) this.#connection.addTransceiver(track, { direction: 'sendrecv' });
    await this.#limitPictures();
  }

  /** New candidates for the same call, after a change of network. @param {RTCConfiguration} configuration */
  restart(configuration) {
    this.#connection.setConfiguration(configuration);
    this.#connection.restartIce();
  }

  /** @param {string} text @returns {boolean} whether it is on its way */
  chat(text) {
    return this.#channels?.chat(text) ?? false;
  }

  /** @param {Blob} file @param {string} name @returns {FileTransfer | null} null: it can't be sent now */
  sendFile(file, name) {
    return this.#channels?.sendFile(file, name) ?? null;
  }

  close() {
    this.#closed = true;
    this.#negotiation.close();
    this.#channels?.close();
    this.#connection.close();
  }

  #openChannels() {
    if (!this.#connection.createDataChannel) return;
    this.#channels = new Channels(this.#connection, {
      polite: this.#polite,
      emit: (event) => this.#owner.emit(event),
      greeting: () => this.#owner.greeting(),
      onAddress: (id) => this.#owner.onAddress(id),
      onLeft: () => this.#leave(),
    });
  }

  /**
   * A channel outlives every change of path: it closes with the connection of either side. But where the path has failed, nothing can
   * have come from the other side: Firefox (seen in 153) then gives up channels and media for good, and no ICE restart brings them back.
   */
  #leave() {
    if (this.#closed) return;
    if (this.#connection.connectionState === 'failed') this.#owner.onBroken();
    else this.#owner.onLeft();
  }

  /** A browser that can't keeps to its own limit. */
  async #limitPictures() {
    const most = this.#maxBitrate;
    if (this.#closed || most === undefined) return;
    const pictures = this.#connection.getTransceivers().filter(({ sender }) => sender.track?.kind === 'video');
    await Promise.allSettled(pictures.map(({ sender }) => limit(sender, most)));
  }

  /** It may come when the path is already in use, and tells what that is. @param {string} candidate */
  #noteCandidate(candidate) {
    const { address, type } = addressOf(candidate);
    if (!type || this.#told.size >= MOST_KEPT) return;
    this.#told.set(address, type);
    void this.#readPath();
  }

  /** ICE goes on choosing after it has connected: often by the relay first, and directly a moment later. */
  #followIce() {
    const { iceTransport } = this.#connection.getTransceivers()[0]?.sender.transport ?? {};
    iceTransport?.addEventListener('selectedcandidatepairchange', this.#onPair);
  }

  #onPair = () => void this.#readPath();

  async #readPath() {
    if (this.#connection.connectionState !== 'connected') return;
    const path = pathOf((await this.stats()).values(), this.#told);
    if (!path || this.#closed || JSON.stringify(path) === JSON.stringify(this.#path)) return;
    this.#path = path;
    this.#owner.emit({ type: 'path', path });
  }
}

/** What we have no track for we still want to receive. @param {RTCPeerConnection} connection */
function askForMedia(connection) {
  const kinds = connection.getTransceivers().map(({ sender }) => sender.track?.kind);
  for (const kind of ['audio', 'video']) {
    if (!kinds.includes(kind)) connection.addTransceiver(kind, { direction: 'recvonly' });
  }
}

/** @param {RTCRtpTransceiver} transceiver @param {'audio' | 'video'} kind */
function isOfKind({ sender, receiver, direction }, kind) {
  return direction !== 'stopped' && (sender.track ?? receiver.track).kind === kind;
}

/** One that only received sends from now on: a change of direction needs negotiation. @param {RTCRtpTransceiver} transceiver @param {MediaStreamTrack | null} track */
async function replaceIn(transceiver, track) {
  await transceiver.sender.replaceTrack(track);
  if (track && transceiver.direction !== 'sendonly') transceiver.direction = 'sendrecv';
}

/** @param {RTCRtpSender} sender @param {number} maxBitrate */
async function limit(sender, maxBitrate) {
  const parameters = sender.getParameters();
  if (parameters.encodings.every((encoding) => encoding.maxBitrate === maxBitrate)) return;
  for (const encoding of parameters.encodings) encoding.maxBitrate = maxBitrate;
  await sender.setParameters(parameters);
}

/** Peers for tests: RTCPeerConnections that negotiate as the standard has it but carry nothing, and signaling that can be held up. */

/** @import { CallWorld } from '../../static/js/call.js' */
import { Emitter } from '../../static/js/emitter.js';
import { FakeClock, settled } from './world.js';

let sessions = 0;

/** A call is agreed on in three. */
const MOST_ROUNDS = 20;

export class FakeChannel extends EventTarget {
  readyState = 'open';
  bufferedAmount = 0;
  /** @type {any[]} text, and the bytes of notes */
  sent = [];

  /** @param {string | Uint8Array} data */
  send(data) {
    this.sent.push(data);
  }

  /** What was noted, in order. */
  get notes() {
    return this.sent.filter((data) => data instanceof Uint8Array).map((data) => JSON.parse(new TextDecoder().decode(data)));
  }

  /** Notes that say no more than that this side is there. */
  get beats() {
    return this.notes.filter((note) => Object.keys(note).length === 0);
  }

  /** @param {object} note of the other side */
  receiveNote(note) {
    this.receive(new TextEncoder().encode(JSON.stringify(note)).buffer);
  }

  /** @param {unknown} data */
  receive(data) {
    this.dispatchEvent(new MessageEvent('message', { data }));
  }
}

export class FakeConnection extends EventTarget {
  signalingState = 'stable';
  connectionState = 'new';
  /** @type {any} */
  localDescription = null;
  /** @type {any} */
  remoteDescription = null;
  /** @type {any[]} */
  transceivers = [];
  /** @type {any[]} */
  candidates = [];
  /** @type {FakeChannel[]} */
  channels = [];
  /** @type {Map<string, any>} */
  stats = new Map();
  /** What its receivers last heard from. @type {{ audioLevel?: number }[]} */
  sources = [];
  restarts = 0;
  rollbacks = 0;
  /** What its descriptions say of DTLS from now on. */
  setup = 'actpass';
  closed = false;
  #session = ++sessions;
  #needed = false;
  #operations = 0;

  /** @param {any} configuration */
  constructor(configuration = {}) {
    super();
    this.configuration = configuration;
  }

  /** @param {any} track */
  addTrack(track) {
    this.transceivers.push({ sender: senderOf(track), receiver: { track: { kind: track.kind } }, direction: 'sendrecv' });
    this.need();
  }

  /** @param {string} kind @param {{ direction: string }} options */
  addTransceiver(kind, { direction }) {
    this.transceivers.push({ kind, sender: senderOf(null), receiver: { track: { kind } }, direction });
    this.need();
  }

  getReceivers() {
    return this.transceivers.map(({ receiver }) => ({ ...receiver, getSynchronizationSources: () => this.sources }));
  }

  getTransceivers() {
    return this.transceivers;
  }

  /** @param {string} label @param {object} options */
  createDataChannel(label, options) {
    const channel = Object.assign(new FakeChannel(), { label, options });
    this.channels.push(channel);
    this.need();
    return channel;
  }

  restartIce() {
    this.restarts++;
    this.need();
  }

  /** @param {any} configuration */
  setConfiguration(configuration) {
    this.configuration = configuration;
  }

  getStats() {
    return Promise.resolve(this.stats);
  }

  need() {
    this.#needed = true;
    queueMicrotask(() => this.#announceNeed());
  }

  async setLocalDescription() {
    await this.#operation();
    const type = this.signalingState === 'have-remote-offer' ? 'answer' : 'offer';
    this.localDescription = { type, sdp: this.#sdp() };
    this.signalingState = type === 'offer' ? 'have-local-offer' : 'stable';
    if (type === 'offer') this.#needed = false;
    this.#done();
    setImmediate(() => this.#trickle());
  }

  /** @param {any} description */
  async setRemoteDescription(description) {
    await this.#operation();
    if (description.sdp === 'broken') throw new Error('broken description');
    if (description.type === 'offer' && this.signalingState === 'have-local-offer') {
      this.rollbacks++;
      this.#needed = true;
    }
    this.remoteDescription = description;
    this.signalingState = description.type === 'offer' ? 'have-remote-offer' : 'stable';
    if (description.type === 'offer' && this.rollbacks === 0) this.#needed = false;
    this.#done();
  }

  /** @param {any} candidate */
  async addIceCandidate(candidate) {
    if (!this.remoteDescription || candidate?.candidate === 'broken') throw new Error('not now');
    this.candidates.push(candidate);
  }

  close() {
    this.closed = true;
    this.signalingState = 'closed';
  }

  /** @param {string} state */
  become(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }

  /** As in browsers: what was under way when it was closed never ends. */
  async #operation() {
    this.#operations++;
    await Promise.resolve();
    if (this.closed) await new Promise(() => {});
  }

  #done() {
    this.#operations--;
    queueMicrotask(() => this.#announceNeed());
  }

  #announceNeed() {
    if (!this.#needed || this.#operations > 0 || this.signalingState !== 'stable') return;
    this.#needed = false;
    this.dispatchEvent(new Event('negotiationneeded'));
  }

  #sdp() {
    const data = this.channels.length || this.remoteDescription?.sdp.includes('m=application') ? 'm=application 9 UDP/DTLS/SCTP\r\n' : '';
    return `v=0\r\no=- ${this.#session} 2 IN IP4 127.0.0.1\r\nm=audio 9\r\na=setup:${this.setup}\r\nm=video 9\r\n${data}`;
  }

  #trickle() {
    for (const candidate of [{ candidate: `candidate:${this.#session}`, sdpMid: '0' }, null]) {
      if (!this.closed) this.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate }));
    }
  }
}

/** @param {any} track */
function senderOf(track) {
  return {
    track,
    /** @type {{ encodings: { maxBitrate?: number }[] }} */
    parameters: { encodings: [{}] },
    /** @param {any} other */
    async replaceTrack(other) {
      this.track = other;
    },
    getParameters() {
      return structuredClone(this.parameters);
    },
    /** @param {any} parameters */
    async setParameters(parameters) {
      this.parameters = parameters;
    },
  };
}

/** What one peer says is heard by the other when the test lets it through, in order. */
export class FakeSignaling {
  /** @type {Map<string, FakeEndpoint>} */
  #endpoints = new Map();
  /** @type {{ to: string, message: any }[]} */
  #queue = [];
  /** The members of each room, by their ids. @type {Map<string, Set<string>>} */
  #rooms = new Map();
  /** @type {string[]} */
  log = [];
  /** Who has no connection at the moment. @type {Set<string>} */
  parked = new Set();

  /** @param {string} id */
  endpoint(id) {
    const endpoint = new FakeEndpoint(id, this);
    this.#endpoints.set(id, endpoint);
    return endpoint;
  }

  /** @param {string} id */
  remove(id) {
    for (const room of this.#rooms.keys()) this.leave(id, room);
    this.#endpoints.delete(id);
  }

  /** @param {string} id @param {string} room @returns {string[]} those who were there */
  join(id, room) {
    const members = this.#rooms.get(room) ?? new Set();
    const others = [...members].filter((member) => member !== id);
    if (!members.has(id)) this.#announce(others, { type: 'peer-joined', room, peer: id });
    this.#rooms.set(room, members.add(id));
    return others;
  }

  /** @param {string} id @param {string} room */
  leave(id, room) {
    const members = this.#rooms.get(room);
    if (members?.delete(id)) this.#announce([...members], { type: 'peer-left', room, peer: id });
  }

  /** @param {string[]} members @param {any} message */
  #announce(members, message) {
    for (const to of members) this.#queue.push({ to, message });
  }

  /** The server has started anew: what was under way is lost, and each has another session, with another id. @param {FakeEndpoint[]} endpoints */
  restart(...endpoints) {
    this.#queue = [];
    this.#rooms.clear();
    this.#endpoints.clear();
    for (const endpoint of endpoints) {
      endpoint.id += '-anew';
      this.#endpoints.set(endpoint.id, endpoint);
    }
    for (const endpoint of endpoints) endpoint.events.emit({ type: 'welcome', id: endpoint.id, resumed: false });
  }

  /** @param {string} from @param {string} to @param {any} message */
  async send(from, to, message) {
    this.log.push(`${from}→${to} ${message.type}`);
    if (!this.#endpoints.has(to)) throw Object.assign(new Error('absent'), { code: 'peer-unavailable' });
    this.#queue.push({ to, message: JSON.parse(JSON.stringify({ ...message, from })) });
    return this.parked.has(to) ? { parked: true } : {};
  }

  /** Lets all through that was said, and what is said in answer to it. */
  async deliver() {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      await settled();
      for (const { to, message } of this.#queue.splice(0)) this.#endpoints.get(to)?.events.emit(message);
      await settled();
      if (this.#queue.length === 0) return;
    }
    throw new Error('the two sides never stop talking');
  }

  /** @param {string} type */
  count(type) {
    return this.log.filter((line) => line.endsWith(` ${type}`)).length;
  }
}

export class FakeEndpoint {
  /** @type {Emitter<any>} */
  events = new Emitter();
  /** @type {RTCIceServer[]} */
  servers = [{ urls: 'stun:host' }];
  /** How often a call asked whether the connection lives. */
  checks = 0;

  /** @param {string} id @param {FakeSignaling} signaling */
  constructor(id, signaling) {
    this.id = id;
    this.signaling = signaling;
  }

  /** @param {string} type @param {(message: any) => void} listener */
  on = (type, listener) => this.events.on(type, listener);
  /** @param {string} to @param {unknown} offer */
  offer = (to, offer) => this.signaling.send(this.id, to, { type: 'offer', offer });
  /** @param {string} to @param {unknown} answer */
  answer = (to, answer) => this.signaling.send(this.id, to, { type: 'answer', answer });
  /** @param {string} to @param {unknown} candidate */
  candidate = (to, candidate) => this.signaling.send(this.id, to, { type: 'candidate', candidate });
  /** @param {string} to @param {unknown} [bye] */
  bye = (to, bye) => this.signaling.send(this.id, to, { type: 'bye', ...(bye === undefined ? {} : { bye }) });
  /** @param {string} room */
  join = async (room) => this.signaling.join(this.id, room);
  /** @param {string} room */
  leave = async (room) => this.signaling.leave(this.id, room);
  iceServers = async () => this.servers;
  check = () => void this.checks++;
}

export class FakeCallWorld extends FakeClock {
  page = new EventTarget();
  able = true;
  isAble = () => this.able;
  /** @type {FakeConnection[]} */
  connections = [];

  /** @type {CallWorld['createConnection']} */
  createConnection = (configuration) => {
    if (!this.able) throw new ReferenceError('RTCPeerConnection is not defined');
    const connection = new FakeConnection(configuration);
    this.connections.push(connection);
    return /** @type {RTCPeerConnection} */ (/** @type {unknown} */ (connection));
  };

  get connection() {
    const connection = this.connections.at(-1);
    if (!connection) throw new Error('no connection was made');
    return connection;
  }
}

/** @param {...string} kinds @returns {MediaStream} */
export function fakeStream(...kinds) {
  const stream = { getTracks: () => kinds.map((kind) => ({ kind })) };
  return /** @type {MediaStream} */ (/** @type {unknown} */ (stream));
}

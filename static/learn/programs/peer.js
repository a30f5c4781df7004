// peer.js: one side of a call. It knows no server: what it has to say to the
// other side goes through `say`, and what the other side said comes by `hear`.

/** @typedef {'offer' | 'answer' | 'candidate'} Kind */

const MOST_CANDIDATES = 100;

export class Peer {
  #connection;
  #say;
  /** Came before the description. @type {RTCIceCandidateInit[]} */
  #early = [];

  /**
   * @param {object} options
   * @param {RTCIceServer[]} options.iceServers STUN and TURN: chapters 5 and 6
   * @param {MediaStream} options.stream what the other side is to see and hear
   * @param {(kind: Kind, value: any) => void} options.say
   * @param {(stream: MediaStream) => void} options.onStream of the other side
   * @param {(state: RTCPeerConnectionState) => void} options.onState
   */
  constructor({ iceServers, stream, say, onStream, onState }) {
    const connection = new RTCPeerConnection({ iceServers });
    this.#connection = connection;
    this.#say = say;
    for (const track of stream.getTracks()) connection.addTrack(track, stream);
    connection.onicecandidate = ({ candidate }) => say('candidate', candidate);
    connection.ontrack = ({ streams: [remote] }) => remote && onStream(remote);
    connection.onconnectionstatechange = () => onState(connection.connectionState);
  }

  /** The first step of the one who calls. */
  async call() {
    await this.#connection.setLocalDescription();
    this.#say('offer', this.#connection.localDescription);
  }

  /** @param {Kind} kind @param {any} value */
  async hear(kind, value) {
    if (kind === 'candidate') return this.#hearCandidate(value);
    await this.#connection.setRemoteDescription(value);
    for (const candidate of this.#early.splice(0)) await this.#hearCandidate(candidate);
    if (kind === 'offer') await this.#answer();
  }

  close() {
    this.#connection.close();
  }

  async #answer() {
    await this.#connection.setLocalDescription();
    this.#say('answer', this.#connection.localDescription);
  }

  /** Before the description it could not be added. @param {RTCIceCandidateInit} candidate */
  async #hearCandidate(candidate) {
    if (this.#connection.remoteDescription) await this.#connection.addIceCandidate(candidate);
    else if (this.#early.length < MOST_CANDIDATES) this.#early.push(candidate);
  }
}

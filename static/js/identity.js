/**
 * Which call is meant. A call is not known by its two ids, which may change while it lasts, but by its two RTCPeerConnections: their
 * session ids in SDP are told to the other side alone.
 */

/** @import { CallWords } from './call.js' */
import { descriptionOf, sessionOf } from './description.js';
import { isRecord } from './protocol.js';

/**
 * Which call an offer or a bye says that it is about.
 *
 * @param {unknown} value
 * @returns {string | null} null: of none yet, or its sender names none
 */
export function callIn(value) {
  return isRecord(value) && typeof value['call'] === 'string' ? value['call'] : null;
}

export class Identity {
  /** @type {string | null} */
  #own = null;
  /** @type {string | null} */
  #remote = null;

  /** Names the other side's RTCPeerConnection, once it has described itself. */
  get remote() {
    return this.#remote;
  }

  /** @param {unknown} description that this side says */
  noteOwn(description) {
    this.#own = sessionOf(String(isRecord(description) && description['sdp']));
  }

  /** @param {{ sdp: string }} description that the other side says */
  noteRemote({ sdp }) {
    this.#remote = sessionOf(sdp);
  }

  /** @param {string} name @returns {boolean} whether it is this call's */
  isNamed(name) {
    return name === this.#own || name === this.#remote;
  }

  /** Does it describe a connection that is not the other side's of this call? @param {CallWords} words */
  isOfAnother(words) {
    const sdp = sdpIn(words);
    return sdp !== null && sessionOf(sdp) !== this.#remote;
  }

  /** An offer within the call says so: where the call is over, or its sender has another id by now, it does not ring. @param {unknown} offer */
  nameOffer(offer) {
    if (this.#remote === null) return offer;
    const { type, sdp } = /** @type {RTCSessionDescriptionInit} */ (offer);
    return { type, sdp, call: this.#remote };
  }

  /** @param {{ reason?: string } | undefined} bye */
  nameBye(bye) {
    const call = this.#remote ?? this.#own;
    return call === null ? bye : { ...bye, call };
  }
}

/** The name that words give of their call. @param {CallWords} words */
export function nameIn(words) {
  if (words.type === 'offer') return callIn(words.offer);
  return words.type === 'bye' ? callIn(words.bye) : null;
}

/** @param {CallWords} words */
function sdpIn(words) {
  if (words.type === 'offer') return descriptionOf('offer', words.offer)?.sdp ?? null;
  return words.type === 'answer' ? (descriptionOf('answer', words.answer)?.sdp ?? null) : null;
}

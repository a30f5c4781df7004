/**
 * Perfect negotiation over one RTCPeerConnection (WebRTC 1.0, section 10.7): both sides may offer at any moment. If two offers
 * cross, the impolite side passes over the other's, and the polite side takes its own back. It knows no call and no signaling.
 */

import { candidateOf, descriptionOf, setupOf, withSetup } from './description.js';

/** A side has a few tens of candidates; beyond this it is a flood, and what is dropped costs its sender's call only. */
export const MOST_KEPT = 256;

/**
 * @typedef {{ type: 'offer', offer: unknown } | { type: 'answer', answer: unknown } | { type: 'candidate', candidate: unknown }} Words
 *   what one side says to the other, as on the wire
 */

/** @import { Setup } from './description.js' */
/**
 * @typedef {Pick<RTCPeerConnection, 'addEventListener' | 'addIceCandidate' | 'close' | 'localDescription' | 'remoteDescription'
 *   | 'setLocalDescription' | 'setRemoteDescription' | 'signalingState'>} Negotiable
 */

export class Negotiation {
  #connection;
  #polite;
  #owner;
  #closed = false;
  /** Between `negotiationneeded` and the offer's being our local description. */
  #offering = false;
  /** The other side's last offer was passed over, and so are its candidates. */
  #ignoring = false;
  /**
   * Ours, as the first answer has it: it stays, as the DTLS association does. We say so each time, for Firefox (seen in 153) answers every
   * offer with `active`, also when it has been passive, and Chromium then refuses the answer to its ICE restart.
   *
   * @type {Setup | null}
   */
  #setup = null;
  /** Taken and not yet worked on. Invariant: at most MOST_KEPT. @type {Words[]} */
  #inbox = [];
  #working = false;
  /** Came before any description. Invariant: at most MOST_KEPT. @type {(RTCIceCandidateInit | null)[]} */
  #early = [];

  /**
   * @param {Negotiable} connection
   * @param {{ polite: boolean, say(words: Words): void, fail(error: unknown): void }} options
   *   `say` sends; `fail` is told that the two sides don't understand each other
   */
  constructor(connection, { polite, say, fail }) {
    this.#connection = connection;
    this.#polite = polite;
    this.#owner = { say, fail };
    connection.addEventListener('negotiationneeded', () => void this.#offer());
    connection.addEventListener('icecandidate', ({ candidate }) => this.#say({ type: 'candidate', candidate }));
  }

  /** Says no more, whatever is still under way. */
  close() {
    this.#closed = true;
  }

  /** Takes what the other side says, in order. @param {Words} words */
  take(words) {
    if (this.#inbox.length >= MOST_KEPT) return;
    this.#inbox.push(words);
    if (!this.#working) void this.#work();
  }

  async #work() {
    this.#working = true;
    for (let words = this.#inbox.shift(); words; words = this.#inbox.shift()) await this.#hear(words);
    this.#working = false;
  }

  /** @param {Words} words */
  #hear(words) {
    switch (words.type) {
      case 'offer':
        return this.#describe('offer', words.offer);
      case 'answer':
        return this.#describe('answer', words.answer);
      case 'candidate':
        return this.#addCandidate(candidateOf(words.candidate));
    }
  }

  async #offer() {
    try {
      this.#offering = true;
      await this.#connection.setLocalDescription();
      this.#sayDescription();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#offering = false;
    }
  }

  /** @param {'offer' | 'answer'} type @param {unknown} value */
  async #describe(type, value) {
    const description = descriptionOf(type, value);
    if (!description || !this.#wants(type)) return;
    try {
      // Order: called in the same turn as the tracks are added, so that no offer of our own is due in between.
      await this.#connection.setRemoteDescription(description);
      await this.#addEarlyCandidates();
      if (type === 'answer') return this.#noteSetup(opposite(setupOf(description.sdp)));
      await this.#connection.setLocalDescription();
      this.#noteSetup(setupOf(this.#connection.localDescription?.sdp ?? ''));
      this.#sayDescription();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param {Setup | null} setup of an answer */
  #noteSetup(setup) {
    this.#setup ??= setup;
  }

  /** @param {'offer' | 'answer'} type */
  #wants(type) {
    const { signalingState } = this.#connection;
    const crossed = type === 'offer' && (this.#offering || signalingState !== 'stable');
    this.#ignoring = crossed && !this.#polite;
    return type === 'offer' ? !this.#ignoring : signalingState === 'have-local-offer';
  }

  /** @param {RTCIceCandidateInit | null | undefined} candidate */
  async #addCandidate(candidate) {
    if (candidate === undefined || this.#ignoring) return;
    if (this.#connection.remoteDescription) return this.#tryCandidate(candidate);
    if (this.#early.length < MOST_KEPT) this.#early.push(candidate);
  }

  async #addEarlyCandidates() {
    for (const candidate of this.#early.splice(0)) await this.#tryCandidate(candidate);
  }

  /** A candidate that can't be used is one path fewer, not the end of the call. @param {RTCIceCandidateInit | null} candidate */
  async #tryCandidate(candidate) {
    await this.#connection.addIceCandidate(candidate).catch(() => {});
  }

  /** @param {Words} words */
  #say(words) {
    if (!this.#closed) this.#owner.say(words);
  }

  /** @param {unknown} error */
  #fail(error) {
    if (!this.#closed) this.#owner.fail(error);
  }

  #sayDescription() {
    const description = this.#description();
    if (description?.type === 'offer') this.#say({ type: 'offer', offer: description });
    if (description?.type === 'answer') this.#say({ type: 'answer', answer: description });
  }

  #description() {
    const description = this.#connection.localDescription;
    return description && this.#setup ? { type: description.type, sdp: withSetup(description.sdp, this.#setup) } : description;
  }
}

/** @param {Setup | null} setup @returns {Setup | null} */
function opposite(setup) {
  if (setup === 'active') return 'passive';
  return setup === 'passive' ? 'active' : null;
}

/** Candidates that come before the offer to which they belong: some clients send so, and kept for seconds they are of use. */

/** @import { Candidate } from './protocol.js' */
/** @import { Clock } from './world.js' */

/** A stranger can make us keep no more than this. */
export const MOST_PEERS = 16;
export const MOST_OF_ONE = 32;
/** In milliseconds, from a peer's first one. */
const KEPT_FOR = 10_000;

export class EarlyCandidates {
  #clock;
  /** Invariant: at most MOST_PEERS, each with at most MOST_OF_ONE; "candidates before any offer are kept within bounds". @type {Map<string, Candidate[]>} */
  #kept = new Map();

  /** @param {Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /** @param {Candidate} candidate */
  keep(candidate) {
    const kept = this.#kept.get(candidate.from) ?? this.#begin(candidate.from);
    if (kept && kept.length < MOST_OF_ONE) kept.push(candidate);
  }

  /** @param {string} peer @returns {Candidate[]} in their order; they are kept no longer */
  take(peer) {
    const kept = this.#kept.get(peer) ?? [];
    this.#kept.delete(peer);
    return kept;
  }

  /** @param {string} peer @returns {Candidate[] | null} null: there is no room */
  #begin(peer) {
    if (this.#kept.size >= MOST_PEERS) return null;
    /** @type {Candidate[]} */
    const kept = [];
    this.#kept.set(peer, kept);
    this.#clock.setTimeout(() => void (this.#kept.get(peer) === kept && this.#kept.delete(peer)), KEPT_FOR);
    return kept;
  }
}

/** What comes from the other side is any JSON: here it becomes a description or a candidate, or nothing. */

import { isRecord } from './protocol.js';

/**
 * @param {'offer' | 'answer'} type as the message says; what stands inside is not asked
 * @param {unknown} value
 * @returns {RTCSessionDescriptionInit & { sdp: string } | null}
 */
export function descriptionOf(type, value) {
  return isRecord(value) && typeof value['sdp'] === 'string' ? { type, sdp: value['sdp'] } : null;
}

/**
 * @param {unknown} value null and the empty candidate both end the candidates
 * @returns {RTCIceCandidateInit | null | undefined} undefined for what is no candidate
 */
export function candidateOf(value) {
  if (value === null) return null;
  return isRecord(value) && typeof value['candidate'] === 'string' ? value : undefined;
}

/**
 * The session id of the `o=` line (RFC 8866, section 5.2): it stays the same for all that one RTCPeerConnection says.
 *
 * @param {string} sdp
 */
export function sessionOf(sdp) {
  return /^o=\S+ (\S+)/m.exec(sdp)?.[1] ?? null;
}

/** @typedef {'active' | 'passive'} Setup who begins in DTLS (RFC 8842, section 5) */

/** @param {string} sdp @returns {Setup | null} null in an offer that leaves the choice to the other side */
export function setupOf(sdp) {
  const setup = /^a=setup:(\w+)/m.exec(sdp)?.[1];
  return setup === 'active' || setup === 'passive' ? setup : null;
}

/** @param {string} sdp @param {Setup} setup */
export function withSetup(sdp, setup) {
  return sdp.replace(/^a=setup:\w+/gm, `a=setup:${setup}`);
}

/** Where a candidate is, and of which type (RFC 8839, section 5.1). @param {string} candidate */
export function addressOf(candidate) {
  const [, address = '', port = '', type = ''] = /^candidate:\S+ \S+ \S+ \S+ (\S+) (\d+) typ (\w+)/.exec(candidate) ?? [];
  return { address: `${address} ${port}`, type };
}

/** @param {string} sdp */
export function offersData(sdp) {
  return /^m=application /m.test(sdp);
}

/**
 * All fingerprints that a description has (RFC 8122, section 5), in one order: a side whose certificate has none of them is refused by DTLS,
 * and so each one more would let another certificate in.
 *
 * @param {string} sdp
 * @returns {string[]}
 */
export function fingerprintsOf(sdp) {
  const found = [...sdp.matchAll(/^a=fingerprint:(\S+) (\S+)/gim)].map(([, hash = '', digits = '']) => `${hash.toLowerCase()} ${digits.toUpperCase()}`);
  return [...new Set(found)].sort();
}

/** A candidate, field by field (RFC 8839, section 5.1). Pure, and total: what is no candidate is null, and no text is too long. */

import { isRecord } from '../protocol.js';

/** In characters. Those of browsers have 60 to 200. */
const LONGEST = 1000;

/**
 * @typedef {{
 *   foundation: string, component: string, protocol: string, priority: string, address: string, port: string, typ: string,
 *   more: [name: string, value: string][],
 * }} CandidateFields `protocol` in capitals, as each browser writes it in its own way; `more`: what follows, in pairs
 */

/** The candidate of a message, which may be any JSON; '' ends the candidates, as null does. @param {unknown} value */
export function candidateText(value) {
  if (value === null) return '';
  return isRecord(value) && typeof value['candidate'] === 'string' ? value['candidate'].slice(0, LONGEST) : null;
}

/** @param {string} text with `candidate:` before it, or `a=candidate:` @returns {CandidateFields | null} */
export function candidateFields(text) {
  const [foundation = '', component = '', protocol = '', priority = '', address = '', port = '', word, typ, ...rest] = text
    .slice(0, LONGEST).replace(/^(?:a=)?candidate:/, '').trim().split(/\s+/);
  if (word !== 'typ' || !typ) return null;
  return { foundation, component, protocol: protocol.toUpperCase(), priority, address, port, typ, more: inPairs(rest) };
}

/** An address that can be told from the port behind it. @param {string} address @param {string | number} port */
export function endpoint(address, port) {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * What a priority is made of (RFC 8445, section 5.1.2.1).
 *
 * @param {string} priority
 * @returns {{ type: number, local: number, component: number } | null} the preference of its type, that among those of its type, and the component
 */
export function priorityParts(priority) {
  const number = Number(priority);
  if (!/^\d{1,10}$/.test(priority) || number > 0xffff_ffff) return null;
  return { type: number >>> 24, local: (number >>> 8) & 0xffff, component: 256 - (number & 0xff) };
}

/** @param {string[]} words @returns {[string, string][]} */
function inPairs(words) {
  return words.flatMap((word, index) => (index % 2 === 0 ? [/** @type {[string, string]} */ ([word, words[index + 1] ?? ''])] : []));
}

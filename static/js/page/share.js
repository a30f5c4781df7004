/** What stands in the page's address, and in the link that calls a peer. Pure. */

/** Ids of other servers may be longer than ours; a pasted book is no id. */
const LONGEST_ID = 128;

/**
 * @param {string} id
 * @param {{ origin: string, pathname: string }} page
 */
export function linkTo(id, { origin, pathname }) {
  return `${origin}${pathname}#call=${encodeURIComponent(id)}`;
}

/** The peer that a link's hash calls. @param {string} hash */
export function peerInHash(hash) {
  return (new URLSearchParams(hash.replace(/^#/, '')).get('call') ?? '').trim().slice(0, LONGEST_ID);
}

/** What a person pastes is an id, or the whole link. @param {string} text */
export function peerInText(text) {
  const hash = text.indexOf('#call=');
  return hash === -1 ? text.trim().slice(0, LONGEST_ID) : peerInHash(text.slice(hash));
}

/** `?relay` tries the TURN server: no path but through it. @param {string} search @returns {RTCIceTransportPolicy} */
export function transportPolicyIn(search) {
  return new URLSearchParams(search).has('relay') ? 'relay' : 'all';
}

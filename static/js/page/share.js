/** What stands in the page's address, in the link that calls a peer, and in what a person pastes. Pure. */

import { personName } from '../plain-text.js';
import { wordsOf } from '../word-list.js';

/** Ids of other servers may be longer than ours; a pasted book is no id. */
const LONGEST_ID = 128;
/** In characters: what is looked at of a pasted text. */
const LONGEST_TEXT = 4096;

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;
/** An id of socket.io, which may begin and end with what elsewhere stands around a word. */
const SOCKET_ID = /^[\w-]{20}$/;
/** What programs put into copied text and no person sees: zero-width characters, marks of direction, soft hyphens. */
const INVISIBLE = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
/** What text programs make of a hyphen. */
const HYPHENS = /[\u2010-\u2015\u2212]/g;
/** What stands around a quoted word, or after it. */
const AROUND = /^[\s<>"'`«»‹›“”„‘’()[\]{}*_]+|[\s<>"'`«»‹›“”„‘’()[\]{}*_.,;:!?…]+$/g;

/**
 * @param {string} id
 * @param {{ origin: string, pathname: string }} page
 */
export function linkTo(id, { origin, pathname }) {
  return `${origin}${pathname}#call=${encodeURIComponent(id)}`;
}

/** The peer that a link's hash calls. @param {string} hash */
export function peerInHash(hash) {
  return peerInWord((new URLSearchParams(hash.replace(/^#/, '')).get('call') ?? '').trim());
}

/** @param {string} room @param {{ origin: string, pathname: string }} page */
export function linkToRoom(room, { origin, pathname }) {
  return `${origin}${pathname}#room=${encodeURIComponent(room)}`;
}

/** The room that a link's hash enters. @param {string} hash @returns {string} '' for none */
export function roomInHash(hash) {
  return roomName(new URLSearchParams(hash.replace(/^#/, '')).get('room') ?? '');
}

/** What a person types, or reads out: a room's name, or the link to it. @param {string} text */
export function roomInText(text) {
  const [, linked] = /#room=([^\s<>"“”«»]+)/i.exec(text.slice(0, LONGEST_TEXT)) ?? [];
  return linked === undefined ? roomName(text) : roomInHash(`#room=${linked}`);
}

/** Upper case and blanks are not heard on a telephone. @param {string} text */
function roomName(text) {
  const plain = personName(text.slice(0, LONGEST_TEXT).replace(HYPHENS, '-'));
  return plain.toLowerCase().replace(/[\s-]+/g, '-').replace(/^-|-$/g, '');
}

/** A name that can be read out. Three words are one of 134 million: enough against chance, not against one who tries them all. @param {Uint8Array} bytes six, of chance */
export function freshRoom(bytes) {
  return wordsOf(bytes, 3).join('-');
}

/** What a person pastes is an id or the whole link, quoted, in brackets, with a dot after it, or in the middle of a sentence. @param {string} text */
export function peerInText(text) {
  const plain = text.slice(0, LONGEST_TEXT).replace(INVISIBLE, '').replace(HYPHENS, '-');
  const [, linked] = /#call=([^\s<>"“”«»]+)/i.exec(plain) ?? [];
  return linked === undefined ? peerInWord(plain) : peerInHash(`#call=${linked}`);
}

/** Our ids are known by their form, also where a mail has broken the line in one. @param {string} text */
function peerInWord(text) {
  if (SOCKET_ID.test(text.trim())) return text.trim();
  const uuid = UUID.exec(text) ?? UUID.exec(text.replace(/\s/g, ''));
  return uuid ? uuid[0].toLowerCase() : text.replace(AROUND, '').slice(0, LONGEST_ID);
}

/** `?relay` tries the TURN server: no path but through it. @param {string} search @returns {RTCIceTransportPolicy} */
export function transportPolicyIn(search) {
  return new URLSearchParams(search).has('relay') ? 'relay' : 'all';
}

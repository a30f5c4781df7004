/**
 * What the programs of a call's two sides tell each other, beside what their people write: JSON in bytes. A side that knows none passes
 * over them, and what is not as it should be is passed over here.
 */

import { personName } from './plain-text.js';
import { isRecord } from './protocol.js';

/** In bytes: a longer one is no note. */
const LONGEST_NOTE = 1024;
/** As ids of the protocol are, at most. */
const LONGEST_ID = 128;
/** SHA-256 in hexadecimal digits. */
const DIGEST = /^[0-9a-f]{64}$/;

/** @typedef {{ audio: boolean, video: boolean, screen?: true }} MediaSent what a side sends at the moment; `screen`: its picture is that of its screen */
/**
 * @typedef {{
 *   id?: string | undefined, media?: MediaSent | undefined, name?: string | undefined, files?: boolean | undefined,
 *   commitment?: string | undefined, nonce?: string | undefined,
 * }} Note
 *   `id`: the address at the signaling server; `name`: of the person, as she says it; `files`: it takes files; `commitment`, `nonce`:
 *   see `short-authentication.js`; one with nothing in it says that its side is there
 */

/** @param {Note} note */
export function bytesOfNote(note) {
  return new TextEncoder().encode(JSON.stringify(note));
}

/** @param {unknown} data @returns {Note | null} */
export function noteIn(data) {
  if (!(data instanceof ArrayBuffer) || data.byteLength > LONGEST_NOTE) return null;
  try {
    const value = JSON.parse(new TextDecoder().decode(data));
    return isRecord(value) ? noteOf(value) : null;
  } catch {
    return null;
  }
}

/** @param {Record<string, unknown>} value @returns {Note} */
function noteOf({ id, media, name, files, commitment, nonce }) {
  return {
    id: idIn(id),
    media: mediaIn(media),
    name: name === undefined ? undefined : personName(name),
    files: files === true || undefined,
    commitment: digestIn(commitment),
    nonce: digestIn(nonce),
  };
}

/** @param {unknown} id */
function idIn(id) {
  return typeof id === 'string' && id.length > 0 && id.length <= LONGEST_ID ? id : undefined;
}

/** @param {unknown} media @returns {MediaSent | undefined} */
function mediaIn(media) {
  if (!isRecord(media)) return undefined;
  const sent = { audio: media['audio'] === true, video: media['video'] === true };
  return sent.video && media['screen'] === true ? { ...sent, screen: true } : sent;
}

/** @param {unknown} digest */
function digestIn(digest) {
  return typeof digest === 'string' && DIGEST.test(digest) ? digest : undefined;
}

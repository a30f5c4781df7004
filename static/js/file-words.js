/** What is said over a call's channel for files: words as JSON in text, pieces of files in bytes. Pure. */

/** @import { TransferReason } from './file-transfer.js' */
import { fileName } from './plain-text.js';
import { isRecord } from './protocol.js';

/**
 * @typedef {{ type: 'file', id: number, name: string, size: number, mime: string }
 *   | { type: 'end', id: number, digest: string }
 *   | { type: 'withdraw', id: number, reason: TransferReason }} SenderWord
 *   `id`: of the sender's; `end`: all pieces are on their way; `withdraw`: no more will come
 */
/**
 * @typedef {{ type: 'accept', id: number }
 *   | { type: 'received', id: number, bytes: number }
 *   | { type: 'kept', id: number }
 *   | { type: 'refuse', id: number, reason: TransferReason }} ReceiverWord
 *   `received`: so many bytes are kept; `kept`: all of it, and it is what was sent; `refuse`: no more is wanted
 */
/** @typedef {SenderWord | ReceiverWord} FileWord */

/** In UTF-16 units: a longer one is no word. */
const LONGEST_WORD = 4096;
/** In bytes: what stands before a piece, its file's id. */
const HEAD = 4;
const MIME = /^[\w.+-]{1,60}\/[\w.+-]{1,60}$/;
const DIGEST = /^[0-9a-f]{64}$/;
/** What a word may say of why. @type {readonly TransferReason[]} */
const REASONS = ['there', 'unreadable', 'unwritable', 'corrupt', 'too-fast', 'too-many'];

/** @param {string} text @returns {FileWord | null} */
export function fileWordIn(text) {
  if (text.length > LONGEST_WORD) return null;
  try {
    const value = JSON.parse(text);
    return isRecord(value) && isCount(value['id']) && value['id'] <= 0xffff_ffff ? wordOf(value, value['id']) : null;
  } catch {
    return null;
  }
}

/** @param {Record<string, unknown>} value @param {number} id @returns {FileWord | null} */
function wordOf({ type, name, size, mime, digest, bytes, reason }, id) {
  switch (type) {
    case 'file':
      return isCount(size) ? { type, id, name: fileName(name), size, mime: typeof mime === 'string' && MIME.test(mime) ? mime : '' } : null;
    case 'end':
      return typeof digest === 'string' && DIGEST.test(digest) ? { type, id, digest } : null;
    case 'received':
      return isCount(bytes) ? { type, id, bytes } : null;
    case 'withdraw':
    case 'refuse':
      return { type, id, reason: REASONS.find((known) => known === reason) ?? 'there' };
    case 'accept':
    case 'kept':
      return { type, id };
    default:
      return null;
  }
}

/** @param {unknown} value @returns {value is number} */
function isCount(value) {
  return Number.isSafeInteger(value) && /** @type {number} */ (value) >= 0;
}

/** @param {number} id @param {Uint8Array} bytes @returns {Uint8Array<ArrayBuffer>} */
export function pieceOf(id, bytes) {
  const piece = new Uint8Array(HEAD + bytes.length);
  new DataView(piece.buffer).setUint32(0, id);
  piece.set(bytes, HEAD);
  return piece;
}

/** @param {ArrayBuffer} data @returns {{ id: number, bytes: Uint8Array } | null} */
export function pieceIn(data) {
  if (data.byteLength <= HEAD) return null;
  return { id: new DataView(data).getUint32(0), bytes: new Uint8Array(data, HEAD) };
}

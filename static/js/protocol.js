/**
 * The signaling protocol, version 1, as types, and the one step from a frame's text to a typed message.
 * No socket, no clock: `client.js` has those. The frames in `tests/vectors/` are read by this file's tests and by the server's.
 */

/** @typedef {string | number} Ref Chosen by the client, at most 64 bytes; comes back in the one answer. */

/**
 * @typedef {(
 *   | { type: 'offer', to: string, offer: unknown }
 *   | { type: 'answer', to: string, answer: unknown }
 *   | { type: 'candidate', to: string, candidate: unknown }
 *   | { type: 'message', to: string, message: unknown }
 *   | { type: 'message', room: string, message: unknown }
 *   | { type: 'bye', to: string, bye?: unknown }
 *   | { type: 'join', room: string }
 *   | { type: 'leave', room: string }
 *   | { type: 'ice-servers' }
 *   | { type: 'ping' }
 * ) & { ref?: Ref }} ClientMessage
 */

/** @typedef {{ type: 'received', count: number }} Received How many frames of the session have come, `welcome` left out. It has no answer. */

/** @typedef {{ messages: number, burst: number }} Rate Messages per second, and how many at once. */

/**
 * @typedef {{
 *   type: 'welcome', id: string, resumed: boolean, iceServers: RTCIceServer[], heartbeat: number, maxMessageBytes: number, rate?: Rate,
 *   resume?: string, resumeWindow?: number, accepted?: number,
 * }} Welcome `heartbeat` and `resumeWindow` are in seconds; `maxMessageBytes` bounds what a client sends; without `rate` there is no limit.
 *   `resume` is secret: to show it is to take the session over. `accepted`, if resumed: how many frames of ours the server has processed.
 */
/** @typedef {{ type: 'ice-servers', iceServers: RTCIceServer[], ref?: Ref }} IceServers */
/** @typedef {{ type: 'offer', from: string, offer: unknown }} Offer */
/** @typedef {{ type: 'answer', from: string, answer: unknown }} Answer */
/** @typedef {{ type: 'candidate', from: string, candidate: unknown }} Candidate */
/** @typedef {{ type: 'message', room?: string, from: string, message: unknown }} Message With `room`, it went to all of the room. */
/** @typedef {{ type: 'bye', from: string, bye?: unknown }} Bye */
/** @typedef {{ type: 'joined', room: string, peers: string[], ref?: Ref }} Joined */
/** @typedef {{ type: 'left', room: string, ref?: Ref }} Left */
/** @typedef {{ type: 'peer-joined', room: string, peer: string }} PeerJoined */
/** @typedef {{ type: 'peer-left', room: string, peer: string }} PeerLeft */
/** @typedef {{ type: 'ack', ref: Ref, parked?: boolean }} Ack With `parked`, the addressee's connection is lost at the moment. */

/**
 * @typedef {'bad-message' | 'peer-unavailable' | 'peer-busy' | 'undelivered' | 'rate-limited'
 *   | 'not-in-room' | 'room-full' | 'too-many-rooms' | 'room-not-allowed' | 'cluster-unavailable'} ErrorCode
 *   `undelivered` answers no message: the session of `to` has ended, and what was said to it last may or may not have arrived.
 */
/**
 * @typedef {{
 *   type: 'error', code: ErrorCode | (string & {}), message: string,
 *   to?: string, room?: string, peers?: string[], ref?: Ref,
 * }} ErrorMessage A newer server may know more codes than this file does.
 */

/** @typedef {Offer | Answer | Candidate | Message | Bye} Relayed */
/** @typedef {Ack | Joined | Left | IceServers | ErrorMessage} Reply What answers one message of the client. */
/** @typedef {Welcome | Relayed | PeerJoined | PeerLeft | Reply} ServerMessage */

/** @typedef {(value: unknown) => boolean} Check */

/** @type {Check} */
const isText = (value) => typeof value === 'string';
/** @type {Check} */
const isNumber = (value) => typeof value === 'number';
/** @type {Check} */
const isFlag = (value) => typeof value === 'boolean';
/** @type {Check} */
const isPresent = (value) => value !== undefined;
/** @type {Check} */
const isRef = (value) => isText(value) || isNumber(value);
/** @type {Check} */
const areTexts = (value) => Array.isArray(value) && value.every(isText);
/** @type {Check} */
const areIceServers = (value) =>
  Array.isArray(value) && value.every((server) => isRecord(server) && (isText(server['urls']) || areTexts(server['urls'])));
/** @type {Check} */
const isRate = (value) => isRecord(value) && isNumber(value['messages']) && isNumber(value['burst']);

/** @param {Check} check @returns {Check} */
const optional = (check) => (value) => value === undefined || check(value);

/** @type {Record<ServerMessage['type'], Record<string, Check>>} */
const shapes = {
  welcome: {
    id: isText, resumed: isFlag, iceServers: areIceServers, heartbeat: isNumber, maxMessageBytes: isNumber, rate: optional(isRate),
    resume: optional(isText), resumeWindow: optional(isNumber), accepted: optional(isNumber),
  },
  'ice-servers': { iceServers: areIceServers, ref: optional(isRef) },
  offer: { from: isText, offer: isPresent },
  answer: { from: isText, answer: isPresent },
  candidate: { from: isText, candidate: isPresent },
  message: { room: optional(isText), from: isText, message: isPresent },
  bye: { from: isText },
  joined: { room: isText, peers: areTexts, ref: optional(isRef) },
  left: { room: isText, ref: optional(isRef) },
  'peer-joined': { room: isText, peer: isText },
  'peer-left': { room: isText, peer: isText },
  ack: { ref: isRef, parked: optional(isFlag) },
  error: {
    code: isText, message: isText, to: optional(isText), room: optional(isText), peers: optional(areTexts), ref: optional(isRef),
  },
};

/**
 * Reads one frame. Null for what isn't a message that this version knows: a newer server may say more, and a client passes over it.
 *
 * @param {string} text
 * @returns {ServerMessage | null}
 */
export function parseServerMessage(text) {
  const value = parseJson(text);
  return isRecord(value) && hasShape(value) ? /** @type {ServerMessage} */ (/** @type {unknown} */ (value)) : null;
}

/** @param {Record<string, unknown>} value */
function hasShape(value) {
  const { type } = value;
  if (typeof type !== 'string' || !Object.hasOwn(shapes, type)) return false;
  const shape = shapes[/** @type {ServerMessage['type']} */ (type)];
  return Object.entries(shape).every(([field, check]) => check(value[field]));
}

/** @param {string} text @returns {unknown} */
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
export function isRecord(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Ends each `switch` over messages: a type that was forgotten is an error when types are checked.
 *
 * @param {never} value
 * @returns {never}
 */
export function unreachable(value) {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

/**
 * What is said within a room says so: `"room"` in each offer, answer, candidate and bye. So a call in a room and one on a line are told
 * apart, also between the same two peers.
 */

/** @import { Signaling } from './call.js' */
import { isRecord } from './protocol.js';

/** @param {Signaling} signaling @param {string} room @returns {Signaling} */
export function signalingIn(signaling, room) {
  return {
    get id() {
      return signaling.id;
    },
    offer: (to, offer) => signaling.offer(to, within(room, offer)),
    answer: (to, answer) => signaling.answer(to, within(room, answer)),
    candidate: (to, candidate) => signaling.candidate(to, within(room, candidate ?? { candidate: '' })),
    bye: (to, bye) => signaling.bye(to, within(room, bye ?? {})),
    iceServers: () => signaling.iceServers?.() ?? Promise.resolve([]),
    check: () => signaling.check?.(),
  };
}

/** The room that a message is said in. @param {{ type: string }} message @returns {string | null} null: it is said to a line */
export function roomOf(message) {
  const value = /** @type {Record<string, unknown>} */ (message)[message.type];
  return isRecord(value) && typeof value['room'] === 'string' ? value['room'] : null;
}

/** Descriptions and candidates of browsers know how to become JSON. @param {string} room @param {unknown} value */
function within(room, value) {
  const plain = isRecord(value) && typeof value['toJSON'] === 'function' ? value['toJSON']() : value;
  return isRecord(plain) ? { ...plain, room } : plain;
}

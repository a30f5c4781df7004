/** Why a call ends: what the other side says of it, and what a signaling error means for it. */

/** @import { CallState } from './call.js' */
import { isRecord } from './protocol.js';

/**
 * @typedef {'no-relay' | 'needs-relay' | 'relay-silent' | 'no-path' | 'path-lost'} NoPath
 *   why there is no path between the two. `no-relay`: none was found, and no TURN server was among the ICE servers; `needs-relay`: nor
 *   was one sought, as the policy is `relay`; `relay-silent`: a TURN server was among them, and did not answer; `no-path`: it did, to no
 *   avail; `path-lost`: there was a path, and no other was found.
 */
/**
 * @typedef {'hung-up' | 'remote-hung-up' | 'gone' | 'canceled' | 'declined' | 'busy' | 'no-answer' | 'failed' | 'session-lost' | NoPath
 *   | (string & {})} EndReason
 *   `gone`: the other side was there, and its id is no peer's any more; `canceled`: the caller gave up while it rang here;
 *   `failed`: one of the two browsers can't call, or refused a description, or the ICE servers; `session-lost`: before the two were
 *   connected, one of them lost its session, and with it its id. Any other is the code of a signaling error.
 */

/**
 * @param {unknown} bye the other side's last word
 * @param {{ state: CallState, wasConnected: boolean, whyNoPath(): NoPath }} call
 * @returns {EndReason}
 */
export function reasonOfBye(bye, { state, wasConnected, whyNoPath }) {
  const reason = isRecord(bye) ? bye['reason'] : null;
  if (reason === 'unable') return 'failed';
  if (reason === 'session-lost' && !wasConnected) return reason;
  if (state === 'ringing') return 'canceled';
  if (reason === 'failed') return whyNoPath();
  return reason === 'declined' || reason === 'busy' || reason === 'no-answer' ? reason : 'remote-hung-up';
}

/** An id that we have spoken with is not unknown. @param {string} code @param {boolean} wasConnected @returns {EndReason} */
export function reasonOfError(code, wasConnected) {
  return code === 'peer-unavailable' && wasConnected ? 'gone' : code;
}

/** @param {unknown} error */
export function codeOf(error) {
  return isRecord(error) && typeof error['code'] === 'string' ? error['code'] : 'failed';
}

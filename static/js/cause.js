/**
 * Why there is no connection, in a code and in words, and how patiently to try again.
 * The codes are the server's own where it refused, else those of the two tables here.
 *
 * @typedef {'short' | 'spread' | 'long'} Patience
 *   `short`: it may be back at once; `spread`: all clients come back together, so take more room;
 *   `long`: the same will most likely happen again.
 * @typedef {{ code: string, message: string, patience: Patience, retryAfter?: number, endsSession?: true }} Cause
 *   `retryAfter` is in seconds; `endsSession`: the server keeps nothing for us to come back to.
 */

import { isRecord } from './protocol.js';

/** @type {Record<number, Cause>} */
const closes = {
  1000: { code: 'ended', message: 'the server ended the session', patience: 'spread', endsSession: true },
  1001: { code: 'shut-down', message: 'the server is shutting down', patience: 'long', endsSession: true },
  1002: { code: 'protocol', message: 'the server saw a breach of the WebSocket protocol', patience: 'long', endsSession: true },
  1003: { code: 'protocol', message: 'the server takes no binary frames', patience: 'long', endsSession: true },
  1007: { code: 'protocol', message: 'the server takes only UTF-8', patience: 'long', endsSession: true },
  1008: { code: 'policy', message: 'the server ended the connection: too many refused messages', patience: 'long', endsSession: true },
  1009: { code: 'message-too-large', message: 'a message was too large for the server', patience: 'long', endsSession: true },
  1011: { code: 'server-error', message: 'the server had an internal error', patience: 'spread', endsSession: true },
  1012: { code: 'restarting', message: 'the server is restarting', patience: 'spread' },
  1013: { code: 'server-full', message: 'the server is full', patience: 'spread', endsSession: true },
  4000: { code: 'taken-over', message: 'an earlier attempt of ours to connect has taken the session over', patience: 'short' },
  4001: { code: 'too-slow', message: 'this connection was too slow', patience: 'short' },
  4002: { code: 'silent', message: 'the server saw no sign of life', patience: 'short' },
  4003: { code: 'credentials-expired', message: 'the credentials have expired', patience: 'short' },
};

/** @type {Cause} */
export const lost = { code: 'lost', message: 'the connection was lost', patience: 'short' };

/** The browser keeps the page for "back", and so its session may be kept. @type {Cause} */
export const hidden = { code: 'hidden', message: 'the page was left', patience: 'short' };

/** @type {Cause} */
export const left = { ...hidden, endsSession: true };

/** @type {Cause} */
export const noCredentials = { code: 'no-credentials', message: 'the application gave no credentials that can be offered', patience: 'long' };

/** Both stay as they are for as long as the page does: there is no other attempt. @type {Cause} */
export const insecureUrl = { code: 'insecure-url', message: 'a page over https: may connect to wss: only, and the url begins with ws:', patience: 'long' };

/** @type {Cause} */
export const blockedByPolicy = { code: 'blocked-by-policy', message: 'the content security policy of the page (connect-src) forbids the connection', patience: 'long' };

/**
 * A WebSocket is refused at an address that answers a plain request by "all is well". Once, that may be a moment of bad luck.
 *
 * @type {Cause}
 */
export const refusedThoughWell = { ...lost };

/** @type {Cause} */
export const proxyWithoutWebSockets = {
  code: 'proxy-without-websockets', patience: 'spread',
  message: 'the server answers, but a proxy before it passes no WebSockets on: the headers Upgrade, Connection and Sec-WebSocket-Protocol have to reach it',
};

/** @type {Cause} */
const notSignaling = { code: 'not-signaling', message: 'what answers at this address is no signaling server: its path is /ws', patience: 'long' };

/** @type {Cause} */
export const unreachable = { code: 'unreachable', message: 'the server cannot be reached, or its certificate is not trusted here', patience: 'short' };

/**
 * Why an open connection was closed.
 *
 * @param {number} code
 * @returns {Cause}
 */
export function causeOfClose(code) {
  return closes[code] ?? lost;
}

/**
 * A browser hides from a page why a WebSocket was refused. The same address, asked by a plain GET, says it.
 *
 * @param {string} url of the WebSocket
 * @param {string | null} bearer the credentials that were offered
 * @param {import('./world.js').World['fetch']} fetch
 * @returns {Promise<Cause>}
 */
export async function causeOfRefusal(url, bearer, fetch) {
  try {
    const headers = bearer === null ? {} : { authorization: `Bearer ${bearer}` };
    const response = await fetch(url.replace(/^ws/, 'http'), headers);
    return refusal(response.status, await response.json().catch(() => null));
  } catch {
    return unreachable;
  }
}

/** @param {number} status @param {unknown} body @returns {Cause} */
function refusal(status, body) {
  if (status === 426) return isRecord(body) && body['code'] === 'upgrade-removed' ? proxyWithoutWebSockets : refusedThoughWell;
  if (!isRecord(body) || typeof body['code'] !== 'string' || typeof body['message'] !== 'string') return strange(status);
  const { code, message, retryAfter } = body;
  const patience = status === 503 || status === 429 ? 'spread' : 'long';
  return { code, message, patience, ...(typeof retryAfter === 'number' ? { retryAfter } : {}) };
}

/** Not one of our answers: a proxy's that does not reach us, or those of something else. @param {number} status */
function strange(status) {
  return status === 200 || status === 404 ? notSignaling : unreachable;
}

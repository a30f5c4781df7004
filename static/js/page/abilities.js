/** What the page needs of the browser, looked at once, when it is loaded: what is missing has a name then, and not in the middle of a call. */

/** @import { Phrase } from './words.js' */

/**
 * @typedef {'no-websocket' | 'no-webrtc' | 'no-data-channel' | 'insecure-page' | 'no-media-devices'} Missing
 * @typedef {{
 *   WebSocket?: unknown,
 *   RTCPeerConnection?: { prototype: object },
 *   isSecureContext?: boolean,
 *   navigator: { mediaDevices?: { getUserMedia?: unknown } },
 * }} Scope the window
 */

/** @param {Scope} scope @returns {Missing[]} */
export function missingIn({ WebSocket, RTCPeerConnection, isSecureContext, navigator }) {
  /** @type {[Missing, boolean][]} */
  const needs = [
    ['no-websocket', WebSocket === undefined],
    ['no-webrtc', RTCPeerConnection === undefined],
    ['no-data-channel', RTCPeerConnection !== undefined && !('createDataChannel' in RTCPeerConnection.prototype)],
    ['insecure-page', isSecureContext === false],
    ['no-media-devices', isSecureContext !== false && !navigator.mediaDevices?.getUserMedia],
  ];
  return needs.filter(([, isMissing]) => isMissing).map(([name]) => name);
}

/** Without these there is no call. @param {readonly Phrase[]} missing */
export function canCall(missing) {
  return !missing.includes('no-websocket') && !missing.includes('no-webrtc');
}

/** @param {readonly Phrase[]} missing */
export function hasDevices(missing) {
  return !missing.includes('insecure-page') && !missing.includes('no-media-devices');
}

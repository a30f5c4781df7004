/** The relay (TURN), by which a call goes where no direct path is found: was one offered, and did it answer? */

/** @param {RTCIceServer[]} iceServers */
export function offersRelay(iceServers) {
  return iceServers.flatMap(({ urls }) => urls).some((url) => /^turns?:/i.test(url));
}

/** Only a relay that has answered gives a candidate (`typ`: RFC 8839, section 5.1). @param {RTCIceCandidate | null} candidate */
export function isRelayed(candidate) {
  return / typ relay\b/.test(candidate?.candidate ?? '');
}

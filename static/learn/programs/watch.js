// watch.js: tells all that a connection goes through. In call.js, or wherever
// an RTCPeerConnection is made: import { watch } from './watch.js', watch(it).

const STATES = /** @type {const} */ ([
  'signalingState', // is an answer awaited?
  'iceGatheringState', // are candidates still looked for?
  'iceConnectionState', // has a path been found?
  'connectionState', // … and the encryption agreed upon?
]);

/** @param {RTCPeerConnection} connection @param {(line: string) => void} [tell] */
export function watch(connection, tell = console.log) {
  for (const state of STATES) {
    const type = `${state.toLowerCase()}change`;
    connection.addEventListener(type, () => tell(`${state}: ${connection[state]}`));
  }
  connection.addEventListener('icecandidate', ({ candidate }) => {
    if (candidate?.candidate) tell(`found: ${summary(candidate)}`);
  });
  connection.addEventListener('icecandidateerror', ({ url, errorCode, errorText }) => {
    tell(`no candidate from ${url}: ${errorCode} ${errorText}`);
  });
  connection.addEventListener('connectionstatechange', async () => {
    if (connection.connectionState === 'connected') tell(await path(connection));
  });
}

/** @param {RTCIceCandidate} candidate */
function summary({ type, protocol, address, port }) {
  return `${type} ${protocol} ${address}:${port}`;
}

/** Which pair of candidates was chosen. @param {RTCPeerConnection} connection */
async function path(connection) {
  const stats = [...(await connection.getStats()).values()];
  /** @param {string} id */
  const find = (id) => stats.find((stat) => stat.id === id);
  const chosen = stats.find(({ type }) => type === 'transport')?.selectedCandidatePairId;
  const pair = find(chosen) ?? stats.find(({ selected }) => selected); // Firefox
  const [ours, theirs] = [find(pair?.localCandidateId), find(pair?.remoteCandidateId)];
  return `path: ${ours?.candidateType} to ${theirs?.candidateType}, ${ours?.protocol}`;
}

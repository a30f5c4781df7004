/** A candidate, for people. */

/** @param {RTCIceCandidate} candidate */
export function describeCandidate({ type, protocol, address, port, relatedAddress, relatedPort }) {
  const from = relatedAddress ? ` (${relatedAddress}:${relatedPort ?? 0})` : '';
  return `${type} ${protocol} ${address}:${port}${from}`;
}

/** Tries all that its servers say, without another side. @param {RTCPeerConnection} connection @param {(candidate: RTCIceCandidate) => void} onCandidate */
export async function gather(connection, onCandidate) {
  connection.createDataChannel('any');
  const done = new Promise((resolve) => {
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate === null) resolve(undefined);
      else if (candidate.candidate) onCandidate(candidate);
    });
  });
  await connection.setLocalDescription();
  await done;
}

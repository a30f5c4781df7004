/**
 * Which way the media of a call take, read from `getStats`.
 *
 * @typedef {'direct' | 'stun' | 'turn'} PathKind
 *   `direct`: between addresses that the two sides know themselves; `stun`: to an address that a STUN server told; `turn`: relayed.
 * @typedef {'udp' | 'tcp' | 'tls'} RelayProtocol
 * @typedef {{ kind: PathKind, local: string, remote: string, protocol: string, relayProtocol: RelayProtocol | null }} Path
 *   `protocol`: between the two candidates; `relayProtocol`: what this side speaks with its relay, null if it has none, or the browser
 *   doesn't tell
 */

/** @typedef {Record<string, any> & { id: string, type: string }} Stat */

/**
 * @param {Iterable<Stat>} stats
 * @param {ReadonlyMap<string, string>} [told] the types of the other side's candidates, by their address, as it told them
 * @returns {Path | null} null while no path is chosen
 */
export function pathOf(stats, told = new Map()) {
  const byId = new Map([...stats].map((stat) => [stat.id, stat]));
  const pair = selectedPair(byId);
  const local = byId.get(pair?.['localCandidateId']);
  const remote = byId.get(pair?.['remoteCandidateId']);
  if (!local || !remote) return null;
  const [ours, theirs] = [String(local['candidateType']), typeOf(remote, told)];
  return { kind: kindOf([ours, theirs]), local: ours, remote: theirs, protocol: String(local['protocol']), relayProtocol: relayProtocolOf(local) };
}

/**
 * What has come from the other side so far, over any path, as a sum that grows with every packet of media and every answer to ICE's own
 * questions: the same sum a while later means that nothing comes.
 *
 * @param {Iterable<Stat>} stats
 */
export function receivedOf(stats) {
  const counts = ['bytesReceived', 'requestsReceived', 'responsesReceived'];
  const pairs = [...stats].filter(({ type }) => type === 'candidate-pair');
  return pairs.flatMap((pair) => counts.map((count) => Number(pair[count] ?? 0))).reduce((sum, count) => sum + count, 0);
}

/** The pair that is in use. @param {ReadonlyMap<string, Stat>} byId */
export function selectedPair(byId) {
  const stats = [...byId.values()];
  const transport = stats.find(({ type, ...stat }) => type === 'transport' && stat['selectedCandidatePairId']);
  // Firefox has no transport statistics, and marks the pair itself.
  return byId.get(transport?.['selectedCandidatePairId']) ?? stats.find(({ type, ...stat }) => type === 'candidate-pair' && stat['selected']);
}

/**
 * A check that overtakes its candidate makes the address look like one that was never told (prflx); in Firefox it stays so, and may be a relay's.
 *
 * @param {Stat} remote
 * @param {ReadonlyMap<string, string>} told
 */
function typeOf({ address, port, candidateType }, told) {
  return String((candidateType === 'prflx' && told.get(`${address} ${port}`)) || candidateType);
}

/** @param {readonly string[]} types of both candidates @returns {PathKind} */
export function kindOf(types) {
  if (types.includes('relay')) return 'turn';
  return types.includes('srflx') ? 'stun' : 'direct';
}

/** @param {Stat} local @returns {RelayProtocol | null} */
function relayProtocolOf({ candidateType, relayProtocol }) {
  if (candidateType !== 'relay') return null;
  return relayProtocol === 'udp' || relayProtocol === 'tcp' || relayProtocol === 'tls' ? relayProtocol : null;
}

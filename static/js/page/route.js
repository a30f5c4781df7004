/** The ways that ICE has tried between two machines, from a stats report, and where they are drawn. Pure: no element. */

/** @import { PathKind, Stat } from '../path.js' */
import { kindOf, selectedPair } from '../path.js';
import { endpoint } from './candidate.js';

/** Pairs that are listed, and looked at. */
const MOST_LISTED = 12;
const MOST_PAIRS = 500;

/** @typedef {'chosen' | 'works' | 'waiting' | 'failed'} PairState `works`: answered, and not in use; `waiting`: not tried, or not to the end */
/** @typedef {{ state: PairState, kind: PathKind, local: string, remote: string, roundTrip: number | null }} Pair `roundTrip` in milliseconds */
/** @typedef {{ kind: PathKind, state: PairState, count: number }} Route all pairs of a kind; its state is the best of theirs */
/** @typedef {{ routes: Route[], pairs: Pair[], count: number }} Ways `pairs`: the first of them all, the best first */

/** The best first. @type {PairState[]} */
const states = ['chosen', 'works', 'waiting', 'failed'];
/** @type {readonly PathKind[]} */
export const kinds = ['direct', 'stun', 'turn'];

/** @param {ReadonlyMap<string, Stat>} stats @returns {Ways} */
export function waysOf(stats) {
  const chosen = selectedPair(stats);
  const all = [...stats.values()].filter(({ type }) => type === 'candidate-pair').slice(0, MOST_PAIRS);
  const pairs = all.flatMap((pair) => pairOf(pair, pair.id === chosen?.id, stats)).sort((one, other) => states.indexOf(one.state) - states.indexOf(other.state));
  const routes = kinds.map((kind) => ({ kind, of: pairs.filter((pair) => pair.kind === kind) }));
  return {
    routes: routes.flatMap(({ kind, of: [best, ...others] }) => (best ? [{ kind, state: best.state, count: others.length + 1 }] : [])),
    pairs: pairs.slice(0, MOST_LISTED),
    count: pairs.length,
  };
}

/** @param {Stat} pair @param {boolean} isChosen @param {ReadonlyMap<string, Stat>} stats @returns {Pair[]} none, if a candidate of it is not known */
function pairOf(pair, isChosen, stats) {
  const [local, remote] = [stats.get(pair['localCandidateId']), stats.get(pair['remoteCandidateId'])];
  if (!local || !remote) return [];
  const roundTrip = Number(pair['currentRoundTripTime']) * 1000;
  return [{
    state: isChosen ? 'chosen' : stateOf(pair['state']),
    kind: kindOf([String(local['candidateType']), String(remote['candidateType'])]),
    local: nameOf(local),
    remote: nameOf(remote),
    roundTrip: roundTrip > 0 ? roundTrip : null,
  }];
}

/** @param {unknown} state @returns {PairState} */
function stateOf(state) {
  if (state === 'succeeded') return 'works';
  return state === 'failed' ? 'failed' : 'waiting';
}

/** Browsers keep the addresses of some candidates to themselves. @param {Stat} candidate */
function nameOf({ candidateType, protocol, address, ip, port, relayProtocol }) {
  const by = typeof relayProtocol === 'string' ? ` (${relayProtocol.toUpperCase()})` : '';
  const where = address || ip ? ` ${endpoint(String(address || ip), String(port ?? ''))}` : '';
  return `${String(candidateType)} ${String(protocol ?? '').toUpperCase()}${where}${by}`.slice(0, 90);
}

/** @typedef {{ x: number, y: number }} Point */
/** @typedef {{ you: Point, router: Point, server: Point, otherRouter: Point, other: Point }} Places */

/** In pixels: of the drawing, and of its nodes from the edge. */
export const HEIGHT = 200;
const MARGIN = 48;

/** @param {number} width @returns {Places} */
export function placesIn(width) {
  const right = width - MARGIN;
  const fifth = Math.max(34, width * 0.11);
  return {
    you: { x: MARGIN, y: 148 },
    router: { x: MARGIN + fifth, y: 94 },
    server: { x: width / 2, y: 30 },
    otherRouter: { x: right - fifth, y: 94 },
    other: { x: right, y: 148 },
  };
}

/** Where a route passes, and where its name stands. @param {PathKind} kind @param {Places} places @returns {{ line: Point[], label: Point }} */
export function lineOf(kind, { you, router, server, otherRouter, other }) {
  const middle = server.x;
  if (kind === 'direct') return { line: [you, other], label: { x: middle, y: you.y - 8 } };
  const lift = kind === 'turn' ? -5 : 5;
  const [one, two] = [router, otherRouter].map(({ x, y }) => ({ x, y: y + lift }));
  const between = kind === 'turn' ? [server] : [];
  const label = kind === 'turn' ? { x: middle, y: server.y + 26 } : { x: middle, y: router.y + 21 };
  return { line: [you, /** @type {Point} */ (one), ...between, /** @type {Point} */ (two), other], label };
}

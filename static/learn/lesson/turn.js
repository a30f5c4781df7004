/** TURN: the two find each other by any path, or through the relay alone. */

/** @import { Lesson, Told } from '../live.js' */
/** @import { Scene } from '../scene.js' */
import { pathOf } from '../../js/path.js';
import { serversOf } from '../ice-servers.js';
import { make } from '../make.js';
import { pairOf } from '../pair.js';
import { addRow } from '../scene.js';
import { until } from '../within.js';

/** @param {Scene} scene @param {RTCIceTransportPolicy} iceTransportPolicy @returns {Promise<Told>} */
async function meet(scene, iceTransportPolicy) {
  await scene.connect();
  const iceServers = await scene.alice.client.iceServers();
  if (iceTransportPolicy === 'relay' && serversOf(iceServers, /^turns?:/).length === 0) return 'turn-none';
  const { alice, bob } = pairOf(scene, { iceServers, iceTransportPolicy });
  listCandidates(scene, alice, bob);
  const channel = alice.createDataChannel('chat');
  await alice.setLocalDescription();
  await scene.alice.client.offer(scene.bob.id, alice.localDescription);
  await until(channel, 'open', () => channel.readyState === 'open', 30_000);
  return chosenPath(scene, alice);
}

/** @param {Scene} scene @param {RTCPeerConnection} alice @param {RTCPeerConnection} bob */
function listCandidates(scene, alice, bob) {
  const { say } = scene;
  const body = scene.table(say('candidates'), [say('whose'), say('kind'), say('protocol'), say('address')]);
  for (const [connection, name] of /** @type {const} */ ([[alice, 'alice'], [bob, 'bob']])) {
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate?.candidate) addRow(body, say(name), String(candidate.type), String(candidate.protocol), `${candidate.address} : ${candidate.port}`);
    });
  }
}

/** @param {Scene} scene @param {RTCPeerConnection} connection @returns {Promise<Told>} */
async function chosenPath(scene, connection) {
  const path = pathOf((await connection.getStats()).values());
  if (!path) return 'turn-connected';
  const { local, remote, protocol } = path;
  scene.sequence.addDirect('alice bob', `${local} → ${remote}`);
  scene.showFirst(drawPath(scene, [local, remote]));
  return [path.kind === 'turn' ? 'turn-relayed' : 'turn-direct', { local, remote, protocol }];
}

/** Alice, Bob, and the relay between them if there is one. @param {Scene} scene @param {string[]} kinds */
function drawPath({ say }, kinds) {
  const stops = kinds.includes('relay') ? [say('alice'), say('relay'), say('bob')] : [say('alice'), say('bob')];
  return make('ol', 'stops', ...stops.map((stop) => make('li', '', stop)));
}

/** @type {Lesson} */
export const turn = {
  name: 'turn',
  isSequence: false,
  steps: [
    { name: 'any', run: (scene) => meet(scene, 'all') },
    { name: 'relay', run: (scene) => meet(scene, 'relay') },
  ],
};

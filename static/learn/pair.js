/** Two connections of one page, between which the server carries offer, answer and candidates, each as soon as it is there. */

/** @import { Scene } from './scene.js' */

/** @param {Scene} scene @param {RTCConfiguration} configuration */
export function pairOf(scene, configuration) {
  const [alice, bob] = [scene.connection(configuration), scene.connection(configuration)];
  wire(scene, 'alice', 'bob', alice);
  wire(scene, 'bob', 'alice', bob);
  return { alice, bob };
}

/** @param {Scene} scene @param {'alice' | 'bob'} name @param {'alice' | 'bob'} other @param {RTCPeerConnection} connection */
function wire(scene, name, other, connection) {
  const { client } = scene[name];
  const refused = (/** @type {unknown} */ error) => scene.isClosed || scene.sequence.addNote(name, String(error));
  connection.addEventListener('icecandidate', ({ candidate }) => {
    if (candidate?.candidate) client.candidate(scene[other].id, candidate).catch(refused);
  });
  client.on('candidate', ({ candidate }) => void connection.addIceCandidate(/** @type {any} */ (candidate)).catch(refused));
  client.on('answer', ({ answer }) => void connection.setRemoteDescription(/** @type {any} */ (answer)).catch(refused));
  client.on('offer', async ({ offer }) => {
    await connection.setRemoteDescription(/** @type {any} */ (offer));
    await connection.setLocalDescription();
    client.answer(scene[other].id, connection.localDescription).catch(refused);
  });
}

/** Offer, answer, candidate: each call of the browser's API by itself, with the states in which it leaves the two. */

/** @import { Lesson, Told } from '../live.js' */
/** @import { Scene } from '../scene.js' */
import { describeCandidate } from '../candidate.js';
import { States } from '../states.js';
import { until, within } from '../within.js';

/** A side has a few tens of candidates. */
const MOST_KEPT = 100;

/** The two connections, and what is not yet said. @typedef {{ alice: End, bob: End, channel: RTCDataChannel | null }} Ends */

/** One connection, whose candidates are kept until they may be said. */
class End {
  connection;
  /** @type {RTCIceCandidate[]} */
  #kept = [];
  /** @type {((candidate: RTCIceCandidate) => void) | null} */
  #say = null;
  /** What comes over the other side's data channel. @type {Promise<string>} */
  read;

  /** @param {RTCPeerConnection} connection @param {(candidate: RTCIceCandidate) => void} note */
  constructor(connection, note) {
    this.connection = connection;
    this.read = new Promise((resolve) => {
      connection.ondatachannel = ({ channel }) => void (channel.onmessage = ({ data }) => resolve(String(data)));
    });
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (!candidate?.candidate) return;
      note(candidate);
      if (this.#say) this.#say(candidate);
      else if (this.#kept.length < MOST_KEPT) this.#kept.push(candidate);
    });
  }

  /** @param {(candidate: RTCIceCandidate) => void} say */
  sayCandidates(say) {
    this.#say = say;
    for (const candidate of this.#kept.splice(0)) say(candidate);
  }
}

/** @type {WeakMap<Scene, Ends>} */
const endsOf = new WeakMap();

/** @param {Scene} scene */
function ends(scene) {
  const known = endsOf.get(scene);
  if (!known) throw new Error('the connections are made in an earlier step');
  return known;
}

/** @param {Scene} scene @param {'alice' | 'bob'} name @param {RTCIceServer[]} iceServers */
function end(scene, name, iceServers) {
  const connection = scene.connection({ iceServers });
  scene[name].client.on('candidate', ({ candidate }) => void connection.addIceCandidate(/** @type {any} */ (candidate)).catch(() => {}));
  return new End(connection, (candidate) => scene.sequence.addNote(name, scene.say('found-candidate'), describeCandidate(candidate)));
}

/** @param {Scene} scene @returns {Promise<Told>} */
async function create(scene) {
  const iceServers = await scene.alice.client.iceServers();
  const made = { alice: end(scene, 'alice', iceServers), bob: end(scene, 'bob', iceServers), channel: null };
  endsOf.set(scene, made);
  new States(scene, made.alice.connection, made.bob.connection);
  for (const name of /** @type {const} */ (['alice', 'bob'])) scene.sequence.addNote(name, 'new RTCPeerConnection');
  return 'offer-create-done';
}

/** @param {Scene} scene @returns {Promise<Told>} */
async function describe(scene) {
  const both = ends(scene);
  both.channel = both.alice.connection.createDataChannel('chat');
  scene.sequence.addNote('alice', 'createDataChannel');
  await both.alice.connection.setLocalDescription();
  scene.sequence.addNote('alice', 'setLocalDescription', both.alice.connection.localDescription?.sdp ?? '');
  return 'offer-describe-done';
}

/** @param {Scene} scene @returns {Promise<Told>} */
async function sendOffer(scene) {
  const { alice, bob } = ends(scene);
  const heard = scene.bob.next('offer');
  await scene.alice.client.offer(scene.bob.id, alice.connection.localDescription);
  const { offer } = await heard;
  await bob.connection.setRemoteDescription(/** @type {any} */ (offer));
  scene.sequence.addNote('bob', 'setRemoteDescription');
  return 'offer-offer-done';
}

/** @param {Scene} scene @returns {Promise<Told>} */
async function answer(scene) {
  const { alice, bob } = ends(scene);
  await bob.connection.setLocalDescription();
  scene.sequence.addNote('bob', 'setLocalDescription', bob.connection.localDescription?.sdp ?? '');
  const heard = scene.alice.next('answer');
  await scene.bob.client.answer(scene.alice.id, bob.connection.localDescription);
  const { answer } = await heard;
  await alice.connection.setRemoteDescription(/** @type {any} */ (answer));
  scene.sequence.addNote('alice', 'setRemoteDescription');
  return 'offer-answer-done';
}

/** @param {Scene} scene @returns {Promise<Told>} */
async function candidates(scene) {
  const { alice, bob } = ends(scene);
  alice.sayCandidates((candidate) => void scene.alice.client.candidate(scene.bob.id, candidate).catch(() => {}));
  bob.sayCandidates((candidate) => void scene.bob.client.candidate(scene.alice.id, candidate).catch(() => {}));
  for (const { connection } of [alice, bob]) {
    await until(connection, 'connectionstatechange', () => connection.connectionState === 'connected');
  }
  scene.sequence.addDirect('alice bob', scene.say('connected'));
  return 'offer-candidates-done';
}

/** @param {Scene} scene @returns {Promise<Told>} */
async function hello(scene) {
  const { channel, bob } = ends(scene);
  if (!channel) throw new Error('no channel');
  await until(channel, 'open', () => channel.readyState === 'open');
  channel.send(scene.say('hello-direct'));
  scene.sequence.addDirect('alice bob', scene.say('chat'), await within(bob.read, 'message'));
  return 'offer-hello-done';
}

/** @type {Lesson} */
export const offer = {
  name: 'offer',
  isSequence: true,
  steps: [
    { name: 'connect', run: (scene) => scene.connect().then(() => 'offer-connect-done') },
    { name: 'create', run: create },
    { name: 'describe', run: describe },
    { name: 'offer', run: sendOffer },
    { name: 'answer', run: answer },
    { name: 'candidates', run: candidates },
    { name: 'hello', run: hello },
  ],
};

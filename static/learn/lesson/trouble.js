/** What goes wrong: the usual mistakes, made on purpose, and all that `programs/watch.js` tells of them. */

/** @import { Lesson, Told } from '../live.js' */
/** @import { Scene } from '../scene.js' */
import { SignalingError } from '../../js/client.js';
import { gather } from '../candidate.js';
import { serversOf } from '../ice-servers.js';
import { make } from '../make.js';
import { pairOf } from '../pair.js';
import { watch } from '../programs/watch.js';
import { until, within } from '../within.js';

/** A connection tells a few tens of lines. */
const MOST_LINES = 100;
/** In milliseconds. Browsers give up a search without a result after some tens of seconds. */
const UNTIL_GIVEN_UP = 60_000;
/** In milliseconds: a pair on one machine is found in a fraction of it. */
const LONG_ENOUGH = 5000;
const STRANGER = '00000000-0000-0000-0000-000000000000';

/** The console of this live part. @param {Scene} scene */
function consoleOf(scene) {
  const list = make('ol', 'console-lines');
  list.tabIndex = 0;
  list.setAttribute('aria-label', scene.say('console'));
  scene.show(list);
  return (/** @type {string} */ line) => {
    if (list.childElementCount < MOST_LINES) list.append(make('li', '', line));
    list.scrollTop = list.scrollHeight;
  };
}

/** What a promise was rejected with, as a console shows it. @param {Promise<unknown>} promise */
async function refusal(promise) {
  const error = await promise.then(() => null, (reason) => reason);
  if (error === null) throw new Error('it was not refused');
  return error instanceof Error || error instanceof DOMException ? `${error.name}: ${error.message}` : String(error);
}

/** @param {Scene} scene @returns {Promise<Told>} */
async function wrongId(scene) {
  const tell = consoleOf(scene);
  await scene.connect();
  const error = await scene.alice.client.offer(STRANGER, { type: 'offer', sdp: '' }).catch((reason) => reason);
  tell(error instanceof SignalingError ? `${error.code}: ${error.message}` : String(error));
  return 'trouble-wrong-id-done';
}

/** @param {Scene} scene @returns {Promise<Told>} */
async function tooEarly(scene) {
  const tell = consoleOf(scene);
  const candidate = { candidate: 'candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host', sdpMid: '0' };
  tell(await refusal(scene.connection().addIceCandidate(candidate)));
  return 'trouble-too-early-done';
}

/** @param {Scene} scene @returns {Promise<Told>} */
async function noOffer(scene) {
  const tell = consoleOf(scene);
  const [alice, bob] = [scene.connection(), scene.connection()];
  alice.createDataChannel('chat');
  await bob.setRemoteDescription(await alice.createOffer());
  tell(await refusal(alice.setRemoteDescription(await bob.createAnswer())));
  return 'trouble-no-offer-done';
}

/** Offer and answer arrive, the candidates do not. @param {Scene} scene @returns {Promise<Told>} */
async function noCandidates(scene) {
  const alice = await withAnswer(scene);
  await new Promise((done) => setTimeout(done, LONG_ENOUGH));
  return ['trouble-no-candidates-done', { state: alice.iceConnectionState }];
}

/** One candidate arrives, of an address that is reserved for documentation, where nothing answers. @param {Scene} scene @returns {Promise<Told>} */
async function nowhere(scene) {
  const alice = await withAnswer(scene);
  await alice.addIceCandidate({ candidate: 'candidate:1 1 udp 2122260223 198.51.100.1 50000 typ host', sdpMid: '0' });
  // Chromium calls the search `disconnected` for a while yet, when the connection has `failed`.
  await until(alice, 'connectionstatechange', () => alice.connectionState === 'failed', UNTIL_GIVEN_UP);
  return 'trouble-nowhere-done';
}

/** Two that have described themselves, and know no address of each other. @param {Scene} scene */
async function withAnswer(scene) {
  const tell = consoleOf(scene);
  const [alice, bob] = [scene.connection(), scene.connection()];
  watch(alice, tell);
  alice.createDataChannel('chat');
  await alice.setLocalDescription();
  await bob.setRemoteDescription(withoutCandidates(alice.localDescription));
  await bob.setLocalDescription();
  await alice.setRemoteDescription(withoutCandidates(bob.localDescription));
  return alice;
}

/** @param {RTCSessionDescription | null} description @returns {RTCSessionDescriptionInit} */
function withoutCandidates(description) {
  const { type = 'offer', sdp = '' } = description ?? {};
  return { type, sdp: sdp.replace(/^a=(candidate|end-of-candidates).*\r\n/gm, '') };
}

/** @param {Scene} scene @returns {Promise<Told>} */
async function wrongPassword(scene) {
  const tell = consoleOf(scene);
  await scene.alice.connect();
  const servers = serversOf(await scene.alice.client.iceServers(), /^turn:.*udp/);
  if (servers.length === 0) return 'turn-none';
  const iceServers = servers.map((server) => ({ ...server, credential: 'wrong' }));
  const connection = scene.connection({ iceServers, iceTransportPolicy: 'relay' });
  watch(connection, tell);
  await within(gather(connection, () => {}), 'candidates', UNTIL_GIVEN_UP);
  return 'trouble-wrong-password-done';
}

/** Bob is gone without a word, as when a train enters a tunnel. @param {Scene} scene @returns {Promise<Told>} */
async function gone(scene) {
  const tell = consoleOf(scene);
  await scene.connect();
  const { alice, bob } = pairOf(scene, { iceServers: await scene.alice.client.iceServers() });
  watch(alice, tell);
  const channel = alice.createDataChannel('chat');
  channel.addEventListener('close', () => tell('channel: close'));
  await alice.setLocalDescription();
  await scene.alice.client.offer(scene.bob.id, alice.localDescription);
  await until(channel, 'open', () => channel.readyState === 'open');
  bob.close();
  const isOver = () => channel.readyState === 'closed' || ['disconnected', 'failed', 'closed'].includes(alice.connectionState);
  await Promise.race([until(channel, 'close', isOver, UNTIL_GIVEN_UP), until(alice, 'connectionstatechange', isOver, UNTIL_GIVEN_UP)]);
  return 'trouble-gone-done';
}

/** @type {Lesson} */
export const trouble = {
  name: 'trouble',
  isSequence: false,
  steps: [
    { name: 'wrong-id', run: wrongId },
    { name: 'too-early', run: tooEarly },
    { name: 'no-offer', run: noOffer },
    { name: 'no-candidates', run: noCandidates },
    { name: 'nowhere', run: nowhere },
    { name: 'wrong-password', run: wrongPassword },
    { name: 'gone', run: gone },
  ],
};

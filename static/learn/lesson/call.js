/** A call between the two, by the very client that the reader copies: `programs/peer.js`. Pictures are drawn: no camera is asked for. */

/** @import { Lesson, Told } from '../live.js' */
/** @import { Scene } from '../scene.js' */
/** @import { Kind } from '../programs/peer.js' */
import { make } from '../make.js';
import { picture } from '../picture.js';
import { Peer } from '../programs/peer.js';
import { until, within } from '../within.js';

const MOST_WAITING = 100;

/** @typedef {{ peer: Peer, video: HTMLVideoElement, connected: Promise<void> }} Phone */
/** @typedef {{ alice: Phone | null, bob: Phone | null, waiting: [Kind, unknown][], iceServers: RTCIceServer[], place: HTMLElement }} Call */

/** @type {WeakMap<Scene, Call>} */
const calls = new WeakMap();

/** @param {Scene} scene */
function callOf(scene) {
  const call = calls.get(scene);
  if (!call) throw new Error('the call is made in an earlier step');
  return call;
}

/** @param {Scene} scene @returns {Promise<Told>} */
async function connect(scene) {
  const place = make('div', 'two-pictures');
  scene.show(place);
  await scene.connect();
  const iceServers = await scene.alice.client.iceServers();
  calls.set(scene, { alice: null, bob: null, waiting: [], iceServers, place });
  listen(scene, 'alice');
  listen(scene, 'bob');
  return 'call-connect-done';
}

/** What the other side says goes to the peer, or waits for it. @param {Scene} scene @param {'alice' | 'bob'} name */
function listen(scene, name) {
  const call = callOf(scene);
  /** @param {Kind} kind @param {unknown} value */
  const hear = (kind, value) => {
    const phone = call[name];
    if (phone) void phone.peer.hear(kind, value).catch((error) => scene.sequence.addNote(name, String(error)));
    else if (call.waiting.length < MOST_WAITING) call.waiting.push([kind, value]);
  };
  const { client } = scene[name];
  client.on('offer', ({ offer }) => hear('offer', offer));
  client.on('answer', ({ answer }) => hear('answer', answer));
  client.on('candidate', ({ candidate }) => hear('candidate', candidate));
}

/** A side of the call: its drawn picture, and the connection. @param {Scene} scene @param {'alice' | 'bob'} name @param {'alice' | 'bob'} other */
function pickUp(scene, name, other) {
  const call = callOf(scene);
  const stream = picture(scene.say(name), scene);
  const video = make('video', '');
  video.muted = video.autoplay = video.playsInline = true;
  video.setAttribute('aria-label', scene.say('sees', { name: scene.say(name) }));
  call.place.append(make('figure', '', video, make('figcaption', 'hint', scene.say('sees', { name: scene.say(name) }))));
  const changes = new EventTarget();
  let state = 'new';
  const peer = new Peer({
    iceServers: call.iceServers,
    stream,
    say: (kind, value) => void scene[name].client[kind](scene[other].id, value).catch(() => {}),
    onStream: (remote) => void (video.srcObject = remote),
    onState: (now) => {
      state = now;
      scene.sequence.addNote(name, now);
      changes.dispatchEvent(new Event('state'));
    },
  });
  scene.onClose(() => peer.close());
  const connected = until(changes, 'state', () => state === 'connected', 60_000);
  connected.catch(() => {});
  call[name] = { peer, video, connected };
  return call[name];
}

/** @param {Scene} scene @returns {Promise<Told>} */
async function ring(scene) {
  const rings = scene.bob.next('offer');
  await pickUp(scene, 'alice', 'bob').peer.call();
  await rings;
  return 'call-ring-done';
}

/** @param {Scene} scene @returns {Promise<Told>} */
async function accept(scene) {
  const call = callOf(scene);
  const bob = pickUp(scene, 'bob', 'alice');
  const waited = call.waiting.length;
  for (const [kind, value] of call.waiting.splice(0)) await bob.peer.hear(kind, value);
  for (const { connected, video } of [call.alice, bob].filter((phone) => phone !== null)) {
    await within(connected, 'connected');
    await until(video, 'resize', () => video.videoWidth > 0);
  }
  scene.sequence.addDirect('alice bob', scene.say('pictures'));
  return ['call-accept-done', { waited }];
}

/** @param {Scene} scene @returns {Promise<Told>} */
async function hangUp(scene) {
  const call = callOf(scene);
  const heard = scene.alice.next('bye');
  await scene.bob.client.bye(scene.alice.id);
  await heard;
  for (const phone of [call.alice, call.bob]) phone?.peer.close();
  for (const video of call.place.querySelectorAll('video')) video.srcObject = null;
  return 'call-hang-up-done';
}

/** @type {Lesson} */
export const call = {
  name: 'call',
  isSequence: true,
  steps: [
    { name: 'connect', run: connect },
    { name: 'ring', run: ring },
    { name: 'accept', run: accept },
    { name: 'hang-up', run: hangUp },
  ],
};

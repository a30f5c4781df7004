/** The states of two connections, side by side, as they change. */

/** @import { Scene } from './scene.js' */
import { make } from './make.js';

const STATES = /** @type {const} */ (['signalingState', 'iceGatheringState', 'iceConnectionState', 'connectionState']);

export class States {
  /** @param {Scene} scene @param {RTCPeerConnection} alice @param {RTCPeerConnection} bob */
  constructor(scene, alice, bob) {
    const body = scene.table(scene.say('states'), ['', scene.say('alice'), scene.say('bob')]);
    for (const state of STATES) {
      body.append(make('tr', '', make('td', '', state), cell(alice, state), cell(bob, state)));
    }
  }
}

/** @param {RTCPeerConnection} connection @param {(typeof STATES)[number]} state */
function cell(connection, state) {
  const shown = make('td', 'state', connection[state]);
  connection.addEventListener(`${state.toLowerCase()}change`, () => void (shown.textContent = connection[state]));
  return shown;
}

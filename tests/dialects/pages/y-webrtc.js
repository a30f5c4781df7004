/** A page whose document is shared through y-webrtc. */

import { WebrtcProvider } from 'y-webrtc';
import * as Y from 'yjs';

/** @type {string[]} */
const heard = [];

/** @type {WebrtcProvider} */
let provider;

const doc = new Y.Doc();
const map = doc.getMap('shared');

/** @param {string} room @param {string} signaling @param {string | null} password */
function open(room, signaling, password) {
  provider = new WebrtcProvider(room, doc, {
    signaling: [signaling],
    ...(password === null ? {} : { password }),
    peerOpts: { config: { iceServers: [] } },
  });
  provider.on('peers', ({ webrtcPeers }) => heard.push(`peers: ${webrtcPeers.length}`));
}

/** @param {string} key @param {string} value */
function write(key, value) {
  map.set(key, value);
}

const read = () => map.toJSON();
const isConnected = () => provider.signalingConns[0]?.connected ?? false;

Object.assign(globalThis, { rig: { heard, open, write, read, isConnected } });

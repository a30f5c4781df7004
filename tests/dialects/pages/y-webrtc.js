/** A page whose document is shared through y-webrtc. */

import { WebrtcProvider } from 'y-webrtc';
import * as Y from 'yjs';

/** @type {string[]} */
const heard = [];

/** @type {WebrtcProvider} */
let provider;

/** How often its signaling has been connected, of the provider that came last. */
let connections = 0;

const doc = new Y.Doc();
const map = doc.getMap('shared');

/** @param {string} room @param {string} signaling @param {string | null} password */
function open(room, signaling, password) {
  connections = 0;
  provider = new WebrtcProvider(room, doc, {
    signaling: [signaling],
    ...(password === null ? {} : { password }),
    peerOpts: { config: { iceServers: [] } },
  });
  provider.on('peers', ({ webrtcPeers }) => heard.push(`peers: ${webrtcPeers.length}`));
  provider.signalingConns[0].on('connect', () => connections++);
}

/** @param {string} key @param {string} value */
function write(key, value) {
  map.set(key, value);
}

const read = () => map.toJSON();

/** Connected, and its room is announced: with a password that takes longer, since its key is derived meanwhile. */
const isAnnounced = () => provider.connected && provider.signalingConns[0].connected;

Object.assign(globalThis, { rig: { heard, open, write, read, isAnnounced, connections: () => connections } });

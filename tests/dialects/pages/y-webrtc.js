/** A page whose document is shared through y-webrtc. */

import { WebrtcProvider } from 'y-webrtc';
import * as Y from 'yjs';

/** @type {string[]} */
const heard = [];

const doc = new Y.Doc();
const map = doc.getMap('shared');

/** @param {string} room @param {string} signaling @param {string | null} password */
function open(room, signaling, password) {
  const provider = new WebrtcProvider(room, doc, {
    signaling: [signaling],
    ...(password === null ? {} : { password }),
    peerOpts: { config: { iceServers: [] } },
  });
  provider.on('peers', ({ webrtcPeers }) => heard.push(`peers: ${webrtcPeers.length}`));
  provider.on('status', ({ connected }) => heard.push(`connected: ${connected}`));
}

/** @param {string} key @param {string} value */
function write(key, value) {
  map.set(key, value);
}

const read = () => map.toJSON();

Object.assign(globalThis, { rig: { heard, open, write, read } });

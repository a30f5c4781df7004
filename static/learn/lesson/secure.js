/** HTTPS: what the browser gives to this page, as it came. */

/** @import { Lesson, Told } from '../live.js' */
/** @import { Scene } from '../scene.js' */
import { addRow } from '../scene.js';

/** What is asked for, and whether there is one. @type {[name: string, isThere: () => boolean][]} */
const abilities = [
  ['window.isSecureContext', () => window.isSecureContext],
  ['RTCPeerConnection', () => 'RTCPeerConnection' in window],
  ['navigator.mediaDevices', () => 'mediaDevices' in navigator],
  ['navigator.clipboard', () => 'clipboard' in navigator],
  ['crypto.subtle', () => crypto.subtle !== undefined],
];
/** Those that the standards give to secure contexts alone. */
const secureOnly = ['window.isSecureContext', 'navigator.mediaDevices', 'navigator.clipboard', 'crypto.subtle'];

/** @param {Scene} scene @returns {Promise<Told>} */
async function look(scene) {
  const { say } = scene;
  const here = `${location.protocol}//${location.host}`;
  const body = scene.table(say('secure-table'), ['', say('secure-here', { here }), say('secure-http')]);
  for (const [name, isThere] of abilities) {
    addRow(body, name, say(isThere() ? 'yes' : 'no'), say(secureOnly.includes(name) ? 'no' : 'yes'));
  }
  return window.isSecureContext ? 'secure-look-done' : 'secure-look-insecure';
}

/** @type {Lesson} */
export const secure = { name: 'secure', isSequence: false, steps: [{ name: 'look', run: look }] };

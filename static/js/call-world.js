/** What calls take from their surroundings, in a browser. */

/** @import { CallWorld } from './call.js' */
import { clock, page } from './world.js';

/** @type {CallWorld} */
export const browser = {
  ...clock,
  page,
  createConnection: (configuration) => new RTCPeerConnection(configuration),
  isAble: () => 'RTCPeerConnection' in globalThis,
};

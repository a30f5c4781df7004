/** Calls whose media may go no way but through a TURN server: the one in the program, and coturn. */

import { after, before, describe, test } from 'node:test';

import { Coturn } from './coturn.js';
import { pairs, whole } from './kinds.js';
import { freePort } from './port.js';
import { all, connect, scene, serve } from './scene.js';

/** Firefox (seen in 153) does not even try TURN over TLS at a server that is known by its address alone. */
const NAMED = { name: 'localhost' };
const transports = { UDP: /^turn:.*=udp$/, TCP: /^turn:.*=tcp$/, TLS: /^turns:/ };

describe('through the relay in the program', () => {
  serve(async () => ['--stun-port', `${await freePort()}`, '--turn', '--turn-allow-peer', '127.0.0.0/8'], NAMED);
  for (const transport of /** @type {const} */ (['UDP', 'TCP', 'TLS'])) callOver(transport);
});

describe('through coturn, which shares our secret', () => {
  /** @type {Coturn} */
  let coturn;
  before(async () => void (coturn = await Coturn.start()));
  after(() => coturn?.close());
  serve(() => [
    '--stun-port', '0', '--turn-secret-file', coturn.secretFile,
    '--ice-server', `turn:127.0.0.1:${coturn.port}?transport=udp`, '--ice-server', `turn:127.0.0.1:${coturn.port}?transport=tcp`,
  ], NAMED);
  for (const transport of /** @type {const} */ (['UDP', 'TCP'])) callOver(transport);
});

/** @param {keyof typeof transports} transport */
function callOver(transport) {
  for (const [caller, callee] of whole ? pairs : pairs.slice(0, 1)) {
    test(`${caller} and ${callee} see each other over TURN by ${transport} alone`, scene([caller, callee], async (alice, bob) => {
      await all([alice, bob], (peer) => peer.useOnly(transports[transport]));
      await connect(alice, bob);
      await all([alice, bob], (peer) => peer.seesTheOther());
      await all([alice, bob], (peer) => peer.isConnectedBy(new RegExp(`TURN.*${transport}`)));
    }, '?relay'));
  }
}

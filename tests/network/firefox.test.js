/** Firefox, which seeks its paths otherwise than Chromium: with itself and with Chromium, by a server in public. */

/** @import { Vehicle } from '../browser/browsers.js' */
import { test } from 'node:test';

import { all, connect } from '../browser/scene.js';
import { files } from './certificate.js';
import { flags } from './document.js';
import { between, inPublic, stand } from './homes.js';
import { alike, canPunch, chosen, few, pairsOf } from './pairs.js';

/** @type {[left: Vehicle, right: Vehicle][]} */
const couples = [['firefox', 'chromium'], ['firefox', 'firefox']];

stand(inPublic(flags('In public', files)));

for (const [left, right] of chosen(pairsOf(few), alike(few))) {
  for (const browsers of couples) {
    test(`a call connects ${browsers[0]} in ${left} and ${browsers[1]} in ${right}`, between(left, right, async (alice, bob) => {
      await connect(alice, bob);
      await all([alice, bob], (peer) => peer.seesTheOther());
      await all([alice, bob], (peer) => peer.isConnectedBy(canPunch([left, right]) ? /\w/ : /TURN/));
    }, browsers));
  }
}

/** Files that are on their way when the network is cut. */

/** @import { Vehicle } from '../browser/browsers.js' */
/** @import { Peer } from '../browser/peer.js' */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from '../browser/deadline.js';
import { choose, connectForFiles, expected, fileReaches, press, saved } from '../browser/file.js';
import { all } from '../browser/scene.js';
import { files } from './certificate.js';
import { flags } from './document.js';
import { between, cut, inPublic, mend, stand } from './homes.js';

/** In bytes: 200 MB where everything is tried, as `make test-network-all` does. */
const SIZE = process.env['WHOLE'] === '1' ? 200_000_000 : 20_000_000;
/** In seconds: on a machine that encodes two pictures beside it. */
const PATIENCE = SIZE / 400_000;
/** In seconds: long enough that both browsers notice. */
const CUT = 8;

stand(inPublic(flags('In public', files)));

/** What is on its way in both directions, in bytes. @param {Peer} peer */
function moved({ page }) {
  return page.$$eval('#files progress', (bars) => bars.reduce((sum, bar) => sum + /** @type {HTMLProgressElement} */ (bar).value, 0));
}

/** @type {Vehicle[][]} */
const pairs = [['chromium', 'chromium'], ['chromium', 'firefox']];

for (const browsers of pairs) {
  test(`a file each way, between ${browsers.join(' and ')}, goes on where the network was cut in the middle`, between('an open network', 'an open network', async (alice, bob) => {
    await connectForFiles(alice, bob);
    await choose(alice, 'there', SIZE);
    await fileReaches(bob, 'there', 'offered');
    await press(bob, 'there', 'Accept');
    await choose(bob, 'back', SIZE + 1);
    await fileReaches(alice, 'back', 'offered');
    await press(alice, 'back', 'Accept');
    await until(PATIENCE, 'a part to be there', async () => `${await moved(alice)}`, async () => (await moved(alice)) > SIZE / 5);
    cut('left');
    const [still, since] = [await moved(alice), Date.now()];
    await until(2 * CUT, 'the cut to last', async () => `${await moved(alice)}`, async () => Date.now() - since > CUT * 1000);
    assert.ok((await moved(alice)) - still < SIZE, 'nothing came meanwhile but what was on its way');
    mend('left', 'an open network');
    for (const name of ['there', 'back']) await all([alice, bob], (peer) => fileReaches(peer, name, 'done', PATIENCE));
    assert.deepEqual(await saved(bob, 'there'), await expected(SIZE));
    assert.deepEqual(await saved(alice, 'back'), await expected(SIZE + 1));
  }, browsers));
}

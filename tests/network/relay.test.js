/** Two browsers that reach the server, and not each other. */

import { describe, test } from 'node:test';

import { all, connect } from '../browser/scene.js';
import { between, inPublic, stand } from './homes.js';
import { settledPath } from './path.js';

const alone = /** @type {const} */ ('a network that reaches the server alone');

/** Until a page gives up: the patience of two attempts. In seconds. */
const GIVES_UP = 90;

describe('a server without TURN', () => {
  stand(inPublic(['--listen', '0.0.0.0:443']));

  test('leaves two who reach it alone without a call, and the page says in words why', between(alone, alone, async (alice, bob) => {
    await alice.call(await bob.id());
    await bob.accept();
    await all([alice, bob], (peer) => peer.reaches('ready', GIVES_UP));
    await all([alice, bob], (peer) => peer.isTold(/no path .* offers no relay \(TURN\)/i));
  }));
});

describe('a server with TURN', () => {
  stand(inPublic(['--listen', '0.0.0.0:443', '--turn']));

  test('connects two who reach it alone', between(alone, alone, async (alice, bob) => {
    await connect(alice, bob);
    await all([alice, bob], (peer) => peer.seesTheOther());
    await all([alice, bob], ({ page }) => settledPath(page, 'through a relay'));
  }));
});

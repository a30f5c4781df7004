/** entremise's credentials at a real coturn with the same secret. */

import { after, before, describe, test } from 'node:test';

import { Coturn } from '../browser/coturn.js';
import { Server } from '../browser/server.js';
import { assertRefuses, assertRelays } from './client.js';
import { credentials } from './site.js';
import { Echo } from './tool.js';

describe('an external coturn that shares our secret', { concurrency: true }, () => {
  /** @type {Coturn} */
  let coturn;
  /** @type {Server} */
  let server;
  /** @type {Echo} */
  let echo;
  /** @type {import('./client.js').Address} */
  let address;
  /** @type {import('./client.js').Address} */
  let peer;

  before(async () => {
    coturn = await Coturn.start();
    echo = await Echo.start('127.0.0.1');
    address = { ip: '127.0.0.1', port: coturn.port };
    peer = { ip: '127.0.0.1', port: echo.port };
    server = await Server.start(['--stun-port', '0', '--turn-secret-file', coturn.secretFile, '--ice-server', `turn:127.0.0.1:${coturn.port}`]);
  });
  after(() => Promise.all([server?.close(), echo?.close(), coturn?.close()]));

  test('takes the user and password of GET /ice over UDP', async () => assertRelays(address, peer, await credentials(server)));

  test('takes them over TCP', async () => assertRelays(address, peer, await credentials(server), { flags: ['-t'] }));

  test('refuses them with another expiry', async () => {
    const { username, password } = await credentials(server);
    await assertRefuses(address, peer, { username: username.replace(/^\d+/, (expiry) => String(Number(expiry) + 1)), password });
  });
});

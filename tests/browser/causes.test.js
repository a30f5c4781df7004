/** Why there is no connection: what stands between the page and the server, and what the person reads of it. */

/** @import { Peer } from './peer.js' */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { HttpProxy } from './http-proxy.js';
import { scene, serve, server } from './scene.js';
import { program, Server } from './server.js';

/** What a browser says of a WebSocket that is refused, and of our asking for the reason. */
const refused = /ERR_|WebSocket connection to|can.t establish a connection|\b(401|426)\b/;

describe('a proxy before the server', () => {
  serve();

  /** @type {[lost: 'upgrade' | 'sec-websocket-protocol', kinds: readonly ('chromium' | 'firefox')[]][]} */
  const proxies = [
    ['upgrade', ['chromium', 'firefox']],
    // Firefox takes a WebSocket without the protocol that it asked for: then there is a session, without resume.
    ['sec-websocket-protocol', ['chromium']],
  ];
  for (const [lost, kinds] of proxies) {
    for (const kind of kinds) {
      test(`that takes ${lost} away is named to the person (${kind})`, scene([kind], async (alice) => {
        alice.expect(refused);
        const proxy = await HttpProxy.start(server, lost);
        try {
          await alice.page.goto(proxy.url);
          await alice.isTold(/it answers, but a proxy before it passes no WebSockets on; .*Upgrade and Sec-WebSocket-Protocol/);
        } finally {
          await proxy.close();
        }
      }));
    }
  }
});

describe('what the browser forbids', () => {
  serve();

  /** @type {import('node:https').Server} */
  let elsewhere;
  /** @type {string} */
  let pageElsewhere;
  before(async () => {
    const identity = { cert: await readFile(server.certificate), key: await readFile(server.key) };
    elsewhere = createServer(identity, (_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html>'));
    await once(elsewhere.listen(0, '127.0.0.1'), 'listening');
    pageElsewhere = `https://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (elsewhere.address()).port}/`;
  });
  after(() => elsewhere?.close());

  /** What becomes of a client there. @param {Peer} peer @param {string} page over https @param {string} url of the client's server */
  async function statesOn({ page: tab }, page, url) {
    await tab.goto(page);
    return tab.evaluate(async (module, url) => {
      const { Client } = await import(module);
      const client = new Client({ url });
      /** @type {unknown[]} */
      const states = [];
      client.on('state', (/** @type {any} */ { state, cause }) => states.push([state, cause?.code ?? null]));
      client.connect();
      const until = Date.now() + 10_000;
      while (client.state !== 'closed' && Date.now() < until) await new Promise((done) => setTimeout(done, 50));
      return states;
    }, `${server.url}js/client.js`, url);
  }

  for (const kind of /** @type {const} */ (['chromium', 'firefox'])) {
    test(`is a cause of its own, and not tried for ever: ws: from a page over https (${kind})`, scene([kind], async (alice) => {
      alice.expect(/./);
      assert.deepEqual(await statesOn(alice, pageElsewhere, 'ws://signaling.example/ws'), [['connecting', null], ['closed', 'insecure-url']]);
    }));

    test(`is another if the page’s content security policy forbids it (${kind})`, scene([kind], async (alice) => {
      alice.expect(/./);
      assert.deepEqual(await statesOn(alice, server.url, 'wss://signaling.example/ws'), [['connecting', null], ['closed', 'blocked-by-policy']]);
    }));
  }
});

describe('a server that asks for a token', () => {
  /** @type {string} */
  let folder;
  /** @type {string} */
  let secret;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entremise-token-'));
    secret = join(folder, 'secret');
    await writeFile(secret, 'thirty-two bytes are just enough for a test');
    // With credentials no certificate is made for development: here it is one that was made without them.
    const other = await Server.start(['--stun-port', '0']);
    await copyFile(other.certificate, join(folder, 'cert.pem'));
    await copyFile(other.key, join(folder, 'key.pem'));
    await other.close();
  });
  after(() => rm(folder, { recursive: true, force: true }));
  serve(() => ['--stun-port', '0', '--auth-jwt-secret-file', secret, '--cert', join(folder, 'cert.pem'), '--key', join(folder, 'key.pem')]);

  const token = () => execFileSync(program, ['token', '--secret-file', secret, '--subject', 'alice', '--ttl', '600'], { encoding: 'utf8' }).trim();

  test('is given one in the page, which has an id then, and keeps it when it is loaded anew', scene(['chromium'], async (alice) => {
    alice.expect(refused);
    await alice.isTold(/it asks for a token that is valid/);
    await alice.page.waitForSelector('#token-form', { visible: true });
    await alice.paste('#token', 'not.a.token');
    await alice.page.keyboard.press('Enter');
    await alice.isTold(/it asks for a token that is valid/);
    await alice.paste('#token', ` Bearer ${token()} `);
    await alice.page.keyboard.press('Enter');
    await alice.id();
    await alice.page.waitForSelector('#token-form', { hidden: true });
    await alice.page.reload();
    await alice.id();
  }));

  test('says why in the language of the page', scene(['chromium-in-french'], async (alice) => {
    alice.expect(refused);
    await alice.isTold(/Pas de connexion au serveur\s: il demande un jeton valable\./);
    assert.equal(await alice.text('#token-heading'), 'Ce serveur demande un jeton');
  }));
});

/** The page itself: without a camera, its links, its languages, and a server that comes back. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { all, connect, scene, serve, server } from './scene.js';

serve();

describe('a page without a camera', () => {
  test('calls, and receives the other side’s picture and sound', scene(['chromium-without-camera', 'chromium'], async (alice, bob) => {
    await connect(alice, bob);
    await alice.isTold(/no camera found/i);
    await alice.seesTheOther();
    await alice.hearsTheOther();
    await alice.write('I see you.');
    await bob.reads('I see you.');
  }));

  test('is called, and receives the other side’s picture and sound', scene(['chromium', 'chromium-without-camera'], async (alice, bob) => {
    await connect(alice, bob);
    await bob.isTold(/no camera found/i);
    await bob.seesTheOther();
    await bob.hearsTheOther();
    await bob.write('I see you.');
    await alice.reads('I see you.');
  }));

  test('says that the camera is blocked, and receives', scene(['chromium-camera-blocked', 'chromium'], async (alice, bob) => {
    await connect(alice, bob);
    await alice.isTold(/camera blocked/i);
    await alice.seesTheOther();
    await alice.hearsTheOther();
  }));
});

describe('the id', () => {
  test('a share link fills in whom to call', scene(['chromium', 'chromium'], async (alice, bob) => {
    const id = await alice.id();
    const link = await alice.text('#share-link');
    assert.equal(link, `${server.url}#call=${id}`);
    await bob.page.goto('about:blank');
    await bob.page.goto(link);
    await bob.reaches('ready');
    assert.equal(await bob.value('#remote-id'), id);
    await bob.click('#call');
    await alice.reaches('ringing');
  }));

  test('is copied by its button', scene(['chromium', 'chromium'], async (alice, bob) => {
    const id = await alice.id();
    await alice.click('#copy-id');
    await alice.isTold(/copied/i);
    await bob.reaches('ready');
    await bob.pasteFromClipboard('#remote-id');
    assert.equal(await bob.value('#remote-id'), id);
  }));

  test('the copied link is as good as the id', scene(['chromium', 'chromium'], async (alice, bob) => {
    await alice.id();
    await alice.click('#copy-link');
    await alice.isTold(/copied/i);
    await bob.reaches('ready');
    await bob.pasteFromClipboard('#remote-id');
    await bob.click('#call');
    await alice.reaches('ringing');
  }));
});

describe('a French browser', () => {
  for (const kind of /** @type {const} */ (['chromium-in-french', 'firefox-in-french'])) {
    test(`shows the page in French (${kind})`, scene([kind], async (alice) => {
      await alice.id();
      await alice.isTold(/^Prêt/);
      assert.equal((await alice.text('#call')).trim(), 'Appeler');
      assert.equal(await alice.page.$eval('html', (html) => html.lang), 'fr');
    }));
  }
});

describe('a server that restarts', () => {
  /** By what the browser says of a refused connection, and of our asking for the reason (426: there is none any more). */
  const unreachable = /ERR_CONNECTION_REFUSED|WebSocket connection to|\b426\b/;

  test('finds the page again, with a new id', scene(['chromium'], async (alice) => {
    alice.expect(unreachable);
    const before = await alice.id();
    await server.stop();
    await alice.reaches('offline');
    await alice.isTold(/no connection to the server/i);
    await server.start();
    assert.notEqual(await alice.id(), before);
  }));

  test('does not end a call, which ends when its two sides part', scene(['chromium', 'chromium'], async (alice, bob) => {
    await all([alice, bob], async (peer) => peer.expect(unreachable));
    await connect(alice, bob);
    await all([alice, bob], (peer) => peer.seesTheOther());
    await server.stop();
    await all([alice, bob], (peer) => peer.isTold(/the call goes on/i));
    await all([alice, bob], (peer) => peer.seesTheOther());
    await server.start();
    await alice.write('Still there?');
    await bob.reads('Still there?');
    await alice.click('#hang-up');
    await alice.reaches('ready');
    // Their ids are new, so no bye finds the way: the chat channel's end says so.
    await bob.reaches('ready');
  }));
});

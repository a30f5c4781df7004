/** The page in each of its states, in the eyes of axe, on light and on dark. */

/** @import { Peer } from './peer.js' */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { choose, fileReaches, press } from './file.js';
import { languages, whole } from './kinds.js';
import { away } from './peer.js';
import { Proxy } from './proxy.js';
import { all, connect, scene, serve, server } from './scene.js';

serve();

const axe = await readFile(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

const desktop = { width: 1280, height: 800 };
const phone = { width: 390, height: 844 };
/** @type {[scheme: 'light' | 'dark', viewport: import('puppeteer-core').Viewport][]} */
const looks = [['light', desktop], ['dark', phone]];
if (whole) looks.push(['dark', desktop], ['light', phone]);

/** @param {Peer} peer @param {string} state @param {string} [part] of the page, where the rest was looked at already */
async function isClean({ page }, state, part = 'html') {
  await page.evaluate(axe);
  for (const [scheme, viewport] of looks) {
    await page.setViewport(viewport);
    // Colours are looked at as they stay: a page that is not drawn at the moment never ends its transitions.
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
    /** @type {string[]} */
    const found = await page.evaluate(async (part) => {
      const { violations } = await /** @type {any} */ (globalThis).axe.run(part);
      return violations.map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ node) => node.html).join(' ')}`);
    }, part);
    assert.deepEqual(found, [], `${state}, ${scheme}, ${viewport.width} pixels wide`);
  }
  await page.setViewport(desktop);
}

for (const kind of languages) {
  test(`axe finds nothing in a page that connects, that is ready, and that was opened by a share link (${kind})`, scene([kind, kind], async (alice, bob) => {
    const id = await alice.id();
    await isClean(alice, 'ready');
    await bob.page.evaluateOnNewDocument(() => {
      if (location.hash !== '#silent') return;
      globalThis.WebSocket = /** @type {any} */ (class extends EventTarget { close() {} });
    });
    await bob.page.goto('about:blank');
    await bob.page.goto(`${server.url}#silent`);
    await isClean(bob, 'connecting');
    await bob.page.goto('about:blank');
    await bob.page.goto(`${server.url}#call=${id}`);
    await bob.reaches('ready');
    await isClean(bob, 'invited');
  }));

  test(`axe finds nothing in a page that calls, that rings, that is in a call with both cameras or none, and after it (${kind})`, scene([kind, kind], async (alice, bob) => {
    await alice.call(await bob.id());
    await bob.reaches('ringing');
    await isClean(alice, 'calling');
    await isClean(bob, 'ringing');
    await bob.click('#accept');
    await all([alice, bob], (peer) => peer.seesTheOther());
    await alice.write('Do you read me?');
    await bob.reads('Do you read me?');
    await bob.page.$$eval('.diagram, #how-it-goes, #numbers-card', (all) => all.forEach((details) => void (/** @type {HTMLDetailsElement} */ (details).open = true)));
    await bob.page.$eval('#diagram [data-kind="call"] details', (details) => void (details.open = true));
    await bob.page.waitForSelector('#numbers td');
    await isClean(bob, 'in a call');
    await bob.page.$$eval('#how-it-goes, #diagram details', (all) => all.forEach((details) => void (/** @type {HTMLDetailsElement} */ (details).open = false)));
    for (const button of ['#mute', '#camera-off']) await alice.click(button);
    await bob.page.waitForSelector('#remote-video:not([data-picture])');
    await isClean(alice, 'in a call, camera off');
    await isClean(bob, 'in a call, the other camera off');
    await alice.click('#hang-up');
    await bob.reaches('ready');
    await isClean(bob, 'after a call');
  }));

  test(`axe finds nothing in a look at oneself, in a call with a screen, and in its dialogs (${kind})`, scene([kind, kind], async (alice, bob) => {
    await alice.id();
    await alice.click('#preview summary');
    await alice.page.waitForSelector('#preview-video:not([hidden])');
    await isClean(alice, 'looking at oneself', '#dial');
    await connect(alice, bob);
    await alice.click('#screen');
    await bob.page.waitForSelector('#remote-screen:not([hidden])');
    await isClean(alice, 'sharing the screen', '#stage');
    await isClean(bob, 'seeing a screen', '#stage');
    await alice.click('#change-devices');
    await isClean(alice, 'choosing devices', '#device-dialog');
    await alice.page.keyboard.press('Escape');
    await alice.page.keyboard.press('?');
    await alice.page.waitForSelector('#keys-dialog[open]');
    await isClean(alice, 'reading the keys', '#keys-dialog');
  }));

  test(`axe finds nothing in a page that is offline (${kind})`, scene([kind], async (alice) => {
    const network = await Proxy.start(server.url);
    try {
      alice.expect(away);
      await alice.page.goto(network.url);
      await alice.id();
      network.cut();
      await alice.reaches('offline');
      await isClean(alice, 'offline');
    } finally {
      await network.close();
    }
  }));

  test(`axe finds nothing in the words to compare (${kind})`, scene([kind, kind], async (alice, bob) => {
    await connect(alice, bob);
    await alice.page.waitForSelector('#verify-words li');
    await alice.click('#verify');
    await isClean(alice, 'comparing words', '#verify-dialog');
  }));
}

test('axe finds nothing at the door of a room, in it, in its files, and in what is handed over, in two languages', scene(['chromium', 'chromium-in-french'], async (alice, bernard) => {
  await alice.reaches('ready');
  await isClean(alice, 'at the door');
  await alice.click('#room-code');
  await isClean(alice, 'the QR code', '#qr-dialog');
  await alice.page.keyboard.press('Escape');
  await bernard.reaches('ready');
  await isClean(bernard, 'at the door, in French');
  for (const peer of [alice, bernard]) {
    await peer.click('#enter');
    await peer.reaches('in-room');
  }
  await all([alice, bernard], (peer) => peer.page.waitForSelector('.tile[data-state="connected"] video[data-picture]'));
  for (const [name, type] of [['offered', ''], ['declined', ''], ['done', '']]) await choose(alice, name ?? '', 1000, type);
  await fileReaches(bernard, 'done', 'offered');
  await press(bernard, 'declined', 'Refuser');
  await press(bernard, 'done', 'Accepter');
  await all([alice, bernard], (peer) => fileReaches(peer, 'done', 'done'));
  await alice.write('Bonjour');
  await bernard.reads('Bonjour');
  await isClean(alice, 'in a room with files');
  await isClean(bernard, 'in a room with files, in French');
}, '#room=amber-lion-tulip'));

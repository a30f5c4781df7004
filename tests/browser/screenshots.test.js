/** Pictures of the page in its states, in `tests/browser/output/`; the one for the README also where ENTREMISE_SCREENSHOT says. */

/** @import { Peer } from './peer.js' */
import assert from 'node:assert/strict';
import { copyFile, mkdir, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import { choose, fileReaches } from './file.js';
import { away } from './peer.js';
import { Proxy } from './proxy.js';
import { all, connect, scene, serve, server } from './scene.js';

serve();

const output = fileURLToPath(new URL('output/', import.meta.url));
const desktop = { width: 1280, height: 800 };
/** No `isMobile`: to change that, puppeteer would load the page anew, in the middle of the call. */
const phone = { width: 390, height: 844, deviceScaleFactor: 2 };
const smallPhone = { width: 375, height: 667, deviceScaleFactor: 2 };
const phoneOnItsSide = { width: 844, height: 390, deviceScaleFactor: 2 };

/**
 * @param {Peer} peer
 * @param {string} name
 * @param {'light' | 'dark'} scheme
 * @param {import('puppeteer-core').Viewport} viewport
 * @returns {Promise<string>} the file
 */
async function photograph({ page }, name, scheme, viewport) {
  await page.setViewport(viewport);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
  const tooWide = await page.$eval('html', ({ scrollWidth, clientWidth }) => scrollWidth - clientWidth);
  assert.equal(tooWide, 0, `${name} scrolls sideways`);
  await mkdir(output, { recursive: true });
  const path = `${output}${name}.png`;
  await page.screenshot({ path: /** @type {`${string}.png`} */ (path) });
  assert((await stat(path)).size > 5000, `${path} shows something`);
  return path;
}

test('ready, ringing and an error, on a desktop and on a phone', scene(['chromium', 'chromium'], async (alice, bob) => {
  const id = await alice.id();
  await photograph(alice, 'ready-desktop-light', 'light', desktop);
  await photograph(alice, 'ready-desktop-dark', 'dark', desktop);
  await photograph(alice, 'ready-phone-light', 'light', phone);
  await bob.reaches('ready');
  await bob.call(id);
  await alice.reaches('ringing');
  await photograph(alice, 'ringing-desktop-light', 'light', desktop);
  await photograph(alice, 'ringing-phone-dark', 'dark', phone);
  await photograph(bob, 'calling-desktop-light', 'light', desktop);
  await alice.click('#decline');
  await bob.isTold(/declined/i);
  await photograph(bob, 'error-desktop-light', 'light', desktop);
}));

test('in a call, on a desktop and on a phone', scene(['chromium', 'chromium'], async (alice, bob) => {
  await connect(alice, bob);
  await all([alice, bob], (peer) => peer.seesTheOther());
  await bob.write('Hello! Can you see me?');
  await alice.reads('Hello! Can you see me?');
  await alice.write('Yes, and nothing in between.');
  await bob.reads('Yes, and nothing in between.');
  const picture = await photograph(alice, 'in-call-desktop-light', 'light', desktop);
  const readme = process.env['ENTREMISE_SCREENSHOT'];
  if (readme) await copyFile(picture, readme);
  await photograph(bob, 'in-call-phone-dark', 'dark', phone);
  await photograph(bob, 'in-call-phone-on-its-side-light', 'light', phoneOnItsSide);
  await photograph(bob, 'in-call-phone-on-its-side-dark', 'dark', phoneOnItsSide);
  for (const button of ['#mute', '#camera-off']) await alice.click(button);
  await bob.page.waitForSelector('#remote-video:not([data-picture])');
  await photograph(alice, 'camera-off-desktop-light', 'light', desktop);
  await photograph(bob, 'other-camera-off-phone-on-its-side-light', 'light', phoneOnItsSide);
  await photograph(bob, 'other-camera-off-desktop-dark', 'dark', desktop);
  await alice.click('#hang-up');
  await alice.reaches('ready');
  await alice.page.$eval('.diagram', (details) => {
    /** @type {HTMLDetailsElement} */ (details).open = true;
    details.querySelector('#diagram')?.scrollTo(0, 0);
    details.scrollIntoView();
  });
  await photograph(alice, 'diagram-desktop-light', 'light', desktop);
  await photograph(alice, 'diagram-phone-dark', 'dark', phone);
}));

test('opened by a share link', scene(['chromium', 'chromium'], async (alice, bob) => {
  const id = await alice.id();
  await bob.page.goto('about:blank');
  await bob.page.goto(`${server.url}#call=${id}`);
  await bob.reaches('ready');
  await photograph(bob, 'invited-small-phone-light', 'light', smallPhone);
  await photograph(bob, 'invited-desktop-dark', 'dark', desktop);
  await bob.page.setViewport(phoneOnItsSide);
  await photograph(bob, 'invited-phone-on-its-side-light', 'light', phoneOnItsSide);
}));

test('with the signaling cut, in a call and out of one', scene(['chromium', 'chromium'], async (alice, bob) => {
  const network = await Proxy.start(server.url);
  try {
    alice.expect(away);
    await alice.page.goto(network.url);
    // Until then there is nothing to click.
    await alice.reaches('ready');
    await connect(alice, bob);
    await all([alice, bob], (peer) => peer.seesTheOther());
    network.cut();
    await alice.isTold(/the signaling is reconnecting/i);
    await photograph(alice, 'reconnecting-phone-light', 'light', phone);
    await photograph(alice, 'reconnecting-desktop-dark', 'dark', desktop);
    await alice.click('#hang-up');
    await alice.reaches('offline');
    await photograph(alice, 'offline-phone-light', 'light', phone);
    await photograph(alice, 'offline-desktop-dark', 'dark', desktop);
  } finally {
    await network.close();
  }
}));

test('a look at oneself, and the words to compare', scene(['chromium', 'chromium'], async (alice, bob) => {
  await alice.reaches('ready');
  await alice.click('#preview summary');
  await alice.page.waitForFunction(() => [...document.querySelectorAll('video')].some((video) => video.videoWidth > 0));
  await photograph(alice, 'preview-desktop-light', 'light', desktop);
  await photograph(alice, 'preview-phone-dark', 'dark', phone);
  await alice.page.setViewport(desktop);
  await connect(bob, alice);
  await alice.page.waitForSelector('#verify-words li');
  await alice.click('#verify');
  await photograph(alice, 'words-phone-light', 'light', phone);
  await photograph(alice, 'words-desktop-dark', 'dark', desktop);
}));

test('a room: its door, three in it, their files', scene(['chromium', 'chromium', 'chromium'], async (alice, bob, carol) => {
  await alice.reaches('ready');
  await photograph(alice, 'door-desktop-light', 'light', desktop);
  await photograph(alice, 'door-phone-dark', 'dark', phone);
  await alice.page.setViewport(desktop);
  await alice.click('#room-code');
  await photograph(alice, 'door-code-desktop-light', 'light', desktop);
  await alice.page.keyboard.press('Escape');
  await alice.callOneself('Alice');
  for (const peer of [alice, bob, carol]) {
    await peer.reaches('ready');
    await peer.click('#enter');
    await peer.reaches('in-room');
  }
  await all([alice, bob, carol], (peer) => peer.page.waitForFunction(() => document.querySelectorAll('.tile[data-state="connected"] video[data-picture]').length === 2));
  await all([alice, bob], (peer) => peer.page.waitForSelector('.tile .quality:not([hidden])'));
  await bob.write('Hello to all');
  await alice.reads('Hello to all');
  await choose(carol, 'holiday.jpg', 40_000);
  await fileReaches(alice, 'holiday.jpg', 'offered');
  await photograph(alice, 'in-room-desktop-light', 'light', desktop);
  await photograph(alice, 'in-room-desktop-dark', 'dark', desktop);
  await photograph(bob, 'in-room-phone-dark', 'dark', phone);
  await photograph(bob, 'in-room-phone-on-its-side-light', 'light', phoneOnItsSide);
}, '#room=amber-lion-tulip'));

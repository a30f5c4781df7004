/** Rooms: several who meet by one link, and what becomes of the room as they come, go, crash and come back. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { until } from './deadline.js';
import { assertGradeIsTrue } from './grade.js';
import { away } from './peer.js';
import { all, scene, sceneAt, serve, server } from './scene.js';

/** @import { Peer } from './peer.js' */

serve();

const DOOR = '#room=amber-lion-tulip';

/** @param {Peer} peer @param {string} [name] */
async function enter(peer, name = '') {
  await peer.reaches('ready');
  await peer.callOneself(name);
  await peer.click('#enter');
  await peer.reaches('in-room');
}

/** So many others are there, each connected, with a picture if that is asked for. @param {Peer} peer @param {number} count */
async function sees(peer, count) {
  const others = () => peer.page.$$eval('.tile:not([data-own])', (tiles) => tiles.filter((tile) => tile.matches('[data-state="connected"]:has(video[data-picture])')).length);
  const tiles = () => peer.page.$$eval('.tile', ({ length }) => length);
  await until(60, `${count} others`, async () => `${await tiles()} tiles, ${await others()} connected; ${await peer.text('#status')}`, async () => (await others()) === count && (await tiles()) === count + 1);
}

/** Each picture advances. @param {Peer} peer */
async function seesThemMove(peer) {
  await peer.page.$$eval('.tile:not([data-own]) video', (videos) => Promise.all(videos.map((element) => {
    const video = /** @type {HTMLVideoElement} */ (element);
    return new Promise((done) => video.requestVideoFrameCallback(() => video.requestVideoFrameCallback(done)));
  })));
}

/** How good the connection with each is, who speaks (the pretended microphones beep), and for how long they are together. @param {Peer} peer */
async function knowsHowItGoes(peer) {
  await peer.page.waitForFunction(() => document.querySelectorAll('.tile .quality[title*="round trip"]:not([hidden])').length === 2);
  for (const mark of await peer.page.$$('.tile .quality[title*="round trip"]')) await assertGradeIsTrue(mark);
  await peer.page.waitForSelector('.tile[data-speaking]');
  assert.match(await peer.text('#timer'), /^\d+:\d\d$/);
}

describe('a room', () => {
  test('connects Chromium, Firefox and Chromium, carries chat to all, and tells who comes and goes', scene(['chromium', 'firefox', 'chromium'], async (alice, bob, carol) => {
    await enter(alice, 'Alice');
    await alice.isTold(/You are the first in the room amber-lion-tulip/);
    await enter(bob, 'Bob');
    await enter(carol);
    await all([alice, bob, carol], (peer) => sees(peer, 2));
    await all([alice, bob, carol], seesThemMove);
    await all([alice, bob, carol], knowsHowItGoes);
    await alice.isTold(/In the room amber-lion-tulip, 3 of you/);
    await bob.write('Hello to all');
    await all([alice, carol], (peer) => peer.reads('BobHello to all'));
    await alice.reads('Bob is here.');
    await bob.click('#hang-up');
    await bob.reaches('ready');
    await all([alice, carol], (peer) => peer.reads('Bob has left.'));
    await all([alice, carol], (peer) => sees(peer, 1));
  }, DOOR));

  test('is left by one whose page is loaded anew, and she comes back as one member', scene(['chromium', 'chromium'], async (alice, bob) => {
    await all([alice, bob], (peer) => enter(peer));
    await all([alice, bob], (peer) => sees(peer, 1));
    await bob.page.reload();
    await enter(bob);
    await all([alice, bob], (peer) => sees(peer, 1));
  }, DOOR));

  test('goes on while the server is restarted: the same pictures, and who comes then finds it', sceneAt(['chromium', 'chromium', 'chromium'], () => server.url + DOOR, async (alice, bob, carol) => {
    for (const peer of [alice, bob, carol]) peer.expect(away);
    await all([alice, bob], (peer) => enter(peer));
    await all([alice, bob], (peer) => sees(peer, 1));
    await markPictures(alice);
    await server.stop();
    await server.start();
    await alice.isTold(/In the room amber-lion-tulip, 2 of you\.$/);
    await enter(carol);
    await all([alice, bob, carol], (peer) => sees(peer, 2));
    assert.equal(await alice.page.$$eval('.tile video[data-marked]', ({ length }) => length), 1, 'the call with Bob is the one that there was');
  }));

  test('refuses a call meanwhile: the line is busy', sceneAt(['chromium', 'chromium'], (index) => server.url + (index ? '' : DOOR), async (alice, bob) => {
    await alice.reaches('ready');
    const id = await alice.text('#peer-id');
    await enter(alice);
    await bob.reaches('ready');
    await bob.call(id);
    await bob.isTold(/in another call/);
    assert.equal(await alice.state(), 'in-room');
  }));
});

/** @param {Peer} peer */
async function markPictures(peer) {
  await peer.page.$$eval('.tile:not([data-own]) video', (videos) => videos.forEach((video) => video.toggleAttribute('data-marked', true)));
}

describe('the way into a room', () => {
  test('is three words, a link, and a QR code', scene(['chromium'], async (alice) => {
    await alice.reaches('ready');
    const proposed = await alice.value('#room-name');
    assert.match(proposed, /^[a-z]+-[a-z]+-[a-z]+$/);
    await alice.paste('#room-name', 'Amber Lion Tulip');
    await alice.page.keyboard.press('Enter');
    await alice.isTold(/Ready to enter the room amber-lion-tulip/);
    assert.equal(await alice.text('#room-link'), `${server.url}${DOOR}`);
    await alice.click('#room-code');
    const dark = await alice.page.$eval('#qr-code', (element) => {
      const canvas = /** @type {HTMLCanvasElement} */ (element);
      const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')).getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, index) => index % 4 === 0 && value === 0).length / (canvas.width * canvas.height);
    });
    assert.ok(dark > 0.2 && dark < 0.6, `${dark}`);
    await alice.page.keyboard.press('Escape');
    await alice.click('#enter');
    await alice.reaches('in-room');
  }));

  test('is gone by the keyboard alone', scene(['chromium', 'chromium'], async (alice, bob) => {
    await enter(bob);
    await alice.reaches('ready');
    await alice.page.focus('#own-name');
    await alice.page.keyboard.type('Alice');
    await alice.page.keyboard.press('Enter');
    await alice.reaches('in-room');
    await sees(alice, 1);
    await tabTo(alice, 'chat-input');
    await alice.page.keyboard.type('By keys');
    await alice.page.keyboard.press('Enter');
    await bob.reads('By keys');
    await tabTo(alice, 'hang-up', 'back');
    await alice.page.keyboard.press('Enter');
    await alice.reaches('ready');
  }, DOOR));
});

/** Until this element has the focus. @param {Peer} peer @param {string} id @param {'on' | 'back'} [way] */
async function tabTo({ page }, id, way = 'on') {
  if (way === 'back') await page.keyboard.down('Shift');
  for (let steps = 0; steps < 40; steps++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((id) => document.activeElement?.id === id, id)) return void (await page.keyboard.up('Shift'));
  }
  throw new Error(`the Tab key never comes to #${id}`);
}

/** What a person sends of herself: looked at before the call, and changed in the middle of it; and what stands on the picture meanwhile. */

/** @import { Peer } from './peer.js' */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { until } from './deadline.js';
import { assertGradeIsTrue } from './grade.js';
import { kinds } from './kinds.js';
import { all, connect, scene, serve } from './scene.js';

serve();

/** In seconds. */
const PATIENCE = 40;

/** @param {Peer} peer @param {string} what @param {() => Promise<boolean>} condition */
const sees = (peer, what, condition) => until(PATIENCE, what, () => peer.text('#status'), condition);

/** @param {Peer} peer @param {string} selector */
const isShown = ({ page }, selector) => page.$eval(selector, (element) => element.checkVisibility());

/** @param {Peer} peer @param {string} selector */
const isPressed = async ({ page }, selector) => (await page.$eval(selector, (button) => button.getAttribute('aria-pressed'))) === 'true';

/** From now on, in this page: what it asks the browser for, and what it is given. @param {Peer} peer */
async function watchDevices({ page }) {
  await page.evaluate(() => {
    const { mediaDevices } = navigator;
    const open = mediaDevices.getUserMedia.bind(mediaDevices);
    const seen = { asked: /** @type {MediaStreamConstraints[]} */ ([]), tracks: /** @type {MediaStreamTrack[]} */ ([]) };
    Object.assign(globalThis, { seen });
    mediaDevices.getUserMedia = async (wish) => {
      seen.asked.push(wish ?? {});
      const stream = await open(wish);
      seen.tracks.push(...stream.getTracks());
      return stream;
    };
  });
}

/** @param {Peer} peer */
const seen = ({ page }) => page.evaluate(() => {
  const { asked, tracks } = /** @type {{ asked: any[], tracks: MediaStreamTrack[] }} */ (/** @type {any} */ (globalThis).seen);
  return { asked, states: tracks.map(({ kind, readyState }) => `${kind} ${readyState}`), devices: tracks.map((track) => track.getSettings().deviceId) };
});

/** @param {Peer} peer */
async function lookAtOneself(peer) {
  await peer.click('#preview summary');
  await sees(peer, 'her own picture', () => peer.page.$eval('#preview-video', (video) => /** @type {HTMLVideoElement} */ (video).videoWidth > 0));
}

/** @param {Peer} peer @param {'camera' | 'microphone' | 'neither'} wish */
async function wish(peer, wish) {
  await peer.id();
  await peer.page.click(`label:has([value="${wish}"])`);
}

describe('before a call', () => {
  for (const kind of kinds) {
    test(`a person looks at herself when she asks for it, and the call takes what is open (${kind})`, scene([kind, 'chromium'], async (alice, bob) => {
      await alice.id();
      await watchDevices(alice);
      await lookAtOneself(alice);
      assert.equal((await seen(alice)).asked.length, 1);
      await sees(alice, 'the names of devices', () => alice.page.$eval('#microphone-choice', (list) => /** @type {HTMLSelectElement} */ (list).options.length > 1));
      if (kind === 'chromium') await sees(alice, 'her voice', () => alice.page.$eval('#level', (meter) => /** @type {HTMLMeterElement} */ (meter).value > 0.1));
      await connect(alice, bob);
      await bob.seesTheOther();
      const { asked, states } = await seen(alice);
      assert.deepEqual([asked.length, states.sort()], [1, ['audio live', 'video live']]);
    }));
  }

  test('what was looked at is let go of when it is closed', scene(['chromium'], async (alice) => {
    await alice.id();
    await watchDevices(alice);
    await lookAtOneself(alice);
    await alice.click('#preview summary');
    await sees(alice, 'the light go out', async () => (await seen(alice)).states.every((state) => state.endsWith('ended')));
  }));

  test('a refusal is asked for again by its button, and by no call', scene(['chromium-camera-blocked', 'chromium'], async (alice, bob) => {
    await alice.id();
    await watchDevices(alice);
    await alice.click('#preview summary');
    await sees(alice, 'that it is blocked', async () => /camera blocked/i.test(await alice.text('#preview-told')));
    await alice.click('#ask-again');
    await sees(alice, 'that she is asked again', async () => (await seen(alice)).asked.length === 2);
    await connect(alice, bob);
    await alice.isTold(/camera blocked/i);
    assert.equal((await seen(alice)).asked.length, 2);
  }));

  test('what was chosen is remembered, and wished for', scene(['chromium-three-cameras'], async (alice) => {
    await alice.id();
    await lookAtOneself(alice);
    const chosen = await alice.page.$eval('#camera-choice', (list) => /** @type {HTMLSelectElement} */ (list).options[3]?.value ?? '');
    await alice.page.select('#camera-choice', chosen);
    await wish(alice, 'microphone');
    await alice.page.reload();
    await alice.id();
    assert.equal(await alice.page.$eval('input[name="media"]:checked', (radio) => /** @type {HTMLInputElement} */ (radio).value), 'microphone');
    await wish(alice, 'camera');
    await watchDevices(alice);
    await lookAtOneself(alice);
    assert.equal((await seen(alice)).devices[1], chosen);
    assert.equal(await alice.value('#camera-choice'), chosen);
  }));
});

describe('a screen', () => {
  test('takes the place of the camera, is said to be one, and gives the camera back', scene(['chromium', 'chromium'], async (alice, bob) => {
    await alice.id();
    await watchDevices(alice);
    await connect(alice, bob);
    await bob.seesTheOther();
    await alice.click('#screen');
    await sees(bob, 'that it is a screen', () => isShown(bob, '#remote-screen'));
    await bob.seesTheOther();
    const mirrored = (/** @type {Peer} */ { page }, /** @type {string} */ video) => page.$eval(video, (element) => getComputedStyle(element).transform.startsWith('matrix(-1'));
    assert.deepEqual([await mirrored(alice, '#local-video'), await mirrored(bob, '#remote-video')], [false, false]);
    assert(await isPressed(alice, '#screen'));
    await alice.click('#screen');
    await sees(bob, 'that it is none', async () => !(await isShown(bob, '#remote-screen')));
    await bob.seesTheOther();
    assert(await mirrored(alice, '#local-video'));
    assert.deepEqual((await seen(alice)).states, ['audio live', 'video live']);
  }));

  for (const role of ['caller', 'called side']) {
    test(`of a ${role} that sent nothing is seen in Firefox, and then its camera, and it is heard`, scene(['chromium', 'firefox'], async (alice, bob) => {
      await wish(alice, 'neither');
      await connect(...(role === 'caller' ? /** @type {const} */ ([alice, bob]) : /** @type {const} */ ([bob, alice])));
      await alice.seesTheOther();
      await sees(bob, 'a portrait', () => isShown(bob, '.portrait'));
      await alice.click('#screen');
      await sees(bob, 'that it is a screen', () => isShown(bob, '#remote-screen'));
      await bob.seesTheOther();
      await alice.click('#screen');
      await sees(bob, 'a portrait again', () => isShown(bob, '.portrait'));
      for (const button of ['#camera-off', '#mute']) await alice.click(button);
      await sees(bob, 'the camera', async () => !(await isShown(bob, '.portrait')));
      await bob.seesTheOther();
      await bob.hearsTheOther();
      await alice.seesTheOther();
    }));
  }
});

describe('in a call', () => {
  test('another camera and speaker can be chosen, and the other side goes on seeing', scene(['chromium-three-cameras', 'chromium'], async (alice, bob) => {
    await alice.id();
    await watchDevices(alice);
    await connect(alice, bob);
    await bob.seesTheOther();
    await alice.click('#change-devices');
    const other = await (await alice.page.waitForSelector('#camera-choice option:nth-child(4)'))?.evaluate((option) => /** @type {HTMLOptionElement} */ (option).value) ?? '';
    await alice.page.select('#camera-choice', other);
    await sees(alice, 'the other camera open', async () => (await seen(alice)).devices[2] === other);
    assert.deepEqual((await seen(alice)).states, ['audio live', 'video ended', 'video live']);
    const speaker = await alice.page.$eval('#speaker-choice', (list) => /** @type {HTMLSelectElement} */ (list).options[1]?.value ?? '');
    await alice.page.select('#speaker-choice', speaker);
    await sees(alice, 'the other speaker', () => alice.page.$eval('#remote-video', (video, id) => /** @type {HTMLVideoElement} */ (video).sinkId === id, speaker));
    await alice.page.keyboard.press('Escape');
    assert.equal(await alice.state(), 'in-call');
    await bob.seesTheOther();
  }));

  test('its connection is measured, its time runs, and keys do what buttons do', scene(['chromium', 'chromium'], async (alice, bob) => {
    await connect(alice, bob);
    await all([alice, bob], (peer) => peer.seesTheOther());
    const { keyboard } = alice.page;
    await sees(alice, 'the round trip', () => alice.page.$eval('#quality', (mark) => /round trip \d+ ms/.test(/** @type {HTMLElement} */ (mark).title)));
    await assertGradeIsTrue(await alice.page.waitForSelector('#quality') ?? assert.fail());
    await sees(alice, 'the time', async () => /^\d+:\d\d$/.test(await alice.text('#timer')) && (await alice.text('#timer')) !== '0:00');
    await keyboard.press('m');
    await sees(bob, 'that Alice is muted', () => isShown(bob, '#remote-muted'));
    await alice.write('mmm, vs?');
    await bob.reads('mmm, vs?');
    await alice.page.focus('#stage');
    assert.deepEqual([await isPressed(alice, '#mute'), await isPressed(alice, '#camera-off')], [true, false]);
    await keyboard.press('f');
    await sees(alice, 'the picture fill the screen', () => isPressed(alice, '#full-screen'));
    await keyboard.press('f');
    await sees(alice, 'the page again', async () => !(await isPressed(alice, '#full-screen')));
    await keyboard.press('?');
    assert.match(await alice.text('#keys-list'), /M Mute.*V Camera off.*S Share the screen.*F Full screen/);
    await alice.click('#keys-on');
    await keyboard.press('Escape');
    await keyboard.press('m');
    await keyboard.press('Escape');
    assert.deepEqual([await isPressed(alice, '#mute'), await alice.state()], [true, 'in-call']);
    await alice.click('#picture-in-picture');
    await sees(alice, 'a small window', () => isPressed(alice, '#picture-in-picture'));
    await bob.click('#hang-up');
    await alice.reaches('ready');
    assert.deepEqual([await isShown(alice, '#timer'), await alice.page.evaluate(() => document.pictureInPictureElement)], [false, null]);
  }));
});

describe('an incoming call', () => {
  test('is heard by those who have touched the page, is told by the system to those who do not see it, and both end with it', scene(['chromium', 'chromium'], async (alice, bob) => {
    await alice.id();
    await bob.page.evaluateOnNewDocument(() => {
      /** @type {string[]} */
      const signs = [];
      class FakeNotification {
        static permission = 'default';
        static async requestPermission() {
          return (this.permission = 'granted');
        }
        /** @param {string} title @param {{ body: string }} options */
        constructor(title, { body }) {
          signs.push(`${title}: ${body}`);
        }
        close() {
          signs.push('closed');
        }
      }
      Object.assign(globalThis, {
        signs,
        Notification: FakeNotification,
        AudioContext: class extends AudioContext {
          constructor() {
            super();
            this.addEventListener('statechange', () => signs.push(`sound ${this.state}`));
          }
        },
      });
      Object.defineProperty(document, 'hidden', { get: () => signs.length === 0 });
    });
    await bob.page.reload();
    const id = await bob.id();
    await bob.click('#notify');
    await bob.isTold(/a notification will tell you/i);
    const signs = () => bob.page.evaluate(() => /** @type {any} */ (globalThis).signs.toSorted());
    await alice.call(id);
    await bob.reaches('ringing');
    await sees(bob, 'it ring', async () => (await signs()).includes('sound running'));
    assert.match((await signs())[0], /^Incoming call: \w{8} is calling you\.$/);
    await bob.click('#decline');
    await sees(bob, 'it stop', async () => (await signs()).includes('sound closed') && (await signs()).includes('closed'));
  }));
});

/** What a person stumbles over who does not know the page: each test is what she does, and what she then reads. */

/** @import { Peer } from './peer.js' */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { until } from './deadline.js';
import { kinds } from './kinds.js';
import { all, connect, scene, serve, server } from './scene.js';

serve();

/** By what the browser says of a refused connection, and of our asking for the reason. */
const unreachable = /ERR_CONNECTION_REFUSED|WebSocket connection to|can.t establish a connection|NetworkError|was interrupted|\b426\b/;

/** @param {Peer} peer @param {string} selector @returns {Promise<boolean>} whether all of it is in the window */
function isInSight({ page }, selector) {
  return page.$eval(selector, (element) => {
    const { top, bottom, left, right, width } = element.getBoundingClientRect();
    return width > 0 && top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth;
  });
}

/** @param {Peer} peer @param {string} what @param {() => Promise<boolean>} condition @param {number} [patience] */
const sees = (peer, what, condition, patience = 10) => until(patience, what, () => peer.text('#status'), condition);

describe('a phone', () => {
  test('on its side has hang up, mute and camera in sight in a call, and the chat', scene(['chromium', 'chromium'], async (alice, bob) => {
    await alice.page.setViewport({ width: 844, height: 390 });
    await alice.call(await bob.id());
    await alice.reaches('calling');
    assert(await isInSight(alice, '#hang-up'), 'hang up, while calling');
    await bob.accept();
    await alice.seesTheOther();
    for (const selector of ['#hang-up', '#mute', '#camera-off', '#chat-input', '#remote-video']) assert(await isInSight(alice, selector), selector);
  }));

  test('opened by a share link shows who invites, and one button', scene(['chromium', 'chromium'], async (alice, bob) => {
    const id = await alice.id();
    await bob.page.setViewport({ width: 375, height: 667 });
    await bob.page.goto('about:blank');
    await bob.page.goto(`${server.url}#call=${id}`);
    await bob.reaches('ready');
    assert.equal(await bob.text('#dial-heading'), `${id.slice(0, 8)} invites you`);
    const buttons = await bob.page.$$eval('button', (all) => all.filter((button) => button.checkVisibility()).map(({ id }) => id));
    assert.deepEqual(buttons, ['call']);
    assert(await isInSight(bob, '#call'), 'the button');
    await bob.page.setViewport({ width: 844, height: 390 });
    assert(await isInSight(bob, '#dial'), 'the whole card, on its side');
    await bob.click('#call');
    await alice.reaches('ringing');
  }));

  test('opened by a share link may call another one instead', scene(['chromium', 'chromium'], async (alice, bob) => {
    const id = await alice.id();
    await bob.page.goto('about:blank');
    await bob.page.goto(`${server.url}#call=${id}`);
    await bob.reaches('ready');
    await bob.click('.other-way a');
    await bob.page.waitForSelector('#remote-id', { visible: true });
    assert.equal(await bob.text('#dial-heading'), 'Make a call');
  }));
});

describe('a keyboard', () => {
  test('whose Enter is pressed twice in the field calls, and does not hang up', scene(['chromium', 'chromium'], async (alice, bob) => {
    await alice.paste('#remote-id', await bob.id());
    await alice.page.keyboard.press('Enter');
    await alice.reaches('calling');
    await alice.page.keyboard.press('Enter');
    await bob.accept();
    await all([alice, bob], (peer) => peer.reaches('in-call'));
  }));

  test('sees that the focus is on the incoming call', scene(['chromium', 'chromium'], async (alice, bob) => {
    const id = await bob.id();
    await bob.page.focus('#remote-id');
    await bob.page.keyboard.press('Tab');
    await alice.call(id);
    await bob.reaches('ringing');
    const outline = await bob.page.$eval('#dial', (card) => [document.activeElement === card, getComputedStyle(card).outlineStyle]);
    assert.deepEqual(outline, [true, 'solid']);
  }));
});

describe('the diagram', () => {
  test('has no row cut by its heading, at its end as at its beginning', scene(['chromium', 'chromium'], async (alice, bob) => {
    await connect(alice, bob);
    await alice.seesTheOther();
    const cut = await alice.page.$eval('#diagram', (list) => {
      const details = /** @type {HTMLDetailsElement} */ (list.closest('details.diagram'));
      details.open = true;
      const { top } = list.getBoundingClientRect();
      return [0, list.scrollHeight].map((position) => {
        list.scrollTop = position;
        return [...list.children].filter((row) => {
          const { top: above, bottom } = row.getBoundingClientRect();
          return above < top - 1 && bottom > top + 1;
        }).length;
      });
    });
    assert.deepEqual(cut, [0, 0]);
  }));

  test('says by which way media go', scene(['chromium', 'chromium'], async (alice, bob) => {
    await connect(alice, bob);
    await all([alice, bob], (peer) => peer.seesTheOther());
    await alice.isConnectedBy(/Direct/);
    const said = await alice.page.$$eval('#diagram [data-kind="direct"]', (rows) => rows.map(({ textContent }) => textContent));
    assert.match(said.at(-1) ?? '', /media and chat: Direct/);
  }));
});

describe('copying', () => {
  test('says so each time', scene(['chromium'], async (alice) => {
    await alice.id();
    const says = () => alice.page.$eval('#copy-id', (button) => /** @type {HTMLElement} */ (button).innerText.trim());
    for (let time = 1; time <= 2; time++) {
      await alice.click('#copy-id');
      await sees(alice, `“Copied”, time ${time}`, async () => (await says()) === 'Copied');
      await sees(alice, `“Copy” again, time ${time}`, async () => (await says()) === 'Copy');
    }
  }));

  test('what was pasted in a sentence calls', scene(['chromium', 'chromium'], async (alice, bob) => {
    await all([alice, bob], (peer) => peer.reaches('ready'));
    await alice.call(`My link: <${await bob.text('#share-link')}>.`);
    await bob.reaches('ringing');
  }));
});

describe('a camera', () => {
  test('that is off is let go of, and the other side sees a portrait; then it is taken again', scene(['chromium', 'chromium'], async (alice, bob) => {
    await connect(alice, bob);
    await all([alice, bob], (peer) => peer.seesTheOther());
    const track = await alice.page.$eval('#local-video', (video) => {
      const [track] = /** @type {MediaStream} */ (/** @type {HTMLVideoElement} */ (video).srcObject).getVideoTracks();
      Object.assign(globalThis, { track });
      return track?.readyState;
    });
    assert.equal(track, 'live');
    await alice.click('#camera-off');
    await sees(alice, 'the camera to be let go of', () => alice.page.evaluate(() => /** @type {any} */ (globalThis).track.readyState === 'ended'));
    await sees(bob, 'a portrait', () => bob.page.$eval('.portrait', (portrait) => portrait.checkVisibility()));
    await bob.hearsTheOther();
    await alice.click('#camera-off');
    await sees(bob, 'the picture again', () => bob.page.$eval('.portrait', (portrait) => !portrait.checkVisibility()));
    await bob.seesTheOther();
  }));

  test('that the other side never had is a portrait from the beginning, and its mute is a sign', scene(['chromium', 'chromium'], async (alice, bob) => {
    await alice.id();
    await alice.page.click('label:has([value="microphone"])');
    await connect(alice, bob);
    await bob.hearsTheOther();
    assert(await bob.page.$eval('.portrait', (portrait) => portrait.checkVisibility()));
    const isMuted = () => bob.page.$eval('#remote-muted', (sign) => sign.checkVisibility());
    assert.equal(await isMuted(), false);
    await alice.click('#mute');
    await sees(bob, 'that Alice is muted', isMuted);
    await alice.click('#mute');
    await sees(bob, 'that she is not', async () => !(await isMuted()));
  }));

  test('that is refused is asked for once', scene(['chromium-camera-blocked', 'chromium'], async (alice, bob) => {
    await alice.id();
    await alice.page.evaluate(() => {
      const { mediaDevices } = navigator;
      const open = mediaDevices.getUserMedia.bind(mediaDevices);
      Object.assign(globalThis, { asked: 0 });
      mediaDevices.getUserMedia = (wish) => (/** @type {any} */ (globalThis).asked++, open(wish));
    });
    await connect(alice, bob);
    await alice.isTold(/camera blocked/i);
    assert.equal(await alice.page.evaluate(() => /** @type {any} */ (globalThis).asked), 1);
  }));
});

describe('a browser', () => {
  test('without WebRTC says so at load, and its caller reads that the call failed', scene(['chromium', 'chromium'], async (alice, bob) => {
    await bob.page.evaluateOnNewDocument(() => void delete (/** @type {any} */ (globalThis).RTCPeerConnection));
    await bob.page.reload();
    await bob.isTold(/has no WebRTC/);
    const id = await bob.id();
    assert(await bob.page.$eval('#call', (button) => /** @type {HTMLButtonElement} */ (button).disabled));
    await alice.reaches('ready');
    await alice.call(id);
    await alice.isTold(/the call failed: one of the two browsers cannot call/i);
  }));

  test('that gives pages no camera says so at load, and calls without asking for one', scene(['chromium', 'chromium'], async (alice, bob) => {
    await bob.page.evaluateOnNewDocument(() => Object.defineProperty(navigator, 'mediaDevices', { value: undefined }));
    await bob.page.reload();
    await bob.isTold(/gives pages no camera and no microphone/);
    await connect(bob, alice);
    await bob.seesTheOther();
  }));

  for (const kind of kinds) {
    test(`that dies is said within 5 s: the picture is the last one (${kind} is told)`, scene([kind, 'chromium'], async (alice, bob) => {
      await connect(alice, bob);
      await all([alice, bob], (peer) => peer.seesTheOther());
      bob.expect(/./);
      await alice.write('Still there?');
      await bob.reads('Still there?');
      const session = await bob.page.createCDPSession();
      const dies = new Promise((died) => bob.page.once('error', died));
      void session.send('Page.crash').catch(() => {});
      await dies;
      await alice.isTold(/nothing comes from/i, 5.5);
      assert.equal(await alice.state(), 'in-call');
    }));
  }
});

describe('a server that restarts', () => {
  test('makes the page say that its id is new', scene(['chromium'], async (alice) => {
    alice.expect(unreachable);
    const before = await alice.id();
    await server.stop();
    await alice.reaches('offline');
    await server.start();
    await alice.isTold(/you have a new id/i);
    assert.notEqual(await alice.id(), before);
  }));

  test('has no dead id handed out meanwhile; the next try counts down, and can be had now', scene(['chromium'], async (alice) => {
    alice.expect(unreachable);
    await alice.id();
    await server.stop();
    await alice.reaches('offline');
    const dead = await alice.page.evaluate(() => [
      .../** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('#copy-id, #copy-link')),
    ].every(({ disabled }) => disabled) && !document.querySelector('#share-link')?.hasAttribute('href'));
    assert(dead, 'neither id nor link can be copied');
    const seconds = async () => Number(/in (\d+) s/.exec(await alice.text('#retry-in'))?.[1] ?? NaN);
    let before = NaN;
    await sees(alice, 'seconds that become fewer', async () => {
      const now = await seconds();
      const fewer = now < before;
      before = now;
      return fewer;
    }, 60);
    await server.start();
    await alice.page.$eval('#retry-now', (button) => /** @type {HTMLButtonElement} */ (button).click());
    await alice.reaches('ready', 5);
  }));

  test('says when the next try is under the sentence on a phone, and leaves the keyboard a place when it is tried', scene(['chromium'], async (alice) => {
    alice.expect(unreachable);
    await alice.id();
    await alice.page.setViewport({ width: 390, height: 844 });
    await server.stop();
    // In one step: an attempt may begin at any time, and then there is no next one for a moment.
    const boxes = await alice.page.waitForFunction(() => {
      const [line, sentence, next, button] = ['retry', 'status', 'retry-in', 'retry-now'].map((id) => document.getElementById(id));
      if (!line || line.hidden) return null;
      button?.focus();
      return [sentence, next].map((element) => element?.getBoundingClientRect().toJSON());
    });
    const [sentence, next] = (await boxes.jsonValue()) ?? [];
    assert.equal(next.left, sentence.left);
    assert(next.top >= sentence.bottom, 'it stands under it');
    const focused = () => alice.page.evaluate(() => document.activeElement?.id);
    await alice.page.keyboard.press('Enter');
    await sees(alice, 'the focus on the status', async () => (await focused()) === 'status-bar', 60);
    await server.start();
    await alice.reaches('ready', 60);
    assert.equal(await focused(), 'status-bar');
  }));

  test('while it rings: both are told as soon as it is back', scene(['chromium', 'chromium'], async (alice, bob) => {
    await all([alice, bob], async (peer) => peer.expect(unreachable));
    await alice.call(await bob.id());
    await bob.reaches('ringing');
    await server.stop();
    await server.start();
    await all([alice, bob], (peer) => peer.isTold(/the call was lost before it began/i));
    await all([alice, bob], (peer) => peer.reaches('ready'));
  }));

  for (const kind of kinds) {
    test(`in mid-call changes ids, and the call can still be negotiated anew (${kind})`, scene([kind, 'chromium'], async (alice, bob) => {
      await all([alice, bob], async (peer) => peer.expect(unreachable));
      await all([alice, bob], async ({ page }) => {
        await page.evaluateOnNewDocument(() => {
          globalThis.RTCPeerConnection = class extends RTCPeerConnection {
            /** @param {RTCConfiguration} [configuration] */
            constructor(configuration) {
              super(configuration);
              Object.assign(globalThis, { connection: this });
            }
          };
        });
        await page.reload();
      });
      await connect(alice, bob);
      await all([alice, bob], (peer) => peer.seesTheOther());
      await server.stop();
      await all([alice, bob], (peer) => peer.isTold(/reconnecting/i));
      await server.start();
      await all([alice, bob], (peer) => peer.isTold(/you have a new id/i));
      const ids = [await alice.text('#peer-id'), await bob.text('#peer-id')].map((id) => id.slice(0, 8));
      await sees(alice, 'Bob’s new id', async () => (await alice.text('#status')).includes(ids[1] ?? '?'));
      await sees(bob, 'Alice’s new id', async () => (await bob.text('#status')).includes(ids[0] ?? '?'));
      const ufrag = () => bob.page.evaluate(() => /a=ice-ufrag:(\S+)/.exec(/** @type {any} */ (globalThis).connection.remoteDescription.sdp)?.[1]);
      const before = await ufrag();
      await alice.page.evaluate(() => /** @type {any} */ (globalThis).connection.restartIce());
      await sees(bob, 'another path’s description', async () => (await ufrag()) !== before);
      await all([alice, bob], (peer) => peer.seesTheOther());
      assert.deepEqual([await alice.state(), await bob.state()], ['in-call', 'in-call']);
    }));
  }
});

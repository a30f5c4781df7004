/** Files in a call: offered, taken, refused, stopped, and the same to the byte on the other side; names; and the words to compare. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { until } from './deadline.js';
import { choose, connectForFiles, expected, fileReaches, press, saved } from './file.js';
import { all, scene, serve } from './scene.js';

/** @import { Kind } from './browsers.js' */

serve();

/** @type {[Kind, Kind][]} */
const pairs = [['chromium', 'firefox'], ['firefox', 'chromium']];

describe('a file', () => {
  for (const [left, right] of pairs) {
    test(`from ${left} to ${right} is asked for first, and comes as it was`, scene([left, right], async (alice, bob) => {
      await connectForFiles(alice, bob);
      await choose(alice, 'holiday.bin', 5_000_000);
      await fileReaches(bob, 'holiday.bin', 'offered');
      await press(bob, 'holiday.bin', 'Accept');
      await all([alice, bob], (peer) => fileReaches(peer, 'holiday.bin', 'done'));
      assert.deepEqual(await saved(bob, 'holiday.bin'), await expected(5_000_000));
    }));
  }

  test('is declined, taken back, and stopped in the middle, by either side', scene(['chromium', 'chromium'], async (alice, bob) => {
    await connectForFiles(alice, bob);
    await choose(alice, 'a', 10);
    await fileReaches(bob, 'a', 'offered');
    await press(bob, 'a', 'Decline');
    await all([alice, bob], (peer) => fileReaches(peer, 'a', 'canceled'));
    await choose(alice, 'b', 10);
    await fileReaches(alice, 'b', 'offered');
    await press(alice, 'b', 'Cancel');
    await all([alice, bob], (peer) => fileReaches(peer, 'b', 'canceled'));
    await choose(alice, 'c', 30_000_000);
    await fileReaches(bob, 'c', 'offered');
    await press(bob, 'c', 'Accept');
    await fileReaches(alice, 'c', 'running');
    await press(bob, 'c', 'Cancel');
    await all([alice, bob], (peer) => fileReaches(peer, 'c', 'canceled'));
  }));

  test('goes to the disk as it comes, where it is large and the browser can', scene(['chromium', 'chromium'], async (alice, bob) => {
    await bob.page.evaluate(() => {
      // A place that the browser keeps for the page stands in for one that a person would choose in a dialog.
      Object.assign(globalThis, { showSaveFilePicker: async () => (await navigator.storage.getDirectory()).getFileHandle('kept', { create: true }) });
    });
    await connectForFiles(alice, bob);
    await choose(alice, 'large.bin', 34_000_000);
    await fileReaches(bob, 'large.bin', 'offered');
    await press(bob, 'large.bin', 'Accept');
    await all([alice, bob], (peer) => fileReaches(peer, 'large.bin', 'done', 60));
    const kept = await bob.page.evaluate(async () => (await (await (await navigator.storage.getDirectory()).getFileHandle('kept')).getFile()).size);
    assert.equal(kept, 34_000_000);
  }));

  test('is sent and taken by the keyboard alone', scene(['chromium', 'chromium'], async (alice, bob) => {
    await connectForFiles(alice, bob);
    await alice.page.waitForSelector('#attach:not(:disabled)');
    await alice.page.focus('#attach');
    const [chooser] = await Promise.all([alice.page.waitForFileChooser(), alice.page.keyboard.press('Enter')]);
    await chooser.accept([fileURLToPath(import.meta.url)]);
    await fileReaches(bob, 'files.test.js', 'offered');
    await bob.page.focus('#files');
    await bob.page.keyboard.press('Tab');
    assert.equal(await bob.page.evaluate(() => document.activeElement?.ariaLabel), 'Accept: files.test.js');
    await bob.page.keyboard.press('Enter');
    await all([alice, bob], (peer) => fileReaches(peer, 'files.test.js', 'done'));
    assert.equal(await bob.page.evaluate(() => document.activeElement?.ariaLabel), 'Save: files.test.js', 'the focus is on what comes next');
  }));

  test('that is a picture is shown, and one that only says so is not', scene(['chromium', 'chromium'], async (alice, bob) => {
    await connectForFiles(alice, bob);
    await choose(alice, 'no.png', 1000, 'image/png');
    await fileReaches(bob, 'no.png', 'offered');
    await press(bob, 'no.png', 'Accept');
    await fileReaches(bob, 'no.png', 'done');
    await alice.page.evaluate(async () => {
      const canvas = new OffscreenCanvas(300, 200);
      canvas.getContext('2d')?.fillRect(0, 0, 10, 10);
      const pasted = new DataTransfer();
      pasted.items.add(new File([await canvas.convertToBlob()], 'pasted.png', { type: 'image/png' }));
      document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: pasted }));
    });
    await fileReaches(bob, 'pasted.png', 'offered');
    await press(bob, 'pasted.png', 'Accept');
    await fileReaches(bob, 'pasted.png', 'done');
    await until(40, 'the picture', () => bob.text('#files'), () => bob.page.$eval('#files .file:last-child', (row) => row.querySelector('canvas') !== null));
    assert.equal(await bob.page.$$eval('#files canvas', ({ length }) => length), 1);
  }));
});

describe('the two sides', () => {
  test('have the same four words to compare, and each sees the other’s name', scene(['chromium', 'firefox'], async (alice, bob) => {
    await bob.reaches('ready');
    await alice.reaches('ready');
    await alice.callOneself('Alice');
    await bob.callOneself('Bob\u202e');
    await connectForFiles(alice, bob);
    await until(40, 'the words', () => alice.text('#verify-words'), async () => (await alice.page.$$('#verify-words li')).length === 4 && (await bob.page.$$('#verify-words li')).length === 4);
    assert.equal(await alice.text('#verify-words'), await bob.text('#verify-words'));
    await alice.click('#verify');
    assert.match(await alice.text('#verify-hint'), /no one is in between/);
    await until(40, 'the names', () => alice.text('#other'), async () => /^Bob \(/.test(await alice.text('#other')) && /^Alice \(/.test(await bob.text('#other')));
  }));
});

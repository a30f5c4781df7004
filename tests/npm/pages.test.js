/** The examples that are pages as they are: without a package, and without a build. */

/** @import { Page } from 'puppeteer-core' */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { closeBrowsers, launch } from '../browser/browsers.js';
import { Server } from '../browser/server.js';

/** In milliseconds. */
const timeout = 30_000;

/** @param {string} path in the examples' folder */
const example = (path) => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));

after(closeBrowsers);

/**
 * @param {string} folder of the examples
 * @param {string} file @param {number} count of pages
 * @param {(...pages: Page[]) => Promise<void>} play
 */
async function open(folder, file, count, play) {
  const server = await Server.start(['--page', example(folder)]);
  /** @type {Page[]} */
  const pages = [];
  try {
    const browser = await launch('chromium');
    while (pages.length < count) {
      const page = await browser.newPage();
      pages.push(page);
      await page.goto(server.url + file);
    }
    await play(...pages);
  } finally {
    for (const page of pages) await page.close();
    await server.close();
  }
}

/** @param {Page} page @param {number} count of videos in which a picture moves */
const sees = (page, count) =>
  page.waitForFunction(
    (count) => {
      const videos = [...document.querySelectorAll('video')];
      return videos.length === count && videos.every((video) => video.videoWidth > 0 && video.getVideoPlaybackQuality().totalVideoFrames > 2);
    },
    { timeout, polling: 200 },
    count,
  );

/** @param {Page} page @param {string} text */
const shows = (page, text) =>
  page.waitForFunction((text) => [...document.querySelectorAll('li')].some((item) => item.textContent === text), { timeout, polling: 100 }, text);

/** @param {Page} page @param {string} text */
async function say(page, text) {
  await page.bringToFront();
  await page.type('input', text);
  await page.click('form button');
}

/** @param {Page} page @param {string} id of its field */
const text = (page, id) => page.$eval(`#${id}`, (field) => /** @type {HTMLTextAreaElement} */ (field).value);

/** Copies what one page says into the other. @param {Page} from @param {Page} to */
async function copy(from, to) {
  await from.bringToFront();
  await from.waitForFunction(() => /** @type {HTMLTextAreaElement} */ (document.querySelector('#said')).value !== '', { timeout });
  const copied = await text(from, 'said');
  await to.bringToFront();
  await to.$eval('#heard', (field, value) => void (/** @type {HTMLTextAreaElement} */ (field).value = value), copied);
  await to.click('#take');
}

test('a page of a dozen lines shows all who are in its room, and no longer one that has gone', async () => {
  const script = /<script type="module">\n([^]*?)<\/script>/.exec(await readFile(example('page/index.html'), 'utf8'))?.[1] ?? '';
  const lines = script.split('\n').filter((line) => line.trim() && !line.includes('import '));
  assert(lines.length <= 12, `${lines.length} lines`);
  await open('page', '', 2, async (alice, bob) => {
    assert(alice && bob);
    for (const page of [alice, bob]) {
      await page.bringToFront();
      await sees(page, 1);
    }
    await bob.goto('about:blank');
    await alice.bringToFront();
    await sees(alice, 0);
  });
});

test('two pages connect by copy and paste, as tutorials begin', () =>
  open('copy-and-paste', 'before.html', 2, async (alice, bob) => {
    assert(alice && bob);
    await alice.bringToFront();
    await alice.click('#begin');
    await copy(alice, bob);
    await copy(bob, alice);
    for (const page of [alice, bob]) await shows(page, 'connected');
    await say(alice, 'hello');
    await shows(bob, 'hello');
  }));

test('and with the server in place of it find each other by themselves', () =>
  open('copy-and-paste', 'after.html', 2, async (alice, bob) => {
    assert(alice && bob);
    for (const page of [alice, bob]) await shows(page, 'connected');
    await say(bob, 'hello');
    await shows(alice, 'hello');
  }));

test('the two pages have all but the signaling in common', async () => {
  const [before, after] = await Promise.all(['before', 'after'].map((name) => readFile(example(`copy-and-paste/${name}.html`), 'utf8')));
  const connection = (/** @type {string} */ page) => page.slice(page.indexOf('  // The connection'), page.indexOf('  // Signaling'));
  assert.equal(connection(before ?? ''), connection(after ?? ''));
  assert(connection(before ?? '').length > 500);
});

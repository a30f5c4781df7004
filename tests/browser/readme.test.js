/** The README's own page, word for word and step by step, as a newcomer does it. Only the port is another than there. */

/** @import { Browser, BrowserContext, Page } from 'puppeteer-core' */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { closeBrowsers, launch } from './browsers.js';
import { until } from './deadline.js';
import { freePort } from './port.js';
import { Server } from './server.js';

/** In seconds. */
const PATIENCE = 40;
/** A ghost is known by its silence, in seconds, and then the two have to find a path. */
const AFTER_A_CRASH = 30;

const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
const section = /## In your own page\n([^]*?)\n## /.exec(readme)?.[1] ?? '';
/** The section's blocks, without the indent of their list. @type {[language: string, text: string][]} */
const blocks = [...section.matchAll(/^ *```(\w+)\n([^]*?)^ *```/gm)].map(([, language = '', text = '']) => [language, text.replace(/^ {3}/gm, '')]);

/** @type {Server} */
let server;
/** Another server, of another origin. @type {import('node:http').Server} */
let host;
/** @type {string} */
let own;
/** @type {string} */
let folder;
/** @type {Browser} */
let browser;

before(async () => {
  const [[, page = ''] = [], [, run = ''] = []] = blocks;
  assert.deepEqual(blocks.map(([language]) => language), ['html', 'sh'], 'README has a page, and serves it');
  const [, flags = ''] = /^cargo run -- (.*)\n$/.exec(run) ?? [];
  folder = await mkdtemp(join(tmpdir(), 'entremise-own-page-'));
  await writeFile(join(folder, 'index.html'), page);
  host = createServer(async (_, response) => response.setHeader('Content-Type', 'text/html').end(onAnotherServer(page)));
  await once(host.listen(0, 'localhost'), 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (host.address());
  own = `http://localhost:${port}/`;
  const arguments_ = flags.replace('my-page', folder).split(' ');
  server = await Server.start([...arguments_, '--allow-origin', own.slice(0, -1)], '127.0.0.1', { name: 'localhost', port: await freePort() });
  browser = await launch('chromium-cautious');
});

after(async () => {
  await closeBrowsers();
  host?.close();
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

/** The same page where its imports are another server's. @param {string} page */
const onAnotherServer = (page) => page.replaceAll("'/js/", `'${server.url}js/`);

/** A person's profile in which she has opened the server's page once, and accepted what the browser warns of. */
async function profile() {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.goto(server.url).catch((error) => assert.match(String(error), /ERR_CERT_AUTHORITY_INVALID/));
  await page.click('#details-button');
  await page.click('#proceed-link');
  await page.waitForSelector('video', { timeout: PATIENCE * 1000 });
  await page.close();
  return context;
}

/** @param {BrowserContext} context @param {string} [url] */
async function open(context, url = server.url) {
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** A picture that moves. @param {Page[]} pages @param {number} [patience] in seconds */
async function seeEachOther(pages, patience = PATIENCE) {
  for (const page of pages) await until(patience, 'the other page in its video', () => page.content(), () => isMoving(page));
}

/** @param {Page} page */
function isMoving(page) {
  return page.$eval('video', async (video) => {
    const frames = () => video.getVideoPlaybackQuality().totalVideoFrames;
    const before = frames();
    await new Promise((done) => setTimeout(done, 500));
    return video.videoWidth > 0 && frames() > before;
  });
}

/** As if its process had died: it says nothing more. @param {Page} page */
async function crash(page) {
  const session = await page.createCDPSession();
  await Promise.race([session.send('Page.crash').catch(() => {}), new Promise((died) => page.once('error', died))]);
}

describe("two pages that are the README's example", () => {
  /** @type {BrowserContext} */
  let context;
  /** @type {Page[]} */
  let pages;
  before(async () => void (context = await profile()));

  test('see each other', async () => {
    pages = [await open(context), await open(context)];
    await seeEachOther(pages);
  });

  test('see each other again when either is loaded anew', async () => {
    for (const page of pages) {
      await page.reload();
      await seeEachOther(pages);
    }
  });

  test('see each other when one has crashed, and is opened anew', async () => {
    const [first, second] = pages;
    assert(first && second);
    await crash(first);
    pages = [await open(context), second];
    await seeEachOther(pages, AFTER_A_CRASH);
  });

  test('see each other when both have crashed, and are opened anew', async () => {
    for (const page of pages) await crash(page);
    pages = [await open(context), await open(context)];
    await seeEachOther(pages, AFTER_A_CRASH);
  });
});

test('the same page on a server of its own, which --allow-origin names, sees another that is opened at the same time', async () => {
  const context = await profile();
  await seeEachOther(await Promise.all([open(context, own), open(context, own)]));
});

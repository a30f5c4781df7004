/** The operator's page: its figures, its plots, on light and on dark, on a phone and on a desk; and that it loads nothing else. */

/** @import { Page } from 'puppeteer-core' */
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';

import { closeBrowsers, launch } from './browsers.js';
import { freePort } from './port.js';
import { Server } from './server.js';

const axe = await readFile(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const output = fileURLToPath(new URL('output/', import.meta.url));

/** @type {Server} */
let server;
/** @type {string} */
let status;

before(async () => {
  const port = await freePort();
  status = `http://127.0.0.1:${port}/status`;
  server = await Server.start(['--metrics-listen', `127.0.0.1:${port}`, '--turn-ttl', '600']);
  await mkdir(output, { recursive: true });
});

after(async () => {
  await closeBrowsers();
  await server.close();
});

/** @param {Page} page @param {string} title what a plot says of now, and of how many points its lines are */
function plot(page, title) {
  return page.evaluate((title) => {
    const figures = [...document.querySelectorAll('figure')];
    const figure = figures.find((figure) => figure.querySelector('figcaption')?.firstChild?.textContent === title);
    const lines = [...(figure?.querySelectorAll('polyline') ?? [])];
    const points = lines.map((line) => line.getAttribute('points')?.split(' ').length ?? 0);
    return { said: figure?.querySelector('strong')?.textContent ?? '', points };
  }, title);
}

for (const kind of /** @type {const} */ (['chromium', 'firefox'])) {
  test(`it shows what goes on and asks again by itself, in ${kind}`, async () => {
    const browser = await launch(kind);
    const [caller, page] = [await browser.newPage(), await browser.newPage()];
    /** @type {string[]} */
    const foreign = [];
    page.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      // What a browser brings with it has no host.
      if (/^(http|ws)/.test(protocol) && origin !== new URL(status).origin) foreign.push(request.url());
    });
    /** @type {string[]} */
    const errors = [];
    page.on('pageerror', (error) => void errors.push(String(error)));
    page.on('console', (line) => void (line.type() === 'error' && errors.push(line.text())));
    await caller.goto(server.url);
    await page.goto(status);
    await page.waitForFunction(() => /ready$/.test(document.querySelector('#state')?.textContent ?? ''));
    assert.equal((await page.$$('figure')).length, 6);
    // One who is here is on the page by its second look at the latest.
    await page.waitForFunction(() => document.querySelector('figure strong')?.textContent === '1', { timeout: 30_000 });
    assert.match((await plot(page, 'Memory')).said, /^[\d.]+ MiB$/);
    assert((await plot(page, 'Connections')).points.some((points) => points >= 2), 'its line has a length');
    const warnings = await page.$$eval('#warnings li', (items) => items.map((item) => item.textContent));
    assert(warnings.some((warning) => warning?.includes('--turn-ttl does nothing without --turn')), `${warnings}`);
    assert(warnings.some((warning) => warning?.includes('no authority vouches for the certificate')), `${warnings}`);
    assert.match(await page.$eval('#certificate', (list) => list.textContent ?? ''), /localhost.*UTC, in 36\d days/);
    assert.equal(await page.$eval('#cluster', (section) => /** @type {HTMLElement} */ (section).hidden), true);
    assert.deepEqual([foreign, errors], [[], []]);
    await caller.close();
    await page.close();
  });
}

test('axe finds nothing, and it fits a phone and a desk, on light and on dark', async () => {
  const page = await (await launch('chromium')).newPage();
  await page.setBypassCSP(true); // for axe alone
  await page.goto(status);
  await page.waitForSelector('figure');
  await page.evaluate(axe);
  for (const [name, width] of /** @type {const} */ ([['desk', 1280], ['phone', 360]])) {
    for (const scheme of ['light', 'dark']) {
      await page.setViewport({ width, height: 800 });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      const found = await page.evaluate(async () => {
        const { violations } = await /** @type {any} */ (globalThis).axe.run(document);
        return violations.map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ node) => node.html).join(' ')}`);
      });
      assert.deepEqual(found, [], `${name}, ${scheme}`);
      const tooWide = await page.$eval('html', ({ scrollWidth, clientWidth }) => scrollWidth - clientWidth);
      assert.equal(tooWide, 0, `${name} scrolls sideways`);
      await page.screenshot({ path: `${output}status-${name}-${scheme}.png`, fullPage: true });
    }
  }
  await page.close();
});

test('a server that is gone is told, and one that comes back is shown', async () => {
  const page = await (await launch('chromium')).newPage();
  await page.goto(status);
  await page.waitForSelector('figure');
  await server.stop();
  await page.waitForFunction(() => document.querySelector('#state.bad')?.textContent?.includes("can't be asked"), { timeout: 30_000 });
  await server.start();
  await page.waitForFunction(() => /ready$/.test(document.querySelector('#state')?.textContent ?? ''), { timeout: 30_000 });
  await page.close();
});

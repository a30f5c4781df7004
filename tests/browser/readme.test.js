/** The README's own page, word for word, from an origin that isn't the server's. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { closeBrowsers, launch } from './browsers.js';
import { until } from './deadline.js';
import { Server } from './server.js';

/** In seconds. */
const PATIENCE = 20;

test("two pages that are the README's example see each other", async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const example = /```html\n([^]*?)```/.exec(readme)?.[1];
  assert(example, 'the README has a page in it');
  const host = createServer((_, response) => response.setHeader('content-type', 'text/html').end(page));
  await once(host.listen(0, '127.0.0.1'), 'listening');
  const origin = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (host.address()).port}`;
  const server = await Server.start(['--allow-origin', origin]);
  const page = example.replaceAll('https://localhost:8443/', server.url);
  assert.notEqual(page, example);
  try {
    await Promise.all([sees(origin), sees(origin)]);
  } finally {
    await closeBrowsers();
    host.close();
    await server.close();
  }
});

/** @param {string} url */
async function sees(url) {
  const context = await (await launch('chromium')).createBrowserContext();
  const page = await context.newPage();
  await page.goto(url);
  const width = () => page.$eval('video', (video) => video.videoWidth);
  await until(PATIENCE, 'the other page in its video', () => page.content(), async () => (await width()) > 0);
}

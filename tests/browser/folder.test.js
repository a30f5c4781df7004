/** One's own page (`--page`): what a browser lets it do, and that an edit is seen. */

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { closeBrowsers, launch } from './browsers.js';
import { Server } from './server.js';

/** A tutorial's page, with scripts, handlers and a style in it, which our own page's policy forbids. @param {string} title */
const tutorial = (title) => `<!doctype html>
<meta charset="utf-8">
<title>${title}</title>
<style>h1 { color: rgb(1, 2, 3) }</style>
<h1 onclick="this.dataset.clicked = 'yes'">Théâtre</h1>
<video autoplay playsinline muted></video>
<script>
  navigator.mediaDevices.getUserMedia({ audio: true, video: true }).then((stream) => {
    document.querySelector('video').srcObject = stream;
    document.body.dataset.tracks = stream.getTracks().map((track) => track.kind).sort().join();
  });
</script>
<script type="module">
  import { Client } from './js/client.js';
  const client = new Client();
  client.on('welcome', () => (document.body.dataset.welcome = 'yes'));
  client.connect();
</script>`;

/** @type {string} */
let folder;
/** @type {Server} */
let server;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'entremise-folder-'));
  await writeFile(join(folder, 'index.html'), tutorial('first'));
  server = await Server.start(['--page', folder]);
});

after(async () => {
  await closeBrowsers();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

for (const kind of /** @type {const} */ (['chromium', 'firefox'])) {
  test(`a tutorial’s page has camera, microphone and signaling, and is read anew when it is edited, in ${kind}`, async () => {
    const page = await (await launch(kind)).newPage();
    await page.goto(server.url);
    await page.waitForSelector('body[data-tracks="audio,video"][data-welcome="yes"]');
    await page.click('h1');
    await page.waitForSelector('h1[data-clicked="yes"]');
    assert.equal(await page.$eval('h1', (title) => getComputedStyle(title).color), 'rgb(1, 2, 3)');
    assert.equal(await page.$eval('h1', (title) => title.textContent), 'Théâtre');
    const edition = `edited for ${kind}`;
    await writeFile(join(folder, 'index.html'), tutorial(edition));
    await page.reload();
    assert.equal(await page.title(), edition);
    await page.close();
  });
}

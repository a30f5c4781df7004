/** What a learner sees beside a call: what is said, field by field, and how it goes. */

/** @import { Peer } from './peer.js' */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { until } from './deadline.js';
import { all, connect, scene, serve } from './scene.js';

serve();

/** Of what comes by itself within a second or two, on a slow machine. In seconds. */
const PATIENCE = 40;

/** @param {Peer} peer @param {string} selector of a card */
async function open({ page }, selector) {
  await page.$eval(selector, (details) => void (/** @type {HTMLDetailsElement} */ (details).open = true));
}

/** @param {Peer} peer @param {string} selector @param {RegExp} words as they are seen */
async function shows({ page }, selector, words) {
  const read = () => page.$eval(selector, (element) => (/** @type {HTMLElement} */ (element).innerText ?? element.textContent).replaceAll('\u00a0', ' '));
  await until(PATIENCE, `${words} in ${selector}`, read, async () => words.test(await read()));
}

/** The rows of the diagram that are seen. @param {Peer} peer */
function rows({ page }) {
  return page.$$eval('#diagram > li', (items) => items.filter((item) => item.checkVisibility()).map((item) => item.querySelector('.said')?.textContent ?? ''));
}

/** @param {Peer} peer @param {string} kind */
async function toggleKind({ page }, kind) {
  await page.$eval(`#diagram-kinds [value="${kind}"]`, (box) => /** @type {HTMLInputElement} */ (box).click());
}

test('what is said says what it carries and explains it, and how it goes is plotted, in both browsers', scene(['chromium', 'firefox'], async (alice, bob) => {
  await all([alice, bob], (peer) => open(peer, '#how-it-goes'));
  await shows(alice, '#measures-told', /no call is connected/);
  await connect(alice, bob);
  await all([alice, bob], async (peer) => {
    await open(peer, '.diagram');
    await shows(peer, '#diagram', /offer audio opus · video VP\d · data · ICE controlling · DTLS actpass/);
    await shows(peer, '#diagram', /answer audio opus · video VP\d · data · ICE controlled · DTLS (active|passive)/);
    await shows(peer, '#diagram', /candidate host UDP \S+:\d+/);
    await peer.page.$$eval('#diagram details', (all) => all.forEach((details) => void (details.open = /: (offer|candidate host) /.test(details.textContent))));
    await shows(peer, '#diagram', /fingerprint\s+sha-256 [^\n]+\s+The hash of the certificate that DTLS will show/);
    await shows(peer, '#diagram', /typ\s+host\s+An address that this machine has itself/);
    await isPlotted(peer);
  });
  await alice.click('#hang-up');
  await all([alice, bob], (peer) => shows(peer, '#measures-told', /The call is over/));
}));

/** @param {Peer} peer in a call */
async function isPlotted(peer) {
  await shows(peer, '#plots', /Round trip\s+[\d.]+ ms/);
  await shows(peer, '#plots', /Packets lost\s+received [\d.]+ %\s+sent/);
  await shows(peer, '#plots', /Bit rate\s+received [\d,.]+ kbit\/s\s+sent [\d,.]+ kbit\/s/);
  await shows(peer, '#plots', /Lines of the picture\s+received \d+ × \d+\s+sent \d+ × \d+/);
  const drawn = await peer.page.$$eval('#plots .line', (paths) => paths.filter((path) => path.getAttribute('d')).length);
  assert.ok(drawn >= 6, `${drawn} of 11 lines are drawn`);
  await shows(peer, '#way', /✓ directly/);
  assert.equal((await peer.page.$$('#way .route.chosen')).length, 1);
  assert.match(await peer.page.$eval('#way svg', (drawing) => drawing.getAttribute('aria-label') ?? ''), /directly: in use\./);
  await open(peer, '#numbers-card');
  await shows(peer, '#numbers', /in use\s+\w+ UDP \S+:\d+/);
}

test('what is said shows the kinds that are chosen, holds rows in a pause, is copied as it is shown, and saved', scene(['chromium', 'chromium'], async (alice, bob) => {
  await connect(alice, bob);
  await open(alice, '.diagram');
  for (const kind of ['candidate', 'direct', 'session']) await toggleKind(alice, kind);
  const seen = await rows(alice);
  assert.deepEqual(seen.map((row) => row.split(' ')[0]), ['offer', 'answer']);
  await alice.click('#diagram-copy');
  await shows(alice, '#diagram-told', /^Rows copied: 2\.$/);
  const [{ message }] = await saved(alice);
  assert.deepEqual([message.type, message.to], ['offer', await bob.text('#peer-id')]);
  await alice.click('#diagram-pause');
  await bob.click('#hang-up');
  await alice.reaches('ready');
  await shows(alice, '#diagram-held', /^\d+ more wait$/);
  assert.deepEqual(await rows(alice), seen);
  await alice.click('#diagram-pause');
  assert.equal((await rows(alice)).at(-1)?.trim(), 'bye');
  await alice.pasteFromClipboard('#remote-id');
  assert.match(await alice.value('#remote-id'), /You → Other side +offer +audio opus.*Other side → You +answer/);
}));

/** What the browser has saved of the diagram. @param {Peer} peer in Chromium */
async function saved(peer) {
  const folder = await mkdtemp(join(tmpdir(), 'entremise-'));
  try {
    await (await peer.page.createCDPSession()).send('Page.setDownloadBehavior', { behavior: 'allow', downloadPath: folder });
    await peer.click('#diagram-export');
    const name = async () => (await readdir(folder)).find((name) => /^entremise-[\dT-]+\.json$/.test(name)) ?? '';
    await until(PATIENCE, 'the file', async () => String(await readdir(folder)), async () => (await name()) !== '');
    return JSON.parse(await readFile(join(folder, await name()), 'utf8'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

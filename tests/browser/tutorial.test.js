/** The tutorial: its live parts, pressed as a reader does, in both languages; and its programs, run word for word. */

/** @import { Page } from 'puppeteer-core' */
/** @import { Kind } from './browsers.js' */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { closeBrowsers, launch } from './browsers.js';
import { until, within } from './deadline.js';
import { freePort } from './port.js';
import { Server } from './server.js';

/** In seconds. */
const PATIENCE = 40;

const learn = fileURLToPath(new URL('../../static/learn/', import.meta.url));
const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
const axe = await readFile(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const { WebSocket } = await import(`${modules}/ws/wrapper.mjs`);

/** @type {Server} */
let server;
/** @type {string} */
let folder;
const secret = 'the-secret-of-two-servers-that-know-each-other';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'entremise-tutorial-'));
  await writeFile(join(folder, 'secret.txt'), `${secret}\n`);
  const flags = ['--stun-port', `${await freePort()}`, '--turn', '--turn-allow-peer', '127.0.0.0/8', '--turn-secret-file', join(folder, 'secret.txt')];
  server = await Server.start([...flags, '--base-path', '/there']);
});
after(async () => {
  await closeBrowsers();
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

/** What a browser complains of, but for a search that a lesson lets fail. @param {Page} page */
function complaintsOf(page) {
  /** @type {string[]} */
  const complaints = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('response', (response) => response.status() >= 400 && complaints.push(`${response.status()} for ${response.url()}`));
  return () => complaints.filter((complaint) => !/ICE failed/.test(complaint));
}

/** @param {Kind} kind @param {string} [file] */
async function open(kind, file = 'index.html') {
  const page = await (await (await launch(kind)).createBrowserContext()).newPage();
  const complaints = complaintsOf(page);
  await page.goto(`${server.url}there/learn/${file}`);
  return { page, complaints };
}

/** Presses a button of a lesson, and returns what it tells. @param {Page} page @param {string} lesson @param {number} [button] */
async function press(page, lesson, button = 0) {
  const live = `[data-live="${lesson}"]`;
  await page.waitForSelector(`${live}[data-state="idle"]`, { timeout: PATIENCE * 1000 });
  await page.$$eval(`${live} .live-buttons button`, (buttons, button) => buttons[button]?.click(), button);
  await page.waitForSelector(`${live}[data-state="idle"]`, { timeout: PATIENCE * 1000 });
  const [text = '', tone] = await page.$eval(`${live} .live-told`, (told) => [told.textContent ?? '', told.getAttribute('data-tone') ?? '']);
  assert.equal(tone, 'well', `${lesson}: ${text}`);
  return text;
}

/** @param {Page} page @param {string} lesson @param {number} count */
async function pressEach(page, lesson, count) {
  /** @type {string[]} */
  const told = [];
  for (let step = 0; step < count; step += 1) told.push(await press(page, lesson));
  return told;
}

/** @param {Page} page @param {string} selector */
const texts = (page, selector) => page.$$eval(selector, (elements) => elements.map((element) => element.textContent ?? ''));

/** Each lesson to its end. @param {Kind} kind @param {string} file */
function lessons(kind, file) {
  test(`each live part of ${file} does in ${kind} what it says`, async () => {
    const { page, complaints } = await open(kind, file);
    await press(page, 'secure');
    await learnsWebSockets(page);
    await learnsOffers(page);
    await learnsCalls(page);
    await learnsIce(page);
    await learnsFromMistakes(page);
    assert.deepEqual(complaints(), []);
    await page.close();
  });
}

/** @param {Page} page */
async function learnsWebSockets(page) {
  const told = await pressEach(page, 'websocket', 5);
  assert.match(told[4] ?? '', /peer-unavailable/);
  const rows = await texts(page, '[data-live="websocket"] .said-list > li summary');
  const words = rows.map((row) => row.split(': ').at(-1));
  assert.deepEqual(words.filter((word) => word !== 'ack'), ['welcome', 'welcome', 'message', 'message', 'message', 'message', 'message', 'peer-unavailable']);
  assert.equal(words.filter((word) => word === 'ack').length, 2);
}

/** @param {Page} page */
async function learnsOffers(page) {
  await pressEach(page, 'offer', 7);
  const states = await texts(page, '[data-live="offer"] .state');
  assert.deepEqual([states[0], states[1], states[6], states[7]], ['stable', 'stable', 'connected', 'connected']);
  const said = await texts(page, '[data-live="offer"] [data-kind="direct"] pre');
  assert.match(said.join(), /Bob/);
  const secrets = await texts(page, '[data-live="offer"] pre');
  assert.doesNotMatch(secrets.join(), /"credential": "[^…]/);
}

/** @param {Page} page */
async function learnsCalls(page) {
  await pressEach(page, 'call', 3);
  const sizes = await page.$$eval('[data-live="call"] video', (videos) => videos.map(({ videoWidth }) => videoWidth));
  assert.deepEqual(sizes, [320, 320]);
  await press(page, 'call');
}

/** @param {Page} page */
async function learnsIce(page) {
  assert.match(await press(page, 'stun'), /stun:127\.0\.0\.1:\d+/);
  assert((await texts(page, '[data-live="stun"] td')).includes('host'));
  const stops = () => texts(page, '[data-live="turn"] .stops li');
  await press(page, 'turn', 0);
  assert.deepEqual(await stops(), ['Alice', 'Bob']);
  await press(page, 'turn', 1);
  assert.equal((await stops()).length, 3);
}

/** All but the candidate that leads nowhere, of which Chromium tires after a quarter of a minute. @param {Page} page */
async function learnsFromMistakes(page) {
  const console = async () => (await texts(page, '[data-live="trouble"] .console-lines li')).join('\n');
  for (const [button, lines] of /** @type {[number, RegExp][]} */ ([
    [0, /^peer-unavailable: /],
    [1, /^InvalidStateError: /],
    [2, /^InvalidStateError: /],
    [3, /signalingState: stable/],
    [5, /no candidate from turn:.*401/],
    [6, /path: host to (host|prflx|srflx), udp/],
  ])) {
    await press(page, 'trouble', button);
    await until(PATIENCE, `${lines}`, console, async () => lines.test(await console()));
  }
}

describe('the live parts', { concurrency: 2 }, () => {
  lessons('chromium', 'index.html');
  lessons('firefox', 'fr.html');
});

for (const [language, title] of /** @type {const} */ ([['en', /^How two browsers/], ['fr', /^Comment deux navigateurs/]])) {
  test(`the page to meet leads to the tutorial, where the reader prefers ${language}, and each language to the other`, async () => {
    const { page, complaints } = await open('chromium', '../');
    await page.evaluateOnNewDocument((language) => Object.defineProperty(navigator, 'languages', { value: [language] }), language);
    await page.reload();
    await Promise.all([page.waitForNavigation(), page.click('#learn')]);
    assert.match(await page.title(), title);
    await Promise.all([page.waitForNavigation(), page.click('.masthead [hreflang]')]);
    assert.doesNotMatch(await page.title(), title);
    await Promise.all([page.waitForNavigation(), page.click('.masthead h1 a')]);
    assert.equal(await page.title(), 'entremise');
    assert.deepEqual(complaints(), []);
    await page.close();
  });
}

test('a lesson ends where the next one begins, and can be begun anew', async () => {
  const { page, complaints } = await open('chromium');
  await pressEach(page, 'websocket', 2);
  await press(page, 'offer');
  const count = () => page.$eval('[data-live="websocket"] .live-count', (element) => element.textContent);
  assert.match((await count()) ?? '', /^0/);
  await pressEach(page, 'websocket', 1);
  assert.match((await count()) ?? '', /^1/);
  await page.$eval('[data-live="websocket"] .live-buttons .quiet', (button) => /** @type {HTMLElement} */ (button).click());
  assert.match((await count()) ?? '', /^0/);
  assert.deepEqual(await texts(page, '[data-live="websocket"] .said-list > li'), []);
  assert.deepEqual(complaints(), []);
  await page.close();
});

test('a live part can be gone through by the keyboard alone, and its button keeps the focus', async () => {
  const { page } = await open('chromium');
  await page.focus('[data-live="websocket"] .live-buttons button');
  for (const step of ['1', '2', '3', '4', '5']) {
    await page.keyboard.press('Enter');
    await until(PATIENCE, `step ${step}`, () => page.content(), async () => {
      const [count] = await texts(page, '[data-live="websocket"] .live-count');
      return count?.startsWith(step) === true;
    });
    assert.equal(await page.evaluate(() => document.activeElement?.closest('[data-live]')?.getAttribute('data-live')), 'websocket');
  }
  for (let stop = 0; stop < 3; stop += 1) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.match((await texts(page, '[data-live="websocket"] details[open] pre')).join(), /"type": "welcome"/);
  await page.close();
});

for (const [file, views] of /** @type {const} */ ([['index.html', [['light', 1280], ['dark', 320]]], ['fr.html', [['light', 320]]]])) {
  test(`axe finds nothing in ${file} with a lesson on it, and nothing is too wide`, async () => {
    const { page, complaints } = await open('chromium', file);
    await page.waitForSelector('[data-program="with-entremise.html"] pre');
    await pressEach(page, 'offer', 7);
    for (const [scheme, width] of views) {
      await page.setViewport({ width, height: 800 });
      // As in accessibility.test.js.
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
      assert.deepEqual(await violations(page), [], `${file}, ${scheme}, ${width}`);
      assert.equal(await page.$eval('html', ({ scrollWidth, clientWidth }) => scrollWidth - clientWidth), 0, `${file} at ${width}`);
    }
    assert.deepEqual(complaints(), []);
    await page.close();
  });
}

/** @param {Page} page */
async function violations(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await /** @type {any} */ (globalThis).axe.run(document);
    return violations.map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ node) => node.html).join(' ')}`);
  });
}

test('each program is shown as the file that it is, and copied so', async () => {
  const { page } = await open('chromium');
  await page.evaluate(() => {
    const { clipboard } = navigator;
    clipboard.writeText = async (text) => void (document.title = text);
  });
  for (const name of await readdir(join(learn, 'programs'))) {
    const text = await readFile(join(learn, 'programs', name), 'utf8');
    const place = `[data-program="${name}"]`;
    await page.waitForSelector(`${place} pre`);
    assert.equal((await texts(page, `${place} pre`))[0], text);
    await page.$eval(`${place} button`, (button) => /** @type {HTMLElement} */ (button).click());
    await page.waitForFunction((copied) => document.title === copied.trim().replace(/\s+/g, ' '), {}, text);
  }
  await page.close();
});

describe('the programs for a browser', () => {
  /** As pasted into the console of a page, until a line comes there. @param {Page} page @param {string} name @param {RegExp} line */
  async function runs(page, name, line) {
    let said = '';
    /** @type {Promise<void>} */
    const come = new Promise((resolve) => {
      page.on('console', (message) => {
        said += `${message.text()}\n`;
        if (line.test(said)) resolve();
      });
    });
    const text = await readFile(join(learn, 'programs', name), 'utf8');
    // The one change: this server's `/ice` is in a folder of the host, as the page is.
    await page.evaluate(`void (async () => {${text.replace("fetch('/ice')", "fetch('/there/ice')")}\n})()`);
    await within(PATIENCE, `${line} of ${name}`, () => said, come);
  }

  for (const kind of /** @type {Kind[]} */ (['chromium', 'firefox'])) {
    test(`run in the console of ${kind}`, async () => {
      const { page } = await open(kind);
      await runs(page, 'offer-answer.js', /Bob reads: Hello Bob/);
      await runs(page, 'candidates.js', /host udp [^]*relay udp [^]*That was all/);
      await runs(page, 'relay.js', /The relay works: \d+ ms/);
      await page.close();
    });
  }

  test('get a relay with the credentials that turn-credentials.js prints', async () => {
    const run = promisify(execFile);
    const { stdout } = await run('node', [join(learn, 'programs/turn-credentials.js'), join(folder, 'secret.txt'), 'alice']);
    const { page } = await open('chromium');
    const kind = await page.evaluate(async (credentials) => {
      const { iceServers } = await (await fetch('../ice')).json();
      const urls = iceServers.flatMap((/** @type {RTCIceServer} */ { urls }) => urls).filter((/** @type {string} */ url) => url.startsWith('turn:'));
      const connection = new RTCPeerConnection({ iceServers: [{ urls, ...credentials }], iceTransportPolicy: 'relay' });
      connection.createDataChannel('any');
      /** @type {Promise<string>} */
      const found = new Promise((resolve) => void (connection.onicecandidate = ({ candidate }) => resolve(candidate?.type ?? 'none')));
      await connection.setLocalDescription();
      return found;
    }, JSON.parse(stdout));
    assert.equal(kind, 'relay');
    await page.close();
  });
});

/** Two pages of chapter 4, one of which calls the other. @param {string} url @param {Kind[]} kinds */
async function callEachOther(url, [first = 'chromium', second = 'chromium']) {
  const pages = await Promise.all([first, second].map(async (kind) => (await (await launch(kind)).createBrowserContext()).newPage()));
  const [alice, bob] = pages;
  assert(alice && bob);
  for (const page of pages) {
    await page.goto(url);
    await page.waitForFunction(() => document.getElementById('own-id')?.textContent);
  }
  await alice.$eval('#other-id', (input, id) => void (/** @type {HTMLInputElement} */ (input).value = id), String((await texts(bob, '#own-id'))[0]));
  await alice.click('#dial button');
  await bob.waitForSelector('#accept:not([hidden])', { timeout: PATIENCE * 1000 });
  await bob.click('#accept');
  for (const page of pages) {
    const picture = () => page.$eval('#remote', (video) => /** @type {HTMLVideoElement} */ (video).videoWidth > 0);
    await until(PATIENCE, 'a picture', async () => (await texts(page, '#status')).join(), picture);
  }
  await bob.click('#hang-up');
  await until(PATIENCE, 'the end', async () => (await texts(alice, '#status')).join(), async () => /hung up/.test((await texts(alice, '#status')).join()));
  assert.equal(await alice.$eval('#local', (video) => /** @type {HTMLVideoElement} */ (video).srcObject), null);
  await Promise.all(pages.map((page) => page.close()));
}

describe('the server of chapters 1 and 2', () => {
  /** @type {import('node:child_process').ChildProcess} */
  let child;
  /** @type {string} */
  let url;

  before(async () => {
    const home = join(folder, 'own');
    await mkdir(home);
    for (const name of ['https.js', 'signaling.js', 'call.html', 'call.js', 'peer.js']) await copyFile(join(learn, 'programs', name), join(home, name));
    await writeFile(join(home, 'package.json'), '{"type":"module"}');
    await symlink(modules, join(home, 'node_modules'));
    const [, command = ''] = /<pre[^>]*>(openssl [^]*?)<\/pre>/.exec(await readFile(join(learn, 'index.html'), 'utf8')) ?? [];
    await promisify(execFile)('sh', ['-c', command], { cwd: home });
    child = spawn('node', ['signaling.js'], { cwd: home, env: { ...process.env, PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await within(PATIENCE, 'the server of the tutorial', () => '', once(createInterface(/** @type {any} */ (child.stdout)), 'line'));
    url = line;
  });
  after(() => child?.kill());

  test('lets a Chromium and a Firefox call each other', () => callEachOther(url, ['chromium', 'firefox']));

  test('serves the files of its list, and no other: not its key, not by any trick', async () => {
    /** @param {string} path @returns {Promise<number | undefined>} */
    const status = async (path) => {
      const { hostname, port } = new URL(url);
      const asked = request({ hostname, port, path, rejectUnauthorized: false }).end();
      const [response] = await once(asked, 'response');
      response.resume();
      return response.statusCode;
    };
    for (const path of ['/', '/call.js', '/peer.js?again']) assert.equal(await status(path), 200, path);
    for (const path of ['/key.pem', '/../key.pem', '//key.pem', '/%2e%2e/key.pem', '/__proto__', '//', '/signaling.js']) assert.equal(await status(path), 404, path);
  });

  /** @param {object} [options] */
  async function connect(options = {}) {
    const socket = new WebSocket(url.replace('https', 'wss') + 'ws', { rejectUnauthorized: false, ...options });
    /** @type {any[]} */
    const heard = [];
    /** @type {((message: any) => void)[]} */
    const waiting = [];
    socket.on('message', (/** @type {Buffer} */ data) => (waiting.shift() ?? ((message) => heard.push(message)))(JSON.parse(data.toString())));
    const next = () => within(PATIENCE, 'a message', () => '', heard.length ? Promise.resolve(heard.shift()) : new Promise((resolve) => waiting.push(resolve)));
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => {});
    return { socket, next, closed };
  }

  test('answers what it does not understand by an error, and serves on', async () => {
    const { socket, next } = await connect();
    const { type, id } = await next();
    assert.equal(type, 'welcome');
    for (const text of ['{', 'null', '7', '[]', '{"type":"offer"}', '{"type":"welcome","to":"x"}', '{"type":"__proto__","to":"x"}', '{"type":"offer","to":7}']) {
      socket.send(text);
      assert.deepEqual(await next(), { type: 'error', code: 'bad-message' }, text);
    }
    socket.send(JSON.stringify({ type: 'offer', to: 'stranger', offer: 1 }));
    assert.deepEqual(await next(), { type: 'error', code: 'peer-unavailable', to: 'stranger' });
    socket.send(JSON.stringify({ type: 'candidate', to: id, from: 'forged', candidate: null }));
    assert.deepEqual(await next(), { type: 'candidate', from: id, candidate: null });
    socket.close();
  });

  test('ends a connection that sends bytes, too much, or too often, and takes none of another site', async () => {
    for (const [send, code] of /** @type {[(socket: any) => void, number][]} */ ([
      [(socket) => socket.send(Buffer.from([1])), 1003],
      [(socket) => socket.send('x'.repeat(70_000)), 1009],
      [(socket) => { for (let count = 0; count < 300; count += 1) socket.send('{}'); }, 1008],
    ])) {
      const { socket, next, closed } = await connect();
      await next();
      send(socket);
      assert.equal(await within(PATIENCE, `the close ${code}`, () => '', closed), code);
    }
    const { closed } = await connect({ origin: 'https://elsewhere.example' });
    assert.equal(await within(PATIENCE, 'a refusal', () => '', closed), 1006);
  });
});

test('the client of chapter 4 works with entremise too, unchanged', async () => {
  const home = join(folder, 'my-page');
  await mkdir(home);
  await copyFile(join(learn, 'programs/call.html'), join(home, 'index.html'));
  for (const name of ['call.js', 'peer.js']) await copyFile(join(learn, 'programs', name), join(home, name));
  const host = await Server.start(['--page', home, '--stun-port', '0']);
  try {
    await callEachOther(host.url, ['chromium', 'chromium']);
  } finally {
    await host.close();
  }
});

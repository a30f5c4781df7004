/** The client as a package: packed, installed into fresh projects, and used there. */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

import { closeBrowsers, launch } from '../browser/browsers.js';
import { Server } from '../browser/server.js';

const run = promisify(execFile);
const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const root = here('../..');
/** What is installed for these tests, for projects that have it as well. */
const modules = here('node_modules');

/** @type {string} */
let project;
/** @type {string} */
let version;

before(async () => {
  await run(join(root, 'npm/build'));
  version = JSON.parse(await readFile(join(root, 'npm/package.json'), 'utf8')).version;
  project = await mkdtemp(join(tmpdir(), 'entremise-npm-'));
  await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(root, `target/npm/entremise-${version}.tgz`)], { cwd: project });
  for (const name of ['ws', 'react', 'react-dom', 'scheduler', 'simple-peer']) await symlink(join(modules, name), join(project, 'node_modules', name));
});

after(async () => {
  await closeBrowsers();
  await rm(project, { recursive: true, force: true });
});

/** A module and all that it imports. @param {string} file @param {Set<string>} [seen] @returns {Promise<Set<string>>} */
async function closure(file, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, path = ''] of (await readFile(file, 'utf8')).matchAll(/from '(\.\/[^']+)'/g)) await closure(join(dirname(file), path), seen);
  return seen;
}

test('it has the version of the server', async () => {
  assert.match(await readFile(join(root, 'Cargo.toml'), 'utf8'), new RegExp(`^version = "${version}"$`, 'm'));
});

test('signaling alone is small, and brings no calls with it', async () => {
  const files = [...(await closure(join(project, 'node_modules/entremise/lib/client.js')))];
  const text = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
  const size = gzipSync(text).length;
  assert(size <= 12 * 1024, `${size} bytes`);
  assert.doesNotMatch(text, /RTCPeerConnection\(/);
});

test('a bot greets in plain Node, and two clients meet there', async () => {
  const server = await Server.start();
  try {
    await cp(here('bot.mjs'), join(project, 'clients.mjs'));
    await cp(here('../../examples/bot/bot.js'), join(project, 'bot.js'));
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: server.certificate };
    const url = `${server.url}ws`.replace(/^https/, 'wss');
    const bot = spawn('node', ['bot.js', url, 'lobby'], { cwd: project, env, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(bot, 'exit');
    try {
      await once(createInterface(bot.stdout), 'line');
      const { stdout } = await run('node', ['clients.mjs', url, 'lobby'], { cwd: project, env, timeout: 30_000 });
      assert.equal(stdout, 'met\n');
    } finally {
      bot.kill('SIGTERM');
    }
    const [code] = await ended;
    assert.equal(code, 0, 'once it is closed, nothing holds the process up');
  } finally {
    await server.close();
  }
});

for (const resolution of ['bundler', 'nodenext']) {
  test(`a program in strict TypeScript has its types, as ${resolution} finds them`, async () => {
    await cp(here('main.ts'), join(project, 'main.ts'));
    const module = resolution === 'bundler' ? 'esnext' : 'nodenext';
    const options = ['--ignoreConfig', '--noEmit', '--strict', '--target', 'es2023', '--module', module, '--moduleResolution', resolution, '--types', ''];
    const checked = await run(join(root, 'node_modules/.bin/tsc'), [...options, 'main.ts'], { cwd: project }).catch((error) => error);
    assert.equal(checked.stdout, '', 'what is wrong with it');
  });
}

/** @param {string} page of the examples @returns {Promise<Server>} which serves what Vite has made of it */
async function built(page) {
  const folder = join(project, page);
  await cp(here(`../../examples/${page}`), folder, { recursive: true });
  const { build } = await import('vite');
  await build({ root: folder, base: './', logLevel: 'error', configFile: false });
  return Server.start(['--page', join(folder, 'dist')]);
}

test('two pages that Vite has built call each other', async () => {
  const server = await built('vite');
  try {
    const browser = await launch('chromium');
    const pages = [await browser.newPage(), await browser.newPage()];
    for (const page of pages) await page.goto(server.url);
    for (const page of pages) {
      await page.bringToFront();
      await page.waitForSelector('body[data-tracks="2"]', { timeout: 30_000 });
    }
    for (const page of pages) await page.close();
  } finally {
    await server.close();
  }
});

test('a hook of React shows who is in a room, and leaves it when its component is gone', async () => {
  const server = await built('react');
  try {
    const browser = await launch('chromium');
    const [alice, bob] = [await browser.newPage(), await browser.newPage()];
    const others = (/** @type {import('puppeteer-core').Page} */ page, /** @type {number} */ count) =>
      page.waitForFunction((text) => document.querySelector('p')?.textContent === text, { timeout: 30_000, polling: 100 }, `${count} others`);
    await alice.goto(server.url);
    await others(alice, 0);
    await bob.goto(server.url);
    await others(bob, 1);
    await others(alice, 1);
    await bob.close();
    await others(alice, 0);
    await alice.close();
  } finally {
    await server.close();
  }
});

test('simple-peer connects two pages over our signaling, and again after a restart of the server', async () => {
  const server = await built('simple-peer');
  try {
    const browser = await launch('chromium');
    const [alice, bob] = [await browser.newPage(), await browser.newPage()];
    const hears = (/** @type {import('puppeteer-core').Page} */ page, /** @type {number} */ count, /** @type {string} */ start) =>
      page.waitForFunction(
        (count, start) => [...document.querySelectorAll('li')].filter(({ textContent }) => textContent?.startsWith(start)).length === count,
        { timeout: 30_000, polling: 100 }, count, start,
      );
    for (const page of [alice, bob]) await page.goto(server.url);
    for (const page of [alice, bob]) await hears(page, 1, 'hello from ');
    await server.stop();
    await server.start();
    for (const page of [alice, bob]) await hears(page, 2, 'hello from ');
    await alice.bringToFront();
    await alice.type('input', 'we are back');
    await alice.click('button');
    await hears(bob, 1, 'we are back');
    for (const page of [alice, bob]) await page.close();
  } finally {
    await server.close();
  }
});

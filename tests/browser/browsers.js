/** The stock browsers of the distribution, headless, with pretended cameras. Each is launched when first asked for. */

/** @import { Browser, LaunchOptions } from 'puppeteer-core' */
import { existsSync } from 'node:fs';
import puppeteer from 'puppeteer-core';

import { tunnel } from './tunnel.js';

/** @typedef {'chromium' | 'firefox' | 'chromium-cautious' | 'chromium-without-camera' | 'chromium-camera-blocked' | 'chromium-three-cameras' | 'chromium-in-french' | 'firefox-in-french'} Kind */
/** @typedef {'chromium' | 'firefox'} Vehicle one that can be run elsewhere */

const CHROMIUM = '/usr/bin/chromium';
const FIREFOX = '/usr/bin/firefox-esr';

const quiet = [
  '--no-sandbox', // as root, Chromium has no other way
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--ignore-certificate-errors', // of TURN over TLS; acceptInsecureCerts is for pages
  '--allow-loopback-in-peer-connection',
  '--disable-features=WebRtcHideLocalIpsWithMdns,SpareRendererForSitePerProcess',
];
/** Frames a second, as few as Chromium can pretend: to encode and decode pictures is most of what these tests cost. */
const FRAMES = 5;
const camera = `--use-fake-device-for-media-stream=fps=${FRAMES}`;
const allow = '--use-fake-ui-for-media-stream';

const loopback = { 'media.peerconnection.ice.loopback': true, 'media.peerconnection.ice.obfuscate_host_addresses': false };
const pretended = { 'media.navigator.streams.fake': true, 'media.navigator.permission.disabled': true, 'media.navigator.video.default_fps': FRAMES };

/** @type {LaunchOptions} */
const common = {
  headless: true,
  acceptInsecureCerts: true,
  defaultViewport: { width: 1280, height: 800 },
  protocolTimeout: 60_000,
  handleSIGTERM: false, // scene.js closes them, and then exits
};

/** @type {Record<Kind, LaunchOptions>} */
const options = {
  chromium: { executablePath: CHROMIUM, args: [...quiet, camera, allow] },
  // As a person has it: what no known authority has signed is not opened before she says so.
  'chromium-cautious': {
    executablePath: CHROMIUM, acceptInsecureCerts: false, args: [...quiet.filter((flag) => flag !== '--ignore-certificate-errors'), camera, allow],
  },
  'chromium-without-camera': { executablePath: CHROMIUM, args: quiet },
  'chromium-camera-blocked': { executablePath: CHROMIUM, args: [...quiet, camera, `${allow}=deny`] },
  // The second of them is a depth camera, whose picture no call can carry.
  'chromium-three-cameras': { executablePath: CHROMIUM, args: [...quiet, `${camera},device-count=3`, allow] },
  'chromium-in-french': { executablePath: CHROMIUM, args: [...quiet, camera, allow, '--lang=fr', '--accept-lang=fr'] },
  firefox: { browser: 'firefox', executablePath: FIREFOX, extraPrefsFirefox: { ...loopback, ...pretended } },
  'firefox-in-french': { browser: 'firefox', executablePath: FIREFOX, extraPrefsFirefox: { 'intl.accept_languages': 'fr' } },
};

/** By kind, and by where it runs. @type {Map<string, Promise<Browser>>} */
const launched = new Map();

/** @param {Kind} kind @returns {Promise<Browser>} one process per kind, shared by the tests of a file */
export function launch(kind) {
  return once(kind, () => start(options[kind]));
}

/** A Chromium whose camera shows this film. @param {string} film a file in Y4M @returns {Promise<Browser>} */
export function launchWithFilm(film) {
  return once(`chromium ${film}`, () => start({ executablePath: CHROMIUM, args: [...quiet, camera, `--use-file-for-fake-video-capture=${film}`, allow] }));
}

/**
 * A browser that runs elsewhere, as in a network namespace.
 *
 * @param {string[]} through the command that runs it there
 * @param {Vehicle} vehicle
 * @returns {Promise<Browser>}
 */
export function launchIn(through, vehicle) {
  return once(`${vehicle} ${through.join(' ')}`, () => elsewhere[vehicle](through));
}

/** @type {Record<Vehicle, (through: string[]) => Promise<Browser>>} */
const elsewhere = {
  /** Steered through a pipe, which leads out of there. */
  chromium: ([executablePath = '', ...words]) => {
    const args = [...words, CHROMIUM, ...puppeteer.defaultArgs({ ...common, args: [...quiet, camera, allow] })];
    return start({ executablePath, args, ignoreDefaultArgs: true, pipe: true });
  },
  /** Steered through a port alone. */
  firefox: async (through) => {
    const [executablePath = '', ...words] = through;
    const args = [...words, FIREFOX, ...puppeteer.defaultArgs({ ...common, browser: 'firefox' })];
    const debuggingPort = await tunnel(through);
    return start({ browser: 'firefox', executablePath, args, ignoreDefaultArgs: true, debuggingPort, extraPrefsFirefox: { ...loopback, ...pretended } });
  },
};

/** @param {string} name @param {() => Promise<Browser>} start */
function once(name, start) {
  const browser = launched.get(name) ?? start();
  launched.set(name, browser);
  return browser;
}

/** @param {LaunchOptions} options */
async function start(options) {
  const { executablePath = '' } = options;
  if (!existsSync(executablePath)) throw new Error(`NOT RUN: there is no ${executablePath} here; apt-get install chromium firefox-esr`);
  return puppeteer.launch({ ...common, ...options });
}

export async function closeBrowsers() {
  const browsers = await Promise.allSettled(launched.values());
  launched.clear();
  await Promise.all(browsers.map((browser) => browser.status === 'fulfilled' && browser.value.close()));
}

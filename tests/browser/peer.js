/** A person at the page: does what a person does, sees and hears what a person sees and hears. */

/** @import { Browser, BrowserContext, Page } from 'puppeteer-core' */
import assert from 'node:assert/strict';

import { until, within } from './deadline.js';

/** @typedef {'connecting' | 'ready' | 'calling' | 'ringing' | 'in-call' | 'in-room' | 'offline'} State */

/** What a browser complains of while the server is away, and is asked why: 426 is its answer to a plain request, 503 that of one that ends. */
export const away = /ERR_|WebSocket connection to|\b(426|503)\b/;

/** Of a page over the loopback, on a slow machine with two browsers at work. In seconds. */
const PATIENCE = 40;

export class Peer {
  /** @readonly For what only one test does. */
  page;
  #name;
  #context;
  /** What the browser complained of since the page was opened. @type {string[]} */
  #complaints = [];
  /** @type {RegExp | null} */
  #expected = null;

  /** @param {string} name @param {BrowserContext} context @param {Page} page */
  constructor(name, context, page) {
    this.#name = name;
    this.#context = context;
    this.page = page;
  }

  /**
   * Opens the page in a profile of its own, and waits for nothing more.
   *
   * @param {Browser} browser
   * @param {string} name
   * @param {string} url
   */
  static async open(browser, name, url) {
    const context = await browser.createBrowserContext();
    const peer = new Peer(name, context, await context.newPage());
    peer.page.setDefaultTimeout(PATIENCE * 1000);
    peer.#listen();
    await peer.page.goto(url);
    return peer;
  }

  /** Breaches of the content security policy come as errors too. */
  #listen() {
    this.page.on('console', (message) => {
      if (['error', 'warn', 'assert'].includes(message.type())) this.#complaints.push(`${message.type()}: ${message.text()}`);
    });
    this.page.on('pageerror', (error) => this.#complaints.push(`uncaught: ${error}`));
    this.page.on('response', (response) => {
      if (response.status() >= 400) this.#complaints.push(`${response.status()} for ${response.url()}`);
    });
  }

  /** @param {RegExp} complaint what the browser may say in this test */
  expect(complaint) {
    this.#expected = complaint;
  }

  assertNoComplaint() {
    assert.deepEqual(this.#complaints.filter((complaint) => !this.#expected?.test(complaint)), [], `${this.#name} complained`);
  }

  async close() {
    await this.#context.close();
  }

  // What a person does.

  /** Of a button, once it can be pressed: who is slower than the other side is not ready yet. @param {string} selector */
  async click(selector) {
    await this.#until(`${selector} to be ready`, () => this.page.$eval(selector, (element) => !element.matches(':disabled')));
    await within(PATIENCE, `a click on ${selector} (${this.#name})`, () => this.#situation(), this.page.click(selector));
  }

  /** @param {string} selector @param {string} text */
  async paste(selector, text) {
    await this.page.$eval(
      selector,
      (element, text) => {
        /** @type {HTMLInputElement} */ (element).select();
        document.execCommand('insertText', false, text);
      },
      text,
    );
  }

  /** @param {string} id */
  async call(id) {
    await this.paste('#remote-id', id);
    await this.click('#call');
  }

  /** @param {string} name */
  async callOneself(name) {
    await this.page.$eval('#own-name', (element, name) => {
      /** @type {HTMLInputElement} */ (element).value = name;
      element.dispatchEvent(new Event('change'));
    }, name);
  }

  async accept() {
    await this.reaches('ringing');
    await this.click('#accept');
  }

  /** @param {string} text */
  async write(text) {
    await this.#until('the chat to open', () => this.page.$eval('#chat-input', (input) => !(/** @type {HTMLInputElement} */ (input).disabled)));
    await this.paste('#chat-input', text);
    await this.page.keyboard.press('Enter');
  }

  /** @param {string} selector */
  async pasteFromClipboard(selector) {
    await this.page.focus(selector);
    await this.page.keyboard.down('Control');
    await this.page.keyboard.press('KeyV', { commands: ['Paste'] });
    await this.page.keyboard.up('Control');
  }

  /** Until `answerCameraPrompt`, the browser asks whether the page may have the camera. */
  async delayCameraPrompt() {
    await this.page.evaluate(() => {
      const { mediaDevices } = navigator;
      const open = mediaDevices.getUserMedia.bind(mediaDevices);
      mediaDevices.getUserMedia = async (wish) => {
        await new Promise((allowed) => addEventListener('camera-allowed', allowed, { once: true }));
        return open(wish);
      };
    });
  }

  /** Takes the other ICE servers from the page's next calls. @param {RegExp} url of those that stay */
  async useOnly(url) {
    await this.page.evaluate((source) => {
      const url = new RegExp(source);
      /** @param {RTCIceServer} server */
      const filtered = (server) => ({ ...server, urls: [server.urls].flat().filter((each) => url.test(each)) });
      globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        /** @param {RTCConfiguration} [configuration] */
        constructor({ iceServers = [], ...others } = {}) {
          super({ ...others, iceServers: iceServers.map(filtered).filter(({ urls }) => urls.length > 0) });
        }
      };
    }, url.source);
  }

  /** @param {number} at the moment, in milliseconds since 1970, so that two peers can choose the same */
  async answerCameraPrompt(at) {
    await this.page.evaluate(
      (at) => new Promise((done) => setTimeout(() => done(dispatchEvent(new Event('camera-allowed'))), at - Date.now())),
      at,
    );
  }

  // What a person sees and hears.

  /** @param {string} selector */
  text(selector) {
    return this.page.$eval(selector, (element) => element.textContent ?? '');
  }

  /** @returns {Promise<string>} */
  state() {
    return this.page.$eval('main', (main) => main.dataset['state'] ?? '');
  }

  /** How media go, and by which kinds of address. */
  path() {
    return this.page.$eval('#path', (element) => `${element.textContent} (${/** @type {HTMLElement} */ (element).title})`);
  }

  /** @param {string} selector of an input */
  value(selector) {
    return this.page.$eval(selector, (input) => /** @type {HTMLInputElement} */ (input).value);
  }

  /** @returns {Promise<string>} its own id, once it has one */
  async id() {
    await this.reaches('ready');
    return this.text('#peer-id');
  }

  /** @param {State} state @param {number} [patience] in seconds */
  async reaches(state, patience = PATIENCE) {
    await this.#until(`the state ${state}`, async () => (await this.state()) === state, patience);
  }

  /** @param {RegExp} words @param {number} [patience] in seconds */
  async isTold(words, patience = PATIENCE) {
    await this.#until(`the words ${words}`, async () => words.test(await this.text('#status')), patience);
  }

  /** @param {RegExp} words */
  async showsInDiagram(words) {
    await this.#until(`${words} in the diagram`, async () => words.test(await this.text('#diagram')));
  }

  /** @param {RegExp} path as the page says it */
  async isConnectedBy(path) {
    await this.#until(`the path ${path}`, async () => path.test(await this.path()));
  }

  /** @param {string} text from the other side */
  async reads(text) {
    await this.#until(`"${text}" in the chat`, async () => (await this.text('#chat-log')).includes(text));
  }

  /** A picture with a width, whose frames advance. */
  async seesTheOther() {
    const frames = this.page.$eval('#remote-video', async (element) => {
      const video = /** @type {HTMLVideoElement} */ (element);
      /** @returns {Promise<VideoFrameCallbackMetadata>} */
      const nextFrame = () => new Promise((done) => video.requestVideoFrameCallback((_, frame) => done(frame)));
      const first = await nextFrame();
      let last = first;
      while (last.presentedFrames < first.presentedFrames + 10) last = await nextFrame();
      return last;
    });
    const { width, height } = await within(PATIENCE, `the other side’s picture to move (${this.#name})`, () => this.#situation(), frames);
    assert(width > 0 && height > 0, `a picture of ${width}×${height}`);
  }

  /** Not silence: both browsers' pretended microphones beep. Recorded, as Firefox's audio graph needs a sound card. */
  async hearsTheOther() {
    const hears = this.page.$eval('#remote-video', async (element) => {
      const video = /** @type {HTMLVideoElement} */ (element);
      const stream = /** @type {MediaStream} */ (video.srcObject);
      const recorder = new MediaRecorder(new MediaStream(stream.getAudioTracks()));
      /** @type {Blob[]} */
      const parts = [];
      const isLoud = async () => {
        const recorded = await new Blob(parts).arrayBuffer();
        const sound = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(recorded).catch(() => null);
        return sound?.getChannelData(0).some((sample) => Math.abs(sample) > 0.01);
      };
      recorder.start(250);
      do await new Promise((done) => recorder.addEventListener('dataavailable', ({ data }) => done(parts.push(data)), { once: true }));
      while (!(await isLoud()));
      recorder.stop();
    });
    await within(PATIENCE, `the other side’s sound (${this.#name})`, () => this.#situation(), hears);
  }

  async #situation() {
    return `${this.#name} is ${await this.state()} and is told "${await this.text('#status')}", its path is "${await this.path()}"; complaints: ${this.#complaints}`;
  }

  /** @param {string} what @param {() => Promise<boolean>} condition @param {number} [patience] in seconds */
  #until(what, condition, patience = PATIENCE) {
    return until(patience, `${what} (${this.#name})`, () => this.#situation(), condition);
  }
}

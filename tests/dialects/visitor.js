/** A page in a browser, in a profile of its own, whose script keeps what it hears, and whose functions a test may call. */

/** @import { Browser, BrowserContext, Page } from 'puppeteer-core' */
import assert from 'node:assert/strict';

import { until, within } from '../browser/deadline.js';

/** Of a page over the loopback, on a slow machine. In seconds. */
const PATIENCE = 20;

export class Visitor {
  page;
  #context;
  /** @type {string[]} */
  #complaints = [];

  /** @param {BrowserContext} context @param {Page} page */
  constructor(context, page) {
    this.#context = context;
    this.page = page;
    page.on('pageerror', (error) => this.#complaints.push(`uncaught: ${error}`));
    page.on('console', (message) => message.type() === 'error' && this.#complaints.push(message.text()));
  }

  /** @param {Browser} browser @param {string} url */
  static async open(browser, url) {
    const context = await browser.createBrowserContext();
    const visitor = new Visitor(context, await context.newPage());
    await visitor.page.goto(url);
    return visitor;
  }

  /** Calls a function of `window.rig`. @param {string} name @param {unknown[]} args @returns {Promise<any>} */
  ask(name, ...args) {
    return this.page.evaluate((name, args) => /** @type {any} */ (window).rig[name](...args), name, args);
  }

  /** What the page has kept, in order. @returns {Promise<string[]>} */
  heard() {
    return this.page.evaluate(() => /** @type {any} */ (window).rig.heard);
  }

  /** @param {string} line @param {number} [seconds] */
  async hears(line, seconds = PATIENCE) {
    await this.comesTo(`“${line}”`, async () => (await this.heard()).includes(line), seconds);
  }

  /** @param {string} what @param {() => Promise<boolean>} condition @param {number} [seconds] */
  async comesTo(what, condition, seconds = PATIENCE) {
    await until(seconds, what, () => this.#situation(), condition);
  }

  /** A picture whose frames advance. @param {string} selector of the video */
  async sees(selector) {
    const frames = this.page.$eval(selector, async (element) => {
      const video = /** @type {HTMLVideoElement} */ (element);
      for (let n = 0; n < 5; n++) await new Promise((done) => video.requestVideoFrameCallback(done));
    });
    await within(PATIENCE, `${selector} to play`, () => this.#situation(), frames);
  }

  /** What the browser has complained of, in order. @returns {readonly string[]} */
  get complaints() {
    return this.#complaints;
  }

  assertNoComplaint() {
    assert.deepEqual(this.#complaints, []);
  }

  async #situation() {
    const heard = await this.heard().catch(() => []);
    return ['It has heard:', ...heard, 'It complained:', ...this.#complaints].join('\n');
  }

  async close() {
    await this.#context.close();
  }
}

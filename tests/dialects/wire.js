/** What a server says to a client that is written here byte for byte: each answer is a line, in which ids have names. */

/** @import { IncomingMessage } from 'node:http' */
/** @import { Subject } from './subject.js' */
import { once } from 'node:events';
import { request as plain } from 'node:http';
import { request as secure } from 'node:https';

import { WebSocket } from 'ws';

import { until, within } from '../browser/deadline.js';

/** @typedef {{ headers?: Record<string, string>, body?: string | Buffer, show?: string[] }} Options `show`: headers that count besides the type */
/** @typedef {{ sends: (frame: string | Buffer) => void, opens: () => Promise<void>, hears: (frames?: number) => Promise<void>, hearsUntil: (part: string) => Promise<void>, hearsOrNot: () => Promise<void>, leaves: () => void }} Client */

/**
 * A talk, and what the server that the dialect was made for says in it.
 *
 * @typedef {{ title: string, talk: (wire: Wire) => Promise<void>, said: string[], alone?: boolean }} Conversation
 *   `alone`: with a server of its own, as it may not survive
 */

/** As JSON. */
const UUID = /"([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})"/;

/** Longer than a heartbeat with its time limit. In seconds. */
const PATIENCE = 60;

/** How long a server that has stopped reading is given to prove the opposite. In seconds. */
const SILENCE = 2;

export class Wire {
  /** @type {string[]} */
  lines = [];
  #subject;
  /** @type {[value: string, name: string][]} */
  #names = [];
  /** @type {Set<WebSocket>} */
  #sockets = new Set();
  #begun = Date.now();
  /** All requests that have begun. @type {Promise<unknown>} */
  #written = Promise.resolve();

  /** @param {Subject} subject */
  constructor(subject) {
    this.#subject = subject;
  }

  /** The endpoint for those who are given its whole URL. */
  get endpoint() {
    return new URL(this.#subject.socketUrl).pathname;
  }

  /**
   * An id is written as this name from now on, wherever it occurs.
   *
   * @param {RegExp} pattern whose first group is the id @param {string} text @param {string} name
   */
  learn(pattern, text, name) {
    const id = pattern.exec(text)?.[1];
    if (!id) throw new Error(`no id of ${name} in: ${text}; before: ${this.lines.join('\n')}`);
    this.#names.push([id, `<${name}>`]);
    return id;
  }

  /** The first UUID in the last line that has no name yet is written as this one, there too. @param {string} name */
  name(name) {
    const id = this.learn(UUID, this.last, name);
    this.write(this.lines.pop() ?? '');
    return id;
  }

  /** @param {string} line */
  write(line) {
    this.lines.push(this.#names.reduce((line, [value, name]) => line.replaceAll(value, name), line));
  }

  startClock() {
    this.#begun = Date.now();
  }

  /** How many seconds have passed since then, to the nearest five. @param {string} what */
  tellTime(what) {
    this.write(`${what} after ${Math.round((Date.now() - this.#begun) / 5000) * 5} s`);
  }

  /** @param {string} who @param {string} method @param {string} path @param {Options} [options] @returns {Promise<string>} the answer's body */
  async ask(who, method, path, options) {
    return this.answered(who, this.begin(method, path, options));
  }

  /**
   * A request whose answer is awaited later.
   *
   * @param {string} method @param {string} path @param {Options} [options]
   * @returns {Promise<{ line: string, body: string }>}
   */
  async begin(method, path, { headers = {}, body = '', show = [] } = {}) {
    const url = new URL(path, this.#subject.url);
    const asked = (url.protocol === 'https:' ? secure : plain)(url, { method, headers, agent: false, rejectUnauthorized: false });
    this.#written = Promise.all([this.#written, once(asked, 'finish')]);
    asked.end(body);
    const answer = once(asked, 'response');
    const [response] = await within(PATIENCE, `an answer to ${method} ${path}`, () => this.lines.join('\n'), answer);
    return described(response, show);
  }

  /** Waits until what was begun is at the server: a connection that is opened later, and has its answer, has passed it. */
  async arrived() {
    await this.#written;
    await this.begin('GET', '/');
  }

  /** @param {string} who @param {ReturnType<Wire['begin']>} answer */
  async answered(who, answer) {
    const { line, body } = await answer;
    this.write(`${who}: ${line}`);
    return body;
  }

  /** @param {string} who @param {string} path @param {Record<string, string>} [headers] @returns {Promise<Client>} */
  async connect(who, path, headers = {}) {
    const url = new URL(path, this.#subject.url.replace(/^http/, 'ws'));
    const socket = new WebSocket(url, { headers, rejectUnauthorized: false, perMessageDeflate: false });
    this.#sockets.add(socket);
    /** @type {string[]} */
    const heard = [];
    socket.on('message', (data, isBinary) => void heard.push(isBinary ? `binary ${/** @type {Buffer} */ (data).toString('hex')}` : `${data}`));
    socket.on('close', (code) => void heard.push(`(closed ${code})`));
    socket.on('error', () => {});
    socket.on('unexpected-response', async (_, response) => {
      heard.push(`(${(await described(response, [])).line})`);
      socket.terminate();
    });
    const isHeard = async () => heard.length > 0;
    const hear = async () => {
      const isOver = async () => socket.readyState === WebSocket.CLOSED;
      await until(PATIENCE, `${who} to hear something`, () => this.lines.join('\n'), async () => (await isHeard()) || isOver());
      this.write(`${who} ← ${heard.shift() ?? '(is over)'}`);
    };
    return {
      opens: async () => {
        await until(PATIENCE, `${who} to be connected`, () => heard.join('\n'), async () => socket.readyState !== WebSocket.CONNECTING);
      },
      sends: (frame) => socket.send(frame),
      hears: async (frames = 1) => {
        for (let n = 0; n < frames; n++) await hear();
      },
      hearsUntil: async (part) => {
        const isEnough = () => [part, '(closed', '(is over)'].some((end) => this.last.includes(end));
        do await hear(); while (!isEnough());
      },
      hearsOrNot: async () => {
        if (await until(SILENCE, '', () => '', isHeard).then(() => true, () => false)) await hear();
        else this.write(`${who} ← (nothing)`);
      },
      leaves: () => socket.close(1000),
    };
  }

  /** The last line that was written, from which ids are learned. */
  get last() {
    return this.lines.at(-1) ?? '';
  }

  close() {
    for (const socket of this.#sockets) socket.terminate();
  }
}

/** @param {IncomingMessage} response @param {string[]} show */
async function described(response, show) {
  /** @type {Buffer[]} */
  const parts = [];
  for await (const part of response) parts.push(part);
  const body = Buffer.concat(parts).toString();
  const headers = ['content-type', ...show].map((name) => response.headers[name] ?? 'none');
  return { body, line: [response.statusCode, ...headers, body.replaceAll('\x1e', '␞')].join(' | ') };
}

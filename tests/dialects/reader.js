/** socket.io's client in Node, which keeps what it hears of the tutorial's events. */

import assert from 'node:assert/strict';

import { io } from 'socket.io-client';

import { until } from '../browser/deadline.js';

/** @typedef {('polling' | 'websocket')[]} Transports */
/** @typedef {Partial<import('socket.io-client').ManagerOptions & import('socket.io-client').SocketOptions>} Options */

/** The only ones that the tutorial's page listens to. */
const EVENTS = ['newUser', 'offer', 'answer', 'candidate'];

/** In seconds: a client may take that long until it tries again. */
const PATIENCE = 20;

export class Reader {
  socket;
  id = '';
  /** @type {[event: string, ...args: unknown[]][]} */
  #heard = [];

  /** @param {string} url @param {Transports} transports @param {Options} [options] besides */
  constructor(url, transports, options = {}) {
    this.socket = io(url, { ...options, transports, forceNew: true, rejectUnauthorized: false });
    for (const event of EVENTS) this.socket.on(event, (...args) => void this.#heard.push([event, ...args]));
  }

  /** @param {string} url @param {Transports} transports @param {Options} [options] besides */
  static async connect(url, transports, options) {
    const reader = new Reader(url, transports, options);
    try {
      await reader.isGreeted();
    } catch (error) {
      reader.close();
      throw error;
    }
    return reader;
  }

  /** As the tutorial's server greets, and with the id that socket.io itself was told. */
  async isGreeted() {
    const [event, text] = await this.#next('a greeting');
    this.id = this.socket.id ?? '';
    assert.deepEqual([event, text], ['newUser', `Coucou user :  ${this.id}`]);
    assert.match(this.id, /^[\w-]{20}$/);
  }

  /** The next of the tutorial's events is this one. @param {string} event @param {unknown} args */
  async hears(event, args) {
    assert.deepEqual(await this.#next(event), [event, args]);
  }

  /** @param {'polling' | 'websocket'} transport */
  async reaches(transport) {
    await until(PATIENCE, transport, () => this.#state(), async () => this.socket.io.engine.transport.name === transport);
  }

  close() {
    this.socket.close();
  }

  /** @param {string} what */
  async #next(what) {
    await until(PATIENCE, what, () => this.#state(), async () => this.#heard.length > 0);
    return /** @type {[string, ...unknown[]]} */ (this.#heard.shift());
  }

  #state() {
    return `It is ${this.socket.connected ? '' : 'not '}connected, over ${this.socket.io.engine?.transport?.name}.`;
  }
}

/** A program that runs beside the tests, and does not outlive them. */

import { spawn } from 'node:child_process';
import { connect } from 'node:net';

import { until, within } from '../browser/deadline.js';

/** @typedef {import('node:child_process').ChildProcess} Process */

/** Several begin at once, on a busy machine. In seconds. */
const PATIENCE = 30;

/** What still runs when the tests are interrupted. @type {Set<Process>} */
const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

export class Child {
  #process;
  #log = '';
  /** Resolves when it has ended, by itself or not. @readonly @type {Promise<void>} */
  ended;

  /** @param {Process} process */
  constructor(process) {
    this.#process = process;
    this.ended = new Promise((ended) => process.once('exit', () => ended()));
    children.add(process);
    process.once('exit', () => children.delete(process));
    for (const stream of [process.stdout, process.stderr]) stream?.setEncoding('utf8').on('data', (text) => void (this.#log += text));
  }

  /** Waits until it listens. @param {string[]} words @param {number} port @param {NodeJS.ProcessEnv} env besides what there is */
  static async start([command = '', ...words], port, env = {}) {
    const child = new Child(spawn(command, words, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }));
    try {
      await until(PATIENCE, `${command} ${words[0]} to listen`, () => child.#log, () => listens(port));
      return child;
    } catch (error) {
      await child.end();
      throw error;
    }
  }

  get pid() {
    return this.#process.pid;
  }

  get isRunning() {
    return children.has(this.#process);
  }

  /** What it has said. */
  get log() {
    return this.#log;
  }

  /** @param {NodeJS.Signals} name */
  signal(name) {
    this.#process.kill(name);
  }

  /** At once: some wait for their clients when they are asked to end. */
  async end() {
    if (!this.isRunning) return;
    this.signal('SIGKILL');
    await within(10, 'a program to end', () => this.#log, this.ended);
  }
}

/** @param {number} port @returns {Promise<boolean>} */
function listens(port) {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy());
}

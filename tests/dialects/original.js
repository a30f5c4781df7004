/** The server that the clients of a dialect were made for, as a process of its own. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';

import { until, within } from '../browser/deadline.js';
import { cert, key } from '../network/certificate.js';

/** @typedef {'socket.io' | 'peerjs' | 'y-webrtc' | 'trystero' | 'gstreamer'} Dialect */

/**
 * @typedef {{ port: number, tls: boolean, origin?: string, page?: string }} Options
 *   `origin`: of the pages that may use it besides its own; `page`: the folder that it serves, where it serves any
 */

/** @typedef {{ words: string[], env?: Record<string, string>, tls: boolean }} Command `tls`: whether it speaks it */

/** @type {Record<Dialect, ((options: Options) => Command) | null>} */
const commands = {
  'socket.io': ({ port, tls, origin = '', page = '' }) => ({
    words: [file('originals/tutorial.js'), `${port}`, page, origin, ...(tls ? [cert, key] : [])],
    tls,
  }),
  peerjs: ({ port, tls }) => ({
    words: [
      file('node_modules/peer/dist/bin/peerjs.js'), '--host', '127.0.0.1', '--port', `${port}`,
      ...(tls ? ['--sslcert', cert, '--sslkey', key] : []),
    ],
    tls,
  }),
  'y-webrtc': ({ port }) => ({ words: [file('node_modules/y-webrtc/bin/server.js')], env: { PORT: `${port}` }, tls: false }),
  trystero: ({ port }) => ({ words: [file('originals/trystero.js'), `${port}`], tls: false }),
  gstreamer: null,
};

/** @param {string} path @returns {string} */
function file(path) {
  return fileURLToPath(new URL(path, import.meta.url));
}

/** What still runs when the tests are interrupted. @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

export class Original {
  url;
  #command;
  #port;
  /** @type {import('node:child_process').ChildProcess | null} */
  #child = null;
  #log = '';

  /** @param {Command} command @param {number} port */
  constructor(command, port) {
    this.#command = command;
    this.#port = port;
    this.url = `${command.tls ? 'https' : 'http'}://127.0.0.1:${port}/`;
  }

  /** @param {Dialect} dialect @param {Options} options */
  static async start(dialect, options) {
    const command = commands[dialect];
    if (!command) throw new Error(`the server that ${dialect}'s clients were made for is none of JavaScript's: there is only ours`);
    const original = new Original(command(options), options.port);
    await original.start();
    return original;
  }

  async start() {
    const { words, env } = this.#command;
    const child = spawn(process.execPath, words, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    children.add(child);
    child.once('exit', () => children.delete(child));
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => void (this.#log += text));
    await until(10, `${words[0]} to listen`, () => this.#log, () => listens(this.#port));
  }

  /** Some of them wait for their clients when they are asked to end. */
  async stop() {
    const child = this.#child;
    if (!child || child.exitCode !== null) return;
    this.#child = null;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await within(10, 'the original to end', () => this.#log, exit);
  }

  close() {
    return this.stop();
  }
}

/** @param {number} port @returns {Promise<boolean>} */
export function listens(port) {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy());
}

/** The server that the clients of a dialect were made for, as a process of its own. */

import { fileURLToPath } from 'node:url';

import { cert, key } from '../network/certificate.js';
import { Child } from './child.js';

/** @typedef {'socket.io' | 'peerjs' | 'y-webrtc' | 'trystero' | 'matchbox' | 'gstreamer'} Dialect */

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
  matchbox: null,
  gstreamer: null,
};

/** @param {string} path @returns {string} */
function file(path) {
  return fileURLToPath(new URL(path, import.meta.url));
}

export class Original {
  url;
  #command;
  #port;
  /** @type {Child | null} */
  #child = null;

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
    this.#child = await Child.start([process.execPath, ...words], this.#port, env);
  }

  async stop() {
    await this.#child?.end();
  }

  close() {
    return this.stop();
  }
}

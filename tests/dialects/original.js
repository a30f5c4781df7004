/** The server that the clients of a dialect were made for, as a process of its own. */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { cert, key } from '../network/certificate.js';
import { Child } from './child.js';

/** @typedef {'socket.io' | 'peerjs' | 'y-webrtc' | 'trystero' | 'matchbox' | 'gstreamer'} Dialect */

/**
 * @typedef {{ port: number, tls: boolean, origin?: string, page?: string }} Options
 *   `origin`: of the pages that may use it besides its own; `page`: the folder that it serves, where it serves any
 */

/** @typedef {{ words: string[], env?: Record<string, string>, tls: boolean }} Command `words`: the program's too; `tls`: whether it speaks it */

/** Those that have to be built first: they are written in Rust. @type {ReadonlySet<Dialect>} */
export const native = new Set(['matchbox', 'gstreamer']);

/** Where `make test-originals` puts them. */
const PROGRAMS = resolve(process.env['ORIGINALS'] ?? file('../../target/originals'), 'bin');

/** @type {Record<Dialect, (options: Options) => Command>} */
const commands = {
  'socket.io': ({ port, tls, origin = '', page = '' }) => ({
    words: [process.execPath, file('originals/tutorial.js'), `${port}`, page, origin, ...(tls ? [cert, key] : [])],
    tls,
  }),
  peerjs: ({ port, tls }) => ({
    words: [
      process.execPath, file('node_modules/peer/dist/bin/peerjs.js'), '--host', '127.0.0.1', '--port', `${port}`,
      ...(tls ? ['--sslcert', cert, '--sslkey', key] : []),
    ],
    tls,
  }),
  'y-webrtc': ({ port }) => ({ words: [process.execPath, file('node_modules/y-webrtc/bin/server.js')], env: { PORT: `${port}` }, tls: false }),
  trystero: ({ port }) => ({ words: [process.execPath, file('originals/trystero.js'), `${port}`], tls: false }),
  matchbox: ({ port }) => ({ words: [program('matchbox_server'), `127.0.0.1:${port}`], tls: false }),
  gstreamer: ({ port, tls }) => ({
    words: [program('gst-webrtc-signalling-server'), '--host', '127.0.0.1', '--port', `${port}`, ...(tls ? ['--cert', cert, '--key', key] : [])],
    tls,
  }),
};

/** @param {string} name */
function program(name) {
  const path = join(PROGRAMS, name);
  if (!existsSync(path)) throw new Error(`there is no ${path}: run make test-originals, or set ORIGINALS`);
  return path;
}

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
    const original = new Original(commands[dialect](options), options.port);
    await original.start();
    return original;
  }

  async start() {
    const { words, env } = this.#command;
    this.#child = await Child.start(words, this.#port, env);
  }

  async stop() {
    await this.#child?.end();
  }

  close() {
    return this.stop();
  }
}

/**
 * The server that a dialect's clients are aimed at: ours, or the one that they were made for. SUBJECT=original asks for the latter, so
 * that a test which fails against ours can be tried where it must pass.
 */

/** @import { Dialect } from './original.js' */
import { Server } from '../browser/server.js';
import { freePort } from '../browser/port.js';
import { Nginx } from './nginx.js';
import { Original } from './original.js';

/** @typedef {'ours' | 'original'} Kind */

/**
 * @typedef {{ kind?: Kind, behind?: 'nginx' | 'nothing', origin?: string, page?: string, flags?: string[] }} Wish
 *   `origin`: of the pages that may use it besides its own; `page`: the folder that it serves; `flags`: of ours, besides
 */

/** @type {Kind} */
export const asked = process.env['SUBJECT'] === 'original' ? 'original' : 'ours';

export class Subject {
  /** Where its clients reach it, with a slash at the end. It stays the same when it is started again. */
  url;
  #program;
  #nginx;
  #path;

  /** @param {Server | Original} program @param {Nginx | null} nginx @param {string} path of the dialect's endpoint */
  constructor(program, nginx, path) {
    this.#program = program;
    this.#nginx = nginx;
    this.#path = path;
    this.url = nginx?.url ?? program.url;
  }

  /** @param {Dialect} dialect @param {Wish} [wish] */
  static async start(dialect, { kind = asked, behind = 'nothing', ...wish } = {}) {
    const port = await freePort();
    const nginx = behind === 'nginx' ? await Nginx.start(port) : null;
    const options = { port, tls: nginx === null, ...wish };
    try {
      const program = kind === 'ours' ? await ours(dialect, options) : await Original.start(dialect, options);
      return new Subject(program, nginx, kind === 'ours' && isAWebSocketAlone(dialect) ? dialect : '');
    } catch (error) {
      await nginx?.close();
      throw error;
    }
  }

  /** The URL that a WebSocket client of the dialect is given. */
  get socketUrl() {
    return new URL(this.#path, this.url).href.replace(/^http/, 'ws');
  }

  /** What ours has written. */
  get log() {
    if (this.#program instanceof Original) throw new Error('what the original writes is not kept');
    return this.#program.log;
  }

  async restart() {
    await this.#program.stop();
    await this.#program.start();
  }

  async close() {
    await this.#nginx?.close();
    await this.#program.close();
  }
}

/** @param {Dialect} dialect @param {{ port: number, tls: boolean, origin?: string, page?: string, flags?: string[] }} options */
function ours(dialect, { port, tls, origin, page, flags = [] }) {
  const words = ['--dialect', dialect, '--stun-port', '0', ...flags];
  if (origin) words.push('--allow-origin', origin);
  if (page) words.push('--page', page);
  if (tls) return Server.start(words, '127.0.0.1', { port });
  const url = `http://127.0.0.1:${port}/`;
  return Server.start([...words, '--plain-http', '--trusted-proxy', '127.0.0.1'], '127.0.0.1', { port, url });
}

/** Whether its clients take the endpoint's whole URL; the others know their paths. @param {Dialect} dialect */
function isAWebSocketAlone(dialect) {
  return dialect !== 'socket.io' && dialect !== 'peerjs';
}

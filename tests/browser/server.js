/** The built server as a process of its own, in an empty folder: its certificate is the one that it makes on its first run. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { within } from './deadline.js';

/** @typedef {import('node:child_process').ChildProcessByStdio<null, import('node:stream').Readable, import('node:stream').Readable>} Child */

/** What still runs when the tests are interrupted. @type {Set<Child>} */
const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

export const program = resolve(process.env['ENTREMISE_BIN'] ?? fileURLToPath(new URL('../../target/debug/entremise', import.meta.url)));

/** Without settings of the one who runs the tests. */
const ENV = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ENTREMISE_')));

/**
 * @typedef {{ name?: string, port?: number, through?: string[], url?: string, folder?: string, hear?: (line: string) => void }} Place
 *   `name`: of its host, for browsers, if not its address; `port`: any, if not told; `through`: a command that runs it elsewhere;
 *   `url`: where browsers reach it, if not where it listens; `folder`: where it runs, and which it leaves as it is, if not in one
 *   of its own; `hear`: is given each line of its log
 */

export class Server {
  #folder;
  /** @type {Child | null} */
  #child = null;
  #log = '';
  /** Resolves when the process that was started last has ended, by itself or not. @type {Promise<void>} */
  ended = Promise.resolve();
  /** With a slash at the end. The port stays the same when it is started again. */
  url = '';

  #host;
  #flags;
  #name;
  #port;
  #through;
  #url;
  #hasOwnFolder;
  #hear;

  /** @param {string} folder @param {string | null} host @param {string[]} flags @param {Place} place */
  constructor(folder, host, flags, { name = host ?? '', port = 0, through = [], url = '', folder: given, hear = () => {} }) {
    this.#folder = folder;
    this.#hasOwnFolder = given === undefined;
    this.#hear = hear;
    this.#host = host;
    this.#flags = flags;
    this.#name = name;
    this.#port = port;
    this.#through = through;
    this.#url = url;
  }

  /** @param {string[]} [flags] besides the address @param {string | null} [host] as in a URL; null: the flags say it @param {Place} [place] */
  static async start(flags = [], host = '127.0.0.1', place = {}) {
    if (!existsSync(program)) throw new Error(`there is no ${program}: run cargo build, or set ENTREMISE_BIN`);
    const folder = place.folder ?? (await mkdtemp(join(tmpdir(), 'entremise-')));
    const server = new Server(folder, host, flags, place);
    await server.start();
    return server;
  }

  /** The file with the certificate that it has made. */
  get certificate() {
    return join(this.#folder, 'certs', 'cert.pem');
  }

  /** What it has said. */
  get log() {
    return this.#log;
  }

  /** The file with that one's private key. */
  get key() {
    return join(this.#folder, 'certs', 'key.pem');
  }

  async start() {
    const listen = this.#host === null ? [] : ['--listen', `${this.#host}:${this.#port}`];
    const [command = program, ...words] = [...this.#through, program, ...listen, ...this.#flags];
    const child = spawn(command, words, { cwd: this.#folder, env: ENV, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    children.add(child);
    child.once('exit', () => children.delete(child));
    this.ended = new Promise((ended) => child.once('close', () => ended()));
    createInterface(child.stderr).on('line', (line) => {
      this.#log += `${line}\n`;
      this.#hear(line);
    });
    try {
      await this.#learnUrl(child);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /** @param {Child} child */
  async #learnUrl({ stdout }) {
    const end = this.ended.then(() => Promise.reject(new Error(`the server ended before it said where it is. ${this.#log}`)));
    const said = Promise.race([once(createInterface(stdout), 'line'), end]);
    const [line] = await within(10, 'the server to say where it is', () => this.#log, said);
    const url = /^entremise \S+: open (https?:\S+\/)$/.exec(line)?.[1];
    assert(url, `the server's first line names its page: ${line}`);
    this.#port = Number(new URL(url).port || 443);
    this.url = this.#url || new URL(this.#name ? `https://${this.#name}:${this.#port}/` : url).href;
  }

  /** As an operator does, with peers connected or not. */
  async stop() {
    const child = this.#child;
    if (!child) return;
    this.#child = null;
    child.kill('SIGTERM');
    await within(15, 'the server to stop after SIGTERM', () => this.#log, this.ended);
    assert.equal(child.exitCode, 0, `the server's exit code; it said:\n${this.#log}`);
  }

  /** `kill -9`. */
  async kill() {
    this.#child?.kill('SIGKILL');
    this.#child = null;
    await within(10, 'the server to end after SIGKILL', () => this.#log, this.ended);
  }

  /** Stops it for good. */
  async close() {
    try {
      await this.stop();
      assert.doesNotMatch(this.#log, /panicked| ERROR /, 'the server met no error of its own');
    } finally {
      if (this.#hasOwnFolder) await rm(this.#folder, { recursive: true, force: true });
    }
  }
}

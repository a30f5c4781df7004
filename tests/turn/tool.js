/** coturn's tools, unchanged: they are written independently, so they don't share entremise's mistakes. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

import { program } from '../browser/coturn.js';
import { until, within } from '../browser/deadline.js';
import { freePort } from '../browser/port.js';

/** Processes to end when the tests are interrupted. @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

/** Seconds. A client waits for up to seven before its first packet, and many of them share two slow cores. */
const PATIENCE = 45;

export class Tool {
  #child;
  /** Resolves once the process has ended and its output is complete. */
  #end;
  /** Its output so far. */
  log = '';

  /** @param {import('node:child_process').ChildProcess} child */
  constructor(child) {
    this.#child = child;
    this.#end = once(child, 'close');
    children.add(child);
    child.once('exit', () => children.delete(child));
    for (const output of [child.stdout, child.stderr]) output?.setEncoding('utf8').on('data', (text) => void (this.log += text));
  }

  /** @param {string} name @param {string[]} args @param {string[]} [through] a command that runs it elsewhere */
  static async start(name, args, through = []) {
    const { path, env } = program(name);
    const [command = path, ...words] = [...through, path, ...args];
    return new Tool(spawn(command, words, { env, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  get hasEnded() {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Its exit code. */
  async end() {
    try {
      const [code] = await within(PATIENCE, `${this.#child.spawnfile} to end`, () => this.log.slice(-2000), this.#end);
      return /** @type {number | null} */ (code);
    } finally {
      this.#child.kill('SIGKILL');
    }
  }

  async stop() {
    this.#child.kill('SIGKILL');
    await this.#end;
  }
}

/** A peer on the other side of a relay, which sends back each datagram. */
export class Echo {
  #tool;
  port;

  /** @param {Tool} tool @param {number} port */
  constructor(tool, port) {
    this.#tool = tool;
    this.port = port;
  }

  /** @param {string} ip */
  static async start(ip) {
    const port = await freePort();
    const tool = await Tool.start('turnutils_peer', ['-L', ip, '-p', String(port)]);
    const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4');
    let isHeard = false;
    socket.on('message', () => void (isHeard = true));
    // Until it listens, the kernel answers with an error.
    socket.on('error', () => {});
    try {
      await until(10, 'the peer to echo', () => tool.log, async () => {
        socket.send('hello?', port, ip);
        return isHeard;
      });
    } catch (error) {
      await tool.stop();
      throw error;
    } finally {
      socket.close();
    }
    return new Echo(tool, port);
  }

  async close() {
    assert(!this.#tool.hasEnded, `the peer was there to the end: ${this.#tool.log}`);
    await this.#tool.stop();
  }
}

/** A TURN server that isn't ours: Debian's coturn, unpacked but not installed, on the loopback. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { until, within } from './deadline.js';
import { freePort } from './port.js';
import { unpacked } from './unpacked.js';

/** What still runs when the tests are interrupted. @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

export class Coturn {
  #folder;
  #child;
  /** @readonly Both UDP and TCP. */
  port;
  #log = '';

  /** @param {string} folder of its own @param {number} port @param {import('node:child_process').ChildProcess} child */
  constructor(folder, port, child) {
    this.#folder = folder;
    this.port = port;
    this.#child = child;
    children.add(child);
    child.once('exit', () => children.delete(child));
    child.stdout?.setEncoding('utf8').on('data', (text) => void (this.#log += text));
  }

  static async start() {
    const { path, env } = program('turnserver');
    const folder = await mkdtemp(join(tmpdir(), 'entremise-coturn-'));
    const secret = 'the north and the south';
    await writeFile(join(folder, 'secret'), secret);
    const port = await freePort();
    const child = spawn(path, [
      '--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', `--listening-port=${port}`, '--allow-loopback-peers',
      '--use-auth-secret', `--static-auth-secret=${secret}`, '--realm=example.org',
      '--no-tls', '--no-dtls', '--no-cli', '-n', '--log-file=stdout', `--pidfile=${folder}/pid`, `--userdb=${folder}/db`,
    ], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
    const coturn = new Coturn(folder, port, child);
    try {
      await until(10, 'coturn to listen', () => coturn.#log, () => answers(port));
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    return coturn;
  }

  get secretFile() {
    return join(this.#folder, 'secret');
  }

  async close() {
    const exit = once(this.#child, 'exit');
    this.#child.kill();
    await within(10, 'coturn to stop', () => this.#log, exit);
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** One of coturn's programs, and the environment in which it finds its libraries. @param {string} name */
export function program(name) {
  const { path, env } = unpacked('coturn', `usr/bin/${name}`);
  return { path, env: { ...process.env, ...env } };
}

/** @param {number} port */
async function answers(port) {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

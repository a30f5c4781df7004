/** A server that relays, and a peer that echoes, on one address of this host. */

import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';

import { within } from '../browser/deadline.js';
import { freePort } from '../browser/port.js';
import { Server } from '../browser/server.js';
import { Echo } from './tool.js';

/** @typedef {import('./client.js').Address} Address */

const SECRET = 'the north wind and the sun were disputing';

export class Site {
  #folder;
  #server;
  #echo;
  secret = SECRET;
  /** Its port for STUN and TURN alone, over UDP and TCP. @type {Address} */
  turn;
  /** The page's port, which serves TURN too. @type {Address} */
  page;
  /** @type {Address} */
  peer;

  /** @param {string} folder @param {Server} server @param {Echo} echo @param {Address} turn */
  constructor(folder, server, echo, turn) {
    this.#folder = folder;
    this.#server = server;
    this.#echo = echo;
    this.turn = turn;
    this.page = { ip: turn.ip, port: Number(new URL(server.url).port) };
    this.peer = { ip: turn.ip, port: echo.port };
  }

  /** @param {string} ip @param {string[]} [flags] besides those of a relay on the loopback */
  static async start(ip, flags = []) {
    const folder = await mkdtemp(join(tmpdir(), 'entremise-turn-'));
    const secretFile = join(folder, 'secret');
    await writeFile(secretFile, SECRET);
    const turn = { ip, port: await freePort() };
    const server = await Server.start([
      '--turn', '--stun-port', String(turn.port), '--turn-secret-file', secretFile,
      '--turn-allow-peer', '127.0.0.0/8', '--turn-allow-peer', '::1',
      // The clients leave half of their relays behind, which a server that stops would wait for.
      '--drain-timeout', '1',
      // All of these clients are one user at one address.
      '--turn-allocations-per-user', '0', '--turn-allocations-per-address', '0', '--turn-allocations', '0', ...flags,
    ], ip.includes(':') ? `[${ip}]` : ip);
    try {
      return new Site(folder, server, await Echo.start(ip), turn);
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  get certificate() {
    return this.#server.certificate;
  }

  credentials() {
    return credentials(this.#server);
  }

  async close() {
    try {
      await this.#echo.close();
      await this.#server.close();
    } finally {
      await rm(this.#folder, { recursive: true, force: true });
    }
  }
}

/**
 * The credentials of the first TURN server in the answer to `GET /ice`.
 *
 * @param {Server} server
 */
export async function credentials(server) {
  /** @type {Promise<{ iceServers: { urls: string[], username?: string, credential?: string }[] }>} */
  const answer = new Promise((resolve, reject) => {
    const options = { ca: readFileSync(server.certificate), agent: false, servername: 'localhost' };
    get(`${server.url}ice`, options, (response) => json(response).then((body) => resolve(/** @type {any} */ (body)), reject)).on('error', reject);
  });
  const { iceServers } = await within(10, 'the answer to GET /ice', () => server.url, answer);
  const turn = iceServers.find(({ urls }) => urls[0]?.startsWith('turn'));
  if (!turn?.username || !turn.credential) throw new Error(`no credentials in ${JSON.stringify(iceServers)}`);
  return { urls: turn.urls, username: turn.username, password: turn.credential };
}

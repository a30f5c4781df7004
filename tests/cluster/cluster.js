/** Nodes of ours that are one service, with NATS servers between them, on the loopback. */

import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { until } from '../browser/deadline.js';
import { Server } from '../browser/server.js';
import { Nats } from './nats.js';

/** @typedef {import('./nats.js').Release} Release */

/**
 * @typedef {{ release?: Release, names?: string[], ports?: number[], flags?: () => Promise<string[]>, folder?: string, through?: string[], hear?: (name: string, line: string) => void }} Wish
 *   `release`: of NATS; `names`: of the nodes; `ports`: of their pages, any, if not told; `flags`: of a node, besides the cluster's;
 *   `folder`: where they run, and have their certificate; `through`: a command that runs each process; `hear`: is given each line of
 *   a node's log
 */

/** Until each node has heard of each other one. In seconds. */
const PATIENCE = 20;

/** What is there when the tests are interrupted. @type {Set<string>} */
const folders = new Set();
process.on('exit', () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })));

export class Cluster {
  /** @readonly */
  nats;
  /** In the order of their names. @type {Server[]} */
  nodes = [];
  #folder;

  /** @param {Nats} nats @param {string} folder */
  constructor(nats, folder) {
    this.nats = nats;
    this.#folder = folder;
  }

  /** Waits until all are ready. @param {Wish} [wish] */
  static async start(wish = {}) {
    const folder = await mkdtemp(join(tmpdir(), 'entremise-cluster-'));
    folders.add(folder);
    const cluster = new Cluster(await Nats.start(wish), folder);
    try {
      await cluster.#startNodes(wish);
    } catch (error) {
      await cluster.kill();
      throw error;
    }
    return cluster;
  }

  /** One after the other: the first one makes the certificate, which the others find. @param {Wish} wish */
  async #startNodes({ names = ['a', 'b', 'c'], ports = [], flags = async () => ['--stun-port', '0'], folder = this.#folder, through = [], hear }) {
    const shared = [
      '--cluster', this.nats.urls,
      '--cluster-key-file', await this.#secret('cluster-key'),
      '--turn-secret-file', await this.#secret('turn-secret'),
    ];
    for (const [index, name] of names.entries()) {
      const place = { name: 'localhost', port: ports[index] ?? 0, through, folder, hear: (/** @type {string} */ line) => hear?.(name, line) };
      this.nodes.push(await Server.start([...shared, '--node-name', name, ...(await flags())], '127.0.0.1', place));
    }
    await this.ready();
  }

  /** A file with a secret that all nodes have. @param {string} name */
  async #secret(name) {
    const file = join(this.#folder, name);
    await writeFile(file, randomBytes(32).toString('hex'), { mode: 0o600 });
    return file;
  }

  /** Waits until each node that runs says that it is ready. */
  async ready() {
    const story = () => this.nodes.map(({ log }) => log.slice(-2000)).join('\n');
    await until(PATIENCE, 'the nodes to be ready', story, async () => (await Promise.all(this.nodes.map(isReady))).every(Boolean));
  }

  /** Ends all for good, as an operator does. */
  async close() {
    try {
      await Promise.all(this.nodes.map((node) => node.close()));
    } finally {
      await this.kill();
    }
  }

  /** Ends all for good, at once. */
  async kill() {
    await Promise.all(this.nodes.map((node) => node.kill()));
    await this.nats.close();
    await rm(this.#folder, { recursive: true, force: true });
    folders.delete(this.#folder);
  }
}

/** @param {Server} node @returns {Promise<boolean>} */
function isReady(node) {
  const options = { ca: readFileSync(node.certificate), servername: 'localhost', agent: false, signal: AbortSignal.timeout(2000) };
  return new Promise((resolve) => {
    get(`${node.url}readyz`, options, (answer) => resolve(answer.resume().statusCode === 200)).on('error', () => resolve(false));
  });
}

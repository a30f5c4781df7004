/** Three NATS servers with JetStream that are one cluster, on the loopback, each a process of its own with its folder. */

import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { until } from '../browser/deadline.js';
import { freePort } from '../browser/port.js';
import { Child } from '../dialects/child.js';

/** @typedef {'current' | 'debian'} Release */
/** @typedef {{ clients: number, routes: number, monitor: number }} Ports */

/** A new leader is elected after at most nine seconds of silence, and on a busy machine a first election may fail. In seconds. */
const PATIENCE = 60;

const NAMES = ['n1', 'n2', 'n3'];

/** Where tests/nats leaves them. @type {Record<Release, string>} */
const programs = { current: 'target/nats/nats-server', debian: 'target/nats-2.9/usr/sbin/nats-server' };

/** What is there when the tests are interrupted. @type {Set<string>} */
const folders = new Set();
process.on('exit', () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })));

/** @param {string} path in the repository */
const file = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The program. @param {Release} release */
export function natsServer(release) {
  try {
    execFileSync(file('tests/nats'), [release], { stdio: ['ignore', 'ignore', 'inherit'] });
  } catch {
    throw new Error(`NOT RUN: there is no NATS server here, and none to be had: tests/nats ${release}`);
  }
  return file(programs[release]);
}

/** @param {string} name @param {string} folder @param {Ports} own @param {Ports[]} all */
const configuration = (name, folder, own, all) => `
  server_name: ${name}
  listen: "127.0.0.1:${own.clients}"
  http: "127.0.0.1:${own.monitor}"
  jetstream { store_dir: "${folder}/${name}", max_memory_store: 64MB, max_file_store: 256MB }
  cluster {
    name: entremise
    listen: "127.0.0.1:${own.routes}"
    routes: [${all.map(({ routes }) => `"nats://127.0.0.1:${routes}"`).join(', ')}]
  }
`;

/**
 * What a server says of the cluster.
 *
 * @typedef {{ id: string, others: Set<string>, leader: string, current: string[] }} View
 *   `others`: the ids of those that it has a route to; `leader`: the name of JetStream's meta leader, empty if it knows none;
 *   `current`: the names of those that follow, and are up to date, as the leader alone knows them
 */

export class NatsServer {
  /** @readonly */
  name;
  /** For clients. @readonly */
  url;
  #command;
  #ports;
  /** @type {Child | null} */
  #child = null;
  #isSuspended = false;

  /** @param {string} name @param {string[]} command @param {Ports} ports */
  constructor(name, command, ports) {
    this.name = name;
    this.#command = command;
    this.#ports = ports;
    this.url = `nats://127.0.0.1:${ports.clients}`;
  }

  get pid() {
    return this.#child?.pid;
  }

  /** Whether it takes part: neither killed nor suspended. */
  get isRunning() {
    return this.#child?.isRunning === true && !this.#isSuspended;
  }

  /** What it has said since its last start. */
  get log() {
    return this.#child?.log ?? '';
  }

  /** Resolves when the process that was started last has ended, by itself or not. */
  get ended() {
    return this.#child?.ended ?? Promise.resolve();
  }

  /** Also after `kill`: with the same ports, and with what is on its disk. It listens then, and has perhaps not joined yet. */
  async start() {
    this.#child = await Child.start(this.#command, this.#ports.clients);
  }

  /** `kill -9`, suspended or not. */
  async kill() {
    await this.#child?.end();
    this.#isSuspended = false;
  }

  /** SIGSTOP: its connections stay open, and nothing is answered. */
  suspend() {
    this.#child?.signal('SIGSTOP');
    this.#isSuspended = true;
  }

  /** SIGCONT. */
  continue() {
    this.#child?.signal('SIGCONT');
    this.#isSuspended = false;
  }

  /** Null while it doesn't answer. @returns {Promise<View | null>} */
  async view() {
    try {
      const [health, { server_id: id, routes }, { meta_cluster: meta }] = await Promise.all([
        this.#ask('healthz'), this.#ask('routez'), this.#ask('jsz'),
      ]);
      if (health.status !== 'ok') return null;
      const others = new Set((routes ?? []).map((/** @type {{ remote_id: string }} */ route) => route.remote_id));
      const followers = (meta?.replicas ?? []).filter((/** @type {{ current: boolean }} */ replica) => replica.current);
      return { id, others, leader: meta?.leader ?? '', current: followers.map((/** @type {{ name: string }} */ { name }) => name) };
    } catch {
      return null;
    }
  }

  /** @param {string} path of its monitoring port @returns {Promise<any>} */
  async #ask(path) {
    const answer = await fetch(`http://127.0.0.1:${this.#ports.monitor}/${path}`, { signal: AbortSignal.timeout(2000) });
    return answer.json();
  }
}

export class Nats {
  /** @readonly */
  servers;
  #folder;

  /** @param {NatsServer[]} servers @param {string} folder */
  constructor(servers, folder) {
    this.servers = servers;
    this.#folder = folder;
  }

  /** Waits until they are joined. @param {{ release?: Release, through?: string[] }} [how] `through`: a command that runs each of them */
  static async start({ release = 'current', through = [] } = {}) {
    const path = natsServer(release);
    const folder = await mkdtemp(join(tmpdir(), 'entremise-nats-'));
    folders.add(folder);
    const ports = await Promise.all(NAMES.map(async () => ({ clients: await freePort(), routes: await freePort(), monitor: await freePort() })));
    const servers = await Promise.all(ports.map(async (own, index) => {
      const name = NAMES[index] ?? '';
      const settings = join(folder, `${name}.conf`);
      await writeFile(settings, configuration(name, folder, own, ports));
      return new NatsServer(name, [...through, path, '-c', settings], own);
    }));
    const nats = new Nats(servers, folder);
    try {
      await nats.start();
    } catch (error) {
      await nats.close();
      throw error;
    }
    return nats;
  }

  /** For `--cluster`. */
  get urls() {
    return this.servers.map(({ url }) => url).join(',');
  }

  /** Starts those that don't run, and waits until all are joined. */
  async start() {
    await Promise.all(this.servers.map((server) => (server.isRunning ? undefined : server.start())));
    await this.joined();
  }

  /** `kill -9` of all of them. */
  async kill() {
    await Promise.all(this.servers.map((server) => server.kill()));
  }

  /**
   * Waits until those that run have routes to each other, agree on a meta leader among them, and it knows the others to be up to
   * date: then JetStream answers. Needs two that run.
   *
   * @returns {Promise<NatsServer>} the leader
   */
  async joined() {
    /** @type {NatsServer | undefined} */
    let leader;
    await until(PATIENCE, 'the NATS servers to be joined', () => this.#story(), async () => (leader = await this.#leader()) !== undefined);
    return /** @type {NatsServer} */ (leader);
  }

  /** Undefined while those that run are not joined. */
  async #leader() {
    const running = this.servers.filter((server) => server.isRunning);
    const views = await Promise.all(running.map((server) => server.view()));
    const leader = running.find(({ name }) => name === views[0]?.leader);
    if (!leader) return undefined;
    const current = views[running.indexOf(leader)]?.current ?? [];
    const areJoined = views.every((view) => view?.leader === leader.name && views.every((other) => other && (other === view || view.others.has(other.id))));
    const areCurrent = running.every((server) => server === leader || current.includes(server.name));
    return areJoined && areCurrent ? leader : undefined;
  }

  #story() {
    return this.servers.map(({ name, log }) => `${name}:\n${log.slice(-2000)}`).join('\n');
  }

  /** Ends all for good. */
  async close() {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
    folders.delete(this.#folder);
  }
}

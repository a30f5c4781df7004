/** Hosts that are only in this machine: network namespaces, joined by cables (veth pairs). Needs root and iproute2. */

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';

/** What is there when the tests are interrupted. @type {Set<Namespaces>} */
const present = new Set();
process.on('exit', () => present.forEach((namespaces) => namespaces.remove()));
for (const signal of /** @type {const} */ (['SIGTERM', 'SIGINT'])) process.once(signal, () => process.exit(1));

/** @typedef {{ host: string, device: string, address?: string }} End of a cable; the address with the length of its network's prefix */

/** What stands in a folder of a namespace's name here is what the programs in it find in /etc (ip-netns(8)). */
const ETC = '/etc/netns';

let count = 0;

export class Namespaces {
  #prefix = `entremise-${process.pid}-${count++}`;
  /** @type {string[]} */
  #hosts = [];
  /** @type {Set<import('node:child_process').ChildProcess>} */
  #processes = new Set();

  /** @param {string[]} hosts */
  constructor(...hosts) {
    if (process.getuid?.() !== 0) throw new Error('NOT RUN: network namespaces need root');
    need('ip', 'iproute2');
    present.add(this);
    for (const host of hosts) this.add(host);
  }

  /** @param {string} host */
  add(host) {
    ip('netns', 'add', this.name(host));
    this.#hosts.push(host);
    this.ip(host, 'link', 'set', 'lo', 'up');
  }

  /** @param {string} host */
  name(host) {
    return `${this.#prefix}-${host}`;
  }

  /** @param {End} one @param {End} other */
  cable(one, other) {
    ip('link', 'add', one.device, 'netns', this.name(one.host), 'type', 'veth', 'peer', 'name', other.device, 'netns', this.name(other.host));
    for (const { host, device, address } of [one, other]) {
      if (address) this.ip(host, 'address', 'add', address, 'dev', device);
      this.ip(host, 'link', 'set', device, 'up');
    }
  }

  /** @param {string} host @param {string[]} words */
  ip(host, ...words) {
    ip('-n', this.name(host), ...words);
  }

  /** Lets the programs of a host know others by name. @param {string} host @param {Record<string, string>} addresses by name */
  know(host, addresses) {
    const folder = `${ETC}/${this.name(host)}`;
    mkdirSync(folder, { recursive: true });
    // Chromium's WebRTC asks for the name with a dot at its end.
    const lines = Object.entries({ localhost: '127.0.0.1', ...addresses }).map(([name, address]) => `${address} ${name} ${name}.\n`);
    writeFileSync(`${folder}/hosts`, lines.join(''));
    // Refuses at once: browsers ask for addresses of the other family too, and would wait for an answer.
    writeFileSync(`${folder}/resolv.conf`, 'nameserver 127.0.0.1\n');
  }

  /** @param {string} host @param {string[]} command @param {string} [input] */
  run(host, command, input = '') {
    execFileSync('ip', ['netns', 'exec', this.name(host), ...command], { input, stdio: ['pipe', 'ignore', 'inherit'] });
  }

  /** @param {string} host @param {string[]} command @param {import('node:child_process').SpawnOptions} [options] */
  spawn(host, command, options) {
    const child = spawn('ip', ['netns', 'exec', this.name(host), ...command], { stdio: ['pipe', 'pipe', 'inherit'], ...options });
    this.#processes.add(child);
    child.once('exit', () => this.#processes.delete(child));
    return child;
  }

  /** Takes the hosts away, their cables and what was spawned there with them. */
  remove() {
    present.delete(this);
    for (const child of this.#processes) child.kill('SIGKILL');
    for (const host of this.#hosts.splice(0)) {
      ip('netns', 'delete', this.name(host));
      rmSync(`${ETC}/${this.name(host)}`, { recursive: true, force: true });
    }
  }
}

/** @param {string} command @param {string} origin the package that has it */
export function need(command, origin) {
  try {
    execFileSync('which', [command], { stdio: 'ignore' });
  } catch {
    throw new Error(`NOT RUN: there is no ${command} here; apt-get install ${origin}`);
  }
}

/** @param {string[]} words */
function ip(...words) {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Two hosts on one cable: network namespaces joined by a veth pair. Needs root and iproute2. */

import { execFileSync, spawn } from 'node:child_process';

const ADDRESS = { server: '10.77.0.1', phone: '10.77.0.2' };

/** @typedef {keyof typeof ADDRESS} Host */

export class Cable {
  #name = `entremise-${process.pid}`;

  constructor() {
    for (const host of this.#hosts()) ip('netns', 'add', this.#namespace(host));
    ip('link', 'add', 'cable', 'netns', this.#namespace('server'), 'type', 'veth', 'peer', 'name', 'cable', 'netns', this.#namespace('phone'));
    for (const host of this.#hosts()) {
      this.ip(host, 'address', 'add', `${ADDRESS[host]}/24`, 'dev', 'cable');
      this.ip(host, 'link', 'set', 'lo', 'up');
      this.ip(host, 'link', 'set', 'cable', 'up');
    }
  }

  /** @param {Host} host */
  address(host) {
    return ADDRESS[host];
  }

  /** @param {Host} host @param {string[]} command @param {import('node:child_process').SpawnOptions} [options] */
  spawn(host, command, options) {
    return spawn('ip', ['netns', 'exec', this.#namespace(host), ...command], { stdio: ['pipe', 'pipe', 'inherit'], ...options });
  }

  /** @param {Host} host @param {string[]} words */
  ip(host, ...words) {
    ip('-n', this.#namespace(host), ...words);
  }

  /** Takes the cable away and both hosts with it. */
  remove() {
    for (const host of this.#hosts()) ip('netns', 'delete', this.#namespace(host));
  }

  /** @param {Host} host */
  #namespace(host) {
    return `${this.#name}-${host}`;
  }

  /** @returns {Host[]} */
  #hosts() {
    return ['server', 'phone'];
  }
}

/** @param {string[]} words */
function ip(...words) {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}

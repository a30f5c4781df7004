/** A client without a page, as a process of its own: in a room, and known by what it hears. */

import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

import { until } from '../browser/deadline.js';

const PROGRAM = resolve(import.meta.dirname, '../network/peer.js');

/** The command that starts one. @param {string} url @param {string} room */
export const words = (url, room) => [process.execPath, '--experimental-websocket', '--no-warnings', PROGRAM, url, room];

export class Peer {
  /** @type {any[]} */
  frames = [];
  /** The others in the room. @type {Set<string>} */
  room = new Set();
  id = '';
  #process;

  /** @param {import('node:child_process').ChildProcess} process that these words have started */
  constructor(process) {
    this.#process = process;
    if (!process.stdout) throw new Error('its output is a pipe');
    createInterface({ input: process.stdout }).on('line', (line) => this.#hear(JSON.parse(line)));
  }

  /** @param {any} frame */
  #hear(frame) {
    this.frames.push(frame);
    if (frame.type === 'welcome') this.id = frame.id;
    if (frame.type === 'joined') this.room = new Set(frame.peers);
    if (frame.type === 'peer-joined') this.room.add(frame.peer);
    if (frame.type === 'peer-left') this.room.delete(frame.peer);
  }

  /** What is answered, and how long that took, in milliseconds. @param {Peer} to @param {string} message */
  async say(to, message) {
    const since = Date.now();
    this.#process.stdin?.write(`${JSON.stringify({ type: 'message', to: to.id, message, ref: message })}\n`);
    const answer = () => this.frames.find((frame) => frame.ref === message);
    await until(8, `an answer to ${message}`, () => JSON.stringify(this.frames.slice(-5)), async () => Boolean(answer()));
    return { ...answer(), took: Date.now() - since };
  }

  /** @param {string} message */
  async hears(message) {
    await until(8, message, () => JSON.stringify(this.frames.slice(-5)), async () => this.frames.some((frame) => frame.message === message));
  }

  /** Waits until these, and no others, are in the room with it. @param {number} seconds @param {Peer[]} others */
  async isWith(seconds, ...others) {
    const there = async () => this.room.size === others.length && others.every(({ id }) => id && this.room.has(id));
    await until(seconds, `${others.length} others in the room`, () => JSON.stringify(this.frames.slice(-8)), there);
  }

  leave() {
    this.#process.stdin?.end();
  }
}

/** Waits until each of them knows that all others are there. @param {Peer[]} peers @param {number} seconds */
export async function together(peers, seconds) {
  await Promise.all(peers.map((peer) => peer.isWith(seconds, ...peers.filter((other) => other !== peer))));
}

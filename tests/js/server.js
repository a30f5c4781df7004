/**
 * A server for tests, by the letter of the protocol and no further: its sessions, their tokens and their counts. What it says and hears
 * goes over wires, which hold each frame until the test lets it through, and can be cut.
 */

import assert from 'node:assert/strict';
import { FakeSocket, FakeWorld } from './world.js';

/** @typedef {{ open: true } | { text: string } | { ping: true } | { close: number }} Down what is on its way to the client */
/** @typedef {{ text: string } | { pong: true } | { close: number }} Up what is on its way to the server */

/** A connection between the two. */
export class Wire {
  /** @type {Down[]} */
  down = [];
  /** @type {Up[]} */
  up = [];
  isCut = false;
  hasShaken = false;

  /** @param {FakeSocket} socket the client's end */
  constructor(socket) {
    this.socket = socket;
    socket.send = (text) => {
      assert.notEqual(socket.readyState, 0, 'a socket that is still connecting carries nothing');
      this.#carry(this.up, { text });
    };
    socket.close = (code) => void this.#carry(this.up, { close: code });
  }

  /** @param {Down} item */
  say(item) {
    this.#carry(this.down, item);
  }

  /** What is under way is lost, and so is all that follows. @param {'noticed' | 'unnoticed'} how by the client */
  cut(how) {
    this.isCut = true;
    this.up = [];
    this.down = [];
    if (how === 'noticed') this.socket.end(1006);
  }

  deliverDown() {
    const item = this.down.shift();
    if (!item) return;
    if ('open' in item) this.socket.open();
    else if ('text' in item) this.socket.receive(item.text);
    else if ('ping' in item) this.#carry(this.up, { pong: true });
    else this.socket.end(item.close);
  }

  /** @template T @param {T[]} way @param {T} item */
  #carry(way, item) {
    if (!this.isCut) way.push(item);
  }
}

/** One session as the server has it. */
class ModelSession {
  /** All that was ever put into its queue. @type {object[]} */
  queue = [];
  /** How many of these are written on the present connection, and how many were ever. */
  written = 0;
  most = 0;
  acknowledged = 0;
  accepted = 0;
  /** The messages that it has processed. @type {any[]} */
  heard = [];
  /** The messages that it was given for the client. @type {any[]} */
  told = [];
  /** @type {string | null} */
  confirmed = null;
  /** @type {string | null} */
  successor = null;
  /** @type {Wire | null} */
  wire = null;
  hasEnded = false;

  /** @param {string} id */
  constructor(id) {
    this.id = id;
  }

  /** @param {string} token */
  accepts(token) {
    return !this.hasEnded && (token === this.confirmed || token === this.successor);
  }

  /** @param {object} frame */
  put(frame) {
    this.queue.push(frame);
    this.write();
  }

  write() {
    if (!this.wire) return;
    for (const frame of this.queue.slice(this.written)) this.wire.say({ text: JSON.stringify(frame) });
    this.written = this.queue.length;
    this.most = Math.max(this.most, this.written);
  }

  confirm() {
    this.confirmed = this.successor ?? this.confirmed;
    this.successor = null;
  }

  end() {
    this.hasEnded = true;
    this.wire = null;
  }
}

export class ModelServer {
  /** @type {ModelSession[]} */
  sessions = [];
  #tokens = 0;

  /** The handshake of a connection: resumes what it offers, or begins. @param {Wire} wire */
  shake(wire) {
    wire.hasShaken = true;
    wire.say({ open: true });
    const resumed = this.#resumed(wire);
    const session = resumed ?? this.#begun();
    session.wire?.say({ close: 4000 });
    session.wire = wire;
    session.successor = `token-${++this.#tokens}`.padEnd(22, '-');
    wire.say({ text: JSON.stringify(welcome(session, resumed !== null)) });
    wire.say({ ping: true });
    session.write();
  }

  /** The next thing that comes up a wire, read unless another connection has the session. @param {Wire} wire */
  deliverUp(wire) {
    const item = wire.up.shift();
    const session = this.sessions.find((session) => session.wire === wire);
    if (!item || !session) return;
    if ('close' in item) return this.#close(session, item.close);
    session.confirm();
    if ('text' in item) this.#process(session, JSON.parse(item.text));
  }

  /** @param {Wire} wire */
  #resumed(wire) {
    const [, token = '', count = ''] = /^entremise\.resume\.([\w-]{22,64})\.(\d+)$/.exec(wire.socket.protocols[1] ?? '') ?? [];
    const session = this.sessions.find((session) => session.accepts(token));
    if (!session) return null;
    const received = Number(count);
    assert.ok(session.acknowledged <= received && received <= session.most, `received ${received} of ${session.most}`);
    if (token === session.successor) session.confirm();
    session.acknowledged = session.written = received;
    return session;
  }

  #begun() {
    const session = new ModelSession(`session-${this.sessions.length}`);
    this.sessions.push(session);
    return session;
  }

  /** @param {ModelSession} session @param {number} code */
  #close(session, code) {
    if (code === 1000) session.end();
    else session.wire = null;
  }

  /** @param {ModelSession} session @param {any} message */
  #process(session, message) {
    session.accepted++;
    if (message.type === 'received') return this.#acknowledge(session, message.count);
    if (message.type === 'message') session.heard.push(message.message);
    session.put({ type: 'ack', ref: message.ref });
  }

  /** @param {ModelSession} session @param {number} count */
  #acknowledge(session, count) {
    assert.ok(session.acknowledged < count && count <= session.most, `acknowledged ${count}, after ${session.acknowledged} of ${session.most}`);
    session.acknowledged = count;
  }
}

/** A world whose sockets are wires. */
export class WiredWorld extends FakeWorld {
  /** @type {Wire[]} */
  wires = [];

  /** @param {string} url @param {string[]} protocols @override */
  makeSocket(url, protocols) {
    const socket = super.makeSocket(url, protocols);
    this.wires.push(new Wire(socket));
    return socket;
  }
}

/** @param {ModelSession} session @param {boolean} resumed */
function welcome({ id, successor, accepted }, resumed) {
  const limits = { iceServers: [], heartbeat: 25, maxMessageBytes: 65536, rate: { messages: 50, burst: 400 } };
  return { type: 'welcome', id, resumed, resume: successor, resumeWindow: 30, ...limits, ...(resumed ? { accepted } : {}) };
}

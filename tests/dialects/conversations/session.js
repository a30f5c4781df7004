/** How conversations over Engine.IO and Socket.IO begin, and what they have in common. */

/** @import { Client, Wire } from '../wire.js' */

export const POLLING = '/socket.io/?EIO=4&transport=polling';
export const WEBSOCKET = '/socket.io/?EIO=4&transport=websocket';

export const SID = /"sid":"([\w-]{20})"/;

/** An open polling session: its own path, and what it does there. */
export class Session {
  #wire;
  #who;
  path;

  /** @param {Wire} wire @param {string} who @param {string} sid */
  constructor(wire, who, sid) {
    this.#wire = wire;
    this.#who = who;
    this.path = `${POLLING}&sid=${sid}`;
  }

  /** @param {Wire} wire @param {string} who */
  static async open(wire, who) {
    const { line, body } = await wire.begin('GET', POLLING);
    const sid = wire.learn(SID, body, `session of ${who}`);
    wire.write(`${who}: ${line}`);
    return new Session(wire, who, sid);
  }

  /** Also connected to the namespace. @param {Wire} wire @param {string} who */
  static async connect(wire, who) {
    const session = await Session.open(wire, who);
    wire.lines.pop();
    await wire.begin('POST', session.path, { body: '40' });
    await session.receives(2);
    return session;
  }

  /** A poll whose answer is awaited later. */
  poll() {
    return this.#wire.begin('GET', this.path);
  }

  /** So many packets, in as many polls as it takes. @param {number} count */
  async receives(count) {
    /** @type {string[]} */
    const packets = [];
    while (packets.length < count) {
      const { line, body } = await this.poll();
      if (!line.startsWith('200')) throw new Error(`${this.#who} polls: ${line}`);
      packets.push(...body.split('\x1e'));
    }
    return packets;
  }

  /** @param {ReturnType<Wire['begin']>} [poll] */
  async polls(poll = this.poll()) {
    return this.#wire.answered(`${this.#who} polls`, poll);
  }

  /** @param {string} body @param {Record<string, string>} [headers] */
  async posts(body, headers = { 'Content-Type': 'text/plain;charset=UTF-8' }) {
    await this.#wire.ask(`${this.#who} posts`, 'POST', this.path, { body, headers });
  }
}

/** Opened and connected over a WebSocket: its id is known. @param {Wire} wire @param {string} who */
export async function connected(wire, who) {
  const client = await wire.connect(who, WEBSOCKET);
  const before = wire.lines.length;
  await client.hears();
  wire.startClock();
  client.sends('40');
  await client.hears(2);
  const id = wire.learn(SID, wire.lines[before + 1] ?? '', who);
  wire.lines.splice(before);
  return { client, id };
}

/** What has been said before is through once this is answered. @param {Client} client */
export async function fence(client) {
  client.sends('40/fence');
  await client.hearsUntil('/fence');
}

export const FENCE = '44/fence,{"message":"Invalid namespace"}';

/** Whatever is cut, and whenever: nothing is lost without a word, nothing comes twice, and all comes in order. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Client } from '../../static/js/client.js';
import { chanceFrom, pick } from './chance.js';
import { ModelServer, WiredWorld } from './server.js';
import { settled } from './world.js';

const GAMES = 400;
const STEPS = 120;
const CALM_ROUNDS = 60;

/** @typedef {{ n: number, outcome: 'answered' | string | null }} Said */

class Game {
  world = new WiredWorld();
  server = new ModelServer();
  client = new Client({ url: 'wss://host/ws', world: this.world });
  /** @type {Said[]} */
  said = [];
  /** What the client heard, by session; of others it never knew. @type {Map<string, number[]>} */
  heard = new Map();
  #told = 0;

  /** @param {number} seed */
  constructor(seed) {
    this.chance = chanceFrom(seed);
    this.world.random = this.chance;
    this.client.on('welcome', ({ id }) => void this.heard.set(id, []));
    this.client.on('message', ({ message }) => void this.heard.get(this.client.id ?? '')?.push(Number(message)));
    this.client.connect();
  }

  get session() {
    return this.server.sessions.at(-1);
  }

  /** @type {Record<string, () => void | Promise<void>>} */
  moves = {
    say: () => this.say(),
    tell: () => this.tell(),
    'tell much': () => {
      for (let i = 0; i < 10; i++) this.tell();
    },
    shake: () => this.shake(),
    'deliver up': () => this.server.deliverUp(pick(this.chance, this.world.wires)),
    'deliver down': () => pick(this.chance, this.world.wires).deliverDown(),
    'deliver all': () => this.deliverAll(),
    cut: () => this.wire.cut('noticed'),
    'cut unnoticed': () => this.wire.cut('unnoticed'),
    check: () => this.client.check(),
    pass: () => this.world.pass(this.chance() * 3),
  };

  get wire() {
    const wire = this.world.wires.at(-1);
    assert.ok(wire);
    return wire;
  }

  say() {
    /** @type {Said} */
    const said = { n: this.said.length, outcome: null };
    this.said.push(said);
    this.client.message({ to: 'you' }, said.n).then(() => void (said.outcome = 'answered'), ({ code }) => void (said.outcome = code));
  }

  tell() {
    const { session } = this;
    if (!session || session.hasEnded) return;
    session.told.push(this.#told);
    session.put({ type: 'message', from: 'you', message: this.#told++ });
  }

  shake() {
    const { wire } = this;
    if (!wire.hasShaken && !wire.isCut) this.server.shake(wire);
  }

  deliverAll() {
    for (const wire of this.world.wires) {
      while (wire.up.length || wire.down.length) {
        this.server.deliverUp(wire);
        wire.deliverDown();
      }
    }
  }

  expire() {
    const { session } = this;
    if (session) session.end();
  }

  /** Nothing is cut any more. */
  async calm() {
    for (let round = 0; round < CALM_ROUNDS; round++) {
      this.client.check();
      this.shake();
      this.deliverAll();
      await this.world.pass(1);
    }
  }

  judge() {
    const { sessions } = this.server;
    const processed = sessions.flatMap(({ heard }) => heard);
    assert.deepEqual(processed, processed.toSorted((a, b) => a - b), 'in order');
    assert.equal(new Set(processed).size, processed.length, 'nothing twice');
    for (const { n, outcome } of this.said) {
      assert.notEqual(outcome, null, `${n} was left without an answer`);
      if (outcome === 'answered') assert.ok(processed.includes(n), `${n} was answered and never processed`);
    }
    for (const { id, told } of sessions) {
      const heard = this.heard.get(id) ?? [];
      assert.deepEqual(heard, id === this.client.id ? told : told.slice(0, heard.length), `${id} hears all, once, in order`);
    }
    assert.equal(this.client.state, 'open');
    assert.equal(this.world.pending, 0, 'no timer runs when all is quiet');
  }
}

/** @param {number} seed @param {(game: Game) => Record<string, () => void | Promise<void>>} movesOf */
async function play(seed, movesOf) {
  const game = new Game(seed);
  const moves = Object.entries(movesOf(game));
  /** @type {string[]} */
  const story = [];
  try {
    for (let step = 0; step < STEPS; step++) {
      const [name, move] = pick(game.chance, moves);
      story.push(name);
      await move();
      await settled();
    }
    await game.calm();
    game.judge();
  } catch (error) {
    throw new Error(`seed ${seed}: ${error}, after: ${story.join(', ')}`, { cause: error });
  }
  return game;
}

describe('a session that is cut at random', () => {
  it('loses nothing and repeats nothing, both ways, and goes on under its id', async () => {
    for (let seed = 1; seed <= GAMES; seed++) {
      const { heard, said } = await play(seed, ({ moves }) => moves);
      const reasons = new Set(said.map(({ outcome }) => outcome));
      // Until the first welcome there is none; what stays unanswered on an open connection is late.
      for (const reason of ['answered', 'not-connected', 'timeout']) reasons.delete(reason);
      assert.deepEqual([...reasons], [], `seed ${seed}`);
      assert.equal(heard.size, 1, `seed ${seed}: one session from the first welcome on`);
    }
  });

  it('and expires at times, rejects what still waits, and the next one begins anew', async () => {
    let expired = 0;
    for (let seed = 1; seed <= GAMES; seed++) {
      const game = await play(seed, (game) => ({ ...game.moves, expire: () => game.expire() }));
      expired += Number(game.said.some(({ outcome }) => outcome === 'connection-lost'));
    }
    assert.ok(expired > GAMES / 10, `${expired} games had something to tell`);
  });
});

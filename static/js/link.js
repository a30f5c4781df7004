/**
 * Keeps one connection to the server: opens it, says why it is gone, and opens the next. What is said over it, and the session
 * that outlives it, are the client's.
 */

/** @import { ClientMessage, ServerMessage } from './protocol.js' */
/** @import { Cause } from './cause.js' */
/** @import { Timer, World } from './world.js' */
import { reconnectDelay } from './backoff.js';
import { causeOfClose, causeOfRefusal, hidden, lost } from './cause.js';
import { Connection } from './connection.js';

/** @typedef {'connecting' | 'open' | 'waiting' | 'closed'} LinkState */

/**
 * @typedef {{ type: 'state', state: LinkState, cause: Cause | null, retryIn: number | null }} StateChange
 *   `cause`: why it is `waiting`, and `retryIn`: for how many seconds (null: until the page is shown again).
 */

/** From the first packet to the welcome, in milliseconds. Browsers would wait for minutes. */
const WELCOME_DEADLINE = 15_000;

export class Link {
  #url;
  #world;
  #owner;
  /** @type {Connection | null} */
  #connection = null;
  /** @type {LinkState} */
  #state = 'closed';
  /** Connections tried since the last welcome. */
  #attempt = 0;
  /** The welcome's deadline while connecting, the next attempt while waiting. @type {Timer | undefined} */
  #timer;
  /** Aborted by `close()`, for good; ends the listening to the page. */
  #life = new AbortController();

  /**
   * @param {string} url
   * @param {World} world
   * @param {{ onState(change: StateChange): void, onMessage(message: ServerMessage): void, onReturn(): void }} owner
   *   `onReturn`: the network came back while the connection seems to be open
   */
  constructor(url, world, owner) {
    this.#url = url;
    this.#world = world;
    this.#owner = owner;
  }

  get state() {
    return this.#state;
  }

  get closed() {
    return this.#life.signal.aborted;
  }

  start() {
    this.#followPage();
    this.#open();
  }

  /** The server has welcomed us: only this proves that connecting worked. */
  confirm() {
    this.#attempt = 0;
    this.#enter('open');
  }

  /** @param {ClientMessage} message only while `open` */
  send(message) {
    this.#connection?.send(message);
  }

  /** The connection is dead, or will be. @param {Cause} cause */
  lose(cause) {
    this.#drop();
    const delay = reconnectDelay(this.#attempt++, cause, this.#world.random());
    this.#enter('waiting', cause, delay);
    this.#timer = this.#world.setTimeout(() => this.#open(), delay * 1000);
  }

  close() {
    this.#life.abort();
    this.#drop();
    this.#enter('closed');
  }

  #open() {
    this.#enter('connecting');
    this.#timer = this.#world.setTimeout(() => this.lose(lost), WELCOME_DEADLINE);
    const connection = new Connection(this.#world.openSocket(this.#url), {
      onMessage: (message) => this.#owner.onMessage(message),
      onEnd: ({ code, opened }) => (opened ? this.lose(causeOfClose(code)) : void this.#learnRefusal(connection)),
    });
    this.#connection = connection;
  }

  /** @param {Connection} refused */
  async #learnRefusal(refused) {
    const cause = await causeOfRefusal(this.#url, this.#world.fetch);
    if (this.#connection === refused) this.lose(cause);
  }

  #drop() {
    this.#connection?.close();
    this.#connection = null;
  }

  /** Each state has its own timer, or none. @param {LinkState} state @param {Cause | null} [cause] @param {number | null} [retryIn] */
  #enter(state, cause = null, retryIn = null) {
    this.#world.clearTimeout(this.#timer);
    this.#state = state;
    this.#owner.onState({ type: 'state', state, cause, retryIn });
  }

  #followPage() {
    const { signal } = this.#life;
    const { page } = this.#world;
    page.addEventListener('pagehide', () => this.#pause(), { signal });
    page.addEventListener('pageshow', () => this.#resume(), { signal });
    page.addEventListener('online', () => (this.#state === 'open' ? this.#owner.onReturn() : this.#resume()), { signal });
  }

  /** A closed tab leaves no ghost; one that the browser keeps for "back" reconnects when it is shown again. */
  #pause() {
    this.#drop();
    this.#enter('waiting', hidden);
  }

  #resume() {
    if (this.#state === 'waiting') this.#open();
  }
}

/**
 * Keeps one connection to the server: opens it, says why it is gone, and opens the next. What is said over it, and the session
 * that outlives it, are the client's.
 */

/** @import { ServerMessage } from './protocol.js' */
/** @import { Cause } from './cause.js' */
/** @import { Timer, World } from './world.js' */
import { reconnectDelay } from './backoff.js';
import { causeOfClose, causeOfRefusal, hidden, left, lost, noCredentials } from './cause.js';
import { Connection } from './connection.js';

/** @typedef {'connecting' | 'open' | 'waiting' | 'closed'} LinkState */

/**
 * @typedef {{ type: 'state', state: LinkState, cause: Cause | null, retryIn: number | null }} StateChange
 *   `cause`: why it is `waiting`, or `closed` by the server for good; `retryIn`: for how many seconds (null: until the page is shown again)
 */
/** @typedef {() => string | Promise<string>} Credentials asked for before each connection */

/** From the first packet to the welcome, in milliseconds. Browsers would wait for minutes. */
const WELCOME_DEADLINE = 15_000;

/** We will not be back: the server ends the session. */
const GOODBYE = 1000;
/** We may be back. A page can't say 1001, so this is a number of our own; the server parks the session after any but 1000. */
const AWAY = 4100;
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
   * @param {{
   *   credentials: Credentials | null,
   *   offer(bearer: string | null): string[],
   *   onState(change: StateChange): void,
   *   onFrame(message: ServerMessage | null): void,
   *   onReturn(): void,
   * }} owner `offer`: the subprotocols of the connection that is now opened; `onFrame`: null for what this version does not know;
   *   `onReturn`: the network or the person came back while the connection seems to be open
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

  /** @param {string} text on the connection that has brought a welcome */
  send(text) {
    this.#connection?.send(text);
  }

  /** The connection gives no answer: the next one takes its place at once. */
  replace() {
    this.#drop(AWAY);
    this.#open();
  }

  close() {
    this.#life.abort();
    this.#drop(GOODBYE);
    this.#enter('closed');
  }

  /** The connection is dead, or will be. @param {Cause} cause */
  #lose(cause) {
    this.#drop(AWAY);
    const delay = reconnectDelay(this.#attempt++, cause, this.#world.random());
    this.#enter('waiting', cause, delay);
    if (this.#state === 'waiting') this.#timer = this.#world.setTimeout(() => this.#open(), delay * 1000);
  }

  #open() {
    this.#enter('connecting');
    if (this.#state !== 'connecting') return;
    const attempt = this.#world.setTimeout(() => this.#lose(lost), WELCOME_DEADLINE);
    this.#timer = attempt;
    const { credentials } = this.#owner;
    if (credentials) void this.#openWith(credentials, attempt);
    else this.#connect(null);
  }

  /** @param {Credentials} credentials @param {Timer} attempt */
  async #openWith(credentials, attempt) {
    const bearer = await Promise.resolve().then(credentials).catch(() => null);
    if (this.#timer !== attempt) return;
    if (bearer === null) this.#lose(noCredentials);
    else this.#connect(bearer);
  }

  /** @param {string | null} bearer */
  #connect(bearer) {
    const socket = this.#openSocket(bearer);
    if (!socket) return this.#lose(noCredentials);
    const connection = new Connection(socket, {
      onFrame: (message) => this.#owner.onFrame(message),
      onEnd: ({ code, opened }) => (opened ? this.#lose(causeOfClose(code)) : void this.#learnRefusal(connection, bearer)),
    });
    this.#connection = connection;
  }

  /** Not every text can be offered: null. @param {string | null} bearer */
  #openSocket(bearer) {
    try {
      return this.#world.openSocket(this.#url, this.#owner.offer(bearer));
    } catch {
      return null;
    }
  }

  /** @param {Connection} refused @param {string | null} bearer */
  async #learnRefusal(refused, bearer) {
    const cause = await causeOfRefusal(this.#url, bearer, this.#world.fetch);
    if (this.#connection === refused) this.#lose(cause);
  }

  /** @param {number} code */
  #drop(code) {
    this.#connection?.close(code);
    this.#connection = null;
  }

  /** Each state has its own timer, or none. @param {LinkState} state @param {Cause | null} [cause] @param {number | null} [retryIn] */
  #enter(state, cause = null, retryIn = null) {
    this.#world.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#state = state;
    this.#owner.onState({ type: 'state', state, cause, retryIn });
  }

  #followPage() {
    const { signal } = this.#life;
    const { page } = this.#world;
    page.addEventListener('pagehide', (event) => this.#pause(/** @type {PageTransitionEvent} */ (event).persisted), { signal });
    page.addEventListener('pageshow', () => this.#return(), { signal });
    page.addEventListener('online', () => this.#return(), { signal });
    page.addEventListener('visibilitychange', () => this.#world.isVisible() && this.#return(), { signal });
  }

  /**
   * A closed tab leaves no ghost. One that the browser keeps for "back" must let go of its connection, and takes its session up again
   * when it is shown.
   *
   * @param {boolean} persisted
   */
  #pause(persisted) {
    this.#drop(persisted ? AWAY : GOODBYE);
    this.#enter('waiting', persisted ? hidden : left);
  }

  #return() {
    if (this.#state === 'waiting') this.#open();
    else if (this.#state === 'open') this.#owner.onReturn();
  }
}

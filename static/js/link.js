/**
 * Keeps one connection to the server: opens it, says why it is gone, and opens the next. What is said over it, and the session
 * that outlives it, are the client's.
 */

/** @import { ServerMessage } from './protocol.js' */
/** @import { Cause } from './cause.js' */
/** @import { Timer, World } from './world.js' */
import { reconnectDelay } from './backoff.js';
import {
  blockedByPolicy, causeOfClose, causeOfRefusal, hidden, insecureUrl, left, lost, noCredentials, proxyWithoutWebSockets, refusedThoughWell,
  unreachable,
} from './cause.js';
import { Connection } from './connection.js';
import { isRecord } from './protocol.js';

/** @typedef {'connecting' | 'open' | 'waiting' | 'closed'} LinkState */

/**
 * @typedef {{ type: 'state', state: LinkState, cause: Cause | null, retryIn: number | null }} StateChange
 *   `cause`: why it is `waiting`, or `closed` because the browser forbids the connection; `retryIn`: for how many seconds (null: until the
 *   page is shown again)
 */
/** @typedef {() => string | null | Promise<string | null>} Credentials asked for before each connection; null: it is tried without */

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
  /** How many in a row were refused at an address where all is well. */
  #refusedThoughWell = 0;
  #closed = false;
  /** Aborted when it is closed; ends the listening to the page. */
  #listening = new AbortController();

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
    return this.#closed;
  }

  start() {
    this.#followPage();
    this.#open();
  }

  /** The server has welcomed us: only this proves that connecting worked. */
  confirm() {
    this.#attempt = 0;
    this.#refusedThoughWell = 0;
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

  /** The next attempt is made now. */
  hurry() {
    this.#open();
  }

  close() {
    this.#closed = true;
    this.#stop(null);
  }

  /** @param {Cause | null} cause why no other attempt is made */
  #stop(cause) {
    this.#listening.abort();
    this.#drop(GOODBYE);
    this.#enter('closed', cause);
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
    const bearer = await Promise.resolve().then(credentials).catch(() => undefined);
    if (this.#timer !== attempt) return;
    if (bearer === undefined) this.#lose(noCredentials);
    else this.#connect(bearer);
  }

  /** @param {string | null} bearer */
  #connect(bearer) {
    const socket = this.#openSocket(bearer);
    if (!socket) return;
    const connection = new Connection(socket, {
      onFrame: (message) => this.#owner.onFrame(message),
      onEnd: ({ code, opened }) => (opened ? this.#lose(causeOfClose(code)) : void this.#learnRefusal(connection, bearer)),
    });
    this.#connection = connection;
  }

  /** Not every text can be offered, and not every address is allowed. @param {string | null} bearer @returns {WebSocket | null} null: and it is told */
  #openSocket(bearer) {
    try {
      return this.#world.openSocket(this.#url, this.#owner.offer(bearer));
    } catch (error) {
      // Without credentials there is nothing that could not be offered.
      if (bearer === null || isForbidding(error)) this.#stop(this.#whyForbidden());
      else this.#lose(noCredentials);
      return null;
    }
  }

  #whyForbidden() {
    return this.#isInsecure() ? insecureUrl : blockedByPolicy;
  }

  /** Browsers make an exception for the host itself. */
  #isInsecure() {
    return /^ws:(?!\/\/(localhost|127\.[\d.]+|\[::1\])[:/])/.test(this.#url) && this.#world.isSecure();
  }

  /** @param {Connection} refused @param {string | null} bearer */
  async #learnRefusal(refused, bearer) {
    const cause = await causeOfRefusal(this.#url, bearer, this.#world.fetch);
    if (this.#connection !== refused) return;
    // Some browsers throw, others let it fail as if the server were out of reach.
    if (cause === unreachable && this.#isInsecure()) this.#stop(insecureUrl);
    else this.#lose(this.#inSight(cause));
  }

  /** @param {Cause} cause of one refusal @returns {Cause} in sight of those before */
  #inSight(cause) {
    this.#refusedThoughWell = cause === refusedThoughWell ? this.#refusedThoughWell + 1 : 0;
    return this.#refusedThoughWell > 1 ? proxyWithoutWebSockets : cause;
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
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const { page } = this.#world;
    page.addEventListener('securitypolicyviolation', (event) => this.#hearOfViolation(/** @type {SecurityPolicyViolationEvent} */ (event)), { signal });
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

  /** The connection then fails as if the server were out of reach. @param {SecurityPolicyViolationEvent} violation */
  #hearOfViolation({ effectiveDirective, blockedURI }) {
    const isOurs = effectiveDirective === 'connect-src' && blockedURI.replace(/^http/, 'ws').startsWith(new URL(this.#url).origin);
    if (isOurs && this.#state !== 'open') this.#stop(blockedByPolicy);
  }

  #return() {
    if (this.#state === 'waiting') this.#open();
    else if (this.#state === 'open') this.#owner.onReturn();
  }
}

/** Firefox (seen in 153) has an error of its own for what a content security policy forbids. @param {unknown} error */
function isForbidding(error) {
  return isRecord(error) && /^(SecurityError|NS_ERROR_)/.test(String(error['name']));
}

/** A world for tests: a clock that is turned by hand, sockets that are played by the test, a page that can be left. */

/** @import { Timer } from '../../static/js/world.js' */

/** One turn of the event loop: all promises that can settle have settled. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

export class FakeClock {
  #now = 0;
  #next = 1;
  /** @type {Map<number, { at: number, run: () => void }>} */
  #timers = new Map();

  /** @param {() => void} run @param {number} milliseconds @returns {Timer} */
  setTimeout = (run, milliseconds) => {
    const id = this.#next++;
    this.#timers.set(id, { at: this.#now + milliseconds, run });
    return /** @type {Timer} */ (/** @type {unknown} */ (id));
  };

  /** @param {Timer | undefined} timer */
  clearTimeout = (timer) => void this.#timers.delete(/** @type {number} */ (/** @type {unknown} */ (timer)));

  get pending() {
    return this.#timers.size;
  }

  /** @param {number} seconds */
  async pass(seconds) {
    this.#now += seconds * 1000;
    for (const [id, { at, run }] of [...this.#timers]) {
      if (at > this.#now || !this.#timers.delete(id)) continue;
      run();
    }
    await settled();
  }
}

export class FakeSocket extends EventTarget {
  /** @type {any[]} */
  sent = [];
  /** @type {number | null} */
  closedWith = null;
  /** As a browser's: 0 connecting, 1 open, 2 closing, 3 closed. */
  readyState = 0;
  /** What a browser writes to the console: sent into a socket that is closing or closed. */
  complaints = 0;

  /** @param {string} url @param {string[]} protocols */
  constructor(url, protocols) {
    super();
    this.url = url;
    this.protocols = protocols;
  }

  /** @param {string} text */
  send(text) {
    if (this.readyState === 0) throw new DOMException('still connecting', 'InvalidStateError');
    if (this.readyState === 1) this.sent.push(JSON.parse(text));
    else this.complaints += 1;
  }

  /** @param {number} code */
  close(code) {
    this.closedWith ??= code;
    this.readyState = Math.max(this.readyState, 2);
  }

  open() {
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
  }

  /** @param {object | string} message */
  receive(message) {
    const data = typeof message === 'string' ? message : JSON.stringify(message);
    this.dispatchEvent(new MessageEvent('message', { data }));
  }

  /** @param {object} [fields] */
  welcome(fields = {}) {
    this.open();
    const welcome = { type: 'welcome', id: 'me', resumed: false, iceServers: [], heartbeat: 25, maxMessageBytes: 65536 };
    this.receive({ ...welcome, rate: { messages: 50, burst: 400 }, ...fields });
  }

  /** The other end, or the network, closes. @param {number} code */
  end(code) {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason: '' }));
  }
}

export class FakeWorld extends FakeClock {
  /** @type {FakeSocket[]} */
  sockets = [];
  page = new EventTarget();
  visible = true;
  secure = true;
  chance = 0.5;
  /** What a plain GET of the address answers. @type {() => Promise<Response>} */
  refusal = () => Promise.reject(new Error('unreachable'));
  /** @type {string[]} */
  asked = [];

  /** @param {string} url @param {string[]} protocols */
  openSocket = (url, protocols) => {
    for (const name of protocols) if (!/^[!#$%&'*+.^`|~\w-]+$/.test(name)) throw new DOMException(name, 'SyntaxError');
    const socket = this.makeSocket(url, protocols);
    this.sockets.push(socket);
    return /** @type {WebSocket} */ (/** @type {unknown} */ (socket));
  };

  /** @param {string} url @param {string[]} protocols */
  makeSocket(url, protocols) {
    return new FakeSocket(url, protocols);
  }

  /** The headers of those. @type {object[]} */
  headers = [];

  /** @param {string} url @param {object} headers @returns {Promise<Response>} */
  fetch = (url, headers) => {
    this.asked.push(url);
    this.headers.push(headers);
    return this.refusal();
  };

  random = () => this.chance;
  isVisible = () => this.visible;
  isSecure = () => this.secure;

  get socket() {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error('no socket was opened');
    return socket;
  }

  /** @param {string} event @param {object} [fields] */
  tell(event, fields = {}) {
    this.page.dispatchEvent(Object.assign(new Event(event), fields));
  }

  /** @param {number} status @param {object} body */
  refuse(status, body) {
    this.refusal = () => Promise.resolve(new Response(JSON.stringify(body), { status }));
  }
}

/** One of the two peers: its session with this page's server, by the client that the server hands out. */

/** @import { ClientEvent, Frame } from '../js/client.js' */
import { Client } from '../js/client.js';
import { within } from './within.js';

/** The token of this tab, where the server asks for one: the page to meet has it from its reader. */
const TOKEN = 'entremise.token';

export class Side {
  #client;

  /** @param {(frame: Frame) => void} onFrame */
  constructor(onFrame) {
    this.#client = new Client({ credentials: token });
    this.#client.on('frame', onFrame);
  }

  get client() {
    return this.#client;
  }

  get id() {
    return this.#client.id ?? '';
  }

  /** Until there is a session. */
  async connect() {
    if (this.#client.id) return;
    const welcome = this.next('welcome');
    const refused = new Promise((_, reject) => {
      this.#client.on('state', ({ cause }) => cause && reject(new Error(cause.message)));
    });
    this.#client.connect();
    await Promise.race([welcome, refused]);
  }

  /**
   * @template {ClientEvent['type']} T
   * @param {T} type
   * @returns {Promise<Extract<ClientEvent, { type: T }>>} the next of its kind; a step that has failed before does not wait for it
   */
  next(type) {
    /** @type {() => void} */
    let undo = () => {};
    const event = new Promise((resolve) => void (undo = this.#client.on(type, resolve)));
    const awaited = within(event, type).finally(() => undo());
    awaited.catch(() => {});
    return /** @type {Promise<any>} */ (awaited);
  }

  close() {
    this.#client.close();
  }
}

function token() {
  try {
    return sessionStorage.getItem(TOKEN);
  } catch {
    return null;
  }
}

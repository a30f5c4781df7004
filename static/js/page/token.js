/** The token that a server with credentials asks for: given by the person, kept for this tab. */

import { elementById, show } from './element.js';

const KEY = 'entremise.token';

/** A browser may be told to let pages keep nothing: then the token lasts as long as the page. @type {Pick<Storage, 'getItem' | 'setItem'>} */
const nowhere = { getItem: () => null, setItem: () => {} };

/** Causes for which another token may help. */
const REFUSALS = ['unauthorized', 'no-credentials', 'credentials-expired'];

export class Token {
  #form = elementById('token-form', HTMLFormElement);
  #input = elementById('token', HTMLInputElement);
  #storage = storage();
  #value;

  /** @param {() => void} onGiven */
  constructor(onGiven) {
    this.#value = this.#storage.getItem(KEY);
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const token = this.#input.value.trim().replace(/^Bearer\s+/i, '');
      if (!token) return this.#input.focus();
      this.#value = token;
      this.#storage.setItem(KEY, token);
      this.#input.value = '';
      onGiven();
    });
  }

  /** @returns {string | null} null: none was given, or needed */
  get value() {
    return this.#value;
  }

  /** @param {string | null} cause why there is no connection; null: there is */
  show(cause) {
    show(this.#form, cause !== null && REFUSALS.includes(cause));
  }
}

function storage() {
  try {
    return sessionStorage;
  } catch {
    return nowhere;
  }
}

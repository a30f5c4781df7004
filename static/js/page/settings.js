/** What the person chose on this page, kept by the browser for the next time. Where it keeps nothing, a choice lasts as long as the page. */

/** @typedef {'camera' | 'microphone' | 'speaker' | 'wish' | 'keys' | 'name'} Setting */

const PREFIX = 'entremise.';
/** In UTF-16 units: an id of a device has 64. What is longer is not kept, and was not kept by this page. */
const LONGEST = 256;

export class Settings {
  #storage;
  /** @type {Map<Setting, string>} */
  #chosen = new Map();

  /** @param {Pick<Storage, 'getItem' | 'setItem'> | null} [storage] */
  constructor(storage = browserStorage()) {
    this.#storage = storage;
  }

  /** @param {Setting} name @returns {string} '' for none */
  get(name) {
    return this.#chosen.get(name) ?? this.#read(name);
  }

  /** @param {Setting} name @param {string} value */
  set(name, value) {
    if (value.length > LONGEST) return;
    this.#chosen.set(name, value);
    try {
      this.#storage?.setItem(PREFIX + name, value);
    } catch {
      // Full, or forbidden: the choice is good for this page.
    }
  }

  /** @param {Setting} name */
  #read(name) {
    try {
      const value = this.#storage?.getItem(PREFIX + name) ?? '';
      return value.length > LONGEST ? '' : value;
    } catch {
      return '';
    }
  }
}

/** Where a browser keeps nothing for pages, to ask for it throws. @returns {Storage | null} */
function browserStorage() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

/** A document for tests in Node: as much of one as a module of the page touches. */

export class FakeElement {
  className = '';
  hidden = false;
  /** @type {Record<string, string | undefined>} */
  dataset = {};
  /** @type {(FakeElement | string)[]} */
  children = [];
  scrollHeight = 0;
  scrollTop = 0;
  clientHeight = 0;
  /** @type {FakeElement | null} */
  parent = null;

  get isConnected() {
    return this.parent !== null;
  }

  /** @type {Record<string, string>} */
  attributes = {};
  open = false;
  clientWidth = 0;
  /** @type {Record<string, (() => void)[]>} */
  #listeners = {};

  /** @returns {FakeElement | null} */
  get firstElementChild() {
    return this.children.find((child) => child instanceof FakeElement) ?? null;
  }

  get childElementCount() {
    return this.children.length;
  }

  /** @returns {string} */
  get textContent() {
    return this.children.map((child) => (typeof child === 'string' ? child : child.textContent)).join('');
  }

  set textContent(text) {
    this.children = [text];
  }

  /** @param {...(FakeElement | string)} children */
  append(...children) {
    for (const child of children) if (child instanceof FakeElement) child.parent = this;
    this.children.push(...children);
  }

  /** @param {FakeElement | null} other @returns {boolean} */
  contains(other) {
    return other !== null && (other === this || this.contains(other.parent));
  }

  focus() {
    /** @type {any} */ (globalThis).document.activeElement = this;
  }

  /** @param {string} name @param {string} value */
  setAttribute(name, value) {
    this.attributes[name] = value;
    if (name.startsWith('data-')) this.dataset[name.slice(5)] = value;
  }

  /** @param {...(FakeElement | string)} children */
  replaceChildren(...children) {
    this.children = [];
    this.append(...children);
  }

  remove() {
    const { parent } = this;
    if (parent) parent.children = parent.children.filter((child) => child !== this);
    this.parent = null;
  }

  /** @param {string} type @param {() => void} listener */
  addEventListener(type, listener) {
    (this.#listeners[type] ??= []).push(listener);
  }

  /** As if a person, or the browser, did it. @param {string} type */
  fire(type) {
    for (const listener of this.#listeners[type] ?? []) listener();
  }
}

/** The names by which modules ask for elements of a kind. */
const kinds = ['HTMLOListElement', 'HTMLParagraphElement', 'HTMLSpanElement', 'HTMLButtonElement', 'HTMLDivElement', 'HTMLDetailsElement'];

/**
 * A new document, in the place of the last.
 *
 * @param {Record<string, FakeElement>} elements by their ids
 */
export function setDocument(elements) {
  const document = {
    /** @type {FakeElement | null} */
    activeElement: null,
    getElementById: (/** @type {string} */ id) => elements[id] ?? null,
    createElement: () => new FakeElement(),
    createElementNS: () => new FakeElement(),
  };
  Object.assign(globalThis, { document }, Object.fromEntries(kinds.map((kind) => [kind, FakeElement])));
  return document;
}

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

  addEventListener() {}
}

/** The names by which modules ask for elements of a kind. */
const kinds = ['HTMLOListElement', 'HTMLParagraphElement', 'HTMLSpanElement', 'HTMLButtonElement', 'HTMLDivElement'];

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
  };
  Object.assign(globalThis, { document }, Object.fromEntries(kinds.map((kind) => [kind, FakeElement])));
  return document;
}

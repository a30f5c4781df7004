/** A dialog of `index.html`: opened by a button, or by the page, closed by its own, by Escape, by a click beside it, or by the page. */

import { elementById } from './element.js';

export class Dialog {
  #dialog;

  /** @param {string} id @param {{ opener?: string, onOpen?: () => void, onClose?: () => void }} [options] `opener`: the id of a button */
  constructor(id, { opener, onOpen = () => {}, onClose = () => {} } = {}) {
    const dialog = elementById(id, HTMLDialogElement);
    this.#dialog = dialog;
    this.onOpen = onOpen;
    if (opener) elementById(opener, HTMLButtonElement).addEventListener('click', () => this.open());
    dialog.querySelector('.close')?.addEventListener('click', () => this.close());
    dialog.addEventListener('click', ({ target }) => target === dialog && this.close());
    dialog.addEventListener('close', onClose);
  }

  open() {
    if (this.#dialog.open) return;
    this.onOpen();
    this.#dialog.showModal();
  }

  close() {
    this.#dialog.close();
  }
}

/** This side's id, and the link that calls it: shown, and handed out for as long as they are good. */

/** @import { CopyButton } from './copy-button.js' */
/** @import { Handover } from './handover.js' */
import { breakable, elementById } from './element.js';
import { linkTo } from './share.js';

export class OwnId {
  #id = elementById('peer-id', HTMLOutputElement);
  #link = elementById('share-link', HTMLAnchorElement);
  #buttons = ['copy-id', 'copy-link', 'call-code', 'call-sheet'].map((id) => elementById(id, HTMLButtonElement));

  /** @param {CopyButton} copying @param {Handover} handover */
  constructor(copying, handover) {
    copying.follow(elementById('copy-id', HTMLButtonElement), this.#id);
    copying.follow(elementById('copy-link', HTMLButtonElement), this.#link);
    handover.offer({ code: 'call-code', sheet: 'call-sheet' }, () => this.#link.href);
  }

  /** @param {string | null} id @param {boolean} isLive can it be called by it now? */
  show(id, isLive) {
    const link = id === null ? '' : linkTo(id, location);
    this.#id.textContent = id ?? '';
    this.#link.replaceChildren(...breakable(link));
    if (isLive) this.#link.href = link;
    else this.#link.removeAttribute('href');
    for (const element of [this.#id, this.#link]) element.toggleAttribute('data-stale', id !== null && !isLive);
    for (const button of this.#buttons) button.disabled = !isLive;
  }
}

/** This side's id, and the link that calls it: shown, and handed out for as long as they are good. */

/** @import { Say } from './language.js' */
/** @import { Phrase } from './words.js' */
import { elementById, make } from './element.js';
import { linkTo } from './share.js';

/** In milliseconds: how long a button says that it has copied. */
const DONE = 2000;

export class OwnId {
  #say;
  #onCopied;
  #id = elementById('peer-id', HTMLOutputElement);
  #link = elementById('share-link', HTMLAnchorElement);
  #buttons = [elementById('copy-id', HTMLButtonElement), elementById('copy-link', HTMLButtonElement)];

  /** @param {Say} say @param {(outcome: 'copied' | 'not-copied') => void} onCopied */
  constructor(say, onCopied) {
    this.#say = say;
    this.#onCopied = onCopied;
    const [copyId, copyLink] = this.#buttons;
    copyId?.addEventListener('click', () => void this.#copy(this.#id, copyId));
    copyLink?.addEventListener('click', () => void this.#copy(this.#link, copyLink));
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

  /** @param {HTMLElement} source @param {HTMLButtonElement} button */
  async #copy(source, button) {
    try {
      await navigator.clipboard.writeText(source.textContent ?? '');
      this.#acknowledge(button);
      this.#onCopied('copied');
    } catch {
      getSelection()?.selectAllChildren(source);
      this.#onCopied('not-copied');
    }
  }

  /** Each time anew, for the status line may say so already. @param {HTMLButtonElement} button */
  #acknowledge(button) {
    const label = /** @type {Phrase} */ (button.dataset['label']);
    const until = String(Date.now() + DONE);
    button.dataset['done'] = until;
    button.ariaLabel = this.#say('copied');
    setTimeout(() => {
      if (button.dataset['done'] !== until) return;
      delete button.dataset['done'];
      button.ariaLabel = this.#say(label);
    }, DONE);
  }
}

/** A narrow line breaks before the hash, not in its middle. @param {string} link */
function breakable(link) {
  const [page, hash] = link.split(/(?=#)/);
  return hash ? [page ?? '', make('wbr', ''), hash] : [];
}

/** A button that copies what stands in an element, and says that it has. */

/** @import { Say } from './language.js' */
/** @import { Phrase } from './words.js' */

/** In milliseconds: how long it says so. */
const DONE = 2000;

export class CopyButton {
  #say;
  #onCopied;

  /** @param {Say} say @param {(outcome: 'copied' | 'not-copied') => void} onCopied */
  constructor(say, onCopied) {
    this.#say = say;
    this.#onCopied = onCopied;
  }

  /** @param {HTMLButtonElement} button @param {HTMLElement} source */
  follow(button, source) {
    button.addEventListener('click', () => void this.#copy(source, button));
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

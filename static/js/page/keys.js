/**
 * Keys for what has a button: each is named by its button's `aria-keyshortcuts`, and works while that button can be seen and pressed. As
 * such keys get in the way of those who dictate (WCAG 2.1.4), they can be switched off; the list says how.
 */

/** @import { Settings } from './settings.js' */
import { Dialog } from './dialog.js';
import { elementById, make } from './element.js';

/** @typedef {Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'altKey' | 'metaKey' | 'repeat' | 'isComposing' | 'defaultPrevented' | 'target'>} Stroke */

const OFF = 'off';

export class Keys {
  #settings;
  #list = elementById('keys-list', HTMLUListElement);
  #switch = elementById('keys-on', HTMLInputElement);
  #dialog;

  /** @param {Settings} settings */
  constructor(settings) {
    this.#settings = settings;
    this.#dialog = new Dialog('keys-dialog', { opener: 'keys', onOpen: () => this.#fill() });
    this.#switch.checked = settings.get('keys') !== OFF;
    this.#switch.addEventListener('change', () => settings.set('keys', this.#switch.checked ? '' : OFF));
    document.addEventListener('keydown', (event) => this.#take(event));
  }

  close() {
    this.#dialog.close();
  }

  /** @param {KeyboardEvent} event */
  #take(event) {
    const key = keyOf(event, isTyped(event.target));
    if (key === null || this.#settings.get('keys') === OFF || document.querySelector('dialog[open]')) return;
    const button = buttons().find(({ ariaKeyShortcuts }) => ariaKeyShortcuts?.toLowerCase() === key);
    if (!button) return;
    event.preventDefault();
    button.click();
  }

  /** What can be done now. */
  #fill() {
    this.#list.replaceChildren(...buttons().map((button) => make('li', '', make('kbd', '', button.ariaKeyShortcuts ?? ''), ` ${button.ariaLabel ?? button.textContent}`)));
  }
}

function buttons() {
  const all = /** @type {HTMLButtonElement[]} */ ([...document.querySelectorAll('button[aria-keyshortcuts]')]);
  return all.filter((button) => !button.disabled && button.getClientRects().length > 0);
}

/** Does a key that is pressed here write, or choose? @param {EventTarget | null} target */
function isTyped(target) {
  return target instanceof Element && target.closest('input, textarea, select, [contenteditable]') !== null;
}

/** The key that was struck as a shortcut, in lower case. @param {Stroke} stroke @param {boolean} isTyped into a field @returns {string | null} */
export function keyOf({ key, ctrlKey, altKey, metaKey, repeat, isComposing, defaultPrevented }, isTyped) {
  const isMeantOtherwise = ctrlKey || altKey || metaKey || repeat || isComposing || defaultPrevented || isTyped;
  return isMeantOtherwise || [...key].length !== 1 ? null : key.toLowerCase();
}

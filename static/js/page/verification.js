/** Four words by which two people can tell that no one is between them. */

/** @import { Call } from '../call.js' */
/** @import { Say } from './language.js' */
import { Dialog } from './dialog.js';
import { elementById, make } from './element.js';

export class Verification {
  #say;
  #dialog = new Dialog('verify-dialog', { opener: 'verify' });
  #list = elementById('verify-words', HTMLOListElement);
  #hint = elementById('verify-hint', HTMLParagraphElement);

  /** @param {Say} say */
  constructor(say) {
    this.#say = say;
    this.#show([]);
  }

  /** @param {Call} call */
  follow(call) {
    this.#show([]);
    call.on('words', ({ words }) => this.#show(words));
    call.on('state', ({ state }) => void (state === 'ended' && this.#dialog.close()));
  }

  /** @param {string[]} words none: there are none to compare */
  #show(words) {
    this.#list.replaceChildren(...words.map((word) => make('li', '', word)));
    this.#hint.textContent = this.#say(words.length ? 'verify-hint' : 'verify-none');
  }
}

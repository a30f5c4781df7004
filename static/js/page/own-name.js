/** What a person calls herself: kept in this browser, and told to those with whom she speaks. */

/** @import { Settings } from './settings.js' */
import { LONGEST_NAME, personName } from '../plain-text.js';
import { elementById } from './element.js';

export class OwnName {
  #input = elementById('own-name', HTMLInputElement);

  /** @param {Settings} settings @param {() => void} onChange */
  constructor(settings, onChange) {
    this.#input.maxLength = LONGEST_NAME;
    this.#input.value = personName(settings.get('name'));
    this.#input.addEventListener('change', () => {
      this.#input.value = this.value;
      settings.set('name', this.value);
      onChange();
    });
  }

  get value() {
    return personName(this.#input.value);
  }
}

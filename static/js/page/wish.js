/** What the person wants to send in her next call: camera and microphone, the microphone alone, or neither. Remembered. */

/** @import { Wish } from './media.js' */
/** @import { Settings } from './settings.js' */

export class WishChoice {
  #form;
  #settings;

  /** @param {HTMLFormElement} form with radios named `media` @param {Settings} settings @param {() => void} onChange */
  constructor(form, settings, onChange) {
    this.#form = form;
    this.#settings = settings;
    this.#choose(wishIn(settings.get('wish')));
    for (const radio of this.#radios()) radio.addEventListener('change', () => (this.#keep(), onChange()));
  }

  get value() {
    return wishIn(new FormData(this.#form).get('media'));
  }

  /** Of a browser that gives none, none is asked for. */
  limit() {
    for (const radio of this.#radios()) radio.disabled = radio.value !== 'neither';
    this.#choose('neither');
  }

  /** @param {Wish} wish */
  #choose(wish) {
    for (const radio of this.#radios()) radio.checked = radio.value === wish;
  }

  #keep() {
    this.#settings.set('wish', this.value);
  }

  #radios() {
    return /** @type {NodeListOf<HTMLInputElement>} */ (this.#form.querySelectorAll('input[name="media"]'));
  }
}

/** @param {unknown} value @returns {Wish} */
function wishIn(value) {
  return value === 'microphone' || value === 'neither' ? value : 'camera';
}

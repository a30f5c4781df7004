/** The tools beside the diagram: which rows are shown, a pause, and what is shown as a text or as a file. */

/** @import { Kind } from './carried.js' */
/** @import { Diagram } from './diagram.js' */
/** @import { Say } from './language.js' */
/** @import { Phrase } from './words.js' */
import { elementById } from './element.js';
import { asFile, asText, fileName } from './transcript.js';

/** In milliseconds: until the browser has begun to save a file, its address is good. */
const SAVING = 60_000;

export class DiagramTools {
  #say;
  #diagram;
  #kinds = elementById('diagram-kinds', HTMLFieldSetElement);
  #pause = elementById('diagram-pause', HTMLButtonElement);
  #held = elementById('diagram-held', HTMLSpanElement);
  #told = elementById('diagram-told', HTMLParagraphElement);

  /** @param {Say} say @param {Diagram} diagram */
  constructor(say, diagram) {
    this.#say = say;
    this.#diagram = diagram;
    this.#kinds.addEventListener('change', () => this.#choose());
    this.#pause.addEventListener('click', () => this.#togglePause());
    elementById('diagram-copy', HTMLButtonElement).addEventListener('click', () => void this.#copy());
    elementById('diagram-export', HTMLButtonElement).addEventListener('click', () => this.#save());
  }

  #choose() {
    const boxes = [...this.#kinds.querySelectorAll('input')];
    this.#diagram.hide(boxes.filter(({ checked }) => !checked).map(({ value }) => /** @type {Kind} */ (value)));
  }

  #togglePause() {
    const isPaused = this.#pause.ariaPressed !== 'true';
    this.#pause.ariaPressed = String(isPaused);
    this.#showHeld(0);
    this.#diagram.pause(isPaused, (held) => this.#showHeld(held));
  }

  /** @param {number} held */
  #showHeld(held) {
    this.#held.textContent = held > 0 ? this.#say('rows-held', { count: held }) : '';
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(asText(this.#diagram.entries, this.#say));
      this.#tell('diagram-copied');
    } catch {
      this.#tell('diagram-not-copied');
    }
  }

  #save() {
    const url = URL.createObjectURL(new Blob([asFile(this.#diagram.entries)], { type: 'application/json' }));
    const link = document.createElement('a');
    Object.assign(link, { href: url, download: fileName(new Date()) }).click();
    setTimeout(() => URL.revokeObjectURL(url), SAVING);
    this.#tell('diagram-saved');
  }

  /** @param {Phrase} phrase */
  #tell(phrase) {
    this.#told.textContent = this.#say(phrase, { count: this.#diagram.entries.length });
  }
}

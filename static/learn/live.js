/**
 * A live part of the tutorial: a lesson that the reader goes through by pressing buttons, with two peers of this very page. At most one
 * of the page's lessons has connections: the next one that begins ends it.
 */

/** @import { Acks } from './sequence.js' */
/** @import { Phrase, Say, Values } from './words.js' */
import { make, makeButton } from './make.js';
import { Scene } from './scene.js';

/** @typedef {Phrase | [Phrase, Values]} Told what has happened, in a sentence */
/** @typedef {{ name: string, run(scene: Scene): Promise<Told> }} Step its phrases are `<lesson>-<name>` for the button and what it tells */
/**
 * @typedef {{ name: string, isSequence: boolean, steps: Step[], acks?: Acks }} Lesson
 *   `isSequence`: the steps follow each other; otherwise each of them begins anew
 */

/** @type {Live | null} */
let current = null;

export class Live {
  #place;
  #lesson;
  #say;
  #stage = make('div', 'live-stage');
  #told = make('p', 'live-told');
  #count = make('span', 'live-count hint');
  /** @type {HTMLButtonElement[]} */
  #buttons = [];
  #again;
  /** @type {Scene | null} */
  #scene = null;
  /** In a sequence: the index of the step that is next. */
  #next = 0;
  /** Whose step is under way; of an earlier scene, it is waited for no more. @type {Scene | null} */
  #running = null;

  /** @param {HTMLElement} place @param {Lesson} lesson @param {Say} say */
  constructor(place, lesson, say) {
    this.#place = place;
    this.#lesson = lesson;
    this.#say = say;
    this.#told.setAttribute('role', 'status');
    this.#again = makeButton('quiet', say('start-over'), () => this.#startOver());
    const shown = lesson.isSequence ? lesson.steps.slice(0, 1) : lesson.steps;
    this.#buttons = shown.map((_, index) => makeButton(lesson.isSequence ? 'go' : 'quiet', '', () => void this.#press(index)));
    const buttons = make('div', 'live-buttons', ...this.#buttons, ...(lesson.isSequence ? [this.#again, this.#count] : []));
    place.append(buttons, this.#told, this.#stage);
    this.#draw();
  }

  /** Ends what the reader has begun here. */
  end() {
    this.#scene?.close();
    this.#scene = null;
    this.#next = 0;
    this.#draw();
  }

  get #isBusy() {
    return this.#running !== null && this.#running === this.#scene;
  }

  /** @param {number} index of the button */
  async #press(index) {
    const step = this.#lesson.steps[this.#lesson.isSequence ? this.#next : index];
    if (this.#isBusy || !step) return;
    const scene = this.#begin();
    this.#running = scene;
    this.#draw();
    try {
      this.#tell(await step.run(scene), scene);
      if (this.#scene === scene) this.#next += 1;
    } catch (error) {
      if (this.#scene === scene) this.#fail(error);
    } finally {
      if (this.#running === scene) this.#running = null;
      this.#draw();
    }
  }

  /** The scene that goes on; a new one where there is none, or where each step has its own. */
  #begin() {
    if (this.#scene && this.#lesson.isSequence) return this.#scene;
    this.#scene?.close();
    if (current !== this) current?.end();
    current = this;
    this.#stage.replaceChildren();
    this.#told.textContent = '';
    this.#scene = new Scene(this.#stage, this.#say, this.#lesson.acks ?? 'marks');
    return this.#scene;
  }

  /** @param {Told} told @param {Scene} scene */
  #tell(told, scene) {
    if (this.#scene !== scene) return;
    const [phrase, values = {}] = typeof told === 'string' ? [told] : told;
    this.#told.dataset['tone'] = 'well';
    this.#told.textContent = this.#say(phrase, values);
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#told.dataset['tone'] = 'problem';
    this.#told.textContent = this.#say('failed', { error: error instanceof Error ? error.message : String(error) });
  }

  #startOver() {
    this.end();
    this.#stage.replaceChildren();
    this.#told.textContent = '';
    this.#buttons[0]?.focus();
  }

  /** A button that can't be pressed stays where the keyboard is: disabled ones lose the focus. */
  #draw() {
    const { steps, name, isSequence } = this.#lesson;
    const done = this.#next >= steps.length;
    for (const [index, button] of this.#buttons.entries()) {
      const step = steps[isSequence ? this.#next : index];
      button.textContent = this.#say(step ? /** @type {Phrase} */ (`${name}-${step.name}`) : 'done');
      button.setAttribute('aria-disabled', String(this.#isBusy || (isSequence && done)));
    }
    this.#count.textContent = this.#say('step-of', { step: Math.min(this.#next, steps.length), steps: steps.length });
    this.#again.hidden = this.#next === 0 || !isSequence;
    this.#place.dataset['state'] = this.#isBusy ? 'busy' : 'idle';
  }
}

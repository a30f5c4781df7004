/**
 * How a call goes: what the browser measures of it, each second, as plots, as a drawing of its path, and in numbers. Nothing is asked and
 * no timer runs but while the card is open and the call that it follows is connected.
 */

/** @import { Call } from '../call.js' */
/** @import { Clock, Timer } from '../world.js' */
/** @import { Say } from './language.js' */
/** @import { Reading, Sample } from './reading.js' */
/** @import { Ways } from './route.js' */
/** @import { Phrase } from './words.js' */
import { clock } from '../world.js';
import { elementById } from './element.js';
import { measures } from './measure.js';
import { tablesOf } from './numbers.js';
import { PlotFigure } from './plot-figure.js';
import { withSample } from './plot.js';
import { readingOf } from './reading.js';
import { waysOf } from './route.js';
import { WayDrawing } from './way-drawing.js';

/** In milliseconds. */
const INTERVAL = 1000;

/** @typedef {Pick<Call, 'state' | 'stats' | 'on'>} Watched */

export class HowItGoes {
  #say;
  #language;
  #clock;
  #now;
  #card = elementById('how-it-goes', HTMLDetailsElement);
  #told = elementById('measures-told', HTMLParagraphElement);
  #measures = elementById('measures', HTMLDivElement);
  #numbers = elementById('numbers', HTMLDivElement);
  #numbersCard = elementById('numbers-card', HTMLDetailsElement);
  #plots;
  #way;
  /** @type {Watched | null} */
  #call = null;
  #unfollow = () => {};
  /** @type {Timer | undefined} */
  #timer;
  /** Does a timer run, or is an answer awaited? It is another one after each pause. @type {object | null} */
  #run = null;
  /** @type {Reading | null} */
  #last = null;
  /** Invariant: of the last minutes only (`withSample`). @type {Sample[]} */
  #samples = [];
  /** @type {Ways | null} */
  #ways = null;

  /**
   * @param {Say} say
   * @param {string} language for numbers
   * @param {{ clock?: Clock, now?: () => number }} [world]
   */
  constructor(say, language, { clock: given = clock, now = () => performance.now() } = {}) {
    this.#say = say;
    this.#language = language;
    this.#clock = given;
    this.#now = now;
    this.#plots = measures.map((measure) => new PlotFigure(measure, say, language));
    elementById('plots', HTMLDivElement).append(...this.#plots.map(({ element }) => element));
    this.#way = new WayDrawing(elementById('way', HTMLDivElement), say);
    this.#card.addEventListener('toggle', () => this.#update());
    this.#numbersCard.addEventListener('toggle', () => this.#showNumbers());
  }

  /** Watches this call from now on; what was measured of another is forgotten when it begins. @param {Watched | null} call */
  follow(call) {
    if (call === this.#call) return;
    this.#unfollow();
    this.#call = call;
    this.#unfollow = call?.on('state', () => this.#update()) ?? (() => {});
    if (call) this.#forget();
    this.#pause();
    this.#update();
  }

  #forget() {
    this.#last = null;
    this.#samples = [];
    this.#measures.hidden = true;
  }

  /** Is there a reader, and something to read? */
  #isWanted() {
    return this.#card.open && this.#call?.state === 'connected';
  }

  #update() {
    if (!this.#isWanted()) this.#pause();
    else if (!this.#run) void this.#measure((this.#run = {}));
    this.#tell();
  }

  #pause() {
    this.#run = null;
    this.#last = null;
    this.#clock.clearTimeout(this.#timer);
  }

  #tell() {
    const phrase = this.#phrase();
    if (this.#told.dataset['say'] === phrase) return;
    this.#told.dataset['say'] = phrase;
    this.#told.textContent = this.#say(phrase);
  }

  /** @returns {Phrase} */
  #phrase() {
    if (this.#call?.state === 'connected') return 'measures-run';
    return this.#samples.length > 0 ? 'measures-over' : 'measures-idle';
  }

  /** The next question follows the answer: a browser that is slow is not asked twice. @param {object} run */
  async #measure(run) {
    const stats = await (this.#call?.stats() ?? new Map());
    if (run !== this.#run) return;
    this.#timer = this.#clock.setTimeout(() => void this.#measure(run), INTERVAL);
    if (stats.size > 0) this.#show(stats);
  }

  /** @param {ReadonlyMap<string, any>} stats */
  #show(stats) {
    this.#last = readingOf(stats, this.#now(), this.#last);
    this.#samples = withSample(this.#samples, this.#last.sample);
    this.#ways = waysOf(stats);
    this.#measures.hidden = false;
    for (const plot of this.#plots) plot.show(this.#samples);
    this.#way.show(this.#ways);
    this.#showNumbers();
  }

  #showNumbers() {
    if (!this.#numbersCard.open || !this.#ways) return;
    this.#numbers.replaceChildren(...tablesOf(this.#samples, this.#ways, this.#say, this.#language));
  }
}

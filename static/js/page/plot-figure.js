/** One measure of a call as a figure: its name, its present values, and its lines over the last minutes. */

/** @import { Say } from './language.js' */
/** @import { Direction, Measure } from './measure.js' */
/** @import { Box } from './plot.js' */
/** @import { Sample } from './reading.js' */
import { make } from './element.js';
import { presentValue, written } from './measure.js';
import { extremes, lineOf, SPAN, topOf } from './plot.js';
import { draw } from './svg.js';

/** In pixels: of the drawing, and around the lines, where the axes are written. */
const HEIGHT = 112;
const LEFT = 38;
const RIGHT = 8;
const TOP = 10;
const BOTTOM = 20;
const MINUTE = 60_000;

export class PlotFigure {
  #measure;
  #say;
  #language;
  #values = make('span', 'values');
  #drawing = draw('svg', { class: 'plot', role: 'img' });
  /** @readonly */
  element;

  /** @param {Measure} measure @param {Say} say @param {string} language */
  constructor(measure, say, language) {
    this.#measure = measure;
    this.#say = say;
    this.#language = language;
    this.element = make('figure', '', make('figcaption', '', make('b', '', say(measure.phrase)), this.#values), this.#drawing);
  }

  /** @param {readonly Sample[]} samples */
  show(samples) {
    const { directions, least } = this.#measure;
    const width = this.element.clientWidth || 300;
    const box = { x: LEFT, y: TOP, width: width - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM };
    const top = topOf(directions.flatMap(({ series }) => samples.map((sample) => sample[series])), least);
    const axes = { top, now: samples.at(-1)?.at ?? 0, box };
    this.#drawing.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    this.#drawing.setAttribute('aria-label', directions.map((direction) => this.#sentence(samples, direction)).join(' '));
    const lines = directions.map(({ series, way }) => draw('path', { class: `line ${way}`, d: lineOf(samples, series, axes) }));
    this.#drawing.replaceChildren(...this.#upAxis(top, box), ...this.#timeAxis(box), ...lines);
    this.#values.replaceChildren(...directions.map((direction) => this.#value(samples, direction)));
  }

  /** @param {readonly Sample[]} samples @param {Direction} direction */
  #value(samples, direction) {
    const name = this.#measure.directions.length > 1 ? `${this.#say(`series-${direction.way}`)} ` : '';
    return make('span', `reading ${direction.way}`, name, make('b', '', presentValue(samples.at(-1), direction, this.#measure.unit, this.#language)));
  }

  /** @param {readonly Sample[]} samples @param {Direction} direction */
  #sentence(samples, { series, way }) {
    const { phrase, unit } = this.#measure;
    const { now, least, most } = extremes(samples, series);
    const [nowWords, leastWords, mostWords] = [now, least, most].map((value) => written(value, unit, this.#language));
    return this.#say('plot-label', { measure: this.#say(phrase), series: this.#say(`series-${way}`), now: nowWords ?? '', least: leastWords ?? '', most: mostWords ?? '' });
  }

  /** @param {number} top @param {Box} box */
  #upAxis(top, { x, y, width, height }) {
    const numbers = new Intl.NumberFormat(this.#language, { maximumFractionDigits: 1, notation: 'compact' });
    return [0, 0.5, 1].flatMap((part) => {
      const at = y + height * (1 - part);
      return [
        draw('line', { class: 'grid', x1: x, x2: x + width, y1: at, y2: at }),
        draw('text', { class: 'tick', x: x - 6, y: at + 3.5, 'text-anchor': 'end' }, numbers.format(top * part)),
      ];
    });
  }

  /** @param {Box} box */
  #timeAxis({ x, y, width, height }) {
    const minutes = SPAN / MINUTE;
    return Array.from({ length: minutes + 1 }, (_, index) => {
      const ago = minutes - index;
      const words = ago === 0 ? this.#say('now') : this.#say('minutes-ago', { minutes: ago });
      const anchor = index === 0 ? 'start' : ago === 0 ? 'end' : 'middle';
      return draw('text', { class: 'tick', x: x + (width * index) / minutes, y: y + height + 15, 'text-anchor': anchor }, words);
    });
  }
}

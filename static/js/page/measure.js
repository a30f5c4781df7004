/** What is plotted of a call, and how its values are written. Pure. */

/** @import { Series } from './plot.js' */
/** @import { Figure, Sample } from './reading.js' */
/** @import { Phrase } from './words.js' */

/** @typedef {{ series: Series, width?: Series, way: 'in' | 'out' }} Direction `width`: the value is shown as width × height */
/** @typedef {{ phrase: Phrase, unit: string, least: number, directions: Direction[] }} Measure `least`: what the axis reaches in any case */

/** @type {Measure[]} */
export const measures = [
  { phrase: 'round-trip', unit: 'ms', least: 10, directions: [{ series: 'roundTrip', way: 'in' }] },
  { phrase: 'loss', unit: '%', least: 5, directions: [{ series: 'lossIn', way: 'in' }, { series: 'lossOut', way: 'out' }] },
  { phrase: 'jitter', unit: 'ms', least: 10, directions: [{ series: 'jitterIn', way: 'in' }, { series: 'jitterOut', way: 'out' }] },
  { phrase: 'bit-rate', unit: 'kbit/s', least: 100, directions: [{ series: 'bitsIn', way: 'in' }, { series: 'bitsOut', way: 'out' }] },
  { phrase: 'frames', unit: '/s', least: 20, directions: [{ series: 'framesIn', way: 'in' }, { series: 'framesOut', way: 'out' }] },
  {
    phrase: 'resolution', unit: 'px', least: 200,
    directions: [{ series: 'heightIn', width: 'widthIn', way: 'in' }, { series: 'heightOut', width: 'widthOut', way: 'out' }],
  },
];

/** A dash, where the browser does not tell. @param {Figure} value @param {string} unit @param {string} language */
export function written(value, unit, language) {
  if (value === null) return '–';
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value)}\u00a0${unit}`;
}

/** @param {Sample | undefined} sample the last one @param {Direction} direction @param {string} unit @param {string} language */
export function presentValue(sample, { series, width }, unit, language) {
  const value = sample?.[series] ?? null;
  const across = (width && sample?.[width]) ?? null;
  return value !== null && across !== null ? `${across}\u00a0×\u00a0${value}` : written(value, unit, language);
}

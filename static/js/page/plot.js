/** A plot of the last minutes as numbers and lines of an SVG path. Pure: no element, no clock. */

/** @import { Figure, Sample } from './reading.js' */

/** In milliseconds: how far back a plot goes, and after which pause its line is broken. */
export const SPAN = 180_000;
const LONGEST_GAP = 6000;
/** Samples that are kept. */
const MOST_SAMPLES = 240;

/** @typedef {Exclude<keyof Sample, 'at'>} Series */
/** @typedef {{ x: number, y: number, width: number, height: number }} Box where the lines are, within the drawing */

/** Drops what is out of sight. @param {readonly Sample[]} samples @param {Sample} sample @returns {Sample[]} */
export function withSample(samples, sample) {
  return [...samples, sample].filter(({ at }) => at > sample.at - SPAN).slice(-MOST_SAMPLES);
}

/** The end of the axis: 1, 2 or 5 of some power of ten. @param {readonly Figure[]} values @param {number} least */
export function topOf(values, least) {
  const most = Math.max(least, ...values.map((value) => value ?? 0));
  const power = 10 ** Math.floor(Math.log10(most));
  return ([1, 2, 5, 10].find((step) => step * power >= most) ?? 10) * power;
}

/**
 * @param {readonly Sample[]} samples
 * @param {Series} series
 * @param {{ top: number, now: number, box: Box }} axes
 * @returns {string} the `d` of a path; a value that is not there, or a pause, breaks the line
 */
export function lineOf(samples, series, { top, now, box }) {
  let last = -Infinity;
  const steps = samples.map((sample) => {
    const value = sample[series];
    if (value === null) return '';
    const isJoined = sample.at - last <= LONGEST_GAP;
    last = sample.at;
    const x = box.x + box.width * (1 - (now - sample.at) / SPAN);
    const y = box.y + box.height * (1 - Math.min(value, top) / top);
    // A line of one point is drawn as a dot, where its ends are round.
    return isJoined ? `L${x.toFixed(1)} ${y.toFixed(1)}` : `M${x.toFixed(1)} ${y.toFixed(1)}h0`;
  });
  return steps.join('');
}

/** @param {readonly Sample[]} samples @param {Series} series @returns {{ now: Figure, least: Figure, most: Figure }} `now` is the last one's */
export function extremes(samples, series) {
  const values = samples.map((sample) => sample[series]).filter((value) => value !== null);
  return { now: samples.at(-1)?.[series] ?? null, least: values.length ? Math.min(...values) : null, most: values.length ? Math.max(...values) : null };
}

/** Where our server says something else than the one that a dialect was made for, and why. Nothing else may differ. */

/** @import { Dialect } from './original.js' */

/**
 * @typedef {{ why: string, original: string[], ours: string[] }} Difference
 *   Lines of a conversation that follow each other, and what stands in their place; without original ones, at its beginning.
 */

/** By dialect, and by the conversation's title. @type {Partial<Record<Dialect, Record<string, Difference[]>>>} */
export const differences = {};

/** Chance for tests: the same seed plays the same game. */

/** @param {number} seed @returns {() => number} from 0 to 1 (mulberry32) */
export function chanceFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @template T @param {() => number} chance @param {readonly T[]} choices @returns {T} */
export function pick(chance, choices) {
  return /** @type {T} */ (choices[Math.floor(chance() * choices.length)]);
}

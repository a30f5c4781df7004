/** Waiting: always for something that has a name, and never for ever. */

import { setTimeout as delay } from 'node:timers/promises';

/** In milliseconds: how often a condition in a page is looked at. */
const INTERVAL = 50;

/**
 * @template T
 * @param {number} seconds
 * @param {string} what
 * @param {() => string | Promise<string>} context what else to tell if it doesn't come
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export async function within(seconds, what, context, promise) {
  const stop = new AbortController();
  const late = delay(seconds * 1000, undefined, { signal: stop.signal }).then(
    async () => {
      throw new Error(`waited ${seconds} s for ${what}. ${await context()}`);
    },
    () => /** @type {never} */ (undefined),
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
  }
}

/**
 * Waits until a condition holds.
 *
 * @param {number} seconds
 * @param {string} what
 * @param {() => string | Promise<string>} context
 * @param {() => Promise<boolean>} condition
 */
export async function until(seconds, what, context, condition) {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s for ${what}. ${await context()}`);
    await delay(INTERVAL);
  }
}

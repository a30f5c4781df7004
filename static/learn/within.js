/** In milliseconds: on a slow machine, a connection takes a few seconds to find its path. */
const PATIENCE = 20_000;

/**
 * Waits, but not for ever.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {string} what
 * @param {number} [patience] in milliseconds
 * @returns {Promise<T>}
 */
export function within(promise, what, patience = PATIENCE) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: ${patience / 1000} s`)), patience);
  });
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]).finally(() => clearTimeout(timer));
}

/**
 * Waits until something holds, which may be so at once, and else after an event.
 *
 * @param {EventTarget} target
 * @param {string} type of the events after which it is looked at
 * @param {() => boolean} isSo
 * @param {number} [patience] in milliseconds
 */
export function until(target, type, isSo, patience = PATIENCE) {
  if (isSo()) return Promise.resolve();
  const stop = new AbortController();
  const { signal } = stop;
  /** @type {Promise<void>} */
  const come = new Promise((resolve) => target.addEventListener(type, () => isSo() && resolve(), { signal }));
  return within(come, type, patience).finally(() => stop.abort());
}

/**
 * All that the client takes from its surroundings: sockets, time and chance. Tests bring their own.
 *
 * @typedef {ReturnType<typeof setTimeout>} Timer
 * @typedef {{ setTimeout(run: () => void, milliseconds: number): Timer, clearTimeout(timer: Timer | undefined): void }} Clock
 * @typedef {Clock & {
 *   openSocket(url: string, protocols: string[]): WebSocket,
 *   fetch(url: string, headers: Record<string, string>): Promise<Response>,
 *   random(): number,
 *   isVisible(): boolean,
 *   page: Pick<EventTarget, 'addEventListener' | 'removeEventListener'>,
 * }} World
 */

/** The longest that a question by HTTP may take, in milliseconds. */
const FETCH_DEADLINE = 10_000;

/** @type {Clock} */
export const clock = {
  setTimeout: (run, milliseconds) => setTimeout(run, milliseconds),
  clearTimeout: (timer) => clearTimeout(timer),
};

/** @type {World} */
export const browser = {
  ...clock,
  openSocket: (url, protocols) => new WebSocket(url, protocols),
  fetch: (url, headers) => fetch(url, { headers, cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(FETCH_DEADLINE) }),
  random: () => Math.random(),
  isVisible: () => document.visibilityState === 'visible',
  page: globalThis,
};

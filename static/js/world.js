/**
 * All that the client takes from its surroundings: sockets, time and chance. Tests bring their own. A page has a window, which tells when
 * it is left, shown and online again; a worker, Node and React Native have none, and the client does without.
 *
 * @typedef {ReturnType<typeof setTimeout>} Timer
 * @typedef {{ setTimeout(run: () => void, milliseconds: number): Timer, clearTimeout(timer: Timer | undefined): void }} Clock
 * @typedef {Clock & {
 *   openSocket(url: string, protocols: string[]): WebSocket,
 *   fetch(url: string, headers: Record<string, string>): Promise<Response>,
 *   random(): number,
 *   isVisible(): boolean,
 *   isSecure(): boolean,
 *   page: Pick<EventTarget, 'addEventListener' | 'removeEventListener'>,
 * }} World `isSecure`: the page came over https, and the browser lets it connect to nothing less
 */

/** @typedef {new (url: string, protocols: string[]) => any} SocketConstructor `WebSocket`, or one of its interface */

/** The longest that a question by HTTP may take, in milliseconds. */
const FETCH_DEADLINE = 10_000;

/** @type {Clock} */
export const clock = {
  setTimeout: (run, milliseconds) => setTimeout(run, milliseconds),
  clearTimeout: (timer) => clearTimeout(timer),
};

/** Where no window is, no event of one comes. @type {World['page']} */
export const page = 'addEventListener' in globalThis ? globalThis : { addEventListener: () => {}, removeEventListener: () => {} };

/**
 * @param {SocketConstructor | undefined} Socket
 * @returns {World}
 * @throws {TypeError} without one
 */
export function worldWith(Socket) {
  if (!Socket) throw new TypeError('there is no WebSocket here (Node has one from 22 on): give the client one, new Client({ WebSocket })');
  return {
    ...clock,
    page,
    openSocket: (url, protocols) => new Socket(url, protocols),
    fetch: (url, headers) => fetch(url, { headers, cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout?.(FETCH_DEADLINE) ?? null }),
    random: () => Math.random(),
    isVisible: () => globalThis.document?.visibilityState !== 'hidden',
    isSecure: () => globalThis.location?.protocol === 'https:',
  };
}

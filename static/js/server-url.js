/** The address of the server: where it is, and that it is one. */

/** @param {string} moduleUrl `https://host/prefix/js/client.js` gives `wss://host/prefix/ws` */
export function serverOf(moduleUrl) {
  return new URL('../ws', moduleUrl).href.replace(/^http/, 'ws');
}

/**
 * A wrong address is a mistake in a program, and no state of a network: it throws at once.
 *
 * @param {string} url of `wss:`, `ws:`, `https:` or `http:`; in a page also relative to it
 * @returns {string} of `wss:` or `ws:`
 * @throws {TypeError}
 */
export function webSocketUrl(url) {
  const { href } = parse(url);
  if (!/^(wss?|https?):$/.test(new URL(href).protocol)) throw wrong('it has to begin with wss:// (or ws://, https://, http://)', url);
  if (/^\w+:\/\/[^/?#]*@/.test(href)) throw wrong('no user and no password can stand in it: see `credentials`');
  if (href.includes('#')) throw wrong('no “#” can stand in it', url);
  return href.replace(/^http/, 'ws');
}

/** @param {string} url */
function parse(url) {
  try {
    return new URL(url, globalThis.location?.href);
  } catch {
    throw wrong('it is no URL; an example of one: wss://localhost:8443/ws', url);
  }
}

/** @param {string} why @param {string} [url] left out where it has a secret in it */
function wrong(why, url) {
  return new TypeError(`the url of the signaling server${url === undefined ? '' : ` (${url})`}: ${why}`);
}

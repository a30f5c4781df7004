/** A page of another site that speaks to the tutorial's server. Its client is the file that socket.io gives to browsers. */

/** @type {typeof import('socket.io-client').io} */
const io = /** @type {any} */ (globalThis).io;

/** @type {string[]} */
const heard = [];

/** @type {import('socket.io-client').Socket} */
let socket;

/** @param {string} url @param {string[]} transports @returns {Promise<string>} its id */
function connect(url, transports) {
  socket = io(url, { transports });
  socket.io.engine.on('upgrade', () => heard.push('upgraded'));
  socket.on('connect_error', ({ message }) => heard.push(`error: ${message}`));
  socket.on('offer', (offer) => heard.push(JSON.stringify(offer)));
  return new Promise((resolve) => socket.on('newUser', (text) => resolve(text.split(' ').at(-1))));
}

/** @param {string} to @param {unknown} offer */
function offer(to, offer) {
  socket.emit('offer', { offer, to });
}

const transport = () => socket.io.engine.transport.name;

Object.assign(globalThis, { rig: { heard, connect, offer, transport } });

export {};

/** A page of another site that speaks to the tutorial's server. Its client is the file that socket.io gives to browsers. */

/** @type {typeof import('socket.io-client').io} */
const io = /** @type {any} */ (globalThis).io;

/** @type {string[]} */
const heard = [];

/** @type {import('socket.io-client').Socket} */
let socket;

/**
 * @param {string} url @param {string[]} transports
 * @param {{ token: string | null } | null} [credentials] null: it knows of none
 * @returns {Promise<string>} its id, or the code with which it is refused for good
 */
function connect(url, transports, credentials = null) {
  const fetchToken = async () => credentials?.token;
  socket = io(url, { transports, ...(credentials ? { auth: async (give) => give({ token: await fetchToken() }) } : {}) });
  socket.io.engine.on('upgrade', () => heard.push('upgraded'));
  socket.on('offer', (offer) => heard.push(JSON.stringify(offer)));
  return new Promise((resolve) => {
    socket.on('connect_error', (error) => {
      const { message, data } = /** @type {Error & { data?: { code: string } }} */ (error);
      heard.push(`error: ${message}`);
      if (!socket.active) resolve(data?.code ?? 'no code');
    });
    socket.on('newUser', (text) => resolve(text.split(' ').at(-1)));
  });
}

/** @param {string} to @param {unknown} offer */
function offer(to, offer) {
  socket.emit('offer', { offer, to });
}

const transport = () => socket.io.engine.transport.name;

Object.assign(globalThis, { rig: { heard, connect, offer, transport } });

export {};

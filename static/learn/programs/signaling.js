// signaling.js: carries what two pages say to each other before a call.
// Start it with: node signaling.js (after: npm install ws)
import { randomUUID } from 'node:crypto';
import { WebSocketServer } from 'ws';
import { server } from './https.js';

const KINDS = ['offer', 'answer', 'candidate', 'bye'];
const MOST_PEERS = 500;
const MOST_BYTES = 64 * 1024; // of one message
const MOST_WAITING = 1024 * 1024; // bytes for one peer that does not read
const MOST_PER_SECOND = 100; // messages

// Each peer's socket, by the id that the server has given it.
const peers = new Map();

const sockets = new WebSocketServer({
  server,
  path: '/ws',
  maxPayload: MOST_BYTES,
  verifyClient: isWelcome,
});

// The same-origin policy does not hold for WebSockets: a page of any other
// site could connect. Browsers always say which page it is.
function isWelcome({ origin, req }) {
  const isOurs = !origin || origin === `https://${req.headers.host}`;
  return isOurs && peers.size < MOST_PEERS;
}

sockets.on('connection', (socket) => {
  const id = randomUUID();
  const isTooFast = counter();
  peers.set(id, socket);
  socket.on('close', () => peers.delete(id));
  socket.on('error', () => socket.terminate());
  socket.on('message', (data, isBinary) => {
    if (isBinary) return socket.close(1003, 'text only');
    if (isTooFast()) return socket.close(1008, 'too many messages');
    hear(id, socket, data);
  });
  socket.isAlive = true;
  socket.on('pong', () => (socket.isAlive = true));
  send(socket, { type: 'welcome', id, iceServers: [] });
});

// The server says who speaks: `from` can't be forged. What is said, it carries
// without looking at it.
function hear(id, socket, data) {
  const message = parse(data);
  if (!message) return send(socket, { type: 'error', code: 'bad-message' });
  const { type, to } = message;
  const addressee = peers.get(to);
  if (addressee) return send(addressee, { type, from: id, [type]: message[type] });
  send(socket, { type: 'error', code: 'peer-unavailable', to });
}

// Whatever a stranger sends, this returns a message or null.
function parse(data) {
  try {
    const message = JSON.parse(data);
    const isKnown = KINDS.includes(message?.type) && typeof message.to === 'string';
    return isKnown ? message : null;
  } catch {
    return null;
  }
}

function send(socket, message) {
  if (socket.bufferedAmount > MOST_WAITING) return socket.terminate();
  socket.send(JSON.stringify(message));
}

// Counts messages, second by second.
function counter() {
  let second = 0;
  let count = 0;
  return () => {
    const now = Math.floor(Date.now() / 1000);
    count = now === second ? count + 1 : 1;
    second = now;
    return count > MOST_PER_SECOND;
  };
}

// A phone that went into a tunnel does not say goodbye. Who does not answer a
// ping within 25 seconds is gone.
setInterval(() => {
  for (const socket of sockets.clients) {
    if (!socket.isAlive) socket.terminate();
    socket.isAlive = false;
    socket.ping();
  }
}, 25_000);

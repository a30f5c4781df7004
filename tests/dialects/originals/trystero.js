/**
 * A relay for Trystero's clients that does on the wire what their own does (ws-relay 0.25.3): that one is in no registry. What it
 * does was read from its source. Usage: node trystero.js PORT
 */

/** @import { WebSocket } from 'ws' */
import { WebSocketServer } from 'ws';

const MAX_MESSAGE_BYTES = 1024 * 1024;
/** In UTF-16's units. */
const MAX_TOPIC_LENGTH = 256;
const MAX_TOPICS = 128;

/** @type {Map<WebSocket, Set<string>>} */
const clients = new Map();

/** @param {WebSocket} socket @param {Set<string>} topics of its own @param {string} text */
function take(socket, topics, text) {
  const message = read(text);
  if (!message || socket.readyState !== socket.OPEN) return;
  const { type, topic, payload } = message;
  if (topic.length > MAX_TOPIC_LENGTH) return socket.close(1008, 'topic too long');
  if (type === 'subscribe') {
    if (topics.size >= MAX_TOPICS && !topics.has(topic)) return socket.close(1008, 'subscription limit exceeded');
    topics.add(topic);
  } else if (type === 'unsubscribe') {
    topics.delete(topic);
  } else {
    for (const [member, subscribed] of clients) if (subscribed.has(topic)) member.send(JSON.stringify({ topic, payload }));
  }
}

/** What is none of these messages is ignored. @param {string} text @returns {{ type: string, topic: string, payload: unknown } | null} */
function read(text) {
  /** @type {{ type?: unknown, topic?: unknown, payload?: unknown } | null} */
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  const { type, topic, payload } = message ?? {};
  const isMessage = type === 'subscribe' || type === 'unsubscribe' || (type === 'publish' && payload !== undefined);
  return isMessage && typeof topic === 'string' ? { type, topic, payload } : null;
}

new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]), maxPayload: MAX_MESSAGE_BYTES }).on('connection', (socket) => {
  /** @type {Set<string>} */
  const topics = new Set();
  clients.set(socket, topics);
  socket.on('message', (data) => take(socket, topics, data.toString()));
  socket.on('close', () => clients.delete(socket));
  socket.on('error', () => {});
});

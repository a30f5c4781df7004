/** A relay for Trystero's clients that does what their own does on the wire: that one is in no registry. Usage: node trystero.js PORT */

import { WebSocketServer } from 'ws';

/** @type {Map<string, Set<import('ws').WebSocket>>} */
const topics = new Map();

/** @param {import('ws').WebSocket} socket @param {{ type?: unknown, topic?: unknown, payload?: unknown }} message */
function take(socket, { type, topic, payload }) {
  if (typeof topic !== 'string') return;
  const members = topics.get(topic) ?? new Set();
  if (type === 'subscribe') topics.set(topic, members.add(socket));
  if (type === 'unsubscribe') members.delete(socket);
  if (type === 'publish') for (const member of members) member.send(JSON.stringify({ topic, payload }));
}

new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]) }).on('connection', (socket) => {
  socket.on('message', (text) => take(socket, JSON.parse(text.toString())));
  socket.on('close', () => topics.forEach((members) => members.delete(socket)));
});

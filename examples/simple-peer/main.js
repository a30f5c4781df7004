// simple-peer connects all who are in a room; the signals go over the server. They connect again after a restart of it.
//
//     make npm && cd examples/simple-peer && npm install && npm run build
//     entremise --page dist
import { Client } from 'entremise/client';
// Its index.js wants modules of Node, which a bundler would have to be given.
import SimplePeer from 'simple-peer/simplepeer.min.js';

const client = new Client({ url: new URL('ws', location.href).href });
// By the id of the other side. Promises, so that what is said meanwhile waits its turn.
const peers = new Map();

const show = (text) => document.querySelector('ul').appendChild(document.createElement('li')).append(text);

async function make(id, initiator) {
  const iceServers = await client.iceServers();
  const peer = new SimplePeer({ initiator, config: { iceServers } });
  peer.on('signal', (signal) => client.message({ to: id }, { signal }).catch(({ code }) => peer.destroy(new Error(code))));
  peer.on('connect', () => peer.send(`hello from ${client.id}`));
  peer.on('data', (text) => show(`${text}`));
  peer.on('error', ({ message }) => console.warn(id, message));
  return peer;
}

function connect(id, initiator) {
  disconnect(id);
  const made = make(id, initiator);
  peers.set(id, made);
  // It can't restart ICE: where a path is lost there is another connection, which the same side begins.
  const again = () => initiator && peers.get(id) === made && connect(id, true);
  made.then((peer) => peer.once('close', () => setTimeout(again, 1000)), () => {});
}

function disconnect(id) {
  peers.get(id)?.then((peer) => peer.destroy(), () => {});
  peers.delete(id);
}

// A session begins: the first, or another one after a restart of the server, which knows of no room. Who comes later calls.
client.on('welcome', async () => {
  for (const id of peers.keys()) disconnect(id);
  for (const id of await client.join('simple-peer')) connect(id, true);
});
client.on('peer-left', ({ peer }) => disconnect(peer));
client.on('message', async ({ from, message: { signal } }) => {
  if (signal.type === 'offer') connect(from, false);
  const peer = await peers.get(from);
  if (peer && !peer.destroyed) peer.signal(signal);
});
client.connect();

document.querySelector('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const input = document.querySelector('input');
  for (const peer of await Promise.all(peers.values())) if (peer.connected) peer.send(input.value);
  input.value = '';
});

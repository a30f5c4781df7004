/** A page for PeerJS, written for a server at any host. Its client is the file that PeerJS gives to browsers. */

/** @import { DataConnection, MediaConnection, Peer as Client, PeerOptions } from 'peerjs' */
import { picture } from './picture.js';

/** @type {typeof Client} */
const Peer = /** @type {any} */ (globalThis).Peer;

/** @type {string[]} */
const heard = [];

/** @type {Client} */
let peer;
/** @type {DataConnection} */
let channel;

/** @param {string | null} id null: the server chooses one @param {PeerOptions} options */
function open(id, options) {
  peer = id === null ? new Peer(options) : new Peer(id, options);
  peer.on('open', (id) => heard.push(`open: ${id}`));
  peer.on('error', ({ type }) => heard.push(`error: ${type}`));
  peer.on('disconnected', () => heard.push('disconnected'));
  peer.on('connection', listen);
  peer.on('call', (call) => {
    call.answer(picture());
    watch(call);
  });
}

/** @param {string} id */
function connect(id) {
  listen(peer.connect(id));
}

/** @param {DataConnection} connection */
function listen(connection) {
  channel = connection;
  channel.on('open', () => heard.push('channel'));
  channel.on('data', (data) => heard.push(`data: ${data}`));
  channel.on('close', () => heard.push('channel closed'));
}

/** Whether the server has been given an offer for this peer. @param {string} id */
function hasOffered(id) {
  const connections = /** @type {Record<string, DataConnection[]>} */ (peer.connections);
  return Boolean(connections[id]?.[0]?.peerConnection.localDescription);
}

/** @param {string} text */
function say(text) {
  void channel.send(text);
}

/** @param {string} id */
function call(id) {
  watch(peer.call(id, picture()));
}

/** @param {MediaConnection} call */
function watch(call) {
  call.on('stream', (stream) => {
    const video = document.querySelector('video');
    if (video) video.srcObject = stream;
  });
}

/** @param {string} token for the connections to come */
function renew(token) {
  peer.options.token = token;
}

/** The client says what it was told, or why it was not. */
const list = () => peer.listAllPeers((ids) => heard.push(`peers: ${ids}`));
const disconnect = () => peer.disconnect();
const reconnect = () => peer.reconnect();
const id = () => peer.id;

Object.assign(globalThis, { rig: { heard, open, connect, hasOffered, say, call, renew, list, disconnect, reconnect, id } });

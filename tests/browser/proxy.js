/** A network between a browser and the server that can fail: TCP, byte for byte, until the test says otherwise. */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** @typedef {import('node:net').Socket} Socket */

export class Proxy {
  /** With a slash at the end: the server's page, by way of here. */
  url = '';
  #target;
  #listener = createServer((socket) => this.#accept(socket));
  /** Both ends of each connection. @type {Set<Socket>} */
  #sockets = new Set();
  #isCut = false;

  /** @param {URL} target */
  constructor(target) {
    this.#target = target;
  }

  /** @param {string} url of the server */
  static async start(url) {
    const target = new URL(url);
    const proxy = new Proxy(target);
    await once(proxy.#listener.listen(0, target.hostname), 'listening');
    const { port } = /** @type {import('node:net').AddressInfo} */ (proxy.#listener.address());
    proxy.url = Object.assign(new URL(target), { port }).href;
    return proxy;
  }

  /** Resets all connections, and new ones too, until `heal`. */
  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  heal() {
    this.#isCut = false;
  }

  /** The connections that there are carry nothing any more, and are not closed either; new ones do. */
  hush() {
    for (const socket of this.#sockets) socket.unpipe().removeAllListeners('end').pause();
  }

  async close() {
    this.cut();
    this.#listener.close();
    await once(this.#listener, 'close');
  }

  /** @param {Socket} near the browser's end */
  #accept(near) {
    this.#keep(near);
    if (this.#isCut) near.resetAndDestroy();
    else this.#join(near, this.#keep(connect(Number(this.#target.port), this.#target.hostname)));
  }

  /** @param {Socket} near @param {Socket} far the server's end */
  #join(near, far) {
    near.pipe(far).pipe(near);
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
  }

  /** @param {Socket} socket */
  #keep(socket) {
    this.#sockets.add(socket);
    // A broken connection is what this is for.
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }
}

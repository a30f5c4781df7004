/** A proxy that ends TLS and speaks HTTP to the server, as one in front of a site does, and that takes headers of handshakes away. */

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, request as ask } from 'node:https';
import { connect } from 'node:tls';

/** @import { IncomingMessage, ServerResponse } from 'node:http' */
/** @import { Duplex } from 'node:stream' */
/** @import { Server } from './server.js' */

export class HttpProxy {
  /** With a slash at the end: the server's page, by way of here. */
  url = '';
  #target;
  #listener;
  /** @type {Set<Duplex>} */
  #sockets = new Set();

  /** @param {Server} server @param {{ cert: Buffer, key: Buffer }} identity the server's own, for a host of the same name */
  constructor({ url }, identity) {
    this.#target = new URL(url);
    this.#listener = createServer(identity, (request, response) => this.#forward(request, response));
    this.#listener.on('secureConnection', (socket) => this.#keep(socket));
  }

  /** @param {Server} server @param {'upgrade' | 'sec-websocket-protocol'} lost */
  static async start(server, lost) {
    const proxy = new HttpProxy(server, { cert: await readFile(server.certificate), key: await readFile(server.key) });
    // Without a listener, Node takes a handshake for a request like any other.
    if (lost !== 'upgrade') proxy.#listener.on('upgrade', (request, socket) => proxy.#tunnel(request, socket, lost));
    await once(proxy.#listener.listen(0, proxy.#target.hostname), 'listening');
    const { port } = /** @type {import('node:net').AddressInfo} */ (proxy.#listener.address());
    proxy.url = Object.assign(new URL(proxy.#target), { port }).href;
    return proxy;
  }

  async close() {
    for (const socket of this.#sockets) socket.destroy();
    this.#listener.close();
    await once(this.#listener, 'close');
  }

  /** @param {IncomingMessage} request @param {ServerResponse} response */
  #forward({ method, url, headers }, response) {
    const { upgrade, connection, ...others } = headers;
    const { hostname, port } = this.#target;
    const asked = ask({ hostname, port, method, path: url, headers: others, rejectUnauthorized: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    asked.on('error', () => response.destroy());
    asked.end();
  }

  /** @param {IncomingMessage} request @param {Duplex} near @param {string} lost */
  #tunnel({ url, rawHeaders }, near, lost) {
    const lines = rawHeaders.flatMap((name, i) => (i % 2 === 0 && name.toLowerCase() !== lost ? [`${name}: ${rawHeaders[i + 1]}`] : []));
    const far = this.#keep(connect({ host: this.#target.hostname, port: Number(this.#target.port), rejectUnauthorized: false }));
    far.write([`GET ${url} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
    near.pipe(far).pipe(near);
    near.on('error', () => {}).once('close', () => far.destroy());
    far.once('close', () => near.destroy());
  }

  /** @template {Duplex} T @param {T} socket */
  #keep(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket));
    return socket;
  }
}

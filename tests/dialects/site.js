/** A site of its own origin, as pages have whose server is elsewhere: it serves one page, and the scripts that it needs. */

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

/** @typedef {import('./original.js').Dialect} Dialect */

/** Scripts that a page loads as they are, before its own. @type {Partial<Record<Dialect, string>>} */
const clients = {
  'socket.io': 'node_modules/socket.io-client/dist/socket.io.js',
  peerjs: 'node_modules/peerjs/dist/peerjs.min.js',
};

const PAGE = `<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<video id="remote" autoplay playsinline muted></video>
<script src="client.js"></script>
<script src="page.js"></script>
`;

export class Site {
  /** As browsers send it. */
  origin;
  #server;

  /** @param {import('node:http').Server} server */
  constructor(server) {
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    this.#server = server;
    this.origin = `http://127.0.0.1:${port}`;
  }

  /** @param {Dialect} dialect whose page it has: pages/DIALECT.js */
  static async start(dialect) {
    const client = clients[dialect];
    const files = new Map([
      ['/', PAGE],
      ['/client.js', client ? await readFile(path(client), 'utf8') : ''],
      ['/page.js', await bundle(path(`pages/${dialect}.js`))],
    ]);
    const server = createServer((request, response) => {
      const name = new URL(request.url ?? '', 'http://site').pathname;
      const type = name.endsWith('.js') ? 'text/javascript' : 'text/html';
      response.writeHead(files.has(name) ? 200 : 404, { 'Content-Type': `${type}; charset=utf-8` }).end(files.get(name));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new Site(server);
  }

  async close() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** @param {string} name @returns {string} */
function path(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** @param {string} entry */
async function bundle(entry) {
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, format: 'iife', define: { global: 'globalThis' } });
  return outputFiles[0]?.text ?? '';
}

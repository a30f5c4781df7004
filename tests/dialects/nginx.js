/** nginx in front of a server that speaks plain HTTP, as docs/operating.md configures it, but at the root of its host. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from '../browser/port.js';
import { unpacked } from '../browser/unpacked.js';
import { cert, key } from '../network/certificate.js';
import { box } from '../network/document.js';
import { Child } from './child.js';

/** One process, which is gone when it is killed. @param {number} port @param {number} target */
const configuration = (port, target) => `
  daemon off; master_process off; pid pid; error_log stderr;
  events { worker_connections 256; }
  http {
    access_log off;
    ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`).join(' ')}
    ${box('Behind nginx', 'nginx', [
      ['listen 443 ssl;', `listen 127.0.0.1:${port} ssl;`],
      ['listen [::]:443 ssl;', ''],
      ['/etc/ssl/calls.example/fullchain.pem', cert],
      ['/etc/ssl/calls.example/privkey.pem', key],
      ['location /signal/', 'location /'],
      ['127.0.0.1:8080', `127.0.0.1:${target}`],
    ])}
  }`;

export class Nginx {
  url;
  #child;
  #folder;

  /** @param {Child} child @param {string} folder @param {number} port */
  constructor(child, folder, port) {
    this.#child = child;
    this.#folder = folder;
    this.url = `https://127.0.0.1:${port}/`;
  }

  /** @param {number} target the port of what is behind it */
  static async start(target) {
    const [port, folder] = [await freePort(), await mkdtemp(join(tmpdir(), 'entremise-nginx-'))];
    await writeFile(join(folder, 'nginx.conf'), configuration(port, target));
    const { path, env } = unpacked('nginx', 'usr/sbin/nginx');
    return new Nginx(await Child.start([path, '-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], port, env), folder, port);
  }

  async close() {
    await this.#child.end();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

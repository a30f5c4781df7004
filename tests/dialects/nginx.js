/** nginx in front of a server that speaks plain HTTP, as docs/operating.md configures it, but at the root of its host. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { until } from '../browser/deadline.js';
import { freePort } from '../browser/port.js';
import { unpacked } from '../browser/unpacked.js';
import { cert, key } from '../network/certificate.js';
import { box } from '../network/document.js';
import { listens } from './original.js';

/** What still runs when the tests are interrupted. @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

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

  /** @param {import('node:child_process').ChildProcess} child @param {string} folder @param {number} port */
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
    const child = spawn(path, ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], {
      env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'],
    });
    children.add(child);
    child.once('exit', () => children.delete(child));
    await until(10, 'nginx to listen', () => `its exit code: ${child.exitCode}`, () => listens(port));
    return new Nginx(child, folder, port);
  }

  async close() {
    const exit = once(this.#child, 'exit');
    if (this.#child.exitCode === null && this.#child.kill()) await exit;
    await rm(this.#folder, { recursive: true, force: true });
  }
}

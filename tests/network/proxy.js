/** A proxy of Debian's before the server, on the same host. */

/** @import { Internet } from './internet.js' */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { until } from '../browser/deadline.js';
import { unpacked } from '../browser/unpacked.js';

/**
 * Runs it until the hosts are taken away, in a folder of its own, with this configuration.
 *
 * @param {Internet} internet
 * @param {{ origin: string, configuration: string, args: (file: string, folder: string) => string[] }} proxy `origin`: the package
 */
export async function startProxy(internet, { origin, configuration, args }) {
  const { path, env } = unpacked(origin, `usr/sbin/${origin}`);
  const folder = mkdtempSync(join(tmpdir(), `entremise-${origin}-`));
  const file = join(folder, 'configuration');
  writeFileSync(file, configuration);
  const child = internet.namespaces.spawn('server', [path, ...args(file, folder)], { env: { ...process.env, ...env }, cwd: folder });
  child.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  await until(10, `${origin} to listen`, () => `it has ended: ${child.exitCode}`, async () => listens(internet));
}

/** @param {Internet} internet */
function listens(internet) {
  try {
    internet.namespaces.run('server', ['bash', '-c', 'exec 2>/dev/null; : </dev/tcp/127.0.0.1/443']);
    return true;
  } catch {
    return false;
  }
}

/** Debian's programs that others wrote: unpacked by tests/unpack, and not installed. */

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const UNPACK = fileURLToPath(new URL('../unpack', import.meta.url));

/**
 * A program of a package, and the environment in which it finds its libraries.
 *
 * @param {string} origin the package's name
 * @param {string} path of the program in it
 */
export function unpacked(origin, path) {
  const root = fileURLToPath(new URL(`../../target/${origin}/`, import.meta.url));
  try {
    execFileSync(UNPACK, [root, origin], { stdio: ['ignore', 'ignore', 'inherit'] });
  } catch {
    throw new Error(`NOT RUN: there is no ${origin} here, and none to unpack from Debian’s packages`);
  }
  return { path: join(root, path), env: { LD_LIBRARY_PATH: libraries(join(root, 'usr/lib')) } };
}

/** Those that the system lacks, if any. @param {string} folder */
function libraries(folder) {
  if (!existsSync(folder)) return '';
  return readdirSync(folder).filter((name) => name.endsWith('-linux-gnu')).map((name) => join(folder, name)).join(':');
}

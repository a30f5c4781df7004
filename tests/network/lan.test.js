/** What only a real network shows: `make test-network`, as root. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

import { Cable } from './namespaces.js';

const BINARY = resolve(process.env['ENTREMISE_BIN'] ?? 'target/debug/entremise');
const PEER = resolve(import.meta.dirname, 'peer.js');
const DEADLINE = { timeout: 30_000 };

/** @type {Cable} */
let cable;
/** @type {string} */
let folder;
/** @type {import('node:child_process').ChildProcess[]} */
const processes = [];
/** What the program printed first. @type {string[]} */
const printed = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'entremise-network-'));
  cable = new Cable();
  const server = start('server', [BINARY, '--listen', '[::]:8443', '--heartbeat', '1', '--log', 'warn']);
  for await (const line of lines(server)) if (printed.push(line) === 2) break;
}, DEADLINE);

after(() => {
  for (const process of processes) process.kill();
  cable?.remove();
  rmSync(folder, { recursive: true, force: true });
});

test('a phone on the same network opens the page at a printed address that the certificate names', DEADLINE, async () => {
  const url = `https://${cable.address('server')}:8443/`;
  assert.ok(printed[1]?.startsWith('on your network:') && printed[1].includes(url), `printed: ${printed.join(' | ')}`);

  const curl = start('phone', ['curl', '--silent', '--show-error', '--cacert', 'certs/cert.pem', '--write-out', '%{http_code}\n', '--output', '/dev/null', url]);
  assert.equal(await first(lines(curl), () => true), '200');
});

test('a peer whose network falls silent is gone after two heartbeats', DEADLINE, async () => {
  const watcher = lines(start('server', peer('localhost')));
  await first(watcher, (line) => line.includes('"joined"'));
  start('phone', peer(cable.address('server')));
  await first(watcher, (line) => line.includes('"peer-joined"'));

  cable.ip('phone', 'link', 'set', 'cable', 'down');

  await first(watcher, (line) => line.includes('"peer-left"'));
});

/** @param {string} host */
function peer(host) {
  return [process.execPath, '--experimental-websocket', '--no-warnings', PEER, `wss://${host}:8443/ws`, 'lobby'];
}

/** @param {'server' | 'phone'} host @param {string[]} command */
function start(host, command) {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'certs/cert.pem') };
  const child = cable.spawn(host, command, { cwd: folder, env });
  processes.push(child);
  return child;
}

/** @param {import('node:child_process').ChildProcess} child */
function lines(child) {
  assert.ok(child.stdout);
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
}

/** @param {AsyncIterator<string>} lines @param {(line: string) => boolean} matches */
async function first(lines, matches) {
  for (;;) {
    const { done, value } = await lines.next();
    if (done) assert.fail('the program ended before it said what was waited for');
    if (matches(value)) return value;
  }
}

/** What only a real network shows: `make test-network`, as root. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

import { Namespaces } from './namespaces.js';

const BINARY = resolve(process.env['ENTREMISE_BIN'] ?? 'target/debug/entremise');
const PEER = resolve(import.meta.dirname, 'peer.js');
const DEADLINE = { timeout: 30_000 };

const ADDRESS = { server: '10.77.0.1', phone: '10.77.0.2' };

/** @type {Namespaces} */
let network;
/** @type {string} */
let folder;
/** What the program printed first. @type {string[]} */
const printed = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'entremise-network-'));
  network = new Namespaces('server', 'phone');
  network.cable(
    { host: 'server', device: 'cable', address: `${ADDRESS.server}/24` },
    { host: 'phone', device: 'cable', address: `${ADDRESS.phone}/24` },
  );
  const server = start('server', [BINARY, '--listen', '[::]:8443', '--heartbeat', '1', '--log', 'warn']);
  for await (const line of lines(server)) if (printed.push(line) === 2) break;
}, DEADLINE);

after(() => {
  network?.remove();
  rmSync(folder, { recursive: true, force: true });
});

test('a phone on the same network opens the page at a printed address that the certificate names', DEADLINE, async () => {
  const url = `https://${ADDRESS.server}:8443/`;
  assert.ok(printed[1]?.startsWith('on your network:') && printed[1].includes(url), `printed: ${printed.join(' | ')}`);

  const curl = start('phone', ['curl', '--silent', '--show-error', '--cacert', 'certs/cert.pem', '--write-out', '%{http_code}\n', '--output', '/dev/null', url]);
  assert.equal(await first(lines(curl), () => true), '200');
});

test('a peer whose network falls silent is gone after two heartbeats', DEADLINE, async () => {
  const watcher = lines(start('server', peer('localhost')));
  await first(watcher, (line) => line.includes('"joined"'));
  start('phone', peer(ADDRESS.server));
  await first(watcher, (line) => line.includes('"peer-joined"'));

  network.ip('phone', 'link', 'set', 'cable', 'down');

  await first(watcher, (line) => line.includes('"peer-left"'));
});

/** @param {string} host */
function peer(host) {
  return [process.execPath, '--experimental-websocket', '--no-warnings', PEER, `wss://${host}:8443/ws`, 'lobby'];
}

/** @param {'server' | 'phone'} host @param {string[]} command */
function start(host, command) {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'certs/cert.pem') };
  return network.spawn(host, command, { cwd: folder, env });
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

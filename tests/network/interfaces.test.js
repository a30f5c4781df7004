/** The addresses of a real host, which may not be ready when the server starts, or come while it runs. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

import { within } from '../browser/deadline.js';
import { Server } from '../browser/server.js';
import { Tool } from '../turn/tool.js';
import { Namespaces } from './namespaces.js';

/** Until an address that can be had is served, which takes a look at the interfaces. In seconds. */
const PATIENCE = 15;

const [FIRST, TAKEN, TENTATIVE, LATER] = ['11.0.0.1', '11.0.1.1', '2600:11::1', '11.0.2.1'];
/** No interface has them: a route makes them the host’s, the second with another source. */
const ROUTED = ['11.9.9.9', '11.9.9.10'];
const PORT = 3478;
/** Of another program: it has TAKEN's port until its input ends, and says when it has it. */
const HOLD = `
  const socket = require('node:dgram').createSocket('udp4');
  socket.bind(${PORT}, '${TAKEN}', () => console.log('taken'));
  process.stdin.on('end', () => process.exit()).resume();`;

const SECRET = 'the north wind and the sun were disputing';
/** @type {string} */
let secretFile;

/** @type {Namespaces} */
let network;
/** @type {Server} */
let server;
/** @type {import('node:child_process').ChildProcess} */
let other;

before(async () => {
  network = new Namespaces('server', 'client');
  network.cable(
    { host: 'server', device: 'cable', address: `${FIRST}/24` },
    { host: 'client', device: 'cable', address: '11.0.0.2/24' },
  );
  network.ip('client', 'route', 'add', 'default', 'via', FIRST);
  network.ip('server', 'address', 'add', `${TAKEN}/32`, 'dev', 'lo');
  // A bridge without a port: its IPv6 address stays tentative, as its uniqueness can't be found out.
  network.ip('server', 'link', 'add', 'idle', 'type', 'bridge');
  network.ip('server', 'address', 'add', `${TENTATIVE}/64`, 'dev', 'idle');
  network.ip('server', 'link', 'set', 'idle', 'up');
  other = network.spawn('server', [process.execPath, '-e', HOLD]);
  await firstLine(other, 'the other program to have its port');
  secretFile = join(mkdtempSync(join(tmpdir(), 'entremise-secret-')), 'secret');
  writeFileSync(secretFile, SECRET);
  server = await Server.start(['--turn', '--turn-secret-file', secretFile, '--listen', '[::]:443'], null, { through: ['ip', 'netns', 'exec', network.name('server')] });
});

after(async () => {
  try {
    await server?.close();
  } finally {
    network?.remove();
    if (secretFile) rmSync(dirname(secretFile), { recursive: true, force: true });
  }
});

test('where an address of the host is tentative and one is another program’s, STUN is answered at the others', async () => {
  assert.equal(await answeredFrom(FIRST), `${FIRST} ${PORT}`);
});

test('the log names the addresses that could not be had', () => {
  for (const address of [TAKEN, TENTATIVE]) assert.ok(server.log.includes(address), `${address} in: ${server.log}`);
});

test('an address is served once the other program has let it go', async () => {
  other.stdin?.end();
  assert.equal(await answeredFrom(TAKEN), `${TAKEN} ${PORT}`);
});

test('an address that comes after the start is served', async () => {
  network.ip('server', 'address', 'add', `${LATER}/32`, 'dev', 'lo');
  assert.equal(await answeredFrom(LATER), `${LATER} ${PORT}`);
});

test('a relay reaches no port of an address that came after the start', async () => {
  await assertForbidden(LATER, 53);
});

test('a relay reaches no port of an address that is this host’s by a route alone', async () => {
  const [plain, named] = ROUTED;
  network.ip('server', 'route', 'add', 'local', `${plain}/32`, 'dev', 'lo');
  network.ip('server', 'route', 'add', 'local', `${named}/32`, 'dev', 'lo', 'src', FIRST);
  for (const address of ROUTED) await assertForbidden(address, 53);
});

/** That a relay does not reach a peer there. @param {string} address @param {number} port */
async function assertForbidden(address, port) {
  const tool = await Tool.start('turnutils_uclient', [
    '-c', '-u', 'alice', '-W', SECRET, '-m', '1', '-n', '1', '-e', address, '-r', `${port}`, '-p', `${PORT}`, FIRST,
  ], ['ip', 'netns', 'exec', network.name('client')]);
  assert.notEqual(await tool.end(), 0, tool.log);
  assert.match(tool.log, /channel bind: error 403 \(Forbidden\)/, tool.log);
}

/** Asks the server from another host, until it answers. @param {string} address */
function answeredFrom(address) {
  const client = network.spawn('client', [process.execPath, `${import.meta.dirname}/binding.js`, address, `${PORT}`]);
  return firstLine(client, `STUN at ${address}`);
}

/** @param {import('node:child_process').ChildProcess} child @param {string} what */
async function firstLine({ stdout }, what) {
  assert.ok(stdout);
  const [line] = await within(PATIENCE, what, () => server?.log ?? '', once(createInterface({ input: stdout }), 'line'));
  return line;
}

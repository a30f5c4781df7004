/** TURN clients: turnutils_uclient, which sends through relays to an echo and counts the packets that come back. */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';

import { Tool } from './tool.js';

/** @typedef {{ ip: string, port: number }} Address */
/** @typedef {{ secret: string } | { username: string, password: string }} Credentials */
/** @typedef {{ clients?: number, messages?: number, bytes?: number, flags?: string[] }} Load */

/**
 * @param {Address} server
 * @param {Address} peer
 * @param {Credentials} credentials
 * @param {Load} [load] flags: -t is TCP, -S is TLS with it, -s is Send instead of channels, -x is an IPv6 relay
 */
function startClients(server, peer, credentials, { clients = 1, messages = 20, bytes = 200, flags = [] } = {}) {
  const { secret, username, password } = { secret: '', username: 'alice', password: '', ...credentials };
  return Tool.start('turnutils_uclient', [
    // -c: without a port for RTCP, as in browsers.
    '-c', ...flags, '-u', username, ...(secret ? ['-W', secret] : ['-w', password]),
    '-m', String(clients), '-n', String(messages), '-l', String(bytes),
    '-e', peer.ip, '-r', String(peer.port), '-p', String(server.port), server.ip,
  ]);
}

/**
 * Asserts that every message went through a relay to the peer and came back.
 *
 * @param {Address} server
 * @param {Address} peer
 * @param {Credentials} credentials
 * @param {Load} [load]
 */
export async function assertRelays(server, peer, credentials, load = {}) {
  const { clients = 1, messages = 20, bytes = 200 } = load;
  const tool = await startClients(server, peer, credentials, load);
  assert.equal(await tool.end(), 0, tool.log);
  const all = clients * messages * bytes;
  assert.match(tool.log, new RegExp(`tot_send_bytes ~ ${all}, tot_recv_bytes ~ ${all}$`, 'm'), tool.log.slice(-1000));
  assert.match(tool.log, /Total lost packets 0 \(.*\), total send dropped 0 /, tool.log.slice(-1000));
}

/**
 * Asserts that the server refuses these credentials.
 *
 * @param {Address} server
 * @param {Address} peer
 * @param {Credentials} credentials
 */
export async function assertRefuses(server, peer, credentials) {
  const tool = await startClients(server, peer, credentials);
  assert.notEqual(await tool.end(), 0, tool.log);
  assert.match(tool.log, /Cannot complete Allocation/, tool.log);
}

/**
 * Credentials of one user for any number of clients. With -W each client makes a user name of the second in which it
 * starts; two of its sockets can have one port, which its SO_REUSEADDR allows, and then the second may not be another user.
 *
 * @param {string} secret
 */
export function mint(secret) {
  const username = `${Math.floor(Date.now() / 1000) + 3600}:alice`;
  return { username, password: createHmac('sha1', secret).update(username).digest('base64') };
}

/** The embedded TURN server, tested with coturn's tools. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:tls';

import { within } from '../browser/deadline.js';
import { assertRefuses, assertRelays, mint } from './client.js';
import { Site } from './site.js';
import { Echo, Tool } from './tool.js';

/** @type {[name: string, port: 'turn' | 'page', flags: string[]][]} */
const TRANSPORTS = [
  ['UDP', 'turn', []],
  ['TCP', 'turn', ['-t']],
  ["TCP on the page's port", 'page', ['-t']],
  ["TLS on the page's port", 'page', ['-t', '-S']],
];

for (const ip of ['127.0.0.1', '::1']) {
  describe(`on ${ip}`, { concurrency: true }, () => {
    /** @type {Site} */
    let site;
    before(async () => void (site = await Site.start(ip)));
    after(() => site?.close());
    const family = ip.includes(':') ? ['-x'] : [];

    test('a client learns its own address', async () => {
      const tool = await Tool.start('turnutils_stunclient', ['-p', String(site.turn.port), ip]);
      assert.equal(await tool.end(), 0, tool.log);
      assert.match(tool.log, new RegExp(`UDP reflexive addr: ${ip.replaceAll('.', '\\.')}:\\d+`), tool.log);
    });

    for (const [name, port, flags] of TRANSPORTS) {
      test(`channels over ${name} lose nothing`, () => assertRelays(site[port], site.peer, site, { flags: [...family, ...flags] }));
      test(`Send and Data over ${name} lose nothing`, () => assertRelays(site[port], site.peer, site, { flags: [...family, ...flags, '-s'] }));
    }
  });
}

describe('clients of all kinds', { concurrency: true }, () => {
  /** @type {Site} */
  let site;
  /** @type {Echo} */
  let echo6;
  /** @type {import('./client.js').Address} */
  let peer6;
  before(async () => {
    site = await Site.start('127.0.0.1');
    echo6 = await Echo.start('::1');
    peer6 = { ip: '::1', port: echo6.port };
  });
  after(() => Promise.all([site?.close(), echo6?.close()]));

  test('fifty at once lose nothing', () => assertRelays(site.turn, site.peer, mint(site.secret), { clients: 50, flags: ['-z', '50'] }));

  test('large packets arrive complete', () => assertRelays(site.turn, site.peer, site, { bytes: 1400 }));

  test('ChannelData over UDP may be padded', () => assertRelays(site.turn, site.peer, site, { bytes: 201, flags: ['-D'] }));

  test('ChannelData over TCP is padded', () => assertRelays(site.turn, site.peer, site, { bytes: 201, flags: ['-t'] }));

  test('two clients reach each other over their relays', () => assertRelays(site.turn, site.peer, site, { clients: 2, flags: ['-y'] }));

  test('two who both relay meet by the external address of a server behind a NAT', async () => {
    const behind = await Site.start('127.0.0.1', ['--turn-external-ip', '9.9.9.9']);
    try {
      await assertRelays(behind.turn, behind.peer, behind, { clients: 2, flags: ['-y'] });
    } finally {
      await behind.close();
    }
  });

  test('a client over IPv4 has an IPv6 relay', () => assertRelays(site.turn, peer6, site, { flags: ['-x'] }));

  test('the user and password of GET /ice are accepted', async () => assertRelays(site.turn, site.peer, await site.credentials()));

  test('another secret is refused', () => assertRefuses(site.turn, site.peer, { secret: 'another' }));

  test("another user's password is refused", async () => {
    const { password } = await site.credentials();
    const { username } = await site.credentials();
    await assertRefuses(site.turn, site.peer, { username, password });
  });

  test("over TLS the page's certificate is shown, with the address in it", async () => {
    const response = await askOverTls(site.page, readFileSync(site.certificate));
    assert.equal(response.readUInt16BE(0), BINDING_SUCCESS);
  });
});

const BINDING_SUCCESS = 0x0101;

/**
 * The first bytes of the answer to a Binding request. turnutils_uclient accepts any certificate, whatever its -E says, so
 * this is a client of the test's own.
 *
 * @param {import('./client.js').Address} server
 * @param {Buffer} ca the only authority to trust
 * @returns {Promise<Buffer>}
 */
async function askOverTls({ ip, port }, ca) {
  const socket = connect({ host: ip, port, ca });
  try {
    socket.end(Buffer.from('000100002112a442000000000000000000000001', 'hex'));
    const [answer] = await within(10, 'a Binding response over TLS', () => '', once(socket, 'data'));
    return answer;
  } finally {
    socket.destroy();
  }
}

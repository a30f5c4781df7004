/**
 * What the tests of dialects share about credentials: a server that asks for tokens, tokens as an application makes them, and what is so
 * for the clients of each dialect.
 */

/** @import { Dialect } from './original.js' */
/** @import { Subject, Wish } from './subject.js' */
/** @import { Visitor } from './visitor.js' */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { cert, key } from '../network/certificate.js';
import { scene, serve, subject } from './scene.js';

const SECRET = 'a secret that only tests share with each other';

const folder = mkdtempSync(join(tmpdir(), 'entremise-secret-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const secretFile = join(folder, 'secret');
writeFileSync(secretFile, `${SECRET}\n`);

/** How long clients that were refused are watched. In seconds. */
const WATCH = 3;

/** What the server has for those whom it tells of ICE servers. */
const STUN = 'stun:stun.example.org:3478';

/** Of all tokens that were made. @type {string[]} */
const signatures = [];

/** @typedef {{ sub?: string, seconds?: number, rooms?: string[], secret?: string }} Claims `seconds`: until it expires */

/** A JWT. @param {Claims} [claims] */
export function token({ sub = 'alice', seconds = 3600, rooms, secret = SECRET } = {}) {
  const claims = { sub, exp: Math.floor(Date.now() / 1000) + seconds, ...(rooms ? { rooms } : {}) };
  const signed = [{ alg: 'HS256', typ: 'JWT' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const signature = createHmac('sha256', secret).update(signed).digest('base64url');
  signatures.push(signature);
  return `${signed}.${signature}`;
}

/** Good for at least three seconds: more than its client needs to be there. */
export const briefToken = () => token({ seconds: 4 });

/** What lets no client in, and what those are told who can be told. @type {Record<string, { make: () => string | null, message: string }>} */
export const refused = {
  'no token': { make: () => null, message: 'this needs credentials: a bearer token' },
  'a token that others have signed': { make: () => token({ secret: 'the secret of another application' }), message: 'the credentials are not valid here and now' },
  'a token that has expired': { make: () => token({ seconds: -60 }), message: 'the credentials have expired' },
};

/** serve(), with a server that asks for tokens, and has written none of them in the end. @param {Dialect} dialect @param {Wish} [wish] */
export function serveGuarded(dialect, { flags = [], ...wish } = {}) {
  serve(dialect, { kind: 'ours', flags: [...guard(wish.behind), ...flags], ...wish });
  after(() => keepsTokensSecret(subject));
}

/** That a closed server has written of its connections, and of no token. @param {Subject} subject */
export function keepsTokensSecret({ log }) {
  assert.match(log, / DEBUG /);
  assert(signatures.length > 0);
  for (const signature of signatures) assert(!log.includes(signature), log);
}

/** The flags of a server that asks for tokens. @param {Wish['behind']} behind */
export function guard(behind = 'nothing') {
  // A server with a key makes no certificate for development.
  const certificate = behind === 'nginx' ? [] : ['--cert', cert, '--key', key];
  return ['--auth-jwt-secret-file', secretFile, '--ice-server', STUN, '--log', 'debug', ...certificate];
}

/** The URL of a dialect whose clients have their token in it. @param {string | null} token @param {string} [url] */
export function withToken(token, url = subject.socketUrl) {
  return token === null ? url : `${url}?access_token=${token}`;
}

/**
 * A test that clients are refused before their WebSocket is open, and do not come back without a pause.
 *
 * @param {number} most connections of one while it is watched
 * @param {(visitor: Visitor, token: string | null) => Promise<void>} open until the page has noticed
 */
export function refuses(most, open) {
  const kinds = Object.values(refused).map(() => /** @type {const} */ ('chromium'));
  test(`${Object.keys(refused).join(', ')}: 401 before the 101, and no hurry to come back`, scene(kinds, async (...visitors) => {
    await Promise.all(Object.values(refused).map(async ({ make }, n) => {
      const visitor = /** @type {Visitor} */ (visitors[n]);
      await open(visitor, make());
      await isRefused(visitor, most);
    }));
  }));
}

/** @param {Visitor} visitor @param {number} most connections of its client while it is watched */
export async function isRefused(visitor, most) {
  await visitor.comesTo('be refused', async () => refusals(visitor) > 0);
  await watched();
  assert(refusals(visitor) <= most, visitor.complaints.join('\n'));
}

/** Long enough to see whether clients come back. */
export const watched = () => delay(WATCH * 1000);

/** How often Chromium was answered 401 in place of a WebSocket, for which it has words of its own. @param {Visitor} visitor */
function refusals(visitor) {
  return visitor.complaints.filter((line) => /^WebSocket connection to .* failed: HTTP Authentication failed;/.test(line)).length;
}

/** A page asks for ICE servers, as its program has to, and without its token is told of none. @param {Visitor} visitor @param {string} token */
export async function isToldOfIceServers(visitor, token) {
  assert.deepEqual(await asksForIceServers(visitor, { Authorization: `Bearer ${token}` }), { iceServers: [{ urls: [STUN] }] });
  assert.equal((await asksForIceServers(visitor, {})).code, 'unauthorized');
}

/** @param {Visitor} visitor @param {Record<string, string>} headers */
function asksForIceServers(visitor, headers) {
  const url = new URL('ice', subject.url).href;
  return visitor.page.evaluate(async (url, headers) => (await fetch(url, { headers })).json(), url, headers);
}

/** The page of the client's API, and the client: what the one has, the other names. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { Call } from '../../static/js/call.js';
import { blockedByPolicy, hidden, insecureUrl, lost, noCredentials, proxyWithoutWebSockets } from '../../static/js/cause.js';
import { Client } from '../../static/js/client.js';
import { Line } from '../../static/js/line.js';

/** What other modules call, and applications do not. @type {Record<string, string[]>} */
const inner = { Call: ['start', 'refresh', 'take', 'isMeantBy', 'takeLoss', 'takeNewSession', 'takeReplacement', 'isAbandoned', 'abandon', 'remoteSession'] };

/** @param {string} file */
const read = (file) => readFile(new URL(`../../${file}`, import.meta.url), 'utf8');
const page = await read('docs/client.md');

/** @param {string} word */
const names = (word) => new RegExp(`[\`'{. ]${word}\\b`).test(page);

describe('docs/client.md', () => {
  for (const kind of [Client, Line, Call]) {
    it(`names each member of ${kind.name}`, () => {
      const members = Object.getOwnPropertyNames(kind.prototype).filter((name) => name !== 'constructor' && !inner[kind.name]?.includes(name));
      assert.ok(members.length >= 4);
      for (const member of members) assert.ok(names(member), member);
    });
  }

  it('names each event of a call, each reason for its end, and each cause of the client’s own', async () => {
    const [call = '', leg = '', end = ''] = await Promise.all(['call', 'leg', 'end-reason'].map((file) => read(`static/js/${file}.js`)));
    const events = [...`${call}${leg}`.matchAll(/\{ type: '([\w-]+)'/g)].map(([, type]) => type ?? '').filter((type) => type !== 'bye');
    const [reasons = ''] = /@typedef \{'hung-up'[^}]*\}/.exec(end) ?? [];
    const causes = [lost, hidden, noCredentials, insecureUrl, blockedByPolicy, proxyWithoutWebSockets].map(({ code }) => code);
    const all = [...events, ...[...reasons.matchAll(/'([\w-]+)'/g)].map(([, reason]) => reason ?? ''), ...causes];
    assert.ok(all.length > 20);
    for (const word of all) assert.ok(names(word), word);
  });
});

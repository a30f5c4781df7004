/** Our server beside those that the dialects were made for: it says the same, but for what is listed in differences.js. */

/** @import { Dialect } from './original.js' */
/** @import { Kind } from './subject.js' */
/** @import { Conversation } from './wire.js' */
/** @import { Difference } from './differences.js' */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { engineIo } from './conversations/engine.io.js';
import { peerjs } from './conversations/peerjs.js';
import { socketIo } from './conversations/socket.io.js';
import { yWebrtc } from './conversations/y-webrtc.js';
import { differences } from './differences.js';
import { asked, Subject } from './subject.js';
import { Wire } from './wire.js';

/** @type {[keyof typeof headings, Conversation[]][]} */
const dialects = [['socket.io', [...engineIo, ...socketIo]], ['peerjs', peerjs], ['y-webrtc', yWebrtc]];

/** What each dialect's section of docs/dialects.md is called. */
const headings = { 'socket.io': 'socket.io', peerjs: 'PeerJS', 'y-webrtc': 'y-webrtc' };
const DOCUMENT = readFileSync(new URL('../../docs/dialects.md', import.meta.url), 'utf8');

/** Of pages that may connect. */
const ORIGIN = 'https://site.example';

/** @type {Kind[]} */
const kinds = asked === 'original' ? ['original'] : ['original', 'ours'];

/** Most of the time they wait for heartbeats. */
describe('both', { concurrency: true }, () => {
  for (const kind of kinds) for (const [dialect, conversations] of dialects) compare(kind, dialect, conversations);
});

/** @param {Kind} kind @param {Dialect} dialect @param {Conversation[]} conversations */
function compare(kind, dialect, conversations) {
  describe(`${dialect}: what ${kind === 'ours' ? 'ours says' : 'its own server says'}`, { concurrency: 8 }, () => {
    /** @type {Subject} */
    let subject;
    const start = () => Subject.start(dialect, { kind, origin: ORIGIN });
    before(async () => void (subject = await start()));
    after(() => subject?.close());

    for (const { title, talk, said, alone } of conversations) {
      const expected = kind === 'ours' ? ours(said, differences[dialect]?.[title] ?? []) : said;
      test(title, async () => {
        const server = alone ? await start() : subject;
        const wire = new Wire(server);
        try {
          await talk(wire);
          assert.deepEqual(wire.lines, expected);
        } finally {
          wire.close();
          if (alone) await server.close();
        }
      });
    }
  });
}

describe('the list of differences', () => {
  for (const [dialect, conversations] of dialects) {
    test(`names conversations that there are, and what differs in them (${dialect})`, () => {
      for (const [title, list] of Object.entries(differences[dialect] ?? {})) {
        const said = conversations.find((conversation) => conversation.title === title)?.said;
        assert(said, title);
        assert.notDeepEqual(ours(said, list), said, title);
      }
    });

    test(`has nothing that docs/dialects.md does not tell (${dialect})`, () => {
      const told = rowsOf(headings[dialect]);
      for (const { row } of Object.values(differences[dialect] ?? {}).flat()) assert(told.includes(row), `no row has this title: ${row}`);
    });
  }
});

/** What ours says where the original says this. @param {string[]} said @param {Difference[]} list */
function ours(said, list) {
  return list.reduce((lines, { original, ours }) => {
    const at = lines.findIndex((_, at) => original.every((line, n) => lines[at + n] === line));
    assert(at >= 0, `it says: ${original.join('\n')}`);
    return lines.toSpliced(at, original.length, ...ours);
  }, said);
}

/** The titles of the rows in all tables of this section. @param {string} heading */
function rowsOf(heading) {
  const section = DOCUMENT.split(/^## /m).find((section) => section.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^\| (.+?) \| /gm)].map(([, title]) => title);
}

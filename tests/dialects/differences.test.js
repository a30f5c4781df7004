/** Our server beside those that the dialects were made for: it says the same, but for what is listed in differences.js. */

/** @import { Dialect } from './original.js' */
/** @import { Kind } from './subject.js' */
/** @import { Conversation } from './wire.js' */
/** @import { Difference } from './differences.js' */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { engineIo } from './conversations/engine.io.js';
import { gstreamer } from './conversations/gstreamer.js';
import { matchbox } from './conversations/matchbox.js';
import { peerjs } from './conversations/peerjs.js';
import { socketIo } from './conversations/socket.io.js';
import { trystero } from './conversations/trystero.js';
import { yWebrtc } from './conversations/y-webrtc.js';
import { differences } from './differences.js';
import { native } from './original.js';
import { asked, Subject } from './subject.js';
import { Wire } from './wire.js';

/** @type {[Dialect, Conversation[]][]} */
const dialects = [
  ['socket.io', [...engineIo, ...socketIo]],
  ['peerjs', peerjs],
  ['matchbox', matchbox],
  ['gstreamer', gstreamer],
  ['y-webrtc', yWebrtc],
  ['trystero', trystero],
];

/** What each dialect's section of docs/dialects.md is called. @type {Record<Dialect, string>} */
const headings = {
  'socket.io': 'socket.io',
  peerjs: 'PeerJS',
  matchbox: 'matchbox',
  gstreamer: 'GStreamer',
  'y-webrtc': 'y-webrtc',
  trystero: 'trystero',
};
const DOCUMENT = readFileSync(new URL('../../docs/dialects.md', import.meta.url), 'utf8');

/** A test's name in a text. */
const TEST = /`([a-z\d]+(?:_[a-z\d]+){3,})`/g;

/** All Rust files, among which the tests are. */
const RUST = ['src', 'tests/it'].map((folder) => sources(new URL(`../../${folder}/`, import.meta.url))).join('');

/** @param {URL} folder @returns {string} */
function sources(folder) {
  const read = (/** @type {string} */ path) => (path.endsWith('.rs') ? readFileSync(new URL(path, folder), 'utf8') : '');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(read).join('');
}

/** Of pages that may connect. */
const ORIGIN = 'https://site.example';

/** All originals have their turn where they are asked for; beside ours are those alone that need not be built. @param {Dialect} dialect @returns {Kind[]} */
function kinds(dialect) {
  if (asked === 'original') return ['original'];
  return native.has(dialect) ? ['ours'] : ['original', 'ours'];
}

/** Most of the time they wait for heartbeats. */
describe('both', { concurrency: true }, () => {
  for (const [dialect, conversations] of dialects) for (const kind of kinds(dialect)) compare(kind, dialect, conversations);
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
      const told = rowsOf(dialect).map(({ title }) => title);
      for (const { row } of listed(dialect)) assert(told.includes(row), `no row has this title: ${row}`);
    });

    test(`shows all that docs/dialects.md tells, or a test does that is named there (${dialect})`, () => {
      const shown = new Set(listed(dialect).map(({ row }) => row));
      const rows = rowsOf(dialect);
      assert(rows.length >= 5, 'the table is found');
      for (const { title, tests } of rows) {
        assert(shown.has(title) || tests.length > 0, `neither a difference nor a test: ${title}`);
        for (const name of tests) assert(RUST.includes(`fn ${name}(`), `there is no such test: ${name}`);
      }
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

/** @param {Dialect} dialect */
const listed = (dialect) => Object.values(differences[dialect] ?? {}).flat();

/** What differs, by the table in the dialect's section, with the tests that are named in its rows. @param {Dialect} dialect */
function rowsOf(dialect) {
  const section = DOCUMENT.split(/^## /m).find((section) => section.startsWith(`${headings[dialect]}\n`)) ?? '';
  const [, table = ''] = /^\| \| .+ \| here \|\n\|---\|---\|---\|\n((?:\|.*\n)+)/m.exec(section) ?? [];
  const named = (/** @type {string} */ text) => [...text.matchAll(TEST)].map(([, name]) => name);
  return [...table.matchAll(/^\| (.+?) \| (.*) \|$/gm)].map(([, title = '', rest = '']) => ({ title, tests: named(rest) }));
}

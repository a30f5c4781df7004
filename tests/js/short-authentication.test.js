/** Four words that two people compare: the same on both sides, and others where some third is in between. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fingerprintsOf } from '../../static/js/description.js';
import { noteIn } from '../../static/js/note.js';
import { ShortAuthentication } from '../../static/js/short-authentication.js';
import { WORDS, wordsOf } from '../../static/js/word-list.js';

/** @import { Note } from '../../static/js/note.js' */

/** @param {...string} digits */
const sdpWith = (...digits) => `v=0\r\n${digits.map((each) => `a=fingerprint:sha-256 ${each}\r\n`).join('')}`;

/** One side of a connection. What it notes is kept until the test passes it on. @param {boolean} commits @param {string} local @param {string} remote */
function side(commits, local, remote) {
  /** @type {Note[]} */
  const notes = [];
  /** @type {string[][]} */
  const words = [];
  const authentication = new ShortAuthentication(commits, {
    note: (note) => void notes.push(note),
    descriptions: () => ({ local, remote }),
    onWords: (each) => void words.push(each),
  });
  return { authentication, notes, words };
}

/** @typedef {ReturnType<typeof side>} Side */

/** Until neither says anything more. @param {Side} one @param {Side} other */
async function talk(one, other) {
  for (let round = 0; round < 5; round++) {
    for (const note of one.notes.splice(0)) await other.authentication.hear(note);
    for (const note of other.notes.splice(0)) await one.authentication.hear(note);
  }
}

describe('two sides', () => {
  it('of one connection have the same four words', async () => {
    const [a, b] = [side(true, sdpWith('AA'), sdpWith('BB')), side(false, sdpWith('BB'), sdpWith('AA'))];
    await Promise.all([a, b].map(({ authentication }) => authentication.begin()));
    await talk(a, b);
    assert.equal(a.words[0]?.length, 4);
    assert.deepEqual(a.words, b.words);
  });

  it('have others in the next call', async () => {
    const rounds = [];
    for (let call = 0; call < 2; call++) {
      const [a, b] = [side(true, sdpWith('AA'), sdpWith('BB')), side(false, sdpWith('BB'), sdpWith('AA'))];
      await a.authentication.begin();
      await talk(a, b);
      rounds.push(a.words);
    }
    assert.notDeepEqual(rounds[0], rounds[1]);
  });

  it('with a third in between that passes all notes on have different ones: its certificates are others', async () => {
    const [a, b] = [side(true, sdpWith('AA'), sdpWith('M1')), side(false, sdpWith('BB'), sdpWith('M2'))];
    await a.authentication.begin();
    await talk(a, b);
    assert.notDeepEqual(a.words, b.words);
  });

  it('a certificate that was slipped in beside the right one is one too many', async () => {
    const [a, b] = [side(true, sdpWith('AA'), sdpWith('BB', 'MM')), side(false, sdpWith('BB'), sdpWith('AA'))];
    await a.authentication.begin();
    await talk(a, b);
    assert.notDeepEqual(a.words, b.words);
  });
});

describe('who is in between', () => {
  it('can’t choose its nonce once it knows the other’s: one that was not committed to gives no words', async () => {
    const [a, b] = [side(true, sdpWith('AA'), sdpWith('BB')), side(false, sdpWith('BB'), sdpWith('AA'))];
    await a.authentication.begin();
    for (const note of a.notes.splice(0)) await b.authentication.hear(note);
    await b.authentication.hear({ nonce: 'ab'.repeat(32) });
    assert.deepEqual(b.words, []);
    await talk(a, b);
    assert.deepEqual(b.words, [], 'one chance for each call');
  });

  it('hears no nonce of the side that commits before it has given one itself', async () => {
    const a = side(true, sdpWith('AA'), sdpWith('BB'));
    await a.authentication.begin();
    await a.authentication.hear({ commitment: 'ab'.repeat(32) });
    assert.deepEqual(a.notes.map((note) => Object.keys(note)), [['commitment']]);
  });

  it('hears no second nonce', async () => {
    const b = side(false, sdpWith('BB'), sdpWith('AA'));
    for (const digits of ['ab', 'cd', 'ef']) await b.authentication.hear({ commitment: digits.repeat(32) });
    assert.equal(b.notes.length, 1);
  });
});

describe('fingerprints', () => {
  it('are all that a description has, each once, however they are written', () => {
    const sdp = 'a=fingerprint:SHA-256 aa:bb\r\nm=audio\r\na=fingerprint:sha-256 AA:BB\r\na=fingerprint:sha-1 CC\r\n';
    assert.deepEqual(fingerprintsOf(sdp), ['sha-1 CC', 'sha-256 AA:BB']);
  });
});

describe('the words', () => {
  it('are 512, each once, short, and of plain letters', () => {
    assert.equal(new Set(WORDS).size, 512);
    assert.ok(WORDS.every((word) => /^[a-z]{2,9}$/.test(word)));
  });

  it('stand for nine bits each', () => {
    assert.deepEqual(wordsOf(Uint8Array.from([0, 0, 1, 255, 254, 1]), 3), [WORDS[0], WORDS[511], WORDS[1]]);
  });
});

describe('a note', () => {
  /** @param {unknown} value */
  const read = (value) => noteIn(new TextEncoder().encode(JSON.stringify(value)).buffer);

  it('of another kind than was agreed is passed over, field by field', () => {
    const digest = 'ab'.repeat(32);
    assert.deepEqual(JSON.parse(JSON.stringify(read({ id: 1, media: [], name: 7, files: 'yes', commitment: digest.slice(1), nonce: `${digest}0` }))), { name: '' });
    assert.equal(read([]), null);
    assert.equal(noteIn('text'), null);
    assert.equal(noteIn(new ArrayBuffer(2000)), null);
  });

  it('says a name plainly', () => {
    assert.equal(read({ name: '  Ada\u202e\n Lovelace\u0000 ' })?.name, 'Ada Lovelace');
    assert.equal(read({ name: 'x'.repeat(200) })?.name?.length, 64);
  });
});

/** The tutorial's files: its two languages say the same things, and its programs are shown as they are. */

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { piecesOf } from '../../static/learn/pieces.js';
import { en, fr, sayIn } from '../../static/learn/words.js';

/** @import { Phrase } from '../../static/learn/words.js' */

/** @param {string} name */
const read = (name) => readFile(new URL(`../../${name}`, import.meta.url), 'utf8');
const pages = { en: await read('static/learn/index.html'), fr: await read('static/learn/fr.html') };
const programs = await readdir(new URL('../../static/learn/programs', import.meta.url));
/** @param {string} text @param {RegExp} pattern */
const all = (text, pattern) => [...text.matchAll(pattern)].map(([, found]) => found ?? '');

describe('the tutorial', () => {
  it('shows each of its programs, in both languages', () => {
    for (const page of Object.values(pages)) assert.deepEqual(all(page, /data-program="([^"]+)"/g).sort(), programs.sort());
  });

  it('has the same parts in both languages, in the same order', () => {
    const part = /<(h[1-3]|p|li|dt|dd|tr|pre|figure|section|div|nav|header)\b/g;
    assert.deepEqual(all(pages.fr, part), all(pages.en, part));
    const name = /(?:id|data-live|data-program)="([^"]+)"/g;
    assert.deepEqual(all(pages.fr, name), all(pages.en, name));
  });

  it('has the same commands, and names the same standards, in both languages', () => {
    const commands = /<pre [^>]*>([^]*?)<\/pre>/g;
    /** @param {string} page */
    const standards = (page) => all(page, /RFC (\d+)/g).sort();
    assert.deepEqual(all(pages.fr, commands).map(withoutHost), all(pages.en, commands).map(withoutHost));
    assert.deepEqual(standards(pages.fr), standards(pages.en));
  });

  it('is not shorter in one language than in the other', () => {
    const [english, french] = [pages.en, pages.fr].map((page) => page.replace(/<[^>]*>/g, '').length);
    assert.ok(Number(french) > Number(english) && Number(french) < Number(english) * 1.3, `${english} and ${french}`);
  });

  it('has relative links alone, so that it may be in any folder of a host, and no link that leads to no part of it', () => {
    for (const page of Object.values(pages)) {
      const links = all(page, /(?:href|src)="([^"]*)"/g);
      assert.ok(links.length > 20);
      for (const link of links) assert.doesNotMatch(link, /^\/|^[a-z]+:/);
      for (const part of links.filter((link) => link.startsWith('#'))) assert.match(page, new RegExp(`id="${part.slice(1)}"`));
    }
  });

  it('has nothing inline, which the content security policy forbids', () => {
    for (const page of Object.values(pages)) {
      assert.doesNotMatch(page, /\sstyle=|<style|\son\w+=/);
      assert.deepEqual(all(page, /<script([^>]*)>/g), [' type="module" src="learn.js"']);
    }
  });

  it('ends with the README’s page, which a test of its own opens in a browser', async () => {
    const [, block = ''] = /## In your own page\n[^]*?```html\n([^]*?)\n *```/.exec(await read('README.md')) ?? [];
    assert.equal(await read('static/learn/programs/with-entremise.html'), `${block.replace(/^ {3}/gm, '')}\n`);
  });

  it('has programs that fit the page: no line of them is longer than 100 characters', async () => {
    for (const name of programs) {
      for (const line of (await read(`static/learn/programs/${name}`)).split('\n')) assert.ok(line.length <= 100, `${name}: ${line}`);
    }
  });
});

describe('what the live parts say', () => {
  it('is the same in both languages, with the same values filled in', () => {
    assert.deepEqual(Object.keys(fr), Object.keys(en));
    for (const phrase of /** @type {Phrase[]} */ (Object.keys(en))) {
      assert.deepEqual(all(fr[phrase], /\{(\w+)\}/g).sort(), all(en[phrase], /\{(\w+)\}/g).sort(), phrase);
      assert.equal(/[.?]$/.exec(fr[phrase])?.[0], /[.?]$/.exec(en[phrase])?.[0], phrase);
    }
  });

  it('has a phrase for each step of each lesson, and tells what each has done', async () => {
    const lessons = await readdir(new URL('../../static/learn/lesson', import.meta.url));
    assert.equal(lessons.length, 7);
    for (const file of lessons) {
      const text = await read(`static/learn/lesson/${file}`);
      const lesson = file.replace('.js', '');
      const steps = all(text.slice(text.indexOf(`export const ${lesson}`)), /\{ name: '([\w-]+)',/g).filter((step) => step !== lesson);
      assert.ok(steps.length > 0, file);
      for (const step of steps) assert.ok(Object.hasOwn(en, `${lesson}-${step}`), `${lesson}-${step}`);
      for (const phrase of all(text, /'((?:secure|websocket|offer|call|stun|turn|trouble)-[\w-]+)'/g)) assert.ok(Object.hasOwn(en, phrase), phrase);
    }
  });

  it('is English in a language that the tutorial does not have', () => {
    assert.equal(sayIn('fr')('copy'), 'Copier');
    assert.equal(sayIn('de')('copy-program', { name: 'x.js' }), 'Copy x.js');
  });
});

describe('the two peers', () => {
  it('have the token that the page to meet has asked its reader for', async () => {
    const [kept = ''] = all(await read('static/js/page/token.js'), /KEY = '([^']+)'/g);
    assert.equal(kept.length > 0 && all(await read('static/learn/side.js'), /TOKEN = '([^']+)'/g)[0], kept);
  });
});

describe('a program’s pieces', () => {
  it('make its text', async () => {
    for (const name of programs) {
      const text = await read(`static/learn/programs/${name}`);
      assert.equal(piecesOf(text).map((piece) => piece.text).join(''), text, name);
    }
  });

  it('are comments, texts, and words of the language, and an address is no comment', () => {
    const kinds = piecesOf("const a = 'https://x'; // why\nreturn `y`").map(({ kind, text }) => `${kind} ${text.trim()}`);
    assert.deepEqual(kinds, ['word const', 'plain a =', "text 'https://x'", 'plain ;', 'comment // why', 'plain ', 'word return', 'plain ', 'text `y`']);
  });
});

/** An address and a folder’s name may be in the reader’s language. @param {string} command */
function withoutHost(command) {
  return command.replace(/your\.host|votre\.hote/g, 'host');
}

/** docs/operating.md, whose commands and configurations the tests run as they stand there. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const OPERATING = readFileSync(new URL('../../docs/operating.md', import.meta.url), 'utf8');

/** @typedef {[from: string, to: string][]} Changes each of which has one thing to change */

/** What is in the box of this language below this heading. @param {string} heading @param {string} language @param {Changes} [changes] */
export function box(heading, language, changes = []) {
  const section = OPERATING.split(/^#+ /m).find((section) => section.startsWith(`${heading.replaceAll('’', "'")}\n`));
  const found = section?.split(`\n\`\`\`${language}\n`)[1]?.split('\n```')[0];
  assert(found, `docs/operating.md, ${heading}: a box of ${language}`);
  return changes.reduce(changed, found);
}

/** The words of a box's command, as a shell takes them. @param {string} heading @param {Changes} [changes] */
export function command(heading, changes) {
  return box(heading, 'sh', changes).replaceAll('\\\n', ' ').trim().split(/\s+/).map((word) => word.replaceAll("'", ''));
}

/** The flags of the program in a box's command. @param {string} heading @param {Changes} [changes] */
export function flags(heading, changes) {
  const words = command(heading, changes);
  return words.slice(words.indexOf('entremise') + 1);
}

/** @param {string} text @param {Changes[number]} change */
function changed(text, [from, to]) {
  assert.equal(text.split(from).length, 2, `${from} is once in: ${text}`);
  return text.replace(from, to);
}

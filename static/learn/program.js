/** A program of the tutorial, shown: the text is the file's own, which the reader can copy, and which a test runs. */

/** @import { Say } from './words.js' */
import { make } from './make.js';
import { piecesOf } from './pieces.js';

/** In milliseconds: how long a button says that it has copied. */
const SAID = 2000;

/** @param {HTMLElement} place a figure with a link to the file @param {Say} say */
export async function showProgram(place, say) {
  const name = place.dataset['program'] ?? '';
  const text = await read(name);
  if (text === null) return;
  const pre = make('pre', 'program-code', make('code', '', ...piecesOf(text).map(draw)));
  pre.tabIndex = 0;
  pre.setAttribute('role', 'region');
  pre.setAttribute('aria-label', name);
  place.append(pre);
  place.querySelector('figcaption')?.append(copyButton(name, text, say));
}

/** @param {string} name @returns {Promise<string | null>} null: the link to the file has to do */
async function read(name) {
  const response = await fetch(new URL(`programs/${name}`, import.meta.url)).catch(() => null);
  return response?.ok ? response.text() : null;
}

/** @param {import('./pieces.js').Piece} piece */
function draw({ kind, text }) {
  return kind === 'plain' ? text : make('span', `code-${kind}`, text);
}

/** @param {string} name @param {string} text @param {Say} say */
function copyButton(name, text, say) {
  const button = make('button', 'quiet', say('copy'));
  button.setAttribute('type', 'button');
  button.setAttribute('aria-label', say('copy-program', { name }));
  const told = make('span', 'aside');
  told.setAttribute('role', 'status');
  button.addEventListener('click', async () => {
    const isCopied = await copy(text);
    button.textContent = say(isCopied ? 'copied' : 'not-copied');
    told.textContent = button.textContent;
    setTimeout(() => button.replaceChildren(say('copy')), SAID);
  });
  const group = make('span', 'copying', button, told);
  return group;
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

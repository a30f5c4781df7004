/** A program's text in pieces that are drawn differently: comments, texts, words of the language. Pure. */

/** @typedef {{ kind: 'plain' | 'comment' | 'text' | 'word', text: string }} Piece */

const WORDS = 'async await break case catch class const continue else export extends false finally for from function if import in let new null of return static super switch this throw true try typeof undefined var while';

/** An HTML comment needs no colour here: there is none. A regular expression of a program would be taken for a division; there is none either. */
const PIECE = new RegExp(
  [
    '(?<comment>(?<![:\'"])//[^\\n]*|/\\*[^]*?\\*/)',
    "(?<text>'(?:[^'\\\\\\n]|\\\\.)*'|\"(?:[^\"\\\\\\n]|\\\\.)*\"|`(?:[^`\\\\]|\\\\.)*`)",
    `(?<word>(?<![\\w.#$-])(?:${WORDS.replaceAll(' ', '|')})(?![\\w-])(?=[^=]|==))`,
  ].join('|'),
  'g',
);

/** @param {string} text @returns {Piece[]} which make the text, in their order */
export function piecesOf(text) {
  /** @type {Piece[]} */
  const pieces = [];
  let end = 0;
  for (const { index, 0: found, groups } of text.matchAll(PIECE)) {
    if (index > end) pieces.push({ kind: 'plain', text: text.slice(end, index) });
    pieces.push({ kind: kindOf(groups), text: found });
    end = index + found.length;
  }
  if (end < text.length) pieces.push({ kind: 'plain', text: text.slice(end) });
  return pieces;
}

/** @param {Record<string, string> | undefined} groups @returns {Piece['kind']} */
function kindOf(groups) {
  if (groups?.['comment'] !== undefined) return 'comment';
  return groups?.['text'] === undefined ? 'word' : 'text';
}

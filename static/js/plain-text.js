/** Text of the other side's that stands among this page's own: names of people and of files. Pure. */

/** Control characters, and those that turn the direction of what follows: a name can then look like another one. */
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu;
/** What programs take for a folder, or for a drive. */
const SEPARATORS = /[/\\:]/g;

/** In UTF-16 units, as any of the names here at most. */
export const LONGEST_NAME = 64;
const LONGEST_FILE_NAME = 200;

/** The name of a person, as she says it. @param {unknown} value @returns {string} '' for none */
export function personName(value) {
  return plain(value, LONGEST_NAME);
}

/** The name of a file, without a way out of the folder in which it is kept. @param {unknown} value @returns {string} */
export function fileName(value) {
  return plain(value, LONGEST_FILE_NAME).replace(SEPARATORS, '_').replace(/^\.+/, '') || 'file';
}

/** @param {unknown} value @param {number} longest */
function plain(value, longest) {
  if (typeof value !== 'string') return '';
  const whole = value.slice(0, 4 * longest).replace(/\s+/g, ' ').replace(DECEPTIVE, '').trim();
  // Not in the middle of a character that has two units.
  return whole.length <= longest ? whole : whole.slice(0, longest).replace(/[\ud800-\udbff]$/, '');
}

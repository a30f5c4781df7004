/** The rows of the diagram as a text to paste, and as a file to keep. Pure; secrets stay out of both. */

/** @import { Said } from './carried.js' */
/** @import { Fate, Lane } from './diagram.js' */
/** @import { Say } from './language.js' */
import { withoutSecrets } from './secret.js';

/** @typedef {{ at: Date, way: [Lane, Lane], label: string, note: string, fate: Fate, message: Said | null }} Entry */

/** @param {Date} date */
export function timeOfDay(date) {
  return date.toTimeString().slice(0, 8);
}

/** @param {readonly Entry[]} entries @param {Say} say */
export function asText(entries, say) {
  const rows = entries.map(({ at, way, label, note, fate }) => {
    const fates = { sent: say('fate-sent'), delivered: '', refused: say('fate-refused') };
    return [timeOfDay(at), way.map((lane) => say(lane)).join(' → '), label, [note, fates[fate] && `(${fates[fate]})`].filter(Boolean).join(' ')];
  });
  const widths = [0, 1, 2].map((column) => rows.reduce((most, row) => Math.max(most, (row[column] ?? '').length), 0));
  return rows.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()}\n`).join('');
}

/** All that is known of each row, as JSON. @param {readonly Entry[]} entries */
export function asFile(entries) {
  const rows = entries.map(({ at, way: [from, to], label, note, fate, message }) => ({ at: at.toISOString(), from, to, label, note, fate, message }));
  return `${JSON.stringify(rows, withoutSecrets, 2)}\n`;
}

/** @param {Date} date @returns {string} that any system takes as a file's name */
export function fileName(date) {
  return `entremise-${date.toISOString().slice(0, 19).replaceAll(':', '-')}.json`;
}

/** What a row of the diagram shows when it is opened: the message field by field, and then as it is sent. */

/** @import { Said } from './carried.js' */
/** @import { Field, Group } from './decoded.js' */
/** @import { Say } from './language.js' */
import { decoded } from './decoded.js';
import { make } from './element.js';
import { withoutSecrets } from './secret.js';

/** In characters: what one entry shows when it is opened. */
const LONGEST_TEXT = 8000;

/** @param {Said} message @param {Say} say @returns {HTMLElement} */
export function detailsOf(message, say) {
  const text = make('pre', '', textOf(message));
  text.tabIndex = 0;
  text.ariaLabel = say('as-sent');
  text.role = 'group';
  return make('div', 'decoded', ...decoded(message, say).map(groupOf), make('h3', '', say('as-sent')), text);
}

/** @param {Group} group */
function groupOf({ heading, fields }) {
  return make('div', 'field-group', ...(heading ? [make('h3', '', heading)] : []), make('dl', '', ...fields.map(fieldOf)));
}

/** @param {Field} field */
function fieldOf({ name, value, meaning }) {
  return make('div', '', make('dt', '', name), make('dd', 'value', value), ...(meaning ? [make('dd', 'meaning', meaning)] : []));
}

/** @param {Said} message */
function textOf(message) {
  return JSON.stringify(message, withoutSecrets, 2).replaceAll('\\r\\n', '\n').slice(0, LONGEST_TEXT);
}

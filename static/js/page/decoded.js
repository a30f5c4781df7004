/** A message, field by field, each with one line that says what it means. Pure, and total: any JSON has fields, and never too many. */

/** @import { Said } from './carried.js' */
/** @import { Say } from './language.js' */
/** @import { Section } from './sdp.js' */
import { descriptionOf } from '../description.js';
import { isRecord } from '../protocol.js';
import { candidateFields, candidateText, priorityParts } from './candidate.js';
import { isPhrase } from './language.js';
import { codecsOf, sectionsOf, valuesOf } from './sdp.js';
import { withoutSecrets } from './secret.js';

/** @typedef {{ name: string, value: string, meaning: string }} Field `meaning` is '' of what this page does not know */
/** @typedef {{ heading: string, fields: Field[] }} Group */

/** Fields of a group, and characters of a value. */
const MOST_FIELDS = 60;
const LONGEST = 400;

/** What every call's sections repeat line by line is one field here. @type {Record<string, (section: Section, values: string[]) => string>} */
const gathered = {
  candidate: (_, values) => String(values.length),
  rtpmap: (section) => codecsOf(section).join(', '),
  extmap: (_, values) => [...new Set(values.map((value) => value.split(/[/: ]/).at(-1) ?? ''))].join(', '),
  'rtcp-fb': (_, values) => [...new Set(values.map((value) => value.split(' ').slice(1).join(' ')))].join(', '),
  ssrc: (_, values) => [...new Set(values.map((value) => value.split(' ', 1)[0]))].join(', '),
};

/** What has the same meaning under several names. @type {Record<string, string>} */
const aliases = { sendonly: 'sendrecv', recvonly: 'sendrecv', inactive: 'sendrecv' };

/** @param {Said} message @param {Say} say @returns {Group[]} */
export function decoded(message, say) {
  const { type, ...fields } = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (message));
  const body = type === 'offer' || type === 'answer' || type === 'candidate' ? fields[type] : undefined;
  const others = Object.entries(fields).filter(([name]) => body === undefined || name !== type);
  const envelope = { heading: String(type), fields: others.map(([name, value]) => field('message', name, textOf(withoutSecrets(name, value)), say)) };
  return [...bodyOf(type, body, say), envelope].map(bounded).filter((group) => group.fields.length > 0);
}

/** @param {unknown} type @param {unknown} body @param {Say} say @returns {Group[]} */
function bodyOf(type, body, say) {
  if (type === 'candidate') return [{ heading: '', fields: ofCandidate(body, say) }];
  const sdp = type === 'offer' || type === 'answer' ? descriptionOf(type, body)?.sdp : undefined;
  return sdp === undefined ? [] : sectionsOf(sdp).map((section) => ({ heading: headingOf(section), fields: ofSection(section, say) }));
}

/** @param {Group} group @returns {Group} */
function bounded({ heading, fields }) {
  return { heading, fields: fields.slice(0, MOST_FIELDS) };
}

/** @param {Section} section */
function headingOf(section) {
  return [section.kind, valuesOf(section, 'mid')[0]].filter(Boolean).join(' ').slice(0, 60);
}

/** @param {Section} section @param {Say} say */
function ofSection(section, say) {
  const names = [...new Set(section.lines.map(({ name }) => name))].slice(0, MOST_FIELDS);
  return names.map((name) => {
    const values = valuesOf(section, name);
    return field('sdp', name, Object.hasOwn(gathered, name) ? (gathered[name]?.(section, values) ?? '') : values.join('\n'), say);
  });
}

/** @param {unknown} body @param {Say} say @returns {Field[]} */
function ofCandidate(body, say) {
  const text = candidateText(body);
  if (text === '') return [{ name: 'candidate', value: '', meaning: say('field-candidate-end') }];
  const fields = candidateFields(text ?? '');
  if (!fields) return [];
  const { typ, address, priority, more, ...others } = fields;
  return [
    { name: 'typ', value: typ, meaning: meaningOf('candidate', typ, say) },
    field('candidate', address.endsWith('.local') ? 'mdns' : 'address', address, say, 'address'),
    ...Object.entries(others).map(([name, value]) => field('candidate', name, value, say)),
    field('candidate', 'priority', describePriority(priority), say),
    ...more.map(([name, value]) => field('candidate', name, value, say)),
    ...Object.entries(isRecord(body) ? body : {}).filter(([name]) => name !== 'candidate').map(([name, value]) => field('candidate', name, textOf(value), say)),
  ];
}

/** @param {string} priority */
function describePriority(priority) {
  const parts = priorityParts(priority);
  return parts ? `${priority} = ${parts.type}·2²⁴ + ${parts.local}·2⁸ + (256 − ${parts.component})` : priority;
}

/** @param {'message' | 'sdp' | 'candidate'} place @param {string} key @param {string} value @param {Say} say @param {string} [name] if another than the key */
function field(place, key, value, say, name = key) {
  return { name: name.slice(0, 60), value: value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value, meaning: meaningOf(place, aliases[key] ?? key, say) };
}

/** @param {string} place @param {string} key @param {Say} say */
function meaningOf(place, key, say) {
  const phrase = `field-${place}-${key}`;
  return isPhrase(phrase) ? say(phrase) : '';
}

/** @param {unknown} value */
function textOf(value) {
  return typeof value === 'string' ? value : (JSON.stringify(value, withoutSecrets) ?? '');
}

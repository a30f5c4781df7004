/** A description, taken apart into its sections and lines (RFC 8866). Pure, and total: any text gives sections, and never more than these. */

/** In characters, lines and sections: those of a call have 8000, 200 and 4. */
const LONGEST = 100_000;
const MOST_LINES = 3000;
const MOST_SECTIONS = 64;

/** @typedef {{ name: string, value: string }} Line `name`: of the attribute, or the letter of any other line */
/** @typedef {{ kind: string, lines: Line[] }} Section `kind`: `session` of what stands before the media; `audio`, `video`, `application` */

/** Formats that carry no sound and no picture of their own. */
const AIDS = ['rtx', 'red', 'ulpfec', 'flexfec-03', 'CN', 'telephone-event'];

/** @param {string} sdp @returns {Section[]} the first is that of the session */
export function sectionsOf(sdp) {
  /** @type {Section} */
  let section = { kind: 'session', lines: [] };
  const sections = [section];
  for (const text of sdp.slice(0, LONGEST).split(/\r\n|\n|\r/, MOST_LINES)) {
    const line = lineOf(text);
    if (!line) continue;
    if (line.name === 'm') {
      if (sections.length > MOST_SECTIONS) break;
      section = { kind: line.value.split(' ', 1)[0] ?? '', lines: [] };
      sections.push(section);
    }
    section.lines.push(line);
  }
  return sections;
}

/** @param {string} text @returns {Line | null} */
function lineOf(text) {
  const [, letter = '', rest = ''] = /^([a-z])=(.*)$/s.exec(text) ?? [];
  if (!letter) return null;
  if (letter !== 'a') return { name: letter, value: rest };
  const colon = rest.indexOf(':');
  return colon < 0 ? { name: rest, value: '' } : { name: rest.slice(0, colon), value: rest.slice(colon + 1) };
}

/** The values of an attribute. @param {Section} section @param {string} name */
export function valuesOf({ lines }, name) {
  return lines.filter((line) => line.name === name).map(({ value }) => value);
}

/** The codecs of a section, the most liked first (the order of its `m=` line), without what only helps others. @param {Section} section @returns {string[]} */
export function codecsOf(section) {
  const [, , , ...formats] = (valuesOf(section, 'm')[0] ?? '').split(' ');
  const names = new Map(valuesOf(section, 'rtpmap').map((value) => /** @type {[string, string]} */ (value.split(/[ /]/, 2))));
  const codecs = formats.map((format) => names.get(format) ?? '').filter((name) => name !== '' && !AIDS.includes(name));
  return [...new Set(codecs)];
}

/** What is said of a section in one word: port 0 refuses it (RFC 8829, section 5.3.1). @param {Section} section */
export function isRefused(section) {
  const [, port] = (valuesOf(section, 'm')[0] ?? '').split(' ');
  return port === '0' && valuesOf(section, 'bundle-only').length === 0;
}

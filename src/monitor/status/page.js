// @ts-check
// Draws what the server says of its last hour, and asks again every ten seconds.

/** @typedef {{ at: number, connections: number, messages: number, errors: number, median: number | null,
 *    slowest: number | null, relays: number, memory: number }} Look */
/** @typedef {{ names: string[], issuer: string, ends: number, isVouchedFor: boolean }} Certificate */
/** @typedef {{ version: string, started: number, now: number, ready: string | null, warnings: string[],
 *    certificate: Certificate | null, nodes: string[] | null, looks: Look[] }} Data */

const EVERY_MS = 10_000;
/** What a plot shows at least and at most, in seconds. */
const SPAN_S = { least: 60, most: 3600 };
const SVG = 'http://www.w3.org/2000/svg';

const count = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** @param {number} seconds */
const milliseconds = (seconds) => `${count.format(seconds * 1000)} ms`;
/** @param {number} bytes */
const mebibytes = (bytes) => `${count.format(bytes / 2 ** 20)} MiB`;
/** @param {number} value */
const each = (value) => `${count.format(value)}/s`;

/** @type {{ title: string, lines: (keyof Look)[], unit: (value: number) => string }[]} */
const PLOTS = [
  { title: 'Connections', lines: ['connections'], unit: (value) => count.format(value) },
  { title: 'Messages', lines: ['messages'], unit: each },
  { title: 'Wait in a queue, p50 and p99', lines: ['median', 'slowest'], unit: milliseconds },
  { title: 'Errors and refusals', lines: ['errors'], unit: each },
  { title: 'Relays', lines: ['relays'], unit: (value) => count.format(value) },
  { title: 'Memory', lines: ['memory'], unit: mebibytes },
];

/** @param {string} selector */
function find(selector) {
  const found = document.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`${selector} is missing`);
  return found;
}

/** @param {string} name @param {string} [text] */
function element(name, text = '') {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

/** @param {string} name @param {Record<string, string | number>} attributes */
function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/**
 * The values of one line, by their times; where there was nothing to measure there is a gap.
 * @param {Look[]} looks @param {keyof Look} name @param {(at: number) => number} across @param {number} most
 */
function lines(looks, name, across, most) {
  /** @type {string[][]} */
  const runs = [[]];
  for (const look of looks) {
    const value = look[name];
    if (value === null) {
      runs.push([]);
      continue;
    }
    runs.at(-1)?.push(`${across(look.at).toFixed(2)},${(100 - (value / most) * 100).toFixed(2)}`);
  }
  return runs.filter((run) => run.length > 1).map((run) => shape('polyline', { points: run.join(' ') }));
}

/** @param {(typeof PLOTS)[number]} plot @param {Data} data */
function draw({ title, lines: names, unit }, { looks, now }) {
  const values = names.map((name) => looks.map((look) => look[name]).filter((value) => value !== null));
  const most = Math.max(...values.flat(), 0);
  const shown = Math.min(Math.max(now - (looks[0]?.at ?? now), SPAN_S.least), SPAN_S.most);
  /** @param {number} at */
  const across = (at) => 100 - ((now - at) / shown) * 100;
  const latest = names.map((name) => looks.at(-1)?.[name] ?? null);
  const said = latest.map((value) => (value === null ? '–' : unit(value))).join(' · ');
  const figure = element('figure');
  const caption = element('figcaption', title);
  caption.append(element('strong', said));
  const svg = shape('svg', { viewBox: '0 0 100 100', preserveAspectRatio: 'none', role: 'img' });
  svg.setAttribute('aria-label', `${title}: ${said} now, at most ${unit(most)} in the last hour`);
  svg.append(shape('line', { x1: 0, y1: 100, x2: 100, y2: 100 }));
  for (const name of names) {
    const group = lines(looks, name, across, most || 1);
    if (name === 'slowest') for (const line of group) line.classList.add('second');
    svg.append(...group);
  }
  const range = element('div');
  range.className = 'range';
  range.append(element('span', `${Math.round(shown / 60)} min ago`), element('span', `at most ${unit(most)}`), element('span', 'now'));
  figure.append(caption, svg, range);
  return figure;
}

/** @param {Certificate | null} certificate @param {number} now */
function describe(certificate, now) {
  if (!certificate) return [element('dt', 'None'), element('dd', 'a proxy ends TLS')];
  const days = Math.floor((certificate.ends - now) / (24 * 3600));
  const ends = `${new Date(certificate.ends * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC, in ${days} days`;
  const rows = [
    ['For', certificate.names.join(', ')],
    ['Issued by', certificate.issuer],
    ['Ends', ends],
  ];
  return rows.flatMap(([name, value]) => [element('dt', name), element('dd', value)]);
}

/** @param {string} selector @param {string[]} items @param {boolean} isShown */
function list(selector, items, isShown) {
  const section = find(selector);
  section.hidden = !isShown;
  section.querySelector('ul')?.replaceChildren(...items.map((item) => element('li', item)));
}

/** @param {number} seconds */
function span(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min`;
}

/** @param {Data} data */
function show(data) {
  const state = find('#state');
  state.textContent = `${data.version}, up for ${span(data.now - data.started)}: ${data.ready ?? 'ready'}`;
  state.className = data.ready === null ? '' : 'bad';
  list('#warnings', data.warnings, data.warnings.length > 0);
  list('#cluster', data.nodes?.length ? data.nodes : ['none is seen'], data.nodes !== null);
  find('#plots').replaceChildren(...PLOTS.map((plot) => draw(plot, data)));
  find('#certificate').replaceChildren(...describe(data.certificate, data.now));
}

async function ask() {
  try {
    const answer = await fetch('status/data', { signal: AbortSignal.timeout(EVERY_MS) });
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    show(await answer.json());
  } catch (error) {
    const state = find('#state');
    state.textContent = `The server can't be asked: ${error instanceof Error ? error.message : error}`;
    state.className = 'bad';
  }
  setTimeout(ask, EVERY_MS);
}

void ask();

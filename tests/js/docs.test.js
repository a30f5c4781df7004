/** The page of the client's API, and the client: what the one has, the other names. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { blockedByPolicy, hidden, insecureUrl, lost, noCredentials, proxyWithoutWebSockets } from '../../static/js/cause.js';

/** What other modules call, and applications do not. @type {Record<string, string[]>} */
const inner = { Call: ['start', 'refresh', 'take', 'isMeantBy', 'takeLoss', 'takeNewSession', 'takeReplacement', 'isAbandoned', 'abandon', 'remoteSession'] };
/** Those which applications are given, and do not make. */
const given = ['SignalingError', 'Call', 'FileTransfer'];

const root = fileURLToPath(new URL('../..', import.meta.url));
/** @param {string} file */
const read = (file) => readFile(join(root, file), 'utf8');
const page = await read('docs/client.md');
/** The package's, each with its module. @type {[name: string, module: string][]} */
const classes = [...(await read('npm/index.js')).matchAll(/^export \{ (.+) \} from '\.\/(.+)';$/gm)].flatMap(([, names = '', file = '']) =>
  names.split(', ').map((name) => /** @type {[string, string]} */ ([name, `static/js/${file}`])),
);

/** @param {string} word */
const names = (word) => new RegExp(`[\`'{. ]${word}\\b`).test(page);

/** @typedef {{ members: string[], events: string[], options: string[] }} Parts */

/** What the page says of a class: the first columns of the tables beneath its heading. @param {string} name @returns {Parts} */
function said(name) {
  const [, section = ''] = new RegExp(`\n## ${name}\n([^]*?)(?=\n## |$)`).exec(page) ?? [];
  const members = codeOf(section, 'member');
  const [made = ''] = members.filter((code) => code.startsWith(`new ${name}(`));
  const heard = members.flatMap((code) => /^on\('([\w-]+)'/.exec(code)?.[1] ?? []);
  return {
    members: members.filter((code) => code !== made).map((code) => code.replace(/\(.*/, '')),
    events: [...codeOf(section, 'event'), ...heard],
    options: [...codeOf(section, 'option'), ...(/\{ (.+) \}/.exec(made)?.[1]?.split(', ') ?? [])],
  };
}

/** @param {string} section @param {string} heading of the tables' first column */
function codeOf(section, heading) {
  const tables = [...section.matchAll(new RegExp(`^\\| ${heading} \\| \\|\n\\|---\\|---\\|\n((?:\\|.*\n)*)`, 'gm'))].map(([, rows = '']) => rows);
  const firsts = tables.flatMap((rows) => rows.split('\n')).map((row) => row.split('|')[1] ?? '');
  return firsts.flatMap((first) => [...first.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code));
}

/** As a type of TypeScript. @param {string[]} words */
const union = (words) => words.map((word) => `'${word}'`).join(' | ') || 'never';

/**
 * A program whose last line is an error that says what stands in the class alone, and what on the page alone.
 *
 * @param {string} name @param {string} module
 */
function probe(name, module) {
  const { members, events, options } = said(name);
  const isMade = !given.includes(name);
  return `import { ${name} as Kind } from '${join(root, module)}';
type Inner = ${union(inner[name] ?? [])} | (Kind extends Error ? keyof Error : never);
type Last<List extends unknown[]> = Required<List> extends [...unknown[], infer One] ? keyof NonNullable<One> : never;
type Has = {
  member: Exclude<keyof Kind, Inner>;
  event: Kind extends { on(type: infer Type, ...rest: any[]): unknown } ? Type : never;
  option: ${isMade ? "Exclude<Last<ConstructorParameters<typeof Kind>>, 'world'>" : 'never'};
};
type Said = { member: ${union(members)}; event: ${union(events)}; option: ${union(isMade ? options : [])} };
type Alone<One, Other> = Exclude<One, Other> & string;
type Lacking = { [Part in keyof Has]: \`the page lacks the \${Part} \${Alone<Has[Part], Said[Part]>}\` };
type Invented = { [Part in keyof Has]: \`there is no \${Part} \${Alone<Said[Part], Has[Part]>}\` };
export const wrong: never = null as unknown as Lacking[keyof Has] | Invented[keyof Has];
`;
}

/** What the compiler says against the probes. @param {Record<string, string>} probes by the names of their classes @returns {Promise<string>} */
async function complaints(probes) {
  const folder = await mkdtemp(join(tmpdir(), 'entremise-docs-'));
  try {
    const files = Object.keys(probes).map((name) => join(folder, `${name}.ts`));
    await Promise.all(Object.values(probes).map((text, index) => writeFile(files[index] ?? '', text)));
    const options = ['--ignoreConfig', '--noEmit', '--strict', '--allowJs', '--target', 'es2023', '--module', 'esnext', '--moduleResolution', 'bundler', '--types', '', '--noErrorTruncation', '--pretty', 'false'];
    const tsc = join(root, 'node_modules/.bin/tsc');
    return await new Promise((resolve) => void execFile(tsc, [...options, ...files], { cwd: folder }, (error, stdout) => resolve(error ? stdout : '')));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe('docs/client.md', async () => {
  const against = await complaints(Object.fromEntries(classes.map(([name, module]) => [name, probe(name, module)])));

  it('has a section for each class of the package', () => {
    assert.ok(classes.length >= 6);
    for (const [name] of classes) {
      assert.ok(said(name).members.length > 0, name);
      assert.equal(page.includes(`new ${name}(`), !given.includes(name), `who makes a ${name}`);
    }
  });

  for (const [name] of classes) {
    it(`has the members, events and options of ${name}, and no other`, () => {
      assert.deepEqual(against.split('\n').filter((line) => line.startsWith(`${name}.ts`)), []);
    });
  }

  it('would be told of a name that stands in one of the two alone', async () => {
    const changed = probe('Line', 'static/js/line.js').replace(/'callOneOf' \| /, '').replace("'incoming'", "'outgoing'").replace(/'iceTransportPolicy' \| /, '');
    const text = await complaints({ Line: changed });
    for (const complaint of ['the page lacks the member callOneOf', 'the page lacks the event incoming', 'there is no event outgoing']) {
      assert.ok(text.includes(complaint), text);
    }
    assert.ok(text.includes('the page lacks the option iceTransportPolicy'), text);
  });

  it('names each event of a call, each reason for its end, and each cause of the client’s own', async () => {
    const [call = '', leg = '', end = ''] = await Promise.all(['call', 'leg', 'end-reason'].map((file) => read(`static/js/${file}.js`)));
    const events = [...`${call}${leg}`.matchAll(/\{ type: '([\w-]+)'/g)].map(([, type]) => type ?? '').filter((type) => type !== 'bye');
    const [reasons = ''] = /@typedef \{'hung-up'[^}]*\}/.exec(end) ?? [];
    const causes = [lost, hidden, noCredentials, insecureUrl, blockedByPolicy, proxyWithoutWebSockets].map(({ code }) => code);
    const all = [...events, ...[...reasons.matchAll(/'([\w-]+)'/g)].map(([, reason]) => reason ?? ''), ...causes];
    assert.ok(all.length > 20);
    for (const word of all) assert.ok(names(word), word);
  });
});

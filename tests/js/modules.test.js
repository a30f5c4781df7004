/** The page's modules: asked for at once, and not each when the one before it has come. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('../../static/', import.meta.url);

/** All that a module imports, and what that imports. @param {string} path beneath `static/` @param {Set<string>} [found] */
function importsOf(path, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  const source = readFileSync(new URL(path, root), 'utf8');
  for (const [, name = ''] of source.matchAll(/^(?:import|export)\s[^;]*?from '(\.[^']+)';$/gm)) importsOf(new URL(name, new URL(path, root)).href.slice(root.href.length), found);
  return found;
}

test('index.html preloads each module that the page imports, and no other', () => {
  const html = readFileSync(new URL('index.html', root), 'utf8');
  const preloaded = [...html.matchAll(/<link rel="modulepreload" href="([^"]+)">/g)].map(([, href = '']) => href);
  const imported = [...importsOf('js/app.js')].filter((path) => path !== 'js/app.js').sort();
  assert.ok(imported.length > 40, `${imported.length} modules were found`);
  assert.deepEqual(preloaded, imported);
});

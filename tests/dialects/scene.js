/** What the tests of a dialect share: a server, a site with a page for its clients, and visitors of that page. */

/** @import { Kind } from '../browser/browsers.js' */
/** @import { Dialect } from './original.js' */
/** @import { Wish } from './subject.js' */
import { after, before } from 'node:test';

import { closeBrowsers, launch } from '../browser/browsers.js';
import { Site } from './site.js';
import { Subject } from './subject.js';
import { Visitor } from './visitor.js';

// An interrupted run asks its files to end. Servers are killed at `exit`.
process.once('SIGTERM', () => void closeBrowsers().finally(() => process.exit(1)));
// At the end of the file, not of each describe(): Firefox needs three seconds to start.
after(closeBrowsers);

/** @type {Subject} */
export let subject;

/** Of the page's site, if the tests have one. */
let address = '';

/**
 * Runs a server for the tests of the describe() around, and a site with the dialect's page besides.
 *
 * @param {Dialect} dialect
 * @param {Wish} [wish]
 */
export function serve(dialect, wish) {
  /** @type {Site} */
  let site;
  before(async () => {
    site = await Site.start(dialect);
    address = `${site.origin}/`;
    subject = await Subject.start(dialect, { origin: site.origin, ...wish });
  });
  after(async () => {
    await subject?.close();
    await site?.close();
  });
}

/**
 * A test's body: opens the site's page in each of these browsers.
 *
 * @param {Kind[]} kinds
 * @param {(...visitors: Visitor[]) => Promise<void>} play
 */
export function scene(kinds, play) {
  return async () => {
    /** @type {Visitor[]} */
    const visitors = [];
    try {
      for (const kind of kinds) visitors.push(await Visitor.open(await launch(kind), address));
      await play(...visitors);
    } finally {
      await Promise.all(visitors.map((visitor) => visitor.close()));
    }
  };
}

/** @template T @param {Visitor[]} visitors @param {(visitor: Visitor) => Promise<T>} act at the same time */
export function all(visitors, act) {
  return Promise.all(visitors.map(act));
}

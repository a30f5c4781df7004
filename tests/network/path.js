/** Which way media go, by Chromium's own statistics: at this moment, whereas ICE may still find a better way. */

/** @import { Page } from 'puppeteer-core' */
/** @import { Path, Stat } from '../../static/js/path.js' */
import { until } from '../browser/deadline.js';
import { pathOf } from '../../static/js/path.js';

/** Until ICE has found the best way, which may be after the first. In seconds. */
const PATIENCE = 20;
/** So long is a direct way given to take the place of the relay that connected the two first. In seconds. */
const MOMENT = 8;

/**
 * Waits until media go, through a relay where they should.
 *
 * @param {Page} page
 * @param {'any way' | 'through a relay'} way
 * @returns {Promise<Path>}
 */
export async function settledPath(page, way) {
  /** @type {Path | null} */
  let path = null;
  const late = Date.now() + MOMENT * 1000;
  await until(PATIENCE, `media to go ${way}`, () => JSON.stringify(path), async () => {
    path = await pathIn(page);
    if (path === null) return false;
    return way === 'any way' ? path.kind !== 'turn' || Date.now() > late : path.kind === 'turn';
  });
  return /** @type {Path} */ (/** @type {unknown} */ (path));
}

/** @param {Page} page @returns {Promise<Path | null>} */
async function pathIn(page) {
  const prototype = await page.evaluateHandle(() => RTCPeerConnection.prototype);
  const connections = await page.queryObjects(prototype);
  const stats = await connections.evaluate(async (connections) => {
    const open = connections.find(({ connectionState }) => connectionState === 'connected');
    return [.../** @type {Map<string, Stat>} */ (/** @type {unknown} */ (await open?.getStats() ?? new Map())).values()];
  });
  return pathOf(stats);
}


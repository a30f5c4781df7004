/** What the mark of a connection says, and whether its own numbers say so too: on a busy machine a connection may be poor. */

/** @import { ElementHandle } from 'puppeteer-core' */
import assert from 'node:assert/strict';

/** As `static/js/page/quality.js` has them: a loss in percent, and a round trip in milliseconds, that are poor; and that are good again. */
const POOR = { loss: 3, roundTrip: 400 };
const GOOD = { loss: 2, roundTrip: 300 };

/** @param {ElementHandle<Element>} mark that is shown, with numbers */
export async function assertGradeIsTrue(mark) {
  const [grade, words, title] = await mark.evaluate((element) => [element.getAttribute('data-quality'), element.textContent, element.getAttribute('title')]);
  const [, roundTrip = NaN] = /round trip (\d+) ms/.exec(title ?? '') ?? [];
  const [, loss = 0] = /([\d.]+) % lost/.exec(title ?? '') ?? [];
  const isBeyond = (/** @type {typeof POOR} */ limits) => Number(loss) >= limits.loss || Number(roundTrip) >= limits.roundTrip;
  const said = `${grade} (${words}): ${title}`;
  assert.ok(grade === 'good' ? !isBeyond(POOR) && Number(roundTrip) >= 0 : grade === 'poor' && isBeyond(GOOD), said);
  assert.match(words ?? '', grade === 'good' ? /Good/ : /Poor/);
}

/** What the plots and the drawing show, as tables: for those who listen, and for those who want to know. */

/** @import { Say } from './language.js' */
/** @import { Ways } from './route.js' */
/** @import { Sample } from './reading.js' */
import { make } from './element.js';
import { measures, presentValue, written } from './measure.js';
import { extremes } from './plot.js';

/** @param {readonly Sample[]} samples @param {Ways} ways @param {Say} say @param {string} language */
export function tablesOf(samples, ways, say, language) {
  const rows = measures.flatMap(({ phrase, unit, directions }) => directions.map((direction) => {
    const { least, most } = extremes(samples, direction.series);
    const name = directions.length > 1 ? `${say(phrase)}, ${say(`series-${direction.way}`)}` : say(phrase);
    return [name, presentValue(samples.at(-1), direction, unit, language), written(least, unit, language), written(most, unit, language)];
  }));
  const pairs = ways.pairs.map(({ state, local, remote, roundTrip }) => [say(`pair-${state}`), local, remote, written(roundTrip, 'ms', language)]);
  return [
    table([say('measure'), say('now'), say('least'), say('most')], rows),
    make('p', 'hint', say('pairs-tried', { count: ways.count })),
    table([say('pair-state'), say('this-side'), say('other-side'), say('round-trip')], pairs),
  ];
}

/** @param {string[]} headings @param {string[][]} rows the first cell of each is its heading */
function table(headings, rows) {
  const head = make('tr', '', ...headings.map((text) => scoped('col', text)));
  const body = rows.map(([name = '', ...cells]) => make('tr', '', scoped('row', name), ...cells.map((text) => make('td', '', text))));
  return make('table', '', make('thead', '', head), make('tbody', '', ...body));
}

/** @param {'col' | 'row'} scope @param {string} text */
function scoped(scope, text) {
  const cell = make('th', '', text);
  cell.setAttribute('scope', scope);
  return cell;
}

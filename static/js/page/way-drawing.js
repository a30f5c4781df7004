/** The way of a call's media as a drawing: this machine, its router, STUN and TURN, the other side; what is in use is lit. */

/** @import { Say } from './language.js' */
/** @import { PairState, Places, Point, Route, Ways } from './route.js' */
/** @import { Phrase } from './words.js' */
import { make } from './element.js';
import { HEIGHT, kinds, lineOf, placesIn } from './route.js';
import { draw } from './svg.js';

/** @type {Record<PairState, string>} */
const marks = { chosen: '✓', works: '○', waiting: '…', failed: '✕' };
/** @type {Record<keyof Places, Phrase>} */
const names = { you: 'node-you', router: 'node-router', server: 'node-server', otherRouter: 'node-router', other: 'node-other' };
/** Which nodes a route needs. @type {Record<Route['kind'], (keyof Places)[]>} */
const nodesOf = { direct: ['you', 'other'], stun: ['you', 'router', 'otherRouter', 'other'], turn: ['you', 'router', 'server', 'otherRouter', 'other'] };

export class WayDrawing {
  #say;
  #frame;
  #drawing = draw('svg', { class: 'ways', role: 'img' });

  /** @param {HTMLElement} frame @param {Say} say */
  constructor(frame, say) {
    this.#say = say;
    this.#frame = frame;
    const states = /** @type {PairState[]} */ (Object.keys(marks));
    const legend = make('p', 'legend', ...states.map((state) => make('span', state, `${marks[state]} ${say(`pair-${state}`)}`)));
    frame.append(this.#drawing, legend);
  }

  /** @param {Ways} ways */
  show({ routes }) {
    const width = this.#frame.clientWidth || 320;
    const places = placesIn(width);
    const chosen = routes.find(({ state }) => state === 'chosen');
    const lit = chosen ? nodesOf[chosen.kind] : [];
    // What is in use is drawn over what is not.
    const lines = [...routes].reverse().sort((one, other) => Number(one === chosen) - Number(other === chosen));
    const nodes = /** @type {(keyof Places)[]} */ (Object.keys(names));
    this.#drawing.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    this.#drawing.setAttribute('aria-label', this.#say('way-label', { routes: routes.map((route) => this.#sentence(route)).join(' ') }));
    this.#drawing.replaceChildren(
      ...kinds.map((kind) => line(lineOf(kind, places).line, 'unknown')),
      ...lines.map((route) => line(lineOf(route.kind, places).line, route.state)),
      ...nodes.map((node) => this.#node(node, places[node], lit.includes(node))),
      ...routes.map((route) => this.#label(route, lineOf(route.kind, places).label)),
    );
  }

  /** @param {Route} route */
  #sentence({ kind, state }) {
    return `${this.#say(`route-${kind}`)}: ${this.#say(`pair-${state}`)}.`;
  }

  /** @param {Route} route @param {Point} at */
  #label({ kind, state }, { x, y }) {
    return draw('text', { class: `route-name ${state}`, x, y, 'text-anchor': 'middle' }, `${marks[state]} ${this.#say(`route-${kind}`)}`);
  }

  /** @param {keyof Places} node @param {Point} at @param {boolean} isLit */
  #node(node, { x, y }, isLit) {
    const isEnd = node === 'you' || node === 'other';
    const shape = isEnd ? draw('circle', { cx: x, cy: y, r: 17 }) : draw('rect', { x: x - 17, y: y - 13, width: 34, height: 26, rx: 7 });
    const sign = draw('path', { class: 'sign', d: signs[node], transform: `translate(${x} ${y})` });
    const name = draw('text', { class: 'node-name', x, y: isEnd ? y + 34 : y - 19, 'text-anchor': 'middle' }, this.#say(names[node]));
    return draw('g', { class: isLit ? 'node lit' : 'node' }, shape, sign, name);
  }
}

const machine = 'M-8 -6h16v9h-16zM-3 7h6M0 3v4';
const router = 'M-9 2h18v5h-18zM-6 2v-7M6 2v-7M0 2v-4';
/** @type {Record<keyof Places, string>} around 0 0 */
const signs = { you: machine, other: machine, router, otherRouter: router, server: 'M-8 -7h16v5h-16zM-8 1h16v5h-16zM-5 -4.5h0M-5 3.5h0' };

/** @param {Point[]} points @param {PairState | 'unknown'} state `unknown`: a way that there is, and of which ICE knows no addresses */
function line(points, state) {
  return draw('path', { class: `route ${state}`, d: points.map(({ x, y }, index) => `${index ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`).join('') });
}

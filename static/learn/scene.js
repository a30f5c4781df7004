/** What a live part works with, until it ends: two peers, their messages as a diagram, and tables. It owns all that has to be closed. */

/** @import { Acks } from './sequence.js' */
/** @import { Say } from './words.js' */
import { Sequence } from './sequence.js';
import { Side } from './side.js';
import { make } from './make.js';

export class Scene {
  say;
  #place;
  /** @type {(() => void)[]} */
  #closing = [];
  isClosed = false;
  /** @type {Sequence | null} */
  #sequence = null;
  alice;
  bob;

  #acks;

  /** @param {HTMLElement} place @param {Say} say @param {Acks} acks of its diagram */
  constructor(place, say, acks) {
    this.#place = place;
    this.#acks = acks;
    this.say = say;
    this.alice = this.#side('alice');
    this.bob = this.#side('bob');
  }

  /** The diagram, from when it is first asked for. */
  get sequence() {
    this.#sequence ??= new Sequence(this.#place, this.say, this.#acks);
    return this.#sequence;
  }

  /** @param {() => void} close is called when the live part ends */
  onClose(close) {
    if (this.isClosed) close();
    else this.#closing.push(close);
  }

  close() {
    this.isClosed = true;
    for (const close of this.#closing.splice(0)) close();
  }

  /** @param {...(Node | string)} children */
  show(...children) {
    this.#place.append(...children);
  }

  /** Above all else. @param {Node} child */
  showFirst(child) {
    this.#place.prepend(child);
  }

  /** Two sessions with the server, as two people have them. */
  async connect() {
    void this.sequence;
    await this.alice.connect();
    await this.bob.connect();
  }

  /** An `RTCPeerConnection` that is closed with the scene. @param {RTCConfiguration} [configuration] */
  connection(configuration) {
    const connection = new RTCPeerConnection(configuration);
    this.onClose(() => connection.close());
    return connection;
  }

  /** A table whose cells are texts. @param {string} caption @param {string[]} headings */
  table(caption, headings) {
    const body = make('tbody', '');
    const head = make('tr', '', ...headings.map((heading) => column(heading)));
    const table = make('table', '', make('caption', '', caption), make('thead', '', head), body);
    const box = make('div', 'table-box', table);
    box.tabIndex = 0;
    box.setAttribute('role', 'region');
    box.setAttribute('aria-label', caption);
    this.show(box);
    return body;
  }

  /** @param {'alice' | 'bob'} name */
  #side(name) {
    const side = new Side((frame) => this.sequence.addFrame(name, frame));
    this.onClose(() => side.close());
    return side;
  }
}

/** @param {string} heading nothing, above cells that are headings themselves */
function column(heading) {
  if (!heading) return make('td', '');
  const cell = make('th', '', heading);
  cell.scope = 'col';
  return cell;
}

/** @param {HTMLElement} body of a table @param {...string} cells */
export function addRow(body, ...cells) {
  body.append(make('tr', '', ...cells.map((cell) => make('td', '', cell))));
}

/** The messages of the signaling as a sequence diagram: you, the server, the other side. */

/** @import { ClientMessage, Ref, ServerMessage } from '../protocol.js' */
/** @import { Frame } from '../client.js' */
/** @import { Kind, Said } from './carried.js' */
/** @import { Say } from './language.js' */
/** @import { Entry } from './transcript.js' */
import { carriedBy, kindOf } from './carried.js';
import { detailsOf } from './diagram-details.js';
import { appendBounded, elementById, make } from './element.js';
import { timeOfDay } from './transcript.js';

/** Rows that are shown; and as many, while it pauses, that wait. */
const MOST_ENTRIES = 200;
/** Peers of whom something is remembered at a time. */
const MOST_PEERS = 32;

/** @typedef {'you' | 'server' | 'other-side'} Lane */
/** @typedef {'sent' | 'delivered' | 'refused'} Fate `sent`: the server has not yet answered */
/** @typedef {{ item: HTMLLIElement, note: HTMLElement, at: Date, way: [Lane, Lane], kind: Kind, label: string, message: Said | null }} Row its fate is in the item */

export class Diagram {
  #say;
  #list = elementById('diagram', HTMLOListElement);
  /** What the list shows. Invariant: at most MOST_ENTRIES. @type {Row[]} */
  #rows = [];
  /** What came during a pause; null without one. Invariant: at most MOST_ENTRIES. @type {Row[] | null} */
  #held = null;
  /** What was sent and not yet answered. Invariant: holds only what is shown or held. @type {Map<Ref, Row>} */
  #unanswered = new Map();
  /** What was last added of the present call with each peer. @type {Map<string, Row>} */
  #direct = new Map();
  /** The peers with whom an answer has been exchanged. @type {Set<string>} */
  #described = new Set();
  /** @type {(held: number) => void} */
  #onHeld = () => {};

  /** @param {Say} say */
  constructor(say) {
    this.#say = say;
  }

  /** @param {Frame} frame */
  add(frame) {
    if (frame.direction === 'sent') this.#addSent(frame.message);
    else this.#addReceived(frame.message);
  }

  /**
   * What no server sees, told once until it is another. A row changes if the same way is only known better now.
   *
   * @param {string} text @param {{ note?: string, peer?: string }} [more] `note`: which candidates it goes between
   */
  addDirect(text, { note = '', peer = '' } = {}) {
    const last = this.#direct.get(peer);
    if (last?.label === text) return void (last.note.textContent = spaced(note));
    const row = this.#append(this.#row(['you', 'other-side'], 'direct', text, note, 'delivered', null));
    remember(this.#direct, peer, row);
  }

  /** @param {string} [peer] without one: with all of them */
  endCall(peer) {
    for (const known of [this.#direct, this.#described]) {
      if (peer === undefined) known.clear();
      else known.delete(peer);
    }
  }

  /** While it pauses, what is shown stays as it is. @param {boolean} isPaused @param {(held: number) => void} [onHeld] hears how many rows wait */
  pause(isPaused, onHeld = () => {}) {
    const held = this.#held ?? [];
    this.#held = isPaused ? held : null;
    this.#onHeld = onHeld;
    if (!isPaused) for (const row of held) this.#show(row);
  }

  /** @param {readonly Kind[]} kinds that are not shown */
  hide(kinds) {
    this.#list.dataset['hide'] = kinds.join(' ');
  }

  /** What is shown. @returns {Entry[]} */
  get entries() {
    const hidden = (this.#list.dataset['hide'] ?? '').split(' ');
    return this.#rows.filter(({ kind }) => !hidden.includes(kind)).map(({ item, note, ...row }) => {
      return { ...row, note: (note.textContent ?? '').trim(), fate: /** @type {Fate} */ (item.dataset['fate']) };
    });
  }

  /** @param {ClientMessage} message */
  #addSent(message) {
    const addressee = 'to' in message || message.type === 'message' ? 'other-side' : 'server';
    const row = this.#append(this.#row(['you', addressee], kindOf(message), message.type, this.#carriedBy(message), 'sent', message));
    if (message.ref !== undefined) this.#unanswered.set(message.ref, row);
  }

  /** An ack is drawn as the arrival of what it answers. @param {ServerMessage} message */
  #addReceived(message) {
    const answered = 'ref' in message && message.ref !== undefined ? this.#answer(message.ref, message.type) : null;
    if (answered && message.type === 'ack') return;
    const sender = 'from' in message ? 'other-side' : 'server';
    const label = message.type === 'error' ? message.code : message.type;
    const kind = message.type === 'error' && answered ? answered.kind : kindOf(message);
    this.#append(this.#row([sender, 'you'], kind, label, this.#carriedBy(message), message.type === 'error' ? 'refused' : 'delivered', message));
  }

  /** @param {Ref} ref @param {ServerMessage['type']} type */
  #answer(ref, type) {
    const row = this.#unanswered.get(ref) ?? null;
    this.#unanswered.delete(ref);
    row?.item.setAttribute('data-fate', type === 'error' ? 'refused' : 'delivered');
    return row;
  }

  /** @param {Said} message */
  #carriedBy(message) {
    const peer = 'from' in message ? message.from : 'to' in message ? (message.to ?? '') : '';
    const words = carriedBy(message, this.#say, !this.#described.has(peer));
    if (message.type === 'answer' && this.#described.size < MOST_PEERS) this.#described.add(peer);
    return words;
  }

  /** @param {[Lane, Lane]} way @param {Kind} kind @param {string} label @param {string} note @param {Fate} fate @param {Said | null} message @returns {Row} */
  #row(way, kind, label, note, fate, message) {
    const item = document.createElement('li');
    const at = new Date();
    const said = make('span', 'note', spaced(note));
    Object.assign(item.dataset, { way: way.join(' '), fate, kind });
    const arrow = make('span', 'arrow', make('span', 'aside', `${way.map((lane) => this.#say(lane)).join(' → ')}: `), make('span', 'said', make('b', '', label), said));
    item.append(make('time', '', timeOfDay(at)), message ? this.#withDetails(arrow, message) : make('div', 'lane', arrow));
    return { item, note: said, at, way, kind, label, message };
  }

  /** They are made when they are asked for: a description is long. @param {HTMLElement} arrow @param {Said} message */
  #withDetails(arrow, message) {
    const details = make('details', 'lane', make('summary', '', arrow));
    details.addEventListener('toggle', () => details.append(detailsOf(message, this.#say)), { once: true });
    return details;
  }

  /** @param {Row} row */
  #append(row) {
    if (this.#held) this.#hold(row, this.#held);
    else this.#show(row);
    return row;
  }

  /** @param {Row} row @param {Row[]} held */
  #hold(row, held) {
    held.push(row);
    if (held.length > MOST_ENTRIES) this.#forget(held.shift());
    this.#onHeld(held.length);
  }

  /** @param {Row} row */
  #show(row) {
    appendBounded(this.#list, row.item, MOST_ENTRIES);
    this.#rows.push(row);
    if (this.#rows.length > MOST_ENTRIES) this.#forget(this.#rows.shift());
  }

  /** @param {Row | undefined} row */
  #forget(row) {
    for (const [ref, unanswered] of this.#unanswered) if (unanswered === row) this.#unanswered.delete(ref);
  }
}

/** Behind its label, for those who listen. @param {string} note */
function spaced(note) {
  return note && ` ${note}`;
}

/** The oldest goes where there are too many. @param {Map<string, Row>} rows @param {string} peer @param {Row} row */
function remember(rows, peer, row) {
  rows.delete(peer);
  rows.set(peer, row);
  if (rows.size > MOST_PEERS) rows.delete([...rows.keys()][0] ?? '');
}

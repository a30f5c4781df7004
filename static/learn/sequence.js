/** What is said, from top to bottom: Alice on the left, the server in the middle, Bob on the right. */

/** @import { Frame } from '../js/client.js' */
/** @import { ClientMessage, ServerMessage } from '../js/protocol.js' */
/** @import { Say } from './words.js' */
import { make } from './make.js';

/** @typedef {'alice' | 'server' | 'bob'} Actor */
/** @typedef {'rows' | 'marks'} Acks whether each has a row of its own, or is a mark at what it acknowledges */

/** The reader's own presses make a few tens. */
const MOST_ENTRIES = 200;
/** In characters. */
const LONGEST_TEXT = 8000;

export class Sequence {
  #say;
  #acks;
  #list = make('ol', 'said-list');
  /** What was sent and not yet acknowledged, by the sender and its `ref`. Invariant: holds only what the list holds. @type {Map<string, HTMLElement>} */
  #unanswered = new Map();

  /** @param {HTMLElement} place @param {Say} say @param {Acks} acks */
  constructor(place, say, acks) {
    this.#say = say;
    this.#acks = acks;
    this.#list.tabIndex = 0;
    this.#list.setAttribute('aria-label', say('messages'));
    const actors = make('div', 'said-actors', ...['alice', 'server', 'bob'].map((actor) => make('span', '', this.#name(/** @type {Actor} */ (actor)))));
    actors.setAttribute('aria-hidden', 'true');
    place.append(make('div', 'said-drawing', actors, this.#list));
  }

  /** A message between a peer and the server. @param {'alice' | 'bob'} peer @param {Frame} frame */
  addFrame(peer, { direction, message }) {
    const ref = `${peer} ${'ref' in message ? message.ref : ''}`;
    if (message.type === 'ack' && this.#acks === 'marks') return this.#mark(ref);
    const way = direction === 'sent' ? `${peer} server` : `server ${peer}`;
    const kind = message.type === 'error' || message.type === 'ack' ? message.type : 'signaling';
    const item = this.#append(way, kind, labelOf(message), textOf(message));
    if (direction === 'sent') this.#unanswered.set(ref, item);
  }

  /** @param {string} ref */
  #mark(ref) {
    const label = this.#unanswered.get(ref)?.querySelector('b');
    this.#unanswered.delete(ref);
    label?.append(make('span', 'acked', ' ✓'));
  }

  /** What goes past the server. @param {'alice bob' | 'bob alice'} way @param {string} label @param {string} [text] */
  addDirect(way, label, text = '') {
    this.#append(way, 'direct', label, text);
  }

  /** What one of them does, or learns. @param {'alice' | 'bob'} peer @param {string} label @param {string} [text] */
  addNote(peer, label, text = '') {
    this.#append(peer, 'note', label, text);
  }

  /** @param {string} way @param {string} kind @param {string} label @param {string} text */
  #append(way, kind, label, text) {
    const names = way.split(' ').map((actor) => this.#name(/** @type {Actor} */ (actor)));
    const wire = make('span', 'said-arrow', make('span', 'aside', `${names.join(' → ')}: `), make('b', '', label));
    const item = make('li', '', text ? withDetails(wire, text) : make('div', 'said-row', wire));
    item.dataset['way'] = way;
    item.dataset['kind'] = kind;
    this.#list.append(item);
    while (this.#list.childElementCount > MOST_ENTRIES) this.#list.firstElementChild?.remove();
    for (const [ref, { isConnected }] of this.#unanswered) if (!isConnected) this.#unanswered.delete(ref);
    this.#list.scrollTop = this.#list.scrollHeight;
    return item;
  }

  /** @param {Actor} actor */
  #name(actor) {
    return this.#say(actor);
  }
}

/** An error by its code, a candidate by its kind. @param {ClientMessage | ServerMessage} message */
function labelOf(message) {
  if (message.type === 'error') return message.code;
  if (message.type !== 'candidate') return message.type;
  const [, kind] = / typ (\w+)/.exec(JSON.stringify(message.candidate)) ?? [];
  return kind ? `candidate: ${kind}` : message.type;
}

/** @param {HTMLElement} wire @param {string} text */
function withDetails(wire, text) {
  const pre = make('pre', '', text);
  return make('details', '', make('summary', 'said-row', wire), pre);
}

/** @param {ClientMessage | ServerMessage} message */
function textOf(message) {
  return JSON.stringify(message, withoutSecrets, 2).replaceAll('\\r\\n', '\n').slice(0, LONGEST_TEXT);
}

/** The page may be shown to a class. @param {string} field @param {unknown} value */
function withoutSecrets(field, value) {
  return field === 'credential' || field === 'resume' ? '…' : value;
}

/** The messages of the signaling as a sequence diagram: you, the server, the other side. */

/** @import { ClientMessage, Ref, ServerMessage } from '../protocol.js' */
/** @import { Frame } from '../client.js' */
/** @import { Say } from './language.js' */
import { appendBounded, elementById, make } from './element.js';

const MOST_ENTRIES = 200;
/** In characters: what one entry shows when it is opened. */
const LONGEST_TEXT = 8000;

/** @typedef {'you' | 'server' | 'other-side'} Lane */
/** @typedef {'sent' | 'delivered' | 'refused'} Fate `sent`: the server has not yet answered */

export class Diagram {
  #say;
  #list = elementById('diagram', HTMLOListElement);
  /** What was sent and not yet answered. Invariant: holds only what the list holds. @type {Map<Ref, HTMLLIElement>} */
  #unanswered = new Map();

  /** What was last added of the present call. @type {string | null} */
  #direct = null;

  /** @param {Say} say */
  constructor(say) {
    this.#say = say;
  }

  /** @param {Frame} frame */
  add(frame) {
    if (frame.direction === 'sent') this.#addSent(frame.message);
    else this.#addReceived(frame.message);
  }

  /** What no server sees; told once, until it is another. @param {string} text */
  addDirect(text) {
    if (text === this.#direct) return;
    this.#direct = text;
    this.#append(this.#entry(['you', 'other-side'], text, 'delivered', null)).dataset['kind'] = 'direct';
  }

  endCall() {
    this.#direct = null;
  }

  /** @param {ClientMessage} message */
  #addSent(message) {
    const addressee = 'to' in message || message.type === 'message' ? 'other-side' : 'server';
    const item = this.#append(this.#entry(['you', addressee], message.type, 'sent', message));
    if (message.ref !== undefined) this.#unanswered.set(message.ref, item);
  }

  /** An ack is drawn as the arrival of what it answers. @param {ServerMessage} message */
  #addReceived(message) {
    const answered = 'ref' in message && message.ref !== undefined && this.#answer(message.ref, message.type);
    if (answered && message.type === 'ack') return;
    const sender = 'from' in message ? 'other-side' : 'server';
    const label = message.type === 'error' ? message.code : message.type;
    this.#append(this.#entry([sender, 'you'], label, message.type === 'error' ? 'refused' : 'delivered', message));
  }

  /** @param {Ref} ref @param {ServerMessage['type']} type */
  #answer(ref, type) {
    const item = this.#unanswered.get(ref);
    this.#unanswered.delete(ref);
    item?.setAttribute('data-fate', type === 'error' ? 'refused' : 'delivered');
    return item !== undefined;
  }

  /** @param {[Lane, Lane]} way @param {string} label @param {Fate} fate @param {ClientMessage | ServerMessage | null} message */
  #entry(way, label, fate, message) {
    const item = document.createElement('li');
    item.dataset['way'] = way.join(' ');
    item.dataset['fate'] = fate;
    const arrow = make('span', 'arrow', make('span', 'aside', `${way.map((lane) => this.#say(lane)).join(' → ')}: `), make('b', '', label));
    item.append(make('time', '', timeOfDay(new Date())), message ? withDetails(arrow, message) : make('div', 'lane', arrow));
    return item;
  }

  /** @param {HTMLLIElement} item */
  #append(item) {
    appendBounded(this.#list, item, MOST_ENTRIES);
    for (const [ref, { isConnected }] of this.#unanswered) if (!isConnected) this.#unanswered.delete(ref);
    return item;
  }
}

/** The text is made when it is asked for: a description is long. @param {HTMLElement} arrow @param {ClientMessage | ServerMessage} message */
function withDetails(arrow, message) {
  const details = make('details', 'lane', make('summary', '', arrow));
  details.addEventListener('toggle', () => details.append(make('pre', '', textOf(message))), { once: true });
  return details;
}

/** @param {ClientMessage | ServerMessage} message */
function textOf(message) {
  return JSON.stringify(message, withoutSecrets, 2).replaceAll('\\r\\n', '\n').slice(0, LONGEST_TEXT);
}

/** A person may show her screen. @param {string} field @param {unknown} value */
function withoutSecrets(field, value) {
  return field === 'credential' ? '…' : value;
}

/** @param {Date} date */
function timeOfDay(date) {
  return date.toTimeString().slice(0, 8);
}

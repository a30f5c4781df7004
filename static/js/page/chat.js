/** The chat beside a call. */

/** @import { Say } from './language.js' */
import { appendBounded, elementById, make } from './element.js';

const MOST_LINES = 200;

export class Chat {
  #say;
  #log = elementById('chat-log', HTMLOListElement);
  #input = elementById('chat-input', HTMLInputElement);
  #send = elementById('chat-send', HTMLButtonElement);

  /** @param {Say} say @param {(text: string) => boolean} send false: it could not be sent */
  constructor(say, send) {
    this.#say = say;
    elementById('chat-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit(send);
    });
  }

  clear() {
    this.#log.replaceChildren();
    this.open(false);
  }

  /** @param {boolean} open */
  open(open) {
    this.#input.disabled = !open;
    this.#send.disabled = !open;
  }

  /** @param {'you' | 'other-side'} from @param {string} text @param {string} [who] in a room: which of the others */
  add(from, text, who) {
    const name = make('span', who ? 'who' : 'aside', make('bdi', '', who ?? this.#say(from)), who ? '' : ': ');
    const said = make('span', 'text', text);
    // Each text runs as its own letters do, also beside a name that runs the other way.
    said.dir = 'auto';
    this.#append(from, name, said);
  }

  /** What is no one's word. @param {string} sentence */
  tell(sentence) {
    this.#append('notice', sentence);
  }

  /** @param {(text: string) => boolean} send */
  #submit(send) {
    const text = this.#input.value.trim();
    if (!text) return;
    if (!send(text)) return this.#append('problem', this.#say('chat-not-sent'));
    this.add('you', text);
    this.#input.value = '';
  }

  /** @param {string} from @param {...(Node | string)} children */
  #append(from, ...children) {
    const item = document.createElement('li');
    item.dataset['from'] = from;
    item.append(...children);
    appendBounded(this.#log, item, MOST_LINES);
  }
}

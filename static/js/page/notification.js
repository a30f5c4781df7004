/** A notification of the system's while it rings and the page is out of sight. The permission for it is asked for by a button alone. */

/** @import { Say } from './language.js' */
/** @import { Phrase } from './words.js' */
import { elementById, show } from './element.js';

/** One at a time, by this name. */
const TAG = 'entremise-call';

export class CallNotification {
  #say;
  #tell;
  #button = elementById('notify', HTMLButtonElement);
  /** @type {Notification | null} */
  #shown = null;

  /** @param {Say} say @param {(phrase: Phrase) => void} tell */
  constructor(say, tell) {
    this.#say = say;
    this.#tell = tell;
    this.#button.addEventListener('click', () => void this.#ask());
    this.#offer();
  }

  /** @param {string} who rings */
  show(who) {
    this.close();
    if (permission() !== 'granted' || !document.hidden) return;
    try {
      this.#shown = new Notification(this.#say('incoming-call'), { body: who, tag: TAG, icon: 'favicon.svg' });
      this.#shown.onclick = () => (globalThis.focus(), this.close());
    } catch {
      // Chrome on Android has notifications of service workers only.
    }
  }

  /** It rings no more. */
  close() {
    this.#shown?.close();
    this.#shown = null;
  }

  async #ask() {
    await Notification.requestPermission();
    this.#offer();
    if (permission() !== 'default') this.#tell(permission() === 'granted' ? 'notify-allowed' : 'notify-blocked');
  }

  /** The button, as long as there is something to ask. */
  #offer() {
    show(this.#button, permission() === 'default');
  }
}

/** @returns {NotificationPermission} */
function permission() {
  return 'Notification' in globalThis ? Notification.permission : 'denied';
}

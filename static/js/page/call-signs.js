/** What goes on beside a call, by the call's own events: it rings, it lasts, its connection is good or not, its picture fills the screen. */

/** @import { Call, CallState } from '../call.js' */
/** @import { Say } from './language.js' */
/** @import { Phrase } from './words.js' */
import { elementById } from './element.js';
import { CallNotification } from './notification.js';
import { CallTimer } from './timer.js';
import { ConnectionMark } from './connection-mark.js';
import { Ring } from './ring.js';
import { View } from './view.js';

export class CallSigns {
  #say;
  #ring = new Ring();
  #timer = new CallTimer();
  #view = new View();
  #mark;
  #notification;

  /** @param {Say} say @param {(phrase: Phrase) => void} tell */
  constructor(say, tell) {
    this.#say = say;
    this.#mark = new ConnectionMark(say, elementById('quality', HTMLSpanElement));
    this.#notification = new CallNotification(say, tell);
  }

  /** @param {Call} call @param {string} who it is with, in short */
  follow(call, who) {
    call.on('state', ({ state }) => this.#take(call, state));
    call.on('silent', ({ silent }) => this.#mark.showSilence(silent));
    if (call.state !== 'ringing') return;
    this.#ring.start();
    this.#notification.show(this.#say('state-ringing', { peer: who }));
  }

  /** @param {Call} call @param {CallState} state */
  #take(call, state) {
    this.#ring.stop();
    this.#notification.close();
    if (state === 'connected') {
      this.#timer.start();
      this.#mark.follow(call);
    }
    if (state !== 'ended') return;
    this.#timer.stop();
    this.#mark.clear();
    this.#view.leave();
  }
}

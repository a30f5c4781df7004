/** The tutorial: its programs are shown as the files that they are, and its live parts are put to work. */

import { Live } from './live.js';
import { call } from './lesson/call.js';
import { offer } from './lesson/offer.js';
import { secure } from './lesson/secure.js';
import { stun } from './lesson/stun.js';
import { trouble } from './lesson/trouble.js';
import { turn } from './lesson/turn.js';
import { websocket } from './lesson/websocket.js';
import { showProgram } from './program.js';
import { sayIn } from './words.js';

/** @import { Lesson } from './live.js' */

/** @type {Record<string, Lesson>} */
const lessons = { secure, websocket, offer, call, stun, turn, trouble };
const say = sayIn(document.documentElement.lang);

for (const place of document.querySelectorAll('[data-program]')) {
  if (place instanceof HTMLElement) void showProgram(place, say);
}
for (const place of document.querySelectorAll('[data-live]')) {
  const lesson = place instanceof HTMLElement ? lessons[place.dataset['live'] ?? ''] : undefined;
  if (lesson) new Live(/** @type {HTMLElement} */ (place), lesson, say);
}

/** The way into a room, in the lobby: its name is chosen, or came with a link, and its link is handed out. */

/** @import { CopyButton } from './copy-button.js' */
/** @import { Handover } from './handover.js' */
import { breakable, elementById } from './element.js';
import { freshRoom, linkToRoom, roomInText } from './share.js';

export class RoomDoor {
  #name = elementById('room-name', HTMLInputElement);
  #link = elementById('room-link', HTMLAnchorElement);

  /** @param {CopyButton} copying @param {Handover} handover @param {(link: string) => void} onOpen a room was chosen */
  constructor(copying, handover, onOpen) {
    this.#name.value = freshRoom(crypto.getRandomValues(new Uint8Array(6)));
    copying.follow(elementById('copy-room-link', HTMLButtonElement), this.#link);
    handover.offer({ code: 'room-code', sheet: 'room-sheet' }, () => this.#link.href);
    elementById('room-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      const room = roomInText(this.#name.value);
      if (room) onOpen(linkToRoom(room, location));
      else this.#name.focus();
    });
  }

  /** @param {string} room whose link is open; '' for none */
  show(room) {
    if (!room) return;
    const link = linkToRoom(room, location);
    this.#link.href = link;
    this.#link.replaceChildren(...breakable(link));
  }
}

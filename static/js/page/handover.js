/** Handing over a link: as a QR code, and by what the system has to share with. */

/** @import { Say } from './language.js' */
import { Dialog } from './dialog.js';
import { elementById } from './element.js';
import { drawQrCode } from './qr.js';

export class Handover {
  #say;
  #dialog = new Dialog('qr-dialog');

  /** @param {Say} say */
  constructor(say) {
    this.#say = say;
  }

  /**
   * @param {{ code: string, sheet: string }} buttons their ids
   * @param {() => string} link asked for when it is handed over; '' while there is none
   */
  offer(buttons, link) {
    elementById(buttons.code, HTMLButtonElement).addEventListener('click', () => this.#showCode(link()));
    const sheet = elementById(buttons.sheet, HTMLButtonElement);
    sheet.hidden = !('share' in navigator);
    sheet.addEventListener('click', () => void this.#share(link()));
  }

  /** @param {string} link */
  #showCode(link) {
    if (!link) return;
    drawQrCode(elementById('qr-code', HTMLCanvasElement), link);
    elementById('qr-link', HTMLParagraphElement).textContent = link;
    this.#dialog.open();
  }

  /** A person who closes the sheet has changed her mind. @param {string} link */
  async #share(link) {
    if (link) await navigator.share({ title: 'entremise', text: this.#say('share-text'), url: link }).catch(() => {});
  }
}

/** One file that is offered, on its way, or there: what it is, how far it is, and what can be done with it. */

/** @import { FileTransfer, Sink, TransferState } from '../file-transfer.js' */
/** @import { Say } from './language.js' */
/** @import { Phrase } from './words.js' */
import { isPhrase } from './language.js';
import { make } from './element.js';

/** In milliseconds: how often a row that moves is drawn anew. */
const BREATH = 250;
/** In bytes: a file that is larger goes to the disk as it comes, where the browser lets a page write there. */
const LARGE = 32 << 20;
/** In bytes: a picture that is larger is not shown, only kept. */
const LARGEST_PICTURE = 16 << 20;
/** In pixels: the width and height of a picture that is shown. */
const PICTURE = 220;
const PICTURES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

export class FileRow {
  #say;
  #transfer;
  #who;
  #told = make('span', 'told');
  #bar = /** @type {HTMLProgressElement} */ (make('progress', ''));
  #actions = make('span', 'actions');
  /** When it began to move, and when it was drawn last. In milliseconds. */
  #since = 0;
  #drawn = 0;
  /** @readonly */
  element;

  /** @param {Say} say @param {FileTransfer} transfer @param {() => string} who the other side */
  constructor(say, transfer, who) {
    this.#say = say;
    this.#transfer = transfer;
    this.#who = who;
    const name = make('bdi', 'name', transfer.name);
    this.element = make('li', 'file', name, make('span', 'size', sizeOf(transfer.size)), this.#told, this.#bar, this.#actions);
    this.#bar.max = Math.max(1, transfer.size);
    this.#bar.ariaLabel = transfer.name;
    transfer.on('state', () => this.#enter());
    transfer.on('progress', () => this.#move());
    this.#enter();
  }

  #enter() {
    const { state } = this.#transfer;
    if (state === 'running') this.#since = performance.now();
    this.element.dataset['state'] = state;
    this.#bar.hidden = state !== 'running';
    const hadFocus = this.#actions.contains(document.activeElement);
    this.#actions.replaceChildren(...this.#deeds(state));
    if (hadFocus) /** @type {HTMLElement | null} */ (this.#actions.querySelector('button, a') ?? this.element.closest('[tabindex]'))?.focus();
    if (state === 'done') void this.#showPicture();
    this.#draw();
  }

  #move() {
    if (performance.now() - this.#drawn >= BREATH) this.#draw();
  }

  #draw() {
    this.#drawn = performance.now();
    this.#bar.value = this.#transfer.bytes;
    this.#told.textContent = this.#sentence();
  }

  #sentence() {
    const { state, reason, direction, bytes } = this.#transfer;
    const who = this.#who();
    if (state === 'running') return this.#say('file-running', { bytes: sizeOf(bytes), rate: sizeOf(bytes / Math.max(0.1, (this.#drawn - this.#since) / 1000)) });
    const phrases = [`file-${state}-${reason}`, `file-${state}-${direction}`, `file-${state}`];
    return this.#say(/** @type {Phrase} */ (phrases.find(isPhrase)), { who });
  }

  /** @param {TransferState} state */
  #deeds(state) {
    const isOffered = state === 'offered' && this.#transfer.direction === 'incoming';
    if (isOffered) return [this.#deed('file-accept', () => void this.#accept()), this.#deed('file-decline', () => this.#transfer.cancel())];
    if (state === 'offered' || state === 'running') return [this.#deed('file-cancel', () => this.#transfer.cancel())];
    return state === 'done' && this.#transfer.blob ? [this.#download(this.#transfer.blob)] : [];
  }

  /** @param {Phrase} phrase @param {() => void} act */
  #deed(phrase, act) {
    const button = /** @type {HTMLButtonElement} */ (make('button', 'quiet', this.#say(phrase)));
    button.type = 'button';
    button.ariaLabel = `${this.#say(phrase)}: ${this.#transfer.name}`;
    button.addEventListener('click', act);
    return button;
  }

  /** Its address is made when it is asked for: each would hold the file until the page is closed. @param {Blob} blob */
  #download(blob) {
    return this.#deed('file-save', () => {
      const link = /** @type {HTMLAnchorElement} */ (make('a', ''));
      link.href = URL.createObjectURL(blob);
      link.download = this.#transfer.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    });
  }

  async #accept() {
    if (this.#transfer.size <= LARGE || !('showSaveFilePicker' in globalThis)) return this.#transfer.accept();
    try {
      this.#transfer.accept(await placeOnDisk(this.#transfer.name));
    } catch {
      // She closed the dialog: the file is still offered.
    }
  }

  /** On a canvas, so that what came is never opened as a page of this server's. */
  async #showPicture() {
    const { blob, mime, size } = this.#transfer;
    if (!blob || !PICTURES.includes(mime) || size > LARGEST_PICTURE) return;
    const picture = await createImageBitmap(new Blob([blob], { type: mime }), { resizeWidth: PICTURE, resizeQuality: 'medium' }).catch(() => null);
    if (!picture) return;
    const canvas = /** @type {HTMLCanvasElement} */ (make('canvas', 'picture'));
    canvas.width = picture.width;
    canvas.height = Math.min(picture.height, 2 * PICTURE);
    canvas.role = 'img';
    canvas.ariaLabel = this.#transfer.name;
    canvas.getContext('2d')?.drawImage(picture, 0, 0);
    this.element.append(canvas);
  }
}

/** @param {string} name @returns {Promise<Sink>} */
async function placeOnDisk(name) {
  const { showSaveFilePicker } = /** @type {{ showSaveFilePicker(options: object): Promise<FileSystemFileHandle> }} */ (/** @type {unknown} */ (globalThis));
  const handle = await showSaveFilePicker.call(globalThis, { suggestedName: name });
  return handle.createWritable();
}

/** @param {number} bytes */
export function sizeOf(bytes) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  return `${power > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

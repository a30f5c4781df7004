/**
 * The person's own picture and sound before a call. It is opened when she asks for it, and never by itself, so that no prompt of the
 * browser comes as a surprise. What is open here goes on into the call that follows, or is let go of.
 */

/** @import { Kind, Manner } from './device-request.js' */
/** @import { Say } from './language.js' */
/** @import { LocalMedia, Wish } from './media.js' */
/** @import { Phrase } from './words.js' */
import { elementById, show } from './element.js';

export class Preview {
  #say;
  #owner;
  #details = elementById('preview', HTMLDetailsElement);
  #video = elementById('preview-video', HTMLVideoElement);
  #told = elementById('preview-told', HTMLParagraphElement);
  #again = elementById('ask-again', HTMLButtonElement);
  /** @type {LocalMedia | null} */
  #media = null;

  /**
   * @param {Say} say
   * @param {{ create(): LocalMedia, wish(): Wish, onChange(sound: MediaStreamTrack | null): void }} owner
   *   `onChange`: something was opened, or is closed, and this is the microphone now
   */
  constructor(say, owner) {
    this.#say = say;
    this.#owner = owner;
    this.#details.addEventListener('toggle', () => (this.#details.open ? void this.#open() : this.close()));
    this.#again.addEventListener('click', () => void this.#look('again'));
  }

  /** The call takes what is open here. */
  handOver() {
    const media = this.#media;
    this.#media = null;
    this.#clear();
    return media;
  }

  close() {
    this.#media?.stop();
    this.handOver();
  }

  /** Something else is wished for. */
  async follow() {
    if (this.#media) await this.#look('once');
  }

  /** @param {Kind} kind of which another device was chosen */
  async change(kind) {
    const media = this.#media;
    if (!media) return;
    const problems = await media.change(kind);
    if (this.#media === media) this.#show(media, problems);
  }

  /** To open it is to press a button: what was refused before is asked for again. */
  async #open() {
    this.#media ??= this.#owner.create();
    await this.#look('again');
  }

  /** @param {Manner} manner */
  async #look(manner) {
    const media = this.#media;
    if (!media) return;
    const wish = this.#owner.wish();
    this.#told.textContent = wish === 'neither' ? '' : this.#say('preview-asking');
    const { problems } = await media.open(wish, manner);
    if (this.#media === media) this.#show(media, problems);
  }

  /** @param {LocalMedia} media @param {Phrase[]} problems */
  #show(media, problems) {
    this.#video.srcObject = media.stream;
    this.#video.hidden = !media.hasCamera;
    this.#told.textContent = problems.length ? problems.map((problem) => this.#say(problem)).join(' ') : this.#sentence();
    show(this.#again, problems.length > 0);
    this.#owner.onChange(media.sound);
  }

  #sentence() {
    const wish = this.#owner.wish();
    if (wish === 'camera') return '';
    return this.#say(wish === 'neither' ? 'preview-nothing' : 'preview-sound-only');
  }

  #clear() {
    this.#details.open = false;
    this.#video.srcObject = null;
    this.#video.hidden = true;
    this.#told.textContent = '';
    this.#again.hidden = true;
    this.#owner.onChange(null);
  }
}

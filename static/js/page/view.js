/** How the picture of the other side is looked at: full screen, or in a small window above all others. Each where the browser can. */

import { elementById, show } from './element.js';

export class View {
  #frame = elementById('stage', HTMLElement);
  #video = elementById('remote-video', HTMLVideoElement);
  #full = elementById('full-screen', HTMLButtonElement);
  #small = elementById('picture-in-picture', HTMLButtonElement);

  constructor() {
    this.#full.hidden = !document.fullscreenEnabled;
    this.#full.addEventListener('click', () => void this.#toggleFull().catch(() => {}));
    document.addEventListener('fullscreenchange', () => this.#showFull());
    this.#small.addEventListener('click', () => void this.#toggleSmall().catch(() => {}));
    for (const change of ['enterpictureinpicture', 'leavepictureinpicture', 'loadedmetadata', 'emptied']) this.#video.addEventListener(change, () => this.#showSmall());
    this.#showFull();
    this.#showSmall();
  }

  /** The call is over. */
  leave() {
    if (document.fullscreenElement === this.#frame) void document.exitFullscreen().catch(() => {});
    if (this.#isSmall) void document.exitPictureInPicture().catch(() => {});
  }

  get #isSmall() {
    return document.pictureInPictureElement === this.#video;
  }

  #toggleFull() {
    return document.fullscreenElement ? document.exitFullscreen() : this.#frame.requestFullscreen();
  }

  /** @returns {Promise<unknown>} */
  #toggleSmall() {
    return this.#isSmall ? document.exitPictureInPicture() : this.#video.requestPictureInPicture();
  }

  #showFull() {
    this.#full.ariaPressed = String(document.fullscreenElement === this.#frame);
  }

  /** There has to be a picture: of sound alone, browsers make no window. */
  #showSmall() {
    this.#small.ariaPressed = String(this.#isSmall);
    show(this.#small, (document.pictureInPictureEnabled ?? false) && this.#video.videoWidth > 0);
  }
}

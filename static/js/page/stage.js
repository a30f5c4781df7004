/** The two pictures of a call, and the buttons below them. */

/** @import { MediaSent } from '../chat-channel.js' */
/** @import { Path } from '../path.js' */
/** @import { Say } from './language.js' */
import { elementById } from './element.js';
import { wordsOfPath } from './situation.js';

export class Stage {
  #say;
  #frame = elementById('stage', HTMLElement);
  #remote = elementById('remote-video', HTMLVideoElement);
  #local = elementById('local-video', HTMLVideoElement);
  #path = elementById('path', HTMLSpanElement);
  #remoteMuted = elementById('remote-muted', HTMLSpanElement);
  #mute = elementById('mute', HTMLButtonElement);
  #cameraOff = elementById('camera-off', HTMLButtonElement);
  /** What the other side says that it sends. */
  #told = { audio: true, video: true };

  /**
   * @param {Say} say
   * @param {{ onMute(muted: boolean): void, onCamera(off: boolean): Promise<void> }} owner `onCamera` may take its time; it can't be asked twice meanwhile
   */
  constructor(say, { onMute, onCamera }) {
    this.#say = say;
    this.#mute.addEventListener('click', () => onMute(toggle(this.#mute)));
    this.#cameraOff.addEventListener('click', () => void this.#switchCamera(onCamera));
    this.clear();
  }

  /** Before a call, and after it. */
  clear() {
    this.#remote.srcObject = null;
    this.#told = { audio: true, video: true };
    this.#path.hidden = true;
    this.showSilence(false);
    this.showLocal(null);
    for (const button of [this.#mute, this.#cameraOff]) {
      button.hidden = true;
      button.ariaPressed = 'false';
    }
    this.#update();
  }

  /** The place of what had the focus before the call: a key that is pressed once more does nothing here. */
  focus() {
    this.#frame.focus({ preventScroll: true });
  }

  /** What can be switched in this call. @param {MediaSent} media */
  offer({ audio, video }) {
    this.#mute.hidden = !audio;
    this.#cameraOff.hidden = !video;
  }

  /** @param {MediaStream | null} stream */
  showLocal(stream) {
    this.#local.srcObject = stream;
    this.#local.hidden = !stream?.getVideoTracks().length;
    this.#cameraOff.ariaPressed = String(this.#local.hidden);
  }

  /** One track of each kind is shown, the newest: so the other side can't pile them up. @param {MediaStreamTrack} track */
  showRemote(track) {
    const others = this.#remoteTracks().filter(({ kind }) => kind !== track.kind);
    this.#remote.srcObject = new MediaStream([...others, track]);
    for (const change of ['mute', 'unmute']) track.addEventListener(change, () => this.#update());
    this.#update();
  }

  /** @param {MediaSent} media what the other side sends at the moment */
  showRemoteMedia(media) {
    this.#told = media;
    this.#update();
  }

  /** Nothing comes any more: what stands there is the last picture. @param {boolean} silent */
  showSilence(silent) {
    this.#frame.toggleAttribute('data-silent', silent);
  }

  /** @param {Path} path */
  showPath(path) {
    const { kind, local, remote, protocol } = path;
    this.#path.textContent = wordsOfPath(path, this.#say);
    this.#path.title = `${local} ↔ ${remote}, ${protocol.toUpperCase()}`;
    this.#path.dataset['path'] = kind;
    this.#path.hidden = false;
  }

  #remoteTracks() {
    return this.#remote.srcObject instanceof MediaStream ? this.#remote.srcObject.getTracks() : [];
  }

  /** A track is muted until its first picture arrives, and for good if the other side has no camera. */
  #update() {
    const hasPicture = this.#remoteTracks().some(({ kind, muted }) => kind === 'video' && !muted);
    this.#remote.toggleAttribute('data-picture', hasPicture && this.#told.video);
    this.#remoteMuted.hidden = this.#told.audio;
  }

  /** @param {(off: boolean) => Promise<void>} onCamera */
  async #switchCamera(onCamera) {
    if (this.#cameraOff.ariaBusy === 'true') return;
    this.#cameraOff.ariaBusy = 'true';
    await onCamera(this.#cameraOff.ariaPressed !== 'true');
    this.#cameraOff.ariaBusy = 'false';
  }
}

/** @param {HTMLButtonElement} button @returns {boolean} pressed now */
function toggle(button) {
  const pressed = button.ariaPressed !== 'true';
  button.ariaPressed = String(pressed);
  return pressed;
}

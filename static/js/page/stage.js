/** The two pictures of a call, and the buttons below them. */

/** @import { Path } from '../path.js' */
/** @import { Say } from './language.js' */
import { elementById } from './element.js';
import { wordsOfPath } from './situation.js';

export class Stage {
  #say;
  #remote = elementById('remote-video', HTMLVideoElement);
  #local = elementById('local-video', HTMLVideoElement);
  #path = elementById('path', HTMLParagraphElement);
  #mute = elementById('mute', HTMLButtonElement);
  #cameraOff = elementById('camera-off', HTMLButtonElement);

  /** @param {Say} say */
  constructor(say) {
    this.#say = say;
    this.#mute.addEventListener('click', () => this.#toggle(this.#mute, 'audio'));
    this.#cameraOff.addEventListener('click', () => this.#toggle(this.#cameraOff, 'video'));
    this.clear();
  }

  /** Before a call, and after it. */
  clear() {
    this.#remote.srcObject = null;
    delete this.#remote.dataset['picture'];
    this.#path.hidden = true;
    this.showLocal(null);
  }

  /** @param {MediaStream | null} stream */
  showLocal(stream) {
    this.#local.srcObject = stream;
    this.#local.hidden = !stream?.getVideoTracks().length;
    this.#prepare(this.#mute, stream?.getAudioTracks());
    this.#prepare(this.#cameraOff, stream?.getVideoTracks());
  }

  /** One track of each kind is shown, the newest: so the other side can't pile them up. @param {MediaStreamTrack} track */
  showRemote(track) {
    const others = this.#remoteTracks().filter(({ kind }) => kind !== track.kind);
    this.#remote.srcObject = new MediaStream([...others, track]);
    if (track.kind === 'video') this.#watchPicture(track);
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

  /** A track is muted until its first picture arrives, and for good if the other side has no camera. @param {MediaStreamTrack} track */
  #watchPicture(track) {
    const show = () => {
      if (this.#remoteTracks().includes(track)) this.#remote.toggleAttribute('data-picture', !track.muted);
    };
    track.addEventListener('mute', show);
    track.addEventListener('unmute', show);
    show();
  }

  /** @param {HTMLButtonElement} button @param {MediaStreamTrack[] | undefined} tracks */
  #prepare(button, tracks) {
    button.hidden = !tracks?.length;
    button.ariaPressed = 'false';
  }

  /** @param {HTMLButtonElement} button @param {'audio' | 'video'} kind */
  #toggle(button, kind) {
    const off = button.ariaPressed !== 'true';
    button.ariaPressed = String(off);
    const tracks = this.#local.srcObject instanceof MediaStream ? this.#local.srcObject.getTracks() : [];
    for (const track of tracks) if (track.kind === kind) track.enabled = !off;
    if (kind === 'video') this.#local.toggleAttribute('data-off', off);
  }
}

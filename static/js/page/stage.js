/** The two pictures of a call, and the buttons below them. */

/** @import { MediaSent } from '../note.js' */
/** @import { Path } from '../path.js' */
/** @import { Say } from './language.js' */
import { elementById } from './element.js';
import { wordsOfPath } from './situation.js';

/** @typedef {{ stream: MediaStream | null, sent: MediaSent, hasCamera: boolean }} Shown what this side sends, and whether its camera is on */

export class Stage {
  #say;
  #frame = elementById('stage', HTMLElement);
  #remote = elementById('remote-video', HTMLVideoElement);
  #local = elementById('local-video', HTMLVideoElement);
  #path = elementById('path', HTMLSpanElement);
  #remoteMuted = elementById('remote-muted', HTMLSpanElement);
  #remoteScreen = elementById('remote-screen', HTMLSpanElement);
  #mute = elementById('mute', HTMLButtonElement);
  #cameraOff = elementById('camera-off', HTMLButtonElement);
  #screen = elementById('screen', HTMLButtonElement);
  /** What the other side says that it sends. @type {MediaSent} */
  #told = { audio: true, video: true };

  /**
   * @param {Say} say
   * @param {{ onMute(muted: boolean): Promise<void>, onCamera(off: boolean): Promise<void>, onScreen(on: boolean): Promise<void> }} owner
   *   each may take its time, as the browser may ask the person; it can't be asked twice meanwhile
   */
  constructor(say, { onMute, onCamera, onScreen }) {
    this.#say = say;
    onSwitch(this.#mute, onMute);
    onSwitch(this.#cameraOff, onCamera);
    onSwitch(this.#screen, onScreen);
    this.clear();
  }

  /** Before a call, and after it. */
  clear() {
    this.#remote.srcObject = null;
    this.#told = { audio: true, video: true };
    this.#path.hidden = true;
    this.showSilence(false);
    this.#local.srcObject = null;
    this.#local.hidden = true;
    for (const button of [this.#mute, this.#cameraOff, this.#screen]) {
      button.hidden = true;
      button.ariaPressed = 'false';
    }
    this.#update();
  }

  /** The place of what had the focus before the call: a key that is pressed once more does nothing here. The lobby may have been scrolled. */
  focus() {
    this.#frame.focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  /** @param {{ devices: boolean, screen: boolean }} abilities what this browser gives: a call that began without can have it later */
  offer({ devices, screen }) {
    this.#mute.hidden = this.#cameraOff.hidden = !devices;
    this.#screen.hidden = !screen;
  }

  /** @param {Shown} media */
  showLocal({ stream, sent, hasCamera }) {
    this.#local.srcObject = stream;
    this.#local.hidden = !sent.video;
    this.#local.toggleAttribute('data-screen', sent.screen ?? false);
    this.#mute.ariaPressed = String(!sent.audio);
    this.#cameraOff.ariaPressed = String(!hasCamera);
    this.#screen.ariaPressed = String(sent.screen ?? false);
  }

  /** The speaker that the person chose; '' is the browser's. One that is gone is no reason to hear nothing. @param {string} id */
  useSpeaker(id) {
    if ('setSinkId' in this.#remote) void this.#remote.setSinkId(id).catch(() => {});
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
    const isScreen = this.#told.video && (this.#told.screen ?? false);
    this.#remote.toggleAttribute('data-picture', hasPicture && this.#told.video);
    this.#remote.toggleAttribute('data-screen', isScreen);
    this.#remoteMuted.hidden = this.#told.audio;
    this.#remoteScreen.hidden = !isScreen;
  }
}

/** @param {HTMLButtonElement} button @param {(pressed: boolean) => Promise<void>} act it says itself what has become of it */
function onSwitch(button, act) {
  button.addEventListener('click', async () => {
    if (button.ariaBusy === 'true') return;
    button.ariaBusy = 'true';
    await act(button.ariaPressed !== 'true');
    button.ariaBusy = 'false';
  });
}

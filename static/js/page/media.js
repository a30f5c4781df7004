/**
 * This side's camera and microphone, for one call or for the look at oneself before it, and the screen that stands in for the camera. A call
 * never waits for what isn't there: it goes on, receiving.
 */

/** @import { MediaSent } from '../note.js' */
/** @import { Kind, Manner } from './device-request.js' */
/** @import { Phrase } from './words.js' */
import { DeviceRequest } from './device-request.js';

/** @typedef {'camera' | 'microphone' | 'neither'} Wish */
/**
 * @typedef {{ device?: (kind: Kind) => string, refused?: Set<Kind>, onLost?: (kind: Kind) => void }} Surroundings
 *   `device`: the id of the one that the person chose, or ''; `refused`: what she has refused since the page was opened, shared by all that
 *   ask; `onLost`: the device was unplugged, or taken away by the browser
 */

/** @type {Record<Wish, Kind[]>} */
const kinds = { camera: ['audio', 'video'], microphone: ['audio'], neither: [] };

export class LocalMedia {
  #stopped = false;
  #muted = false;
  /** @type {MediaStreamTrack[]} */
  #tracks = [];
  /** @type {MediaStreamTrack | null} */
  #screen = null;
  /** What is under way: the browser is asked for one thing after the other. @type {Promise<unknown>} */
  #last = Promise.resolve();
  #device;
  #refused;
  #onLost;

  /** @param {Surroundings} [surroundings] */
  constructor({ device = () => '', refused = new Set(), onLost = () => {} } = {}) {
    this.#device = device;
    this.#refused = refused;
    this.#onLost = onLost;
  }

  /** What is sent now. @returns {MediaSent} */
  get sent() {
    const sent = { audio: this.sound?.enabled ?? false, video: this.picture !== null };
    return this.#screen ? { ...sent, screen: true } : sent;
  }

  get sound() {
    return this.#track('audio');
  }

  /** The screen, while it is shared; else the camera's. */
  get picture() {
    return this.#screen ?? this.#track('video');
  }

  get hasCamera() {
    return this.#track('video') !== null;
  }

  /** @returns {MediaStream | null} */
  get stream() {
    const tracks = [this.sound, this.picture].filter((track) => track !== null);
    return tracks.length ? new MediaStream(tracks) : null;
  }

  /**
   * Takes what is wished for and not taken yet, and lets go of the rest. Asks the browser, and so the person.
   *
   * @param {Wish} wish
   * @param {Manner} [manner]
   * @returns {Promise<{ stream: MediaStream | null, problems: Phrase[] }>}
   */
  open(wish, manner = 'once') {
    return this.#inTurn(async () => {
      const wanted = kinds[wish];
      for (const kind of kinds.camera) if (!wanted.includes(kind)) this.#letGo(kind);
      const problems = await this.#take(wanted.filter((kind) => !this.#track(kind)), manner);
      return { stream: this.stream, problems };
    });
  }

  /** Without a microphone there is nothing to mute: to be heard after all, she asks for one. @param {boolean} muted @returns {Promise<Phrase[]>} */
  async mute(muted) {
    this.#muted = muted;
    if (this.sound) this.sound.enabled = !muted;
    else if (!muted) return this.#inTurn(() => this.#take(['audio'], 'again'));
    return [];
  }

  /** Lets go of the camera: its light goes out. */
  release() {
    this.#letGo('video');
  }

  /** Takes the camera again, or for the first time. @returns {Promise<Phrase[]>} */
  retake() {
    return this.#inTurn(async () => (this.hasCamera ? [] : this.#take(['video'], 'again')));
  }

  /** Another device was chosen. The old one is let go of first: phones open one camera at a time. @param {Kind} kind @returns {Promise<Phrase[]>} */
  change(kind) {
    return this.#inTurn(async () => {
      if (!this.#track(kind)) return [];
      this.#letGo(kind);
      return this.#take([kind], 'once');
    });
  }

  /** @param {MediaStreamTrack | null} track null: no more */
  showScreen(track) {
    if (this.#screen !== track) this.#screen?.stop();
    this.#screen = track;
    if (this.#stopped) this.stop();
  }

  /** Final: what a late answer still brings is stopped too. */
  stop() {
    this.#stopped = true;
    for (const track of [...this.#tracks, this.#screen]) track?.stop();
  }

  /** @param {Kind} wanted */
  #track(wanted) {
    return this.#tracks.find(({ kind }) => kind === wanted) ?? null;
  }

  /** @param {Kind} unwanted */
  #letGo(unwanted) {
    for (const track of this.#tracks) if (track.kind === unwanted) track.stop();
    this.#tracks = this.#tracks.filter(({ kind }) => kind !== unwanted);
  }

  /** @template T @param {() => Promise<T>} act @returns {Promise<T>} */
  #inTurn(act) {
    const done = this.#last.then(act);
    this.#last = done.catch(() => {});
    return done;
  }

  /** @param {Kind[]} wanted @param {Manner} manner */
  async #take(wanted, manner) {
    const { tracks, problems } = await new DeviceRequest(this.#refused, this.#device).make(wanted, manner);
    this.#tracks = [...this.#tracks, ...tracks];
    for (const track of tracks) this.#watch(track);
    if (this.#stopped) this.stop();
    return problems;
  }

  /** @param {MediaStreamTrack} track */
  #watch(track) {
    if (track.kind === 'audio') track.enabled = !this.#muted;
    // A track that this side stops tells nothing.
    track.addEventListener('ended', () => {
      if (!this.#tracks.includes(track) || this.#stopped) return;
      this.#onLost(track.kind === 'audio' ? 'audio' : 'video');
    });
  }
}

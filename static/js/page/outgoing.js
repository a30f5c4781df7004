/** What this side sends in a call, and how that changes in the middle of it: mute, camera, screen, other devices. */

/** @import { Call } from '../call.js' */
/** @import { Kind } from './device-request.js' */
/** @import { Wish } from './media.js' */
/** @import { Preview } from './preview.js' */
/** @import { Stage } from './stage.js' */
/** @import { Phrase } from './words.js' */
import { LocalMedia } from './media.js';
import { openScreen } from './screen.js';

export class Outgoing {
  #owner;
  #preview;
  #stage;
  #media = new LocalMedia();

  /**
   * @param {Pick<Preview, 'handOver'>} preview
   * @param {Pick<Stage, 'showLocal'>} stage
   * @param {{ create(): LocalMedia, isOn(): boolean, calls(): Pick<Call, 'replaceTrack' | 'describeMedia'>[], onChange(problems: Phrase[]): void }} owner
   *   `isOn`: there is a call, or a room, that may be empty; `calls`: those that are on; `onChange`: something else is sent now, or could not be
   */
  constructor(preview, stage, owner) {
    this.#preview = preview;
    this.#stage = stage;
    this.#owner = owner;
  }

  /** What is sent at the moment. */
  get stream() {
    return this.#media.stream;
  }

  /** The microphone's track. */
  get sound() {
    return this.#media.sound;
  }

  /**
   * A call begins.
   *
   * @param {Wish} wish
   * @returns {Promise<{ stream: MediaStream | null, problems: Phrase[] } | null>} null: it was over, or another began, before the person had answered
   */
  async open(wish) {
    const own = this.#preview.handOver() ?? this.#owner.create();
    this.#media = own;
    const opened = await own.open(wish);
    return this.#media === own && this.#owner.isOn() ? opened : null;
  }

  /** To the person herself, and to the other side. */
  show() {
    this.#stage.showLocal(this.#media);
    for (const call of this.#owner.calls()) call.describeMedia(this.#media.sent);
  }

  /** @param {boolean} muted */
  async mute(muted) {
    await this.#change((own) => own.mute(muted));
  }

  /** @param {boolean} off */
  async switchCamera(off) {
    await this.#change(async (own) => (off ? (own.release(), []) : own.retake()));
  }

  /** @param {boolean} on */
  async switchScreen(on) {
    await this.#change(async (own) => {
      const { track, problems } = on ? await openScreen(() => void this.switchScreen(false)) : { track: null, problems: [] };
      own.showScreen(track);
      return problems;
    });
  }

  /** @param {Kind} kind of which another device was chosen, or the device was lost */
  async change(kind) {
    await this.#change((own) => own.change(kind));
  }

  /** The call is over. */
  stop() {
    this.#media.stop();
  }

  /** @param {(own: LocalMedia) => Promise<Phrase[]>} change */
  async #change(change) {
    const own = this.#media;
    const problems = await change(own);
    if (this.#media !== own || !this.#owner.isOn()) return;
    await Promise.all(this.#owner.calls().flatMap((call) => [call.replaceTrack('audio', own.sound), call.replaceTrack('video', own.picture)]));
    this.show();
    this.#owner.onChange(problems);
  }
}

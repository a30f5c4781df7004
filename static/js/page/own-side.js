/** What of herself the person sends: how she looks at it before a call, which devices she chooses, and what the call takes of it. */

/** @import { Call } from '../call.js' */
/** @import { Role } from './devices.js' */
/** @import { Say } from './language.js' */
/** @import { Kind } from './device-request.js' */
/** @import { Settings } from './settings.js' */
/** @import { Stage } from './stage.js' */
/** @import { Phrase } from './words.js' */
import { Devices } from './devices.js';
import { Dialog } from './dialog.js';
import { elementById } from './element.js';
import { LocalMedia } from './media.js';
import { Meter } from './meter.js';
import { Outgoing } from './outgoing.js';
import { Preview } from './preview.js';
import { WishChoice } from './wish.js';

export class OwnSide {
  #stage;
  #devices;
  #preview;
  #dialog;
  #meter = new Meter(elementById('level', HTMLMeterElement));
  #panel = elementById('devices', HTMLDivElement);
  /** @type {Set<Kind>} */
  #refused = new Set();
  /** @readonly What she wants to send. */
  wish;
  /** @readonly What the call that is on is sent. */
  outgoing;

  /**
   * @param {Say} say
   * @param {Settings} settings
   * @param {Pick<Stage, 'showLocal' | 'useSpeaker'>} stage
   * @param {{ form: HTMLFormElement, isOn(): boolean, calls(): Call[], onChange(problems: Phrase[]): void }} page as for `Outgoing`
   */
  constructor(say, settings, stage, { form, isOn, calls, onChange }) {
    this.#stage = stage;
    this.wish = new WishChoice(form, settings, () => void this.#preview.follow());
    this.#devices = new Devices(say, settings, (role) => this.#choose(role));
    this.#preview = new Preview(say, { create: () => this.#create(), wish: () => this.wish.value, onChange: (sound) => this.#look(sound) });
    this.outgoing = new Outgoing(this.#preview, stage, {
      create: () => this.#create(),
      isOn,
      calls,
      onChange: (problems) => {
        if (this.#isPanelIn('devices-during')) this.#meter.watch(this.outgoing.sound);
        onChange(problems);
      },
    });
    this.#dialog = new Dialog('device-dialog', { opener: 'change-devices', onOpen: () => this.#showInCall(), onClose: () => this.#leaveDialog() });
  }

  /** A call begins. */
  async open() {
    const opened = await this.outgoing.open(this.wish.value);
    this.#stage.useSpeaker(this.#devices.speaker);
    return opened;
  }

  /** The call is over. */
  end() {
    this.outgoing.stop();
    this.#dialog.close();
  }

  #create() {
    return new LocalMedia({
      device: (kind) => this.#devices.chosen(kind),
      refused: this.#refused,
      onLost: (kind) => this.#change(kind),
    });
  }

  /** @param {MediaStreamTrack | null} sound of the preview */
  #look(sound) {
    this.#meter.watch(sound);
    void this.#devices.refresh();
  }

  #showInCall() {
    elementById('devices-during', HTMLDivElement).append(this.#panel);
    this.#look(this.outgoing.sound);
  }

  #leaveDialog() {
    elementById('devices-before', HTMLDivElement).append(this.#panel);
    this.#meter.watch(null);
  }

  /** @param {string} id */
  #isPanelIn(id) {
    return this.#panel.parentElement?.id === id;
  }

  /** @param {Role} role */
  #choose(role) {
    if (role === 'speaker') this.#stage.useSpeaker(this.#devices.speaker);
    else this.#change(role === 'camera' ? 'video' : 'audio');
  }

  /** @param {Kind} kind */
  #change(kind) {
    void this.#preview.change(kind);
    void this.outgoing.change(kind);
  }
}

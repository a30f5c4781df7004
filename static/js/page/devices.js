/** The cameras, microphones and speakers of this machine, and which of them the person chose: three lists, which follow what is plugged in. */

/** @import { Kind } from './device-request.js' */
/** @import { Say } from './language.js' */
/** @import { Settings } from './settings.js' */
import { elementById, make } from './element.js';

/** @typedef {'camera' | 'microphone' | 'speaker'} Role */

/** A machine has a few of each: beyond this, a list helps no more. */
const MOST_LISTED = 32;

/** @type {Record<MediaDeviceKind, Role>} */
const roles = { videoinput: 'camera', audioinput: 'microphone', audiooutput: 'speaker' };

/** @type {Record<Kind, Role>} */
const rolesByKind = { video: 'camera', audio: 'microphone' };

export class Devices {
  #say;
  #settings;
  /** @type {Record<Role, HTMLSelectElement>} */
  #lists = {
    camera: elementById('camera-choice', HTMLSelectElement),
    microphone: elementById('microphone-choice', HTMLSelectElement),
    speaker: elementById('speaker-choice', HTMLSelectElement),
  };

  /** @param {Say} say @param {Settings} settings @param {(role: Role) => void} onChoice */
  constructor(say, settings, onChoice) {
    this.#say = say;
    this.#settings = settings;
    for (const role of Object.values(roles)) {
      this.#lists[role].addEventListener('change', () => {
        settings.set(role, this.#lists[role].value);
        onChoice(role);
      });
    }
    // Where it is missing, so is all else: a page without https.
    navigator.mediaDevices?.addEventListener?.('devicechange', () => void this.refresh());
    this.#list([]);
  }

  /** The id of the one that was chosen; '' leaves it to the browser. @param {Kind} kind */
  chosen(kind) {
    return this.#settings.get(rolesByKind[kind]);
  }

  get speaker() {
    return this.#settings.get('speaker');
  }

  /** Browsers tell names and ids only once the person has allowed a device. */
  async refresh() {
    this.#list((await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? []);
  }

  /** @param {MediaDeviceInfo[]} devices */
  #list(devices) {
    for (const [kind, role] of Object.entries(roles)) this.#fill(role, optionsOf(devices, kind));
    const isSpeakerChosenHere = 'setSinkId' in HTMLMediaElement.prototype && this.#lists.speaker.options.length > 1;
    elementById('speaker-field', HTMLParagraphElement).hidden = !isSpeakerChosenHere;
  }

  /** @param {Role} role @param {MediaDeviceInfo[]} devices */
  #fill(role, devices) {
    const options = devices.map(({ deviceId, label }, index) => this.#option(deviceId, label || this.#say(`device-${role}-number`, { number: index + 1 })));
    this.#lists[role].replaceChildren(this.#option('', this.#say('device-default')), ...options);
    const chosen = this.#settings.get(role);
    // One that is unplugged stays chosen: it may come back.
    this.#lists[role].value = devices.some(({ deviceId }) => deviceId === chosen) ? chosen : '';
  }

  /** @param {string} id @param {string} label */
  #option(id, label) {
    return Object.assign(/** @type {HTMLOptionElement} */ (make('option', '', label)), { value: id });
  }
}

/** What can be chosen of a kind: `default` is what the browser takes by itself. @param {MediaDeviceInfo[]} devices @param {string} wanted */
export function optionsOf(devices, wanted) {
  return devices.filter(({ kind, deviceId }) => kind === wanted && deviceId !== '' && deviceId !== 'default').slice(0, MOST_LISTED);
}

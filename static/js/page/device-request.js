/** One question to the browser for cameras and microphones: as few prompts as can be, and none for what was refused. */

/** @import { Phrase } from './words.js' */

/** @typedef {'audio' | 'video'} Kind */
/** @typedef {{ tracks: MediaStreamTrack[], problems: Phrase[] }} Outcome */
/**
 * @typedef {'once' | 'again'} Manner
 *   `once`: what the person has refused is not asked for; `again`: she has pressed a button that asks for it
 */

/** @type {Record<Kind, MediaTrackConstraints>} */
const constraints = { audio: {}, video: { width: { ideal: 1280 }, height: { ideal: 720 } } };

/** @type {Record<Kind, 'camera' | 'microphone'>} */
const devices = { audio: 'microphone', video: 'camera' };

export class DeviceRequest {
  #refused;
  #device;

  /** @param {Set<Kind>} refused @param {(kind: Kind) => string} device */
  constructor(refused, device) {
    this.#refused = refused;
    this.#device = device;
  }

  /** @param {Kind[]} wanted @param {Manner} manner @returns {Promise<Outcome>} */
  async make(wanted, manner) {
    if (manner === 'again') for (const kind of wanted) this.#refused.delete(kind);
    const open = await filtered(wanted, async (kind) => !this.#refused.has(kind) || isAllowed(kind));
    return withProblems(await this.#acquire(open), blocked(wanted.filter((kind) => !open.includes(kind))));
  }

  /**
   * All at once if possible, so that the browser asks once; else each alone.
   *
   * @param {Kind[]} wanted
   * @param {(kind: Kind) => string} [device]
   * @returns {Promise<Outcome>}
   */
  async #acquire(wanted, device = this.#device) {
    if (wanted.length === 0) return { tracks: [], problems: [] };
    try {
      const stream = await navigator.mediaDevices.getUserMedia(Object.fromEntries(wanted.map((kind) => [kind, constraintsOf(kind, device(kind))])));
      for (const kind of wanted) this.#refused.delete(kind);
      return { tracks: stream.getTracks(), problems: [] };
    } catch (error) {
      return this.#acquireLess(wanted, error, device);
    }
  }

  /** @param {Kind[]} wanted @param {unknown} error of `getUserMedia` @param {(kind: Kind) => string} device @returns {Promise<Outcome>} */
  async #acquireLess(wanted, error, device) {
    const [kind, ...others] = wanted;
    if (isRefusal(error) && others.length > 0) return this.#acquireAllowed(wanted);
    if (isRefusal(error)) for (const kind of wanted) this.#refused.add(kind);
    if (!kind || others.length > 0) return this.#acquireEach(wanted);
    // The one that was chosen is unplugged: another will do.
    if (device(kind) && !isRefusal(error)) return this.#acquire([kind], () => '');
    return { tracks: [], problems: [problemOf(kind, error)] };
  }

  /** @param {Kind[]} wanted @returns {Promise<Outcome>} */
  async #acquireEach(wanted) {
    const outcomes = await Promise.all(wanted.map((kind) => this.#acquire([kind])));
    return { tracks: outcomes.flatMap(({ tracks }) => tracks), problems: outcomes.flatMap(({ problems }) => problems) };
  }

  /** The person has refused, and is not asked again: only what she has allowed before is tried alone. @param {Kind[]} wanted @returns {Promise<Outcome>} */
  async #acquireAllowed(wanted) {
    const allowed = await filtered(wanted, isAllowed);
    const refused = wanted.filter((kind) => !allowed.includes(kind));
    // The browser refused them together though each is allowed: there is nothing to try.
    const rest = refused.length > 0 ? allowed : [];
    const blockedKinds = refused.length > 0 ? refused : wanted;
    for (const kind of blockedKinds) this.#refused.add(kind);
    return withProblems(await this.#acquireEach(rest), blocked(blockedKinds));
  }
}

/**
 * Exactly the one that was chosen: where it is but a wish, Chromium (seen in 156) may take another.
 *
 * @param {Kind} kind
 * @param {string} device
 * @returns {MediaTrackConstraints | true}
 */
function constraintsOf(kind, device) {
  const all = { ...constraints[kind], ...(device ? { deviceId: { exact: device } } : {}) };
  return Object.keys(all).length ? all : true;
}

/** @param {Outcome} outcome @param {Phrase[]} first @returns {Outcome} */
function withProblems({ tracks, problems }, first) {
  return { tracks, problems: [...first, ...problems] };
}

/** @param {Kind[]} refused @returns {Phrase[]} */
function blocked(refused) {
  if (refused.length > 1) return ['devices-blocked'];
  return refused.map((kind) => /** @type {const} */ (`${devices[kind]}-blocked`));
}

/** @param {Kind[]} all @param {(kind: Kind) => Promise<boolean>} test */
async function filtered(all, test) {
  const answers = await Promise.all(all.map(test));
  return all.filter((_, index) => answers[index]);
}

/** Not every browser tells. @param {Kind} kind */
async function isAllowed(kind) {
  try {
    const { state } = await navigator.permissions.query({ name: /** @type {PermissionName} */ (devices[kind]) });
    return state === 'granted';
  } catch {
    return false;
  }
}

/** @param {unknown} error of `getUserMedia` */
function isRefusal(error) {
  return error instanceof Error && error.name === 'NotAllowedError';
}

/**
 * @param {Kind} kind
 * @param {unknown} error of `getUserMedia`
 * @returns {Phrase}
 */
export function problemOf(kind, error) {
  if (isRefusal(error)) return `${devices[kind]}-blocked`;
  const name = error instanceof Error ? error.name : '';
  return name === 'NotReadableError' || name === 'AbortError' ? `${devices[kind]}-taken` : `${devices[kind]}-missing`;
}

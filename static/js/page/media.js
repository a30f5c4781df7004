/** This side's camera and microphone, for one call. A call never waits for what isn't there: it goes on, receiving. */

/** @import { MediaSent } from '../chat-channel.js' */
/** @import { Phrase } from './words.js' */

/** @typedef {'audio' | 'video'} Kind */
/** @typedef {'camera' | 'microphone' | 'neither'} Wish */
/** @typedef {{ tracks: MediaStreamTrack[], problems: Phrase[] }} Outcome */

/** @type {Record<Wish, Kind[]>} */
const kinds = { camera: ['audio', 'video'], microphone: ['audio'], neither: [] };

/** @type {Record<Kind, MediaTrackConstraints | true>} */
const constraints = { audio: true, video: { width: { ideal: 1280 }, height: { ideal: 720 } } };

/** @type {Record<Kind, 'camera' | 'microphone'>} */
const devices = { audio: 'microphone', video: 'camera' };

export class LocalMedia {
  #stopped = false;
  /** @type {MediaStreamTrack[]} */
  #tracks = [];

  /** What is sent now. @returns {MediaSent} */
  get sent() {
    const isSent = (/** @type {Kind} */ wanted) => this.#tracks.some(({ kind, enabled }) => kind === wanted && enabled);
    return { audio: isSent('audio'), video: isSent('video') };
  }

  /** @returns {MediaStream | null} */
  get stream() {
    return this.#tracks.length ? new MediaStream(this.#tracks) : null;
  }

  /**
   * Asks the browser, and so the person.
   *
   * @param {Wish} wish
   * @returns {Promise<{ stream: MediaStream | null, problems: Phrase[] }>}
   */
  async open(wish) {
    const problems = await this.#take(kinds[wish]);
    return { stream: this.stream, problems };
  }

  /** @param {boolean} muted */
  mute(muted) {
    for (const track of this.#tracks) if (track.kind === 'audio') track.enabled = !muted;
  }

  /** Lets go of the camera: its light goes out. */
  release() {
    for (const track of this.#tracks) if (track.kind === 'video') track.stop();
    this.#tracks = this.#tracks.filter(({ kind }) => kind !== 'video');
  }

  /** Takes the camera again. @returns {Promise<{ track: MediaStreamTrack | null, problems: Phrase[] }>} */
  async retake() {
    const problems = await this.#take(['video']);
    return { track: this.#tracks.find(({ kind }) => kind === 'video') ?? null, problems };
  }

  /** Final: what a late answer still brings is stopped too. */
  stop() {
    this.#stopped = true;
    for (const track of this.#tracks) track.stop();
  }

  /** @param {Kind[]} wanted */
  async #take(wanted) {
    const { tracks, problems } = await acquire(wanted);
    this.#tracks = [...this.#tracks, ...tracks];
    if (this.#stopped) this.stop();
    return problems;
  }
}

/** All at once if possible, so that the browser asks once; else each alone. @param {Kind[]} wanted @returns {Promise<Outcome>} */
async function acquire(wanted) {
  if (wanted.length === 0) return { tracks: [], problems: [] };
  try {
    const stream = await navigator.mediaDevices.getUserMedia(Object.fromEntries(wanted.map((kind) => [kind, constraints[kind]])));
    return { tracks: stream.getTracks(), problems: [] };
  } catch (error) {
    const [kind, ...others] = wanted;
    if (kind && others.length === 0) return { tracks: [], problems: [problemOf(kind, error)] };
    return isRefusal(error) ? acquireAllowed(wanted) : acquireEach(wanted);
  }
}

/** @param {Kind[]} wanted @returns {Promise<Outcome>} */
async function acquireEach(wanted) {
  const outcomes = await Promise.all(wanted.map((kind) => acquire([kind])));
  return { tracks: outcomes.flatMap(({ tracks }) => tracks), problems: outcomes.flatMap(({ problems }) => problems) };
}

/** The person has refused, and is not asked again: only what she has allowed before is tried alone. @param {Kind[]} wanted @returns {Promise<Outcome>} */
async function acquireAllowed(wanted) {
  const answers = await Promise.all(wanted.map(isAllowed));
  const allowed = wanted.filter((_, index) => answers[index]);
  const [refused] = wanted.filter((kind) => !allowed.includes(kind));
  if (!refused || allowed.length === 0) return { tracks: [], problems: ['devices-blocked'] };
  const { tracks, problems } = await acquireEach(allowed);
  return { tracks, problems: [`${devices[refused]}-blocked`, ...problems] };
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

/** This side's camera and microphone, for one call. A call never waits for what isn't there: it goes on, receiving. */

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

  /**
   * Asks the browser, and so the person.
   *
   * @param {Wish} wish
   * @returns {Promise<{ stream: MediaStream | null, problems: Phrase[] }>}
   */
  async open(wish) {
    const { tracks, problems } = await acquire(kinds[wish]);
    this.#tracks = tracks;
    if (this.#stopped) this.stop();
    return { stream: tracks.length ? new MediaStream(tracks) : null, problems };
  }

  /** Final: what a late answer still brings is stopped too. */
  stop() {
    this.#stopped = true;
    for (const track of this.#tracks) track.stop();
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
    return kind && others.length === 0 ? { tracks: [], problems: [problemOf(kind, error)] } : acquireEach(wanted);
  }
}

/** @param {Kind[]} wanted @returns {Promise<Outcome>} */
async function acquireEach(wanted) {
  const outcomes = await Promise.all(wanted.map((kind) => acquire([kind])));
  return { tracks: outcomes.flatMap(({ tracks }) => tracks), problems: outcomes.flatMap(({ problems }) => problems) };
}

/**
 * @param {Kind} kind
 * @param {unknown} error of `getUserMedia`
 * @returns {Phrase}
 */
export function problemOf(kind, error) {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError') return `${devices[kind]}-blocked`;
  return name === 'NotReadableError' || name === 'AbortError' ? `${devices[kind]}-taken` : `${devices[kind]}-missing`;
}

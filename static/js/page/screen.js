/** This side's screen, or a window of it: the browser asks the person which. */

/** @import { Phrase } from './words.js' */

/** Text is read, and rarely moves: sharp pictures are worth more than many. @type {DisplayMediaStreamOptions} */
const WANTED = { video: { frameRate: { ideal: 15, max: 30 } }, audio: false };

/** No telephone can. */
export function canShareScreen() {
  return typeof navigator.mediaDevices?.getDisplayMedia === 'function';
}

/**
 * To be called while the browser still takes a click for the reason.
 *
 * @param {() => void} onEnd the person has stopped it by the browser's own button, or closed the window
 * @returns {Promise<{ track: MediaStreamTrack | null, problems: Phrase[] }>}
 */
export async function openScreen(onEnd) {
  try {
    const [track = null] = (await navigator.mediaDevices.getDisplayMedia(WANTED)).getVideoTracks();
    if (track) track.contentHint = 'detail';
    track?.addEventListener('ended', onEnd);
    return { track, problems: [] };
  } catch (error) {
    return { track: null, problems: problemsOf(error) };
  }
}

/** A person who chooses nothing after all has not met a problem. @param {unknown} error of `getDisplayMedia` @returns {Phrase[]} */
export function problemsOf(error) {
  const { name, message } = error instanceof Error ? error : new Error();
  const isOwnChoice = (name === 'NotAllowedError' && !/system/i.test(message)) || name === 'AbortError' || name === 'InvalidStateError';
  return isOwnChoice ? [] : ['screen-blocked'];
}

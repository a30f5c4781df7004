/** A meter of how loud a microphone is, so that its person sees that it hears her. It runs only while it is looked at. */

/** In decibels below the loudest that there can be: what lies under it is silence. */
const QUIETEST = -60;
/** In milliseconds: an eye takes no more than about 15 pictures a second for movement. */
const INTERVAL = 66;

export class Meter {
  #element;
  #createContext;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {HTMLMeterElement} element @param {() => AudioContext} [createContext] */
  constructor(element, createContext = () => new AudioContext()) {
    this.#element = element;
    this.#createContext = createContext;
  }

  /** @param {MediaStreamTrack | null} track null: looked at no more */
  watch(track) {
    clearInterval(this.#timer);
    void this.#context?.close();
    this.#context = null;
    this.#element.value = 0;
    if (track) this.#begin(track);
  }

  /** @param {MediaStreamTrack} track */
  #begin(track) {
    try {
      const context = this.#createContext();
      const analyser = new AnalyserNode(context, { fftSize: 1024 });
      context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
      const samples = new Float32Array(analyser.fftSize);
      this.#context = context;
      this.#timer = setInterval(() => {
        analyser.getFloatTimeDomainData(samples);
        this.#element.value = levelOf(samples);
      }, INTERVAL);
    } catch {
      // Without a sound card, some browsers have no audio graph: the meter stays at nothing.
    }
  }
}

/** How loud these samples are, as people hear it: 0 is silence, 1 the loudest. @param {Float32Array} samples from -1 to 1 */
export function levelOf(samples) {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / (samples.length || 1);
  const decibels = 10 * Math.log10(power);
  return Math.min(1, Math.max(0, 1 - decibels / QUIETEST));
}

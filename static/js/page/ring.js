/** The sound of an incoming call, made by the browser itself. Where the browser plays nothing before the person has touched the page, it is silent. */

/** In seconds: two notes, then a pause. */
const ROUND = 3;
/** A call rings for a minute at most. */
const ROUNDS = 20;
/** In hertz, and in seconds from the round's beginning. @type {[frequency: number, at: number][]} */
const NOTES = [[659.26, 0], [830.61, 0.22], [659.26, 0.44], [830.61, 0.66]];
/** In seconds. */
const LENGTH = 0.5;
const LOUDNESS = 0.12;

export class Ring {
  #createContext;
  #mayPlay;
  /** @type {AudioContext | null} */
  #context = null;

  /** @param {() => AudioContext} [createContext] @param {() => boolean} [mayPlay] */
  constructor(createContext = () => new AudioContext(), mayPlay = wasTouched) {
    this.#createContext = createContext;
    this.#mayPlay = mayPlay;
  }

  /** All rounds are planned at once: the timers of a page in the background are late. */
  start() {
    if (this.#context || !this.#mayPlay()) return;
    try {
      const context = this.#createContext();
      this.#context = context;
      for (let round = 0; round < ROUNDS; round++) {
        for (const [frequency, at] of NOTES) strike(context, frequency, context.currentTime + round * ROUND + at);
      }
    } catch {
      // No sound card: there is still the sentence, and the title.
    }
  }

  stop() {
    void this.#context?.close().catch(() => {});
    this.#context = null;
  }
}

/** A note that fades, as of a bell. @param {AudioContext} context @param {number} frequency @param {number} at */
function strike(context, frequency, at) {
  const [tone, volume] = [context.createOscillator(), context.createGain()];
  tone.frequency.value = frequency;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(LOUDNESS, at + 0.02);
  volume.gain.exponentialRampToValueAtTime(0.001, at + LENGTH);
  tone.connect(volume).connect(context.destination);
  tone.start(at);
  tone.stop(at + LENGTH);
}

/** Before that, browsers refuse, and complain of it in the console. One that does not tell is asked. */
function wasTouched() {
  return navigator.userActivation?.hasBeenActive ?? true;
}

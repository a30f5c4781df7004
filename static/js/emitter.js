/**
 * Typed events: a union on `type`, as messages are, so that a server's message is an event as it stands.
 *
 * @template {{ type: string }} E
 */
export class Emitter {
  /** @type {Map<string, Set<(event: any) => void>>} */
  #listeners = new Map();

  /**
   * @template {E['type']} T
   * @param {T} type
   * @param {(event: Extract<E, { type: T }>) => void} listener
   * @returns {() => void} the undo
   */
  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** @param {E} event */
  emit(event) {
    for (const listener of [...(this.#listeners.get(event.type) ?? [])]) call(listener, event);
  }
}

/**
 * A listener that throws is heard of in the console, and costs no other listener its event.
 *
 * @template T
 * @param {(event: T) => void} listener
 * @param {T} event
 */
function call(listener, event) {
  try {
    listener(event);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

import { LruMap } from "../relay/lru-map.js";

interface Entry<T> {
  readonly answer: Promise<T>;
  until: number;
}

/** Answers that hold for a while, so many of them. Who asks while an answer is under way gets the same one. */
export class AgedCache<T> {
  readonly #entries: LruMap<Entry<T>>;
  readonly #age: (answer: T) => number;
  readonly #clock: () => number;

  /**
   * @param size entries; the one used least recently makes room
   * @param age how long an answer holds, in ms
   * @param clock milliseconds
   */
  constructor(size: number, age: (answer: T) => number, clock: () => number = () => performance.now()) {
    this.#entries = new LruMap(size);
    this.#age = age;
    this.#clock = clock;
  }

  /** @param ask must not reject */
  get(key: string, ask: () => Promise<T>): Promise<T> {
    const found = this.#entries.get(key);
    if (found !== undefined && this.#clock() < found.until) return found.answer;
    const entry = { answer: ask(), until: Number.POSITIVE_INFINITY };
    this.#entries.set(key, entry);
    void entry.answer.then((answer) => {
      entry.until = this.#clock() + this.#age(answer);
    });
    return entry.answer;
  }
}

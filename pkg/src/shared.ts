// Engines and models that the elements of a page share: made once, counted, and freed when no element has asked for them for a moment.

/** How long something that nobody uses is kept, in milliseconds: frameworks take elements out and put them in again. */
const grace = 1000;

interface Entry<T> {
  value: Promise<T>;
  users: number;
  timer?: ReturnType<typeof setTimeout> | undefined;
}

export class Shared<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #isDead: (value: T) => boolean;
  readonly #free: (value: T) => void;

  constructor(isDead: (value: T) => boolean, free: (value: T) => void) {
    this.#isDead = isDead;
    this.#free = free;
  }

  /** The value of this key, made where it is not there or of no more use; `release` says that it is no longer needed. */
  async take(key: string, make: () => Promise<T>): Promise<{ value: T; release: () => void }> {
    let entry = this.#entries.get(key);
    if (entry) {
      entry.users++; // so that it stays while it is looked at
      clearTimeout(entry.timer);
      const present = entry;
      const isUsable = await present.value.then(
        (value) => !this.#isDead(value),
        () => false,
      );
      if (isUsable) return { value: await present.value, release: this.#releaseOf(key, present) };
      if (this.#entries.get(key) === present) this.#entries.delete(key);
      entry = this.#entries.get(key);
      if (entry) return this.take(key, make); // somebody else was faster
    }
    const made: Entry<T> = { value: make(), users: 1 };
    this.#entries.set(key, made);
    try {
      return { value: await made.value, release: this.#releaseOf(key, made) };
    } catch (error) {
      if (this.#entries.get(key) === made) this.#entries.delete(key);
      throw error;
    }
  }

  #releaseOf(key: string, entry: Entry<T>): () => void {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      if (--entry.users > 0) return;
      entry.timer = setTimeout(() => {
        if (entry.users > 0) return;
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
        entry.value.then(this.#free, () => undefined);
      }, grace);
    };
  }
}

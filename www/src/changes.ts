// What was changed of what was given, one change after another, to be undone and redone.

import type { Classification } from "adversight";
import type { Given } from "./state.js";

/** What is given after a change: made anew when it is gone back to, since a picture that is no longer shown is freed. */
export interface Change {
  make: () => Promise<Given>;
  answer: Classification | null;
}

/** So many changes are remembered. */
const longest = 100;

export class Changes<C extends Change> {
  #list: C[] = [];
  #now = -1;

  get now(): C | undefined {
    return this.#list[this.#now];
  }

  /** What was given before any change. */
  get first(): C | undefined {
    return this.#list[0];
  }

  get canUndo(): boolean {
    return this.#now > 0;
  }

  get canRedo(): boolean {
    return this.#now < this.#list.length - 1;
  }

  /** Begins with what was given. */
  begin(first: C): void {
    [this.#list, this.#now] = [[first], 0];
  }

  /** A change after that at hand; those that were undone are forgotten. What was given at first stays. */
  add(change: C): void {
    const list = [...this.#list.slice(0, this.#now + 1), change];
    if (list.length > longest) list.splice(1, 1);
    [this.#list, this.#now] = [list, list.length - 1];
  }

  /** Goes back or forth; undefined at the end. */
  go(step: number): C | undefined {
    const found = this.#list[this.#now + step];
    if (found) this.#now += step;
    return found;
  }

  has(change: C): boolean {
    return this.#list.includes(change);
  }

  /** Goes to a change that is known. */
  at(change: C): void {
    const found = this.#list.indexOf(change);
    if (found >= 0) this.#now = found;
  }
}

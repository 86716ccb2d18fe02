// The progress of several downloads, told as one.

import type { Progress } from "./wasm/adversight.js";

/** Progress of loading: `done` and `total` are the bytes of all files, and `file` says which one has come on. */
export interface LoadProgress extends Progress {
  file?: { name: string; done: number; total: number } | undefined;
}

export type OnProgress = (progress: LoadProgress) => void;

/**
 * Adds up what each file tells. `total` is 0 until the size of every file is known, so that the share never goes back.
 */
export class Tally {
  readonly #files: { name: string; done: number; total: number }[] = [];
  readonly #tell: OnProgress | undefined;

  constructor(tell: OnProgress | undefined) {
    this.#tell = tell;
  }

  /** A file of this name, with what its download is to call; declare all files before the first one starts. */
  file(name: string): { onProgress: OnProgress | undefined; came: (bytes: number) => void } {
    const file = { name, done: 0, total: 0 };
    this.#files.push(file);
    const tell = this.#tell;
    return {
      onProgress:
        tell &&
        (({ done, total, stage }) => {
          file.done = done;
          file.total = total;
          const sum = (of: "done" | "total") => this.#files.reduce((all, one) => all + one[of], 0);
          const known = this.#files.every((one) => one.total > 0);
          tell({ done: sum("done"), total: known ? sum("total") : 0, stage, file: { ...file } });
        }),
      // Of one that the browser has kept, nothing else is told.
      came(bytes) {
        file.done = file.total = bytes;
      },
    };
  }
}

/** The last part of an address or a path: what people call a file. */
export function nameOf(address: URL | string): string {
  const [path = ""] = String(address).split(/[?#]/, 1);
  const name = path.split("/").at(-1) ?? "";
  return name === "" ? String(address) : name;
}

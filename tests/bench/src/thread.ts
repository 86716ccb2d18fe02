// A library's thread as the page sees it.

import type { Requests } from "./worker.ts";

export class Thread {
  readonly #worker: Worker;
  #calls = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #next = 0;
  #ended: Error | null = null;

  constructor(name: string) {
    this.#worker = new Worker("/worker.js", { type: "module", name });
    this.#worker.addEventListener(
      "message",
      ({ data }: MessageEvent<{ id: number; reply: unknown; error?: string }>) => {
        const call = this.#calls.get(data.id);
        this.#calls.delete(data.id);
        if (data.error === undefined) call?.resolve(data.reply);
        else call?.reject(new Error(data.error));
      },
    );
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.end(event.message || "its thread could not be loaded");
    });
  }

  /** Asks the thread; one that does not answer within `patience` milliseconds is ended. */
  async ask<K extends keyof Requests>(
    request: K,
    send: Requests[K]["send"],
    patience: number,
  ): Promise<Requests[K]["reply"]> {
    if (this.#ended) throw this.#ended;
    const id = this.#next++;
    const timer = setTimeout(() => {
      this.end(`no answer in ${Math.round(patience / 1000)} s`);
    }, patience);
    try {
      return await new Promise<Requests[K]["reply"]>((resolve, reject) => {
        this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
        this.#worker.postMessage({ id, request, send });
      });
    } finally {
      clearTimeout(timer);
    }
  }

  end(reason = "ended"): void {
    this.#ended ??= new Error(reason);
    this.#worker.terminate();
    for (const { reject } of this.#calls.values()) reject(this.#ended);
    this.#calls.clear();
  }
}

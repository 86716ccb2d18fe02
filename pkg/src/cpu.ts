/**
 * The package for the CPU alone: the same functions, but nothing in it names the engine for WebGPU, so that no bundler copies its 19 MB.
 */

import type { Engine } from "./client.js";
import { openEngine, type EngineOptions } from "./start.js";

export * from "./common.js";
export type * from "./index.js";

export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  return openEngine(options, {
    worker: () =>
      new Worker(new URL("./worker-cpu.js", import.meta.url), { type: "module", name: "adversight-cpu" }),
    here: () => import("./here-cpu.js"),
  });
}

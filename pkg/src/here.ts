/**
 * `createEngine` for the thread that imports this, without a worker and without an import of its own at run time: for workers of
 * yours, and for the service worker of an extension, which can have neither.
 */

import { builds } from "./builds.js";
import type { Engine } from "./client.js";
import type { GpuDevice } from "./gpu.js";
import { openEngine, type EngineOptions } from "./start.js";
import { startOn } from "./thread.js";

export * from "./common.js";
export type * from "./index.js";

export const startHere = (gpuDevice?: GpuDevice): MessagePort => startOn(builds, gpuDevice);

export async function createEngine(
  options: Omit<EngineOptions, "worker" | "threads"> & { worker?: false } = {},
): Promise<Engine> {
  return openEngine({ ...options, worker: false }, { here: () => ({ startHere }) });
}

// Which build of the engine a page needs. The one for the CPU is less than half as large as the one for WebGPU, so that what is
// there is asked first; the one for WebGPU holds the CPU too, for GPUs that turn out to compute wrongly.

import { AdversightError } from "./errors.js";
import type { DeviceChoice } from "./wasm/adversight.js";

/** The generated module (wasm-bindgen, target web). */
export type Wasm = Pick<
  typeof import("./wasm/adversight.js"),
  "createEngine" | "methods" | "colourMap" | "metrics" | "layers" | "randomise" | "readLabels"
> & {
  default: (options: { module_or_path: URL }) => Promise<unknown>;
};

/** A build: its module, and where its WebAssembly lies. */
export interface Build {
  module: Wasm;
  url: URL;
}

export type BuildName = "webgpu" | "cpu";

/** What is used of WebGPU's `GPU`. */
export interface Gpu {
  requestAdapter(): Promise<{ info: { description: string; isFallbackAdapter?: boolean } } | null>;
}

/** The build for a device, and why it is the CPU's where that was not asked for. */
export async function choose(
  device: DeviceChoice,
  gpu = (globalThis.navigator as { gpu?: Gpu } | undefined)?.gpu,
): Promise<{ name: BuildName; reason?: string }> {
  // What is no device at all is refused by the engine.
  if (device !== "auto" && device !== "webgpu") return { name: "cpu" };
  const adapter = (await gpu?.requestAdapter().catch(() => null)) ?? null;
  if (!adapter) {
    const reason = "this browser offers no WebGPU adapter.";
    if (device === "webgpu") throw new AdversightError("device_unavailable", reason);
    return { name: "cpu", reason: `The CPU is used: ${reason}` };
  }
  if (device === "auto" && adapter.info.isFallbackAdapter) {
    const adapterName = adapter.info.description || "a software rasteriser";
    const reason = `the only WebGPU adapter, ${adapterName}, is emulated in software and slower.`;
    return { name: "cpu", reason: `The CPU is used: ${reason}` };
  }
  return { name: "webgpu" };
}

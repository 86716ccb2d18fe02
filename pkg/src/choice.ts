// Which build of the engine a page needs. The one for the CPU is less than half as large as the one for WebGPU, so that what is
// there is asked first; the one for WebGPU holds the CPU too, for GPUs that turn out to compute wrongly.

import { AdversightError } from "./errors.js";
import type { DeviceChoice } from "./wasm/adversight.js";

/** What a module of WebAssembly is made from: its address, its bytes, or the compiled module. */
export type WasmSource = URL | string | BufferSource | WebAssembly.Module;

/** The generated module (wasm-bindgen, target web). */
export type Wasm = Pick<
  typeof import("./wasm/adversight.js"),
  "createEngine" | "methods" | "colourMap" | "metrics" | "attacks" | "layers" | "randomise" | "readLabels"
> & {
  default: (options: { module_or_path: WasmSource }) => Promise<unknown>;
};

/** A build: its module, and where its WebAssembly lies. */
export interface Build {
  module: Wasm;
  url: () => URL;
}

export type BuildName = "webgpu" | "cpu";

/** What is asked of a GPU's adapter. Browsers before 2024 have no `info`, and some no `isFallbackAdapter`. */
export interface Adapter {
  info?: { description: string; isFallbackAdapter?: boolean };
  isFallbackAdapter?: boolean;
  limits?: object;
  features?: object;
}

/** What is used of WebGPU's `GPU`. */
export interface Gpu {
  requestAdapter(options?: { powerPreference?: PowerPreference }): Promise<Adapter | null>;
}

/** Of two GPUs the one that saves power, or the faster one. */
export type PowerPreference = "low-power" | "high-performance";

/** How long an adapter may take to answer, in milliseconds, and how long a browser that has just started is given to find one. */
const patience = { adapter: 5000, again: 200 };

/** What every adapter has by WebGPU's specification, and the engine's shaders are written for. */
const least = {
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxStorageBuffersPerShaderStage: 8,
  maxStorageBufferBindingSize: 128 * 1024 * 1024,
};

/** The build for a device, and why it is the CPU's where that was not asked for. */
export async function choose(
  device: DeviceChoice,
  gpu = gpuHere(),
  { power, waits = patience }: { power?: PowerPreference | undefined; waits?: typeof patience } = {},
): Promise<{ name: BuildName; reason?: string }> {
  // What is no device at all is refused by the engine.
  if (device !== "auto" && device !== "webgpu") return { name: "cpu" };
  const reason = await against(device, gpu, power, waits);
  if (reason === null) return { name: "webgpu" };
  if (device === "webgpu") throw new AdversightError("device_unavailable", reason);
  return { name: "cpu", reason: `The CPU is used: ${reason}` };
}

export function gpuHere(): Gpu | undefined {
  return (globalThis.navigator as { gpu?: Gpu } | undefined)?.gpu;
}

/** What speaks against the GPU, in a sentence; null where nothing does. */
async function against(
  device: DeviceChoice,
  gpu: Gpu | undefined,
  power: PowerPreference | undefined,
  waits: typeof patience,
): Promise<string | null> {
  if (!gpu) return "this browser offers no WebGPU adapter.";
  const ask = () =>
    before(
      waits.adapter,
      Promise.resolve(gpu.requestAdapter(power ? { powerPreference: power } : undefined)).catch(() => null),
    );
  try {
    let adapter = await ask();
    if (adapter === null) {
      // The process for the GPU may still be starting.
      await new Promise((resolve) => setTimeout(resolve, waits.again));
      adapter = await ask();
    }
    if (adapter === late)
      return `the browser's WebGPU did not answer within ${waits.adapter / 1000} seconds.`;
    if (adapter === null) return "this browser offers no WebGPU adapter.";
    const { info } = adapter;
    if (!info) return "this browser's WebGPU is too old for the engine: it does not describe its adapter.";
    if (device === "auto" && (info.isFallbackAdapter ?? adapter.isFallbackAdapter)) {
      const name = info.description || "a software rasteriser";
      return `the only WebGPU adapter, ${name}, is emulated in software and slower.`;
    }
    const lack = lackOf(adapter);
    return lack && `its WebGPU adapter has ${lack}`;
  } catch (error) {
    return `asking for a WebGPU adapter failed (${error instanceof Error ? error.message : String(error)}).`;
  }
}

/** What an adapter or a device lacks of what the engine needs, in words that follow "it has"; null where it is nothing. */
export function lackOf({ limits = {}, features }: Pick<Adapter, "limits" | "features">): string | null {
  // By it the engine measures which of several shaders is the fastest; the other ways to measure block, which a browser does not do.
  const needed = "timestamp-query";
  if (features && !(features as ReadonlySet<string>).has(needed))
    return `no ${needed}, which the engine needs.`;
  for (const [name, needed] of Object.entries(least)) {
    const has = (limits as Record<string, unknown>)[name];
    if (typeof has === "number" && has < needed)
      return `a ${name} of ${has}, and the engine needs ${needed}.`;
  }
  return null;
}

export const late = Symbol("late");

/** What a promise gives, or `late` where it takes longer than that. */
export async function before<T>(milliseconds: number, promise: Promise<T>): Promise<T | typeof late> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const clock = new Promise<typeof late>((resolve) => {
    timer = setTimeout(resolve, milliseconds, late);
  });
  try {
    return await Promise.race([promise, clock]);
  } finally {
    clearTimeout(timer);
  }
}

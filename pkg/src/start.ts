// Starting an engine: what is asked for, checked, and the thread that it runs on.

import type { PowerPreference, WasmSource } from "./choice.js";
import { Engine, type Thread } from "./client.js";
import { AdversightError } from "./errors.js";
import type { GpuDevice } from "./gpu.js";
import { refused, watchPolicy } from "./policy.js";
import { base, notLoaded, spawn, spawnAt } from "./spawn.js";
import type { DeviceChoice } from "./wasm/adversight.js";

/** Where a part of the engine comes from, where it was moved: its address, its bytes, or the compiled module. */
export type EngineFile = URL | string | BufferSource | WebAssembly.Module | undefined;

export interface EngineOptions {
  /**
   * The GPU, the CPU, or the better of what is there ("auto", the default). Where a GPU is lost, "auto" goes on on the CPU with the same
   * models, and `engine.lost` tells so.
   */
  device?: DeviceChoice | undefined;
  /** Of two GPUs the one that saves power ("low-power") or the faster one ("high-performance"); the browser's choice where it is left out. */
  powerPreference?: PowerPreference | undefined;
  /**
   * A `GPUDevice` of your own to compute on, made with the feature "timestamp-query", for an engine on the page's own thread (`worker: false`): a
   * device cannot be sent to a worker. All engines of a thread share it. What goes wrong on it unasked is told to the engine (`onuncapturederror`), and closing the engine leaves it alive.
   */
  gpuDevice?: GpuDevice | undefined;
  /**
   * In a worker (true, the default), on the page's own thread (false), in a worker of yours that was made from "adversight/worker", or in
   * one that is made from this address.
   */
  worker?: boolean | Worker | URL | string | undefined;
  /**
   * How many threads compute on the CPU, in a worker of a page that is cross-origin isolated; elsewhere it is one. As many as there are
   * processors, up to 8, where it is left out. Results do not depend on it.
   */
  threads?: number | undefined;
  /**
   * `adversight_bg.wasm` (the package's "adversight/wasm"), `adversight_cpu_bg.wasm` ("adversight/wasm-cpu") and `adversight_cpu_threads_bg.wasm`
   * ("adversight/wasm-threads"), where they were moved from their place: addresses, bytes or compiled modules. `glue` and `helper` are
   * the addresses of what threads need beside: "adversight/threads" and "adversight/helper". `text` is `adversight_text_bg.wasm`
   * ("adversight/wasm-text"), the tokenizers of texts, and `sound` is `adversight_sound_bg.wasm` ("adversight/wasm-sound"), which decodes
   * sounds. Only what is needed is fetched.
   */
  wasm?:
    | {
        webgpu?: EngineFile;
        cpu?: EngineFile;
        text?: EngineFile;
        threads?: EngineFile;
        sound?: EngineFile;
        glue?: URL | string | undefined;
        helper?: URL | string | undefined;
      }
    | undefined;
  /**
   * Bytes that the values of one batch may take, beside the weights; larger batches are computed in parts. Where it is left out 256 MiB on
   * the CPU, and on a GPU half of the largest buffer that its adapter allows.
   */
  batchMemory?: number | undefined;
  /** Aborting it ends what was started; the promise is rejected with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** How long the worker's script may take until it answers, in milliseconds (30,000). */
  timeout?: number | undefined;
}

interface Here {
  startHere: (gpuDevice?: GpuDevice) => MessagePort;
}

/** How an entry of the package starts the engine. */
export interface Places {
  /** Starts its worker, where it has one. */
  worker?: () => Worker;
  /** What starts the engine on this thread. */
  here: () => Here | Promise<Here>;
}

export async function openEngine(options: EngineOptions, places: Places): Promise<Engine> {
  const { signal } = options;
  signal?.throwIfAborted();
  checkSurroundings();
  const watch = watchPolicy();
  try {
    return await open(options, places);
  } catch (error) {
    if (signal?.aborted || (error instanceof AdversightError && error.code !== "engine_failed")) throw error;
    const refusal = await watch.refusal();
    const message = error instanceof Error ? error.message : String(error);
    if (!refusal && error instanceof AdversightError) throw error;
    throw new AdversightError("engine_failed", [message, ...(refusal ? [refused(refusal)] : [])].join(" "), {
      cause: error,
    });
  } finally {
    watch.end();
  }
}

async function open(options: EngineOptions, places: Places): Promise<Engine> {
  const { device = "auto", worker = true, threads, batchMemory, powerPreference, signal, timeout } = options;
  const { gpuDevice } = options;
  const opening = { device, wasm: placed(options.wasm), threads, batchMemory, powerPreference };
  const waiting = { signal, timeout };
  if (gpuDevice && device === "cpu") {
    throw new AdversightError(
      "device_unavailable",
      'The options `gpuDevice` and `device: "cpu"` exclude each other.',
    );
  }
  if (worker === false || !places.worker) {
    checkImport(places);
    const { startHere } = await places.here();
    signal?.throwIfAborted();
    return Engine.open(() => ({ endpoint: startHere(gpuDevice) }), opening, waiting);
  }
  if (gpuDevice) {
    throw new AdversightError(
      "device_unavailable",
      "A GPUDevice cannot be sent to a worker: the option `gpuDevice` needs `worker: false`.",
    );
  }
  const start = places.worker;
  const thread =
    worker === true
      ? spawn(start)
      : worker instanceof URL || typeof worker === "string"
        ? spawnAt(worker, { type: "module", name: "adversight" })
        : worker;
  return Engine.open((onCrash) => workerThread(thread, onCrash), opening, waiting);
}

/** What was moved, in a form that can be sent; what is undefined is where it always is. */
function placed(wasm: EngineOptions["wasm"]): Record<string, WasmSource> {
  const given = Object.entries(wasm ?? {}) as [string, EngineFile | null][];
  return Object.fromEntries(
    given.flatMap(([name, source]) => {
      if (source === undefined || source === null) return [];
      const isAddress = source instanceof URL || typeof source === "string";
      return [[name, isAddress ? address(source, `wasm.${name}`) : source]];
    }),
  );
}

function address(given: URL | string, option: string): string {
  try {
    return new URL(given, base()).href;
  } catch (cause) {
    throw new AdversightError("engine_failed", `The option ${option} is no address: ${String(given)}.`, {
      cause,
    });
  }
}

/** Says what is missing where the engine cannot run at all. */
function checkSurroundings(): void {
  if (typeof location === "undefined") {
    throw new AdversightError(
      "device_unavailable",
      "Adversight runs in a browser: call createEngine in a page.",
    );
  }
  if (typeof WebAssembly === "undefined") {
    throw new AdversightError(
      "device_unavailable",
      "This browser has WebAssembly switched off, as in the Lockdown Mode of Apple's devices: the engine cannot run. Allow this site in the browser's settings.",
    );
  }
}

/** A service worker may not import what it did not import at its start. */
function checkImport(places: Places): void {
  const { ServiceWorkerGlobalScope } = globalThis as { ServiceWorkerGlobalScope?: new () => object };
  if (places.worker && ServiceWorkerGlobalScope && globalThis instanceof ServiceWorkerGlobalScope) {
    throw new AdversightError(
      "engine_failed",
      'A service worker cannot load the engine afterwards: import createEngine from "adversight/here", or call it in a page (of an extension: in an ' +
        "offscreen document).",
    );
  }
}

function workerThread(worker: Worker, onCrash: (error: unknown) => void): Thread {
  worker.addEventListener("error", (event) => {
    event.preventDefault(); // it is reported through the calls that it ends
    onCrash(event.message || new AdversightError("engine_failed", notLoaded(worker)));
  });
  worker.addEventListener("messageerror", () => {
    onCrash("a message of its worker could not be read");
  });
  return {
    endpoint: worker,
    terminate() {
      worker.terminate();
    },
  };
}

// Threads for the engine on the CPU: helpers, workers that compute with it on the same memory.

import type { Wasm } from "./choice.js";

/** The build for threads. Its module is imported only where it is used. */
export interface ThreadedBuild {
  /** Where its module and its WebAssembly lie. */
  glue: URL;
  url: URL;
  /** Starts a worker from helper.ts. */
  helper: () => Worker;
}

/** What the build for threads has beside the others'. */
interface ThreadedWasm extends Wasm {
  shared(): [WebAssembly.Module, WebAssembly.Memory];
  joinedBy(helpers: number): void;
}

/** What is asked of the thread that the engine runs on. */
export interface Scope {
  crossOriginIsolated: boolean;
  SharedArrayBuffer?: unknown;
  Atomics: object;
  navigator: { hardwareConcurrency: number };
}

/** More threads than this gain little: they all wait for the same memory. */
const most = 8;

/** How long a helper may take to start, in milliseconds; the engine goes on without it. */
const patience = 10_000;

/**
 * How many threads the engine may have on this thread: as many as are `wanted`, or as the machine has processors. One where memory cannot
 * be shared, as on pages that are not cross-origin isolated, and on a page's own thread, which may not wait for others.
 */
export function threadsHere(wanted?: number, scope: Scope = globalThis): number {
  const possible =
    scope.crossOriginIsolated &&
    typeof scope.SharedArrayBuffer === "function" &&
    // The engine's futures wait by it.
    "waitAsync" in scope.Atomics &&
    !("document" in scope);
  return possible ? (wanted ?? Math.min(scope.navigator.hardwareConcurrency, most)) : 1;
}

let opened: Promise<Wasm> | null = null;

/** The build for threads with its helpers; once for each thread, which can hold one instance of it. Rejects where it cannot be had. */
export function openThreaded(build: ThreadedBuild, url: URL, threads: number): Promise<Wasm> {
  return (opened ??= open(build, url, threads));
}

async function open({ glue, helper }: ThreadedBuild, url: URL, threads: number): Promise<Wasm> {
  // While the WebAssembly comes, the workers start.
  const helpers = Array.from({ length: threads - 1 }, () => attempt(helper));
  try {
    const wasm = (await import(/* @vite-ignore */ /* webpackIgnore: true */ glue.href)) as ThreadedWasm;
    await wasm.default({ module_or_path: url });
    const [module, memory] = wasm.shared();
    const ready = await Promise.all(
      helpers.map(async (worker) => worker !== null && joins(worker, { glue: glue.href, module, memory })),
    );
    helpers.filter((_, i) => !ready[i]).forEach((worker) => worker?.terminate());
    wasm.joinedBy(ready.filter(Boolean).length);
    return wasm;
  } catch (error) {
    helpers.forEach((worker) => worker?.terminate());
    throw error;
  }
}

function attempt(helper: () => Worker): Worker | null {
  try {
    return helper();
  } catch {
    return null; // a policy of the page, or a browser that has no workers within workers
  }
}

/** Whether a worker makes an instance of its own. */
function joins(worker: Worker, parts: HelperParts): Promise<boolean> {
  return new Promise((resolve) => {
    setTimeout(resolve, patience, false);
    worker.addEventListener("message", ({ data }) => {
      resolve(data === "ready");
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault(); // one thread less
      resolve(false);
    });
    worker.postMessage(parts);
  });
}

/** What a helper is sent. */
export interface HelperParts {
  glue: string;
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
}

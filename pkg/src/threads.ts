// Threads for the engine on the CPU: helpers, workers that compute with it on the same memory.

import type { Wasm, WasmSource } from "./choice.js";
import { spawnAt, unmoved } from "./spawn.js";

/** The build for threads. Its module is imported only where it is used. */
export interface ThreadedBuild {
  /** Where its module and its WebAssembly lie. */
  glue: () => URL;
  url: () => URL;
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

/** How long the engine waits for a helper to start, in milliseconds. */
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
export function openThreaded(build: ThreadedBuild, moved: MovedThreads, threads: number): Promise<Wasm> {
  return (opened ??= open(build, moved, threads));
}

/** What threads need, where it was moved from its place. */
export interface MovedThreads {
  threads?: WasmSource;
  glue?: string;
  helper?: string;
}

async function open(build: ThreadedBuild, moved: MovedThreads, threads: number): Promise<Wasm> {
  // While the WebAssembly comes, the workers start.
  const place = moved.helper;
  const helper = place === undefined ? build.helper : () => spawnAt(place, { type: "module" });
  const helpers = Array.from({ length: threads - 1 }, () => start(helper)).filter(
    (helper) => helper !== null,
  );
  try {
    const glue = moved.glue ?? unmoved(build.glue()).href;
    const wasm = (await import(/* @vite-ignore */ /* webpackIgnore: true */ glue)) as ThreadedWasm;
    await wasm.default({ module_or_path: moved.threads ?? unmoved(build.url()) });
    const [module, memory] = wasm.shared();
    for (const { worker } of helpers) {
      worker.postMessage({ glue, module, memory } satisfies HelperParts);
    }
    const joined = await Promise.all(helpers.map(({ joins }) => Promise.race([joins, late()])));
    const joining = joined.filter(Boolean).length;
    if (joining < threads - 1) {
      console.warn(`Adversight computes in ${joining + 1} of ${threads} threads: helpers did not start.`);
    }
    wasm.joinedBy(joining);
    return wasm;
  } catch (error) {
    for (const { worker } of helpers) worker.terminate();
    throw error;
  }
}

/** A worker, and whether it will have made an instance of its own. */
interface Helper {
  worker: Worker;
  joins: Promise<boolean>;
}

/** Nothing where a policy of the page forbids it, or a browser has no workers within workers. */
function start(helper: () => Worker): Helper | null {
  try {
    const worker = helper();
    const joins = new Promise<boolean>((resolve) => {
      worker.addEventListener("message", ({ data }) => {
        // A helper says "ready" or what went wrong; what else speaks in its script is none of our business.
        if (typeof data === "string") resolve(data === "ready");
      });
      worker.addEventListener("error", (event) => {
        event.preventDefault(); // one thread less
        resolve(false);
      });
    });
    return { worker, joins };
  } catch {
    return null;
  }
}

const late = () => new Promise<false>((resolve) => setTimeout(resolve, patience, false));

/** What a helper is sent. */
export interface HelperParts {
  glue: string;
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
}

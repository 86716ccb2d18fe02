// A helper: a worker that computes with the engine's, on the same memory, until it is ended.

import type { HelperParts } from "./threads.js";

interface HelperWasm {
  initSync(parts: Omit<HelperParts, "glue">): void;
  help(): void;
  lose(): void;
}

addEventListener("message", ({ data }: MessageEvent<HelperParts>) => void join(data), { once: true });

async function join({ glue, module, memory }: HelperParts): Promise<void> {
  let wasm: HelperWasm;
  try {
    wasm = (await import(/* @vite-ignore */ /* webpackIgnore: true */ glue)) as HelperWasm;
    wasm.initSync({ module, memory });
  } catch (error) {
    postMessage(String(error));
    return;
  }
  postMessage("ready");
  try {
    wasm.help(); // does not come back
  } finally {
    // The engine waits for this thread, and reads no message meanwhile.
    wasm.lose();
  }
}

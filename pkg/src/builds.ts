// The builds of the engine. Nothing of their WebAssembly is fetched, and no address made, before it is chosen.

import { cpuBuilds } from "./builds-cpu.js";
import type { Builds } from "./host.js";
import * as webgpu from "./wasm/adversight.js";

export const builds: Builds = {
  ...cpuBuilds,
  webgpu: { module: webgpu, url: () => new URL("./wasm/adversight_bg.wasm", import.meta.url) },
};

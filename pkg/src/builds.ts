// The builds of the engine. Nothing of their WebAssembly is fetched before it is chosen.

import type { Build, BuildName } from "./choice.js";
import * as webgpu from "./wasm/adversight.js";
import * as cpu from "./wasm/adversight_cpu.js";

export const builds: Record<BuildName, Build> = {
  webgpu: { module: webgpu, url: new URL("./wasm/adversight_bg.wasm", import.meta.url) },
  cpu: { module: cpu, url: new URL("./wasm/adversight_cpu_bg.wasm", import.meta.url) },
};

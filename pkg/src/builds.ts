// The builds of the engine. Nothing of their WebAssembly is fetched before it is chosen.

import type { Build, BuildName } from "./choice.js";
import { spawn } from "./spawn.js";
import type { ThreadedBuild } from "./threads.js";
import * as webgpu from "./wasm/adversight.js";
import * as cpu from "./wasm/adversight_cpu.js";

export const builds: Record<BuildName, Build> & { threads: ThreadedBuild } = {
  webgpu: { module: webgpu, url: new URL("./wasm/adversight_bg.wasm", import.meta.url) },
  cpu: { module: cpu, url: new URL("./wasm/adversight_cpu_bg.wasm", import.meta.url) },
  threads: {
    glue: new URL("./wasm/adversight_cpu_threads.js", import.meta.url),
    url: new URL("./wasm/adversight_cpu_threads_bg.wasm", import.meta.url),
    helper: () =>
      spawn(
        "helper.js",
        () => new Worker(new URL("./helper.js", import.meta.url), { type: "module", name: "adversight" }),
      ),
  },
};

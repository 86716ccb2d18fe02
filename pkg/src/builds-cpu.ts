// The builds for the CPU alone. They stand apart, so that a bundler which copies whatever is named copies no engine for WebGPU.

import type { Builds } from "./host.js";
import { spawn } from "./spawn.js";
import * as cpu from "./wasm/adversight_cpu.js";
import * as sound from "./wasm/adversight_sound.js";

export const cpuBuilds: Builds = {
  cpu: { module: cpu, url: () => new URL("./wasm/adversight_cpu_bg.wasm", import.meta.url) },
  sound: { module: sound, url: () => new URL("./wasm/adversight_sound_bg.wasm", import.meta.url) },
  threads: {
    glue: () => new URL("./wasm/adversight_cpu_threads.js", import.meta.url),
    url: () => new URL("./wasm/adversight_cpu_threads_bg.wasm", import.meta.url),
    helper: () =>
      spawn(
        () =>
          // Its name is not the worker's: webpack takes it for the file's and would put both into one.
          new Worker(new URL("./helper.js", import.meta.url), { type: "module", name: "adversight-helper" }),
      ),
  },
};

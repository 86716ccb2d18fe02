// The engine on the thread that calls it. It is reached over a message port as a worker is, so that both behave alike.

import { AdversightError } from "./errors.js";
import type { GpuDevice } from "./gpu.js";
import { serveHost, type Builds } from "./host.js";

let trapped = false;

export function startOn(builds: Builds, gpuDevice?: GpuDevice): MessagePort {
  // A thread can hold one instance of the module, and a trap leaves it unusable.
  if (trapped) {
    throw new AdversightError(
      "engine_failed",
      "The engine failed on this thread. Reload the page, or run it in a worker, where it can be started again.",
    );
  }
  const { port1, port2 } = new MessageChannel();
  serveHost(port2, builds, globalThis, {
    onTrap() {
      trapped = true;
    },
    gpuDevice,
  });
  return port1;
}

// The engine on the page's own thread, for `worker: false`. It is reached over a message port as a worker is, so that both
// behave alike; this file is loaded only where it is asked for.

import { builds } from "./builds.js";
import { AdversightError } from "./errors.js";
import { createHost, watchForTraps, type EngineProtocol } from "./host.js";
import { serve } from "./rpc.js";

let trapped = false;

export function startHere(): MessagePort {
  // A thread can hold one instance of the module, and a trap leaves it unusable.
  if (trapped) {
    throw new AdversightError(
      "engine_failed",
      "The engine failed on this thread. Reload the page, or run it in a worker, where it can be started again.",
    );
  }
  const { port1, port2 } = new MessageChannel();
  const die = serve<EngineProtocol>(port2, createHost(builds));
  watchForTraps(globalThis, (trap) => {
    trapped = true;
    die(trap);
  });
  return port1;
}

// The worker: the engine on a thread of its own, so that the page stays responsive while it computes.

import { builds } from "./builds.js";
import { createHost, watchForTraps, type EngineProtocol } from "./host.js";
import { serve, type Endpoint } from "./rpc.js";

const scope = globalThis as unknown as Endpoint & EventTarget;
watchForTraps(scope, serve<EngineProtocol>(scope, createHost(builds)));

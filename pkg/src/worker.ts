// The worker: the engine on a thread of its own, so that the page stays responsive while it computes.

import { createHost, watchForTraps, type EngineProtocol } from "./host.js";
import { serve, type Endpoint } from "./rpc.js";
import * as wasm from "./wasm/adversight.js";

const scope = globalThis as unknown as Endpoint & EventTarget;
const host = createHost(wasm, new URL("./wasm/adversight_bg.wasm", import.meta.url));
watchForTraps(scope, serve<EngineProtocol>(scope, host));

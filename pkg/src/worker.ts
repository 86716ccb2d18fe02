// The worker: the engine on a thread of its own, so that the page stays responsive while it computes.

import { builds } from "./builds.js";
import { work } from "./host.js";

work(builds);

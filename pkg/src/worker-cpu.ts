// The worker of "adversight/cpu": it knows no engine for WebGPU.

import { cpuBuilds } from "./builds-cpu.js";
import { work } from "./host.js";

work(cpuBuilds);

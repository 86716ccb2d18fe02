// The engine for the CPU on the page's own thread; loaded only where it is asked for.

import { cpuBuilds } from "./builds-cpu.js";
import { startOn } from "./thread.js";

export const startHere = (): MessagePort => startOn(cpuBuilds);

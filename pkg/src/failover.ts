// What an engine does when its GPU is lost: with "auto" the calls go on on the CPU, else they end with "device_lost".

import { AdversightError, isFatal } from "./errors.js";
import type { DeviceReport } from "./wasm/adversight.js";

/** The end of an engine, or of its GPU. */
export interface Loss {
  /** "device_lost", or "engine_failed" where the engine itself stopped. */
  code: "device_lost" | "engine_failed";
  /** What happened, in a sentence. */
  message: string;
  /** Whether the engine goes on on the CPU: `engine.device` then changes, and every model stays. */
  goesOn: boolean;
}

/** What the engine's side tells unasked. */
export type EngineEvent = { type: "lost"; message: string } | { type: "device"; device: DeviceReport };

/** How long a trap waits for the news that the device was lost, in milliseconds. */
const patience = 500;

export interface Guard {
  /** From now on a loss counts. `recover` brings the models onto the CPU; null where that was not asked for. */
  arm(recover: (() => Promise<DeviceReport>) | null): void;
  /** The device was lost. */
  lose(message: string): void;
  /** Makes a call, on the CPU from the start where the device is lost under it. */
  run<T>(call: () => Promise<T>): Promise<T>;
  /** Whether a trap outside of any call was the device's end only. */
  survives(trap: unknown): Promise<boolean>;
}

export function lostError(message: string): AdversightError {
  const why = message === "" ? "" : ` (${message.replace(/\.$/, "")})`;
  return new AdversightError(
    "device_lost",
    `The GPU was lost${why}. Create a new engine, or one with device "auto", which goes on on the CPU.`,
  );
}

/** `end` is told where nothing can go on. */
export function guardLoss(tell: (event: EngineEvent) => void, end: (error: AdversightError) => void): Guard {
  let armed = false;
  let recover: (() => Promise<DeviceReport>) | null = null;
  let recovered: Promise<void> | null = null;
  let toldOf: () => void = () => undefined;
  const lost = new Promise<void>((resolve) => (toldOf = resolve));

  const isLost = () => recovered !== null;

  const lose = (message: string) => {
    if (!armed || recovered) return;
    toldOf();
    if (!recover) {
      const error = lostError(message);
      recovered = Promise.reject(error);
      recovered.catch(() => undefined);
      end(error);
      return;
    }
    tell({ type: "lost", message });
    recovered = recover().then((device) => {
      tell({ type: "device", device });
    });
    recovered.catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      end(lostError(`${message} The CPU could not take over: ${reason}`.trim()));
    });
  };

  /** Whether an error is the device's end, which may be told a moment later than the error. */
  const isLoss = async (error: unknown): Promise<boolean> => {
    if (!armed) return false;
    if (recovered) return true;
    if (error instanceof Error && "code" in error && error.code === "device_lost") {
      lose(error.message);
      return true;
    }
    if (!isFatal(error)) return false;
    await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, patience))]);
    return isLost();
  };

  return {
    arm(how) {
      armed = true;
      recover = how;
    },
    lose,
    async run(call) {
      if (!isLost()) {
        try {
          const made = await Promise.race([call().then((value) => ({ value })), lost]);
          await Promise.resolve(); // a loss that was told with the value
          if (made && !isLost()) return made.value;
        } catch (error) {
          if (!(await isLoss(error))) throw error;
        }
      }
      await recovered;
      return call();
    },
    survives: async (trap) => recover !== null && (await isLoss(trap)),
  };
}

// The GPU that the engine opens from within its WebAssembly: which one it asks for, and whether it was lost.

import type { PowerPreference } from "./choice.js";

/** What is used of WebGPU's classes, which TypeScript's library does not have yet. */
type Method = (this: unknown, ...args: unknown[]) => Promise<unknown>;
interface Device {
  lost: Promise<{ message?: string; reason?: string }>;
}

/** Engines of one thread share a device, which the first of them has opened. */
const followers = new Set<(message: string) => void>();

/** No longer tells of a loss. */
export function unfollow(onLost: (message: string) => void): void {
  followers.delete(onLost);
}

/**
 * Runs `open`, in which the engine opens its device. Of two GPUs it gets the preferred one, and `onLost` is told when the device is lost
 * later, which WebAssembly finds out at its next call only.
 */
export async function openingGpu<T>(
  power: PowerPreference | undefined,
  onLost: (message: string) => void,
  open: () => Promise<T>,
): Promise<T> {
  followers.add(onLost);
  const undo = [
    around("GPU", "requestAdapter", (original) =>
      power === undefined
        ? original
        : function (options, ...rest) {
            return original.call(
              this,
              { ...(options as object | undefined), powerPreference: power },
              ...rest,
            );
          },
    ),
    around(
      "GPUAdapter",
      "requestDevice",
      (original) =>
        async function (...args) {
          const device = await original.apply(this, args);
          void (device as Device).lost.then(({ message }) => {
            for (const tell of followers) tell(message ?? "");
          });
          return device;
        },
    ),
  ];
  try {
    return await open();
  } finally {
    undo.forEach((restore) => {
      restore();
    });
  }
}

/** Puts another function in the place of a class's method, and gives back what undoes it. */
function around(name: string, method: string, make: (original: Method) => Method): () => void {
  const prototype = (
    globalThis as unknown as Record<string, { prototype?: Record<string, Method> } | undefined>
  )[name]?.prototype;
  const original = prototype?.[method];
  if (!prototype || !original) return () => undefined;
  const replaced = make(original);
  try {
    prototype[method] = replaced;
  } catch {
    return () => undefined; // frozen: the engine works without
  }
  return () => {
    if (prototype[method] === replaced) prototype[method] = original;
  };
}

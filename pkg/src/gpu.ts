// The GPU that the engine opens from within its WebAssembly: which one it asks for, and whether it was lost.

import { before, lackOf, late, type PowerPreference } from "./choice.js";
import { AdversightError } from "./errors.js";

/** A WebGPU device of the page's own (`GPUDevice`), which TypeScript's library does not have everywhere yet. */
export interface GpuDevice {
  readonly lost: Promise<{ readonly message: string }>;
  readonly limits: object;
  readonly features: object;
  readonly queue: object;
}

/** Which GPU an engine opens: the preferred one of two, or a device that there is already. */
export interface GpuWish {
  power?: PowerPreference | undefined;
  device?: GpuDevice | undefined;
}

/** What is used of WebGPU's classes, which TypeScript's library does not have yet. */
type Method = (this: unknown, ...args: unknown[]) => Promise<unknown>;
interface Device {
  lost: Promise<{ message?: string; reason?: string }>;
}

/** Engines of one thread share a device, which the first of them has opened. */
const followers = new Set<(message: string) => void>();

/** That device, once there is one. */
let opened: unknown = null;

/** Refuses a device of the page's own with which the engine could not compute, before a shader fails on it. */
export async function checkDevice(device: GpuDevice): Promise<void> {
  const refuse = (message: string, code: "device_unavailable" | "device_lost" = "device_unavailable") =>
    new AdversightError(code, message);
  // It may be another frame's: what counts is what it has.
  if (!("createShaderModule" in device && "queue" in device && "limits" in device)) {
    throw refuse("The option `gpuDevice` is no GPUDevice.");
  }
  if (opened !== null && opened !== device) {
    throw refuse(
      "An engine on this thread has opened another GPU device already, which all engines of the thread share: give the device to the first of them.",
    );
  }
  const lack = lackOf(device);
  if (lack) throw refuse(`The given GPU device has ${lack} Give its features and limits to requestDevice.`);
  // A promise that has been kept is told at once.
  if ((await before(0, device.lost)) !== late) throw refuse("The given GPU device is lost.", "device_lost");
}

/** What stands for the adapter of a given device: what it has is what the device has, and it makes no other. */
const adapterOf = (device: GpuDevice): object => ({
  limits: device.limits,
  features: device.features,
  info: (device as { adapterInfo?: object }).adapterInfo ?? {
    vendor: "",
    architecture: "",
    device: "",
    description: "",
  },
  requestDevice: () => followed(Promise.resolve(device)),
});

/** Notes the device that was opened, and tells of its loss. */
async function followed(opening: Promise<unknown>): Promise<unknown> {
  const device = await opening;
  opened = device;
  void (device as Device).lost.then(({ message }) => {
    for (const tell of followers) tell(message ?? "");
  });
  return device;
}

/** No longer tells of a loss. */
export function unfollow(onLost: (message: string) => void): void {
  followers.delete(onLost);
}

/**
 * Runs `open`, in which the engine opens its device. It gets the device that is given, or of two GPUs the preferred one; `onLost` is told
 * when the device is lost later, which WebAssembly finds out at its next call only.
 */
export async function openingGpu<T>(
  { power, device }: GpuWish,
  onLost: (message: string) => void,
  open: () => Promise<T>,
): Promise<T> {
  followers.add(onLost);
  const undo = [
    around("GPU", "requestAdapter", (original) =>
      device
        ? () => Promise.resolve(adapterOf(device))
        : power === undefined
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
        function (...args) {
          return followed(original.apply(this, args));
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

// Workers: from the package's own scripts, wherever a bundler or a server has put them, or from an address that the user gives.

import { AdversightError } from "./errors.js";
import { policyName, trusted } from "./policy.js";

type Asked = [address: URL | string, options?: WorkerOptions];

/**
 * The worker that `start` starts. Its `new Worker(new URL(…))` is what bundlers look for and write their own address into; that very address
 * is what counts here, since a page may not start a worker from another site, as where the package or what a bundler made of it lies on a
 * CDN. Firefox says so only later, by an event, so that the sites are compared before.
 */
export function spawn(start: () => Worker): Worker {
  let given: Asked;
  try {
    given = asked(start);
  } catch (cause) {
    throw new AdversightError(
      "engine_failed",
      "Where the package's worker lies is not known here, since a bundler has taken its address away. Give createEngine the worker, or its address, as the " +
        "option `worker`.",
      { cause },
    );
  }
  return spawnAt(...given);
}

/** A worker from this address. One on another site is imported by a worker of the page's own, for which that site has to allow it (CORS). */
export function spawnAt(address: URL | string, options?: WorkerOptions): Worker {
  if (typeof Worker === "undefined") {
    throw new AdversightError(
      "engine_failed",
      'No worker can be started here, as in a service worker. Import createEngine from "adversight/here", which runs the engine on this very ' +
        "thread, or let a page (of an extension: an offscreen document) call it.",
    );
  }
  try {
    const url = new URL(address, base());
    if (isNear(url)) return new Worker(trusted(url.href), options);
    const importing = new Blob([`import ${JSON.stringify(url.href)};`], { type: "text/javascript" });
    const own = URL.createObjectURL(importing);
    const worker = new Worker(trusted(own), { ...options, type: "module" });
    const revoke = () => {
      URL.revokeObjectURL(own);
    };
    for (const type of ["message", "error"]) worker.addEventListener(type, revoke, { once: true });
    return worker;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const policy = /trusted/i.test(reason)
      ? ` The page asks for Trusted Types: its policy has to allow the name, \`trusted-types ${policyName}\`.`
      : "";
    throw new AdversightError("engine_failed", `The worker could not be started (${reason}).${policy}`, {
      cause,
    });
  }
}

/** What addresses are relative to. */
export function base(): string {
  return typeof document === "undefined" ? location.href : document.baseURI;
}

/** Whether a worker may be started from an address as it is. */
function isNear(url: URL): boolean {
  return url.protocol === "data:" || url.origin === globalThis.origin;
}

/** What `start` gives to `new Worker`, without a worker being started. */
function asked(start: () => Worker): Asked {
  const scope = globalThis as { Worker?: unknown };
  const original = Object.getOwnPropertyDescriptor(scope, "Worker");
  const found: Asked[] = [];
  const stand = function (...given: Asked) {
    found.push(given);
  };
  try {
    Object.defineProperty(scope, "Worker", { value: stand, configurable: true, writable: true });
    start();
  } finally {
    if (original) Object.defineProperty(scope, "Worker", original);
    else delete scope.Worker;
  }
  const [first] = found;
  if (!first) throw new TypeError("No worker was asked for.");
  return first;
}

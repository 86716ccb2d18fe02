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
    const url = unmoved(new URL(address, base()));
    const isModule = options?.type === "module";
    // Without an origin of its own, as in a sandboxed frame or a file, a page has no module workers (Chromium).
    const isNowhere = globalThis.origin === "null";
    if (isNear(url) && !(isModule && isNowhere)) return noted(new Worker(trusted(url.href), options), url);
    const text = !isModule ? importScript(url.href) : isNowhere ? importLater(url.href) : importNow(url.href);
    const own = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const worker = new Worker(trusted(own), isNowhere ? { ...options, type: "classic" } : options);
    const revoke = () => {
      URL.revokeObjectURL(own);
    };
    for (const type of ["message", "error"]) worker.addEventListener(type, revoke, { once: true });
    return noted(worker, url);
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

/** The addresses that workers were started from, for errors. */
const addresses = new WeakMap<Worker, URL>();

function noted(worker: Worker, url: URL): Worker {
  addresses.set(worker, url);
  return worker;
}

/** Why a worker may not have been loaded, in a sentence. */
export function notLoaded(worker: Worker): string {
  const url = addresses.get(worker);
  if (!url) return "The engine's worker could not be loaded.";
  const far = `It lies on another site, which has to allow it (CORS), and the page's Content Security Policy, where it has one, needs worker-src blob: ${url.origin}.`;
  return `The engine's worker could not be loaded from ${url.href}.${isNear(url) ? "" : ` ${far}`}`;
}

const importNow = (url: string) => `import ${JSON.stringify(url)};`;

/** A classic worker's way of taking in a module; what is sent before that waits for it. */
const importLater = (url: string) => `
  const early = [];
  const keep = (event) => early.push(event.data);
  addEventListener("message", keep);
  import(${JSON.stringify(url)}).then(
    () => {
      removeEventListener("message", keep);
      for (const data of early) dispatchEvent(new MessageEvent("message", { data }));
    },
    (error) => setTimeout(() => { throw error; }),
  );`;

/** A classic worker's way of taking in another site's script; the page's policy binds it too. */
function importScript(url: string): string {
  const text = JSON.stringify(url);
  const policy = `trustedTypes.createPolicy(${JSON.stringify(policyName)}, { createScriptURL: (url) => url })`;
  return `importScripts(globalThis.trustedTypes ? ${policy}.createScriptURL(${text}) : ${text});`;
}

/**
 * Where a file of the package lies, given where its address says. Vite's dev server (5 to 7) moves the package's modules into a folder of
 * its own, but neither its workers nor its WebAssembly.
 */
export function unmoved(url: URL): URL {
  const moved = /^(.*\/)\.vite\/deps[^/]*\/(.+)$/.exec(url.pathname);
  return moved ? new URL(`${moved[1] ?? ""}adversight/dist/${moved[2] ?? ""}`, url) : url;
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

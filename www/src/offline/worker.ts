// The service worker: keeps the page's own files, so that it starts without a network. It answers for them alone, keeps nothing that a person
// gave, and asks no other host.

import { filesToKeep, modelStorage, pageStorage, placeholder, type PageFile, type Wanted } from "./files.js";

/** What a service worker has, as far as this one uses it; TypeScript's types of pages and of workers exclude each other. */
interface Waiting extends Event {
  waitUntil: (work: Promise<unknown>) => void;
}
interface Asked extends Waiting {
  request: Request;
  respondWith: (answer: Promise<Response>) => void;
}
interface Told extends Waiting {
  data: unknown;
  source: { postMessage: (message: unknown) => void } | null;
}
interface Scope {
  registration: { scope: string };
  clients: { claim: () => Promise<void> };
  skipWaiting: () => Promise<void>;
  addEventListener: ((type: "install" | "activate", listener: (event: Waiting) => void) => void) &
    ((type: "fetch", listener: (event: Asked) => void) => void) &
    ((type: "message", listener: (event: Told) => void) => void);
}
const worker = globalThis as unknown as Scope;

/** In place of the placeholder, the build has put the files, and what they are together. */
const { version, files } = JSON.parse(decodeURIComponent(placeholder)) as {
  version: string;
  files: PageFile[];
};
const storage = `${pageStorage}${version}`;
const place = (path: string) => new URL(path, worker.registration.scope).href;
const known = new Map(files.map((file) => [place(file.path), file]));
const index = place("index.html");

worker.addEventListener("install", (event) => {
  event.waitUntil(worker.skipWaiting());
});

worker.addEventListener("activate", (event) => {
  const clean = async () => {
    for (const name of await caches.keys())
      if (name.startsWith(pageStorage) && name !== storage) await caches.delete(name);
    await worker.clients.claim();
  };
  event.waitUntil(clean());
});

worker.addEventListener("message", (event) => {
  const { source } = event;
  const { keep: wanted } = event.data as { keep?: Wanted };
  if (!wanted || !source) return;
  event.waitUntil(
    keepAll(wanted, (progress) => {
      source.postMessage(progress);
    }),
  );
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = request.url.split(/[?#]/, 1)[0] ?? "";
  const asked = request.mode === "navigate" && address === place("") ? index : address;
  const file = known.get(asked);
  if (request.method !== "GET" || !file) return;
  event.respondWith(answer(request, asked, file));
});

/** From the storage where the name says the content; else from the network, and from the storage without one. */
async function answer(request: Request, address: string, { path }: PageFile): Promise<Response> {
  const kept = async () => (await (await opened())?.match(address)) ?? null;
  if (path.startsWith("assets/")) return (await kept()) ?? fetch(request);
  try {
    return await fetch(request);
  } catch (error) {
    const found = await kept();
    if (found) return found;
    throw error;
  }
}

/** The storage, unless the user has thrown it away. */
const opened = async () => ((await caches.has(storage)) ? caches.open(storage) : null);

async function keepAll(wanted: Wanted, tell: (progress: unknown) => void): Promise<void> {
  const all = filesToKeep(files, wanted);
  const total = all.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  try {
    for (const file of all) {
      await keep(file);
      done += file.bytes;
      tell({ keeping: { done, total } });
    }
    tell({ kept: { total } });
  } catch (error) {
    tell({ failed: error instanceof Error ? error.message : String(error) });
  }
}

/** Keeps a file that is what the build has made; what is kept already is not fetched again. */
async function keep({ path, sha256, bytes }: PageFile): Promise<void> {
  const address = place(path);
  const isNetwork = path.endsWith(".onnx");
  const store = await caches.open(isNetwork ? modelStorage.name : storage);
  if (await store.match(address)) return;
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${path} could not be fetched (${response.status}).`);
  const body = await response.clone().arrayBuffer();
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  if (Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("") !== sha256)
    throw new Error(`${path} is another than this page was made with: it was changed meanwhile.`);
  const headers = {
    "content-length": String(bytes),
    [modelStorage.sha256]: sha256,
    [modelStorage.used]: String(Date.now()),
  };
  await store.put(address, isNetwork ? new Response(body, { headers }) : response);
}

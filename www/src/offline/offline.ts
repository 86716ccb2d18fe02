// What this browser keeps of the page, told and thrown away: the page itself by the service worker, networks by the package.

import { Store } from "../state.js";
import { modelStorage, pageStorage, type Wanted } from "./files.js";

export interface OfflineState {
  /** Whether the page starts without a network. */
  ready: boolean;
  /** How far it is with what it fetches for that, in bytes; null where it is at nothing. */
  keeping: { done: number; total: number } | null;
  /** Bytes of the page and of networks. */
  page: number;
  networks: number;
  /** Why the page is not kept, where it was tried. */
  problem: string | null;
}

/** Set by whoever throws away what is kept: nothing is fetched again until it is asked for. */
const refusal = "offline";

export class Offline {
  readonly store = new Store<OfflineState>({
    ready: false,
    keeping: null,
    page: 0,
    networks: 0,
    problem: null,
  });

  /** Keeps the page, unless the user, or the connection, does not want that. */
  async begin(wanted: Wanted): Promise<void> {
    const connection = (navigator as { connection?: { saveData?: boolean } }).connection;
    if (stored() !== "no" && connection?.saveData !== true) await this.keep(wanted);
    await this.look();
  }

  async keep(wanted: Wanted): Promise<void> {
    if (!("serviceWorker" in navigator) || this.store.state.keeping) return;
    try {
      store(null);
      await navigator.serviceWorker.register("./worker.js");
      const { active } = await navigator.serviceWorker.ready;
      if (!active) return;
      navigator.serviceWorker.onmessage = ({ data }: MessageEvent<Partial<Record<string, unknown>>>) => {
        const keeping = data.keeping as OfflineState["keeping"] | undefined;
        if (keeping) this.store.set({ keeping });
        if (data.kept) this.store.set({ keeping: null, ready: true, problem: null });
        if (typeof data.failed === "string") this.store.set({ keeping: null, problem: data.failed });
        if (!keeping) void this.look();
      };
      navigator.serviceWorker.startMessages();
      this.store.set({ keeping: { done: 0, total: 0 } });
      active.postMessage({ keep: wanted });
    } catch (error) {
      this.store.set({ keeping: null, problem: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Measures what is kept. */
  async look(): Promise<void> {
    let [page, networks] = [0, 0];
    try {
      for (const name of await caches.keys()) {
        const isPage = name.startsWith(pageStorage);
        if (!isPage && name !== modelStorage.name) continue;
        const cache = await caches.open(name);
        for (const request of await cache.keys()) {
          const size = (await (await cache.match(request))?.blob())?.size ?? 0;
          if (isPage) page += size;
          else networks += size;
        }
      }
    } catch {
      // a browser that stores nothing keeps nothing
    }
    this.store.set({ page, networks });
  }

  /** Throws all of it away, and keeps nothing until it is asked for again. */
  async clear(): Promise<void> {
    store("no");
    const registrations = await navigator.serviceWorker.getRegistrations().catch(() => []);
    for (const registration of registrations) await registration.unregister();
    for (const name of await caches.keys())
      if (name.startsWith(pageStorage) || name === modelStorage.name) await caches.delete(name);
    this.store.set({ ready: false, keeping: null, problem: null });
    await this.look();
  }
}

function stored(): string | null {
  try {
    return localStorage.getItem(refusal);
  } catch {
    return null;
  }
}

function store(value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(refusal);
    else localStorage.setItem(refusal, value);
  } catch {
    // A browser may refuse to store anything.
  }
}

// The models that a browser keeps: found again by their address, checked against their SHA-256, and thrown away when nobody asks for them.

/** A file that is kept. */
export interface CachedModel {
  url: string;
  sha256: string;
  bytes: number;
  /** When it was asked for last. */
  used: Date;
}

/** The name of the browser's storage that models are kept in. */
const storage = "adversight-models";

/** What is noted of a file beside its content. */
const noted = { sha256: "x-adversight-sha256", used: "x-adversight-used" };

const day = 24 * 60 * 60 * 1000;

/** A file that was not asked for in so many days is an old version. */
const keptDays = 60;

/** The storage; null where a page may not have one, as in a sandboxed frame, or without encryption. */
async function open(): Promise<Cache | null> {
  try {
    return await caches.open(storage);
  } catch {
    return null;
  }
}

const absolute = (url: URL | string) =>
  new URL(url, (globalThis as { document?: Document }).document?.baseURI ?? globalThis.location.href).href;

/** The kept file, or null. Whatever goes wrong with the storage means that it is not kept. */
export async function recall(url: URL | string, sha256: string): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    const store = await open();
    const kept = await store?.match(url);
    if (!store || !kept) return null;
    const declared = kept.headers.get(noted.sha256);
    if (declared !== null && declared !== sha256) {
      await store.delete(url);
      return null;
    }
    const bytes = new Uint8Array(await kept.arrayBuffer());
    const used = Number(kept.headers.get(noted.used) ?? 0);
    if (Date.now() - used > day) await write(store, url, sha256, bytes);
    return bytes;
  } catch {
    return null;
  }
}

/** Throws a kept file away that turned out to be another. */
export async function forget(url: URL | string): Promise<void> {
  try {
    await (await open())?.delete(url);
  } catch {
    // then it is found out again
  }
}

/** Keeps a file. Without room for it, those that were not asked for the longest leave; where it still has none, it is not kept. */
export async function keep(url: URL | string, sha256: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  try {
    const store = await open();
    if (!store) return;
    await leave(store, url).catch(() => undefined);
    const others = await list(store).catch(() => []);
    for (const { url: oldest } of [...others, { url: null }]) {
      try {
        await write(store, url, sha256, bytes);
        return;
      } catch {
        if (oldest !== null) await store.delete(oldest);
      }
    }
  } catch {
    // the model is there all the same
  }
}

async function write(store: Cache, url: URL | string, sha256: string, bytes: Uint8Array<ArrayBuffer>) {
  const headers = {
    "content-length": String(bytes.byteLength),
    [noted.sha256]: sha256,
    [noted.used]: String(Date.now()),
  };
  await store.put(url, new Response(bytes, { headers }));
}

/** Old versions leave: the same file under another query, and what nobody has asked for in a long time. */
async function leave(store: Cache, url: URL | string): Promise<void> {
  const path = (address: string) => address.split(/[?#]/, 1)[0];
  const now = absolute(url);
  for (const kept of await list(store)) {
    const isOlder = path(kept.url) === path(now) && kept.url !== now;
    if (isOlder || Date.now() - kept.used.getTime() > keptDays * day) await store.delete(kept.url);
  }
}

/** What is kept, from the one that was not asked for the longest. */
async function list(store: Cache): Promise<CachedModel[]> {
  const found: CachedModel[] = [];
  for (const { url } of await store.keys()) {
    const kept = await store.match(url);
    if (!kept) continue;
    const told = Number(kept.headers.get("content-length") ?? NaN);
    found.push({
      url,
      sha256: kept.headers.get(noted.sha256) ?? "",
      bytes: Number.isFinite(told) ? told : (await kept.blob()).size,
      used: new Date(Number(kept.headers.get(noted.used) ?? 0)),
    });
  }
  return found.sort((a, b) => a.used.getTime() - b.used.getTime());
}

/** The models that this browser keeps for the site, which were loaded with their `sha256`. */
export const modelCache = {
  /** What is kept, from the one that was not asked for the longest. Empty where the browser keeps nothing. */
  async contents(): Promise<CachedModel[]> {
    try {
      const store = await open();
      return store ? await list(store) : [];
    } catch {
      return [];
    }
  },

  /** How many bytes they take. */
  async size(): Promise<number> {
    return (await modelCache.contents()).reduce((sum, { bytes }) => sum + bytes, 0);
  },

  /** Throws one away; tells whether it was there. */
  async delete(url: URL | string): Promise<boolean> {
    try {
      return (await (await open())?.delete(url)) ?? false;
    } catch {
      return false;
    }
  },

  /** Throws all away; tells whether there was something. */
  async clear(): Promise<boolean> {
    try {
      return await caches.delete(storage);
    } catch {
      return false;
    }
  },
};

// Fetching a model and what belongs to it, on the page's side: relative addresses and the page's content security policy
// then mean what its author expects.

import { AdversightError } from "./errors.js";
import type { Progress } from "./wasm/adversight.js";

export interface DownloadOptions {
  signal?: AbortSignal | undefined;
  /** `done` and `total` are bytes; `total` is 0 where the server does not tell. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** The name of the browser's storage that models are kept in. */
const storage = "adversight-models";

/**
 * A file whose SHA-256 (in hexadecimal) is known: what comes is checked against it, and kept in the browser's storage, so that it is
 * downloaded once. Where a page may not store anything (as one that is served without encryption), it is downloaded each time.
 */
export async function downloadOnce(
  url: URL | string,
  sha256: string,
  options: DownloadOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const store = await (globalThis.caches as CacheStorage | undefined)?.open(storage).catch(() => null);
  const kept = await store?.match(url).catch(() => undefined);
  if (kept) {
    const bytes = new Uint8Array(await kept.arrayBuffer());
    if ((await digest(bytes)) === sha256.toLowerCase()) return bytes;
    await store?.delete(url);
  }
  const bytes = await download(url, options);
  const found = await digest(bytes);
  if (found !== null && found !== sha256.toLowerCase()) {
    throw failed(url, `its content is another than expected (its SHA-256 is ${found})`);
  }
  // Without room for it the model is there all the same.
  await store?.put(url, new Response(bytes)).catch(() => undefined);
  return bytes;
}

/** Nothing where the page may not compute it, as one that is served without encryption. */
async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string | null> {
  const subtle = globalThis.crypto.subtle as SubtleCrypto | undefined;
  if (!subtle) return null;
  const hash = new Uint8Array(await subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function download(
  url: URL | string,
  { signal, onProgress }: DownloadOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await request(url, signal);
  // The length that the server tells is that of the compressed body, where there is one.
  const compressed = response.headers.has("content-encoding");
  const total = compressed ? 0 : Number(response.headers.get("content-length") ?? 0);

  if (!response.body) return new Uint8Array(await response.arrayBuffer());
  const chunks: Uint8Array[] = [];
  let done = 0;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const chunk = await reader.read();
      if (chunk.done) break;
      chunks.push(chunk.value);
      done += chunk.value.byteLength;
      onProgress?.({ done, total, stage: "download" });
    }
  } catch (cause) {
    throw signal?.aborted ? (signal.reason as Error) : failed(url, "the connection broke off", cause);
  }

  const bytes = new Uint8Array(done);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

/** The bytes of a file of the user's own. */
export async function readBlob(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (cause) {
    const name = "name" in blob && typeof blob.name === "string" ? blob.name : "The file";
    throw new AdversightError(
      "download_failed",
      `${name} could not be read: it was moved or changed since it was chosen, or it is larger than the browser can hold. ` +
        "Choose it again.",
      { cause },
    );
  }
}

export async function downloadJson(url: URL | string, signal?: AbortSignal): Promise<unknown> {
  const response = await request(url, signal);
  const text = await response.text();
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw failed(url, "what came back is not JSON", cause);
  }
}

async function request(url: URL | string, signal: AbortSignal | undefined): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal: signal ?? null });
  } catch (cause) {
    throw signal?.aborted ? (signal.reason as Error) : failed(url, "there was no answer", cause);
  }
  if (!response.ok)
    throw failed(url, `the server answered ${response.status} ${response.statusText}`.trimEnd());
  // Servers of single-page sites answer an unknown address with their page.
  if (response.headers.get("content-type")?.startsWith("text/html")) {
    throw failed(url, "the server answered with a web page: nothing lies at this address");
  }
  return response;
}

function failed(url: URL | string, reason: string, cause?: unknown): AdversightError {
  return new AdversightError("download_failed", `${String(url)} could not be downloaded: ${reason}.`, {
    cause,
  });
}

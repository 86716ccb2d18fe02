// Fetching a model and what belongs to it, on the page's side: relative addresses and the page's content security policy
// then mean what its author expects.

import { forget, keep, recall } from "./cache.js";
import { AdversightError } from "./errors.js";
import { refused, watchPolicy, type Refusal } from "./policy.js";
import type { Progress } from "./wasm/adversight.js";

export interface DownloadOptions {
  signal?: AbortSignal | undefined;
  /** `done` and `total` are bytes; `total` is 0 where the server does not tell. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** How often a broken transfer is taken up again before something has come, and how long is waited before, in milliseconds. */
const tries = { most: 4, wait: 250 };

/**
 * A file whose SHA-256 (in hexadecimal) is known: what comes is checked against it, and kept in the browser's storage, so that it is
 * downloaded once. Where a page may not store anything (as one that is served without encryption), it is downloaded each time.
 */
export async function downloadOnce(
  url: URL | string,
  sha256: string,
  options: DownloadOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const wanted = sha256.toLowerCase();
  const kept = await recall(url, wanted);
  options.signal?.throwIfAborted();
  if (kept) {
    if ((await digest(kept)) === wanted) return kept;
    await forget(url);
  }
  const bytes = await download(url, options);
  const found = await digest(bytes);
  if (found !== null && found !== wanted) {
    throw failed(url, `its content is another than expected (its SHA-256 is ${found})`);
  }
  if (found !== null) await keep(url, wanted, bytes);
  return bytes;
}

/** Nothing where the page may not compute it, as one that is served without encryption. */
async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string | null> {
  const subtle = globalThis.crypto.subtle as SubtleCrypto | undefined;
  if (!subtle) return null;
  const hash = new Uint8Array(await subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What has come of a file so far, in one buffer of its size where the server tells it. */
class Part {
  bytes: Uint8Array<ArrayBuffer>;
  done = 0;

  constructor(readonly total: number) {
    try {
      this.bytes = new Uint8Array(total);
    } catch {
      this.bytes = new Uint8Array(0); // the server may tell nonsense; if not, there is no room for what comes either
    }
  }

  add(chunk: Uint8Array): void {
    const needed = this.done + chunk.byteLength;
    if (needed > this.bytes.byteLength) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.bytes.byteLength, 1 << 16));
      larger.set(this.bytes.subarray(0, this.done));
      this.bytes = larger;
    }
    this.bytes.set(chunk, this.done);
    this.done = needed;
  }

  whole(): Uint8Array<ArrayBuffer> {
    return this.done === this.bytes.byteLength ? this.bytes : this.bytes.slice(0, this.done);
  }
}

/** What tells one version of a file from the next, as far as the server lets a page see it. */
const versionOf = ({ headers }: Response) => headers.get("etag") ?? headers.get("last-modified");

/** The file at an address. A transfer that breaks off is taken up again where it broke, if the server can do that (Range), or from the start. */
export async function download(
  url: URL | string,
  { signal, onProgress }: DownloadOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  let part: Part | null = null;
  let version: string | null = null;
  for (let failures = 0; ;) {
    const from = part?.done ?? 0;
    try {
      const response = await request(url, signal, from);
      if (part && from > 0 && !goesOn(response, part, version)) {
        if (response.status === 206) {
          await response.body?.cancel();
          part = null; // another version: from the start
          continue;
        }
        part = null;
      }
      if (!part) {
        // The length that the server tells is that of the compressed body, where there is one.
        const compressed = response.headers.has("content-encoding");
        part = new Part(compressed ? 0 : Number(response.headers.get("content-length") ?? 0));
        version = versionOf(response);
      }
      await receive(response, part, onProgress);
      if (part.done < part.total) throw new Broken();
      return part.whole();
    } catch (cause) {
      if (signal?.aborted) throw signal.reason as Error;
      if (cause instanceof AdversightError) throw cause;
      if (cause instanceof RangeError) {
        throw new AdversightError("out_of_memory", `There is not enough memory for ${String(url)}.`, {
          cause,
        });
      }
      if ((part?.done ?? 0) > from)
        failures = 0; // it comes on
      else if (++failures >= tries.most) throw failed(url, "the connection broke off", cause);
      await new Promise((resolve) => setTimeout(resolve, tries.wait * 2 ** failures));
      signal?.throwIfAborted();
    }
  }
}

/** Fewer bytes came than the server has told. */
class Broken extends Error {}

/** Whether a response continues what has come: the same version, from where it broke off. */
function goesOn(response: Response, { done, total }: Part, version: string | null): boolean {
  if (response.status !== 206 || versionOf(response) !== version) return false;
  // Of another site a page sees the length only.
  const range = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "");
  if (range) return Number(range[1]) === done;
  return total > 0 && Number(response.headers.get("content-length")) === total - done;
}

async function receive(
  response: Response,
  part: Part,
  onProgress: DownloadOptions["onProgress"],
): Promise<void> {
  const tell = () => {
    onProgress?.({ done: part.done, total: part.total, stage: "download" });
  };
  if (!response.body) {
    part.add(new Uint8Array(await response.arrayBuffer()));
    tell();
    return;
  }
  const reader = response.body.getReader();
  for (;;) {
    const chunk = await reader.read();
    if (chunk.done) return;
    part.add(chunk.value);
    tell();
  }
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

async function request(url: URL | string, signal: AbortSignal | undefined, from = 0): Promise<Response> {
  const watch = watchPolicy();
  let response: Response;
  try {
    response = await fetch(url, {
      signal: signal ?? null,
      ...(from > 0 ? { headers: { range: `bytes=${from}-` } } : {}),
    });
  } catch (cause) {
    if (signal?.aborted) throw signal.reason as Error;
    if (from > 0) throw cause; // it was there a moment ago
    const refusal = await watch.refusal();
    throw failed(url, refusal ? "the page does not allow it" : "there was no answer", cause, refusal);
  } finally {
    watch.end();
  }
  if (from > 0 && response.status === 416) throw new Broken();
  if (!response.ok)
    throw failed(url, `the server answered ${response.status} ${response.statusText}`.trimEnd());
  // Servers of single-page sites answer an unknown address with their page.
  if (response.headers.get("content-type")?.startsWith("text/html")) {
    throw failed(url, "the server answered with a web page: nothing lies at this address");
  }
  return response;
}

function failed(
  url: URL | string,
  reason: string,
  cause?: unknown,
  refusal?: Refusal | null,
): AdversightError {
  const policy = refusal ? ` ${refused(refusal)}` : "";
  return new AdversightError(
    "download_failed",
    `${String(url)} could not be downloaded: ${reason}.${policy}`,
    {
      cause,
    },
  );
}

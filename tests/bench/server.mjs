// Serves what was built and the models, and remembers which files each library asked for.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { fileIn, isolation, serve as serveFiles } from "../../xtask/server.mjs";
import { dist } from "./build.mjs";
import { variants } from "./engines.mjs";

const assets = fileURLToPath(new URL("../../www/public", import.meta.url));
const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Benchmark</title><script type="module" src="/page.js"></script>`;

/**
 * Starts the server; with `isolated`, its pages are cross-origin isolated, so that memory can be shared between threads. Its
 * `sizes()` tells for each variant what it loaded. With `cached`, the browser may keep what it has fetched.
 */
export async function serve({ isolated, quick, cached = false }) {
  const loaded = new Map();
  const server = await serveFiles({
    headers: { "Cache-Control": cached ? "max-age=3600" : "no-store", ...(isolated ? isolation : {}) },
    find: (path) => {
      if (path === "/") return { text: page, headers: { "Content-Type": "text/html; charset=utf-8" } };
      const file = fileOf(path, loaded);
      return file && { file };
    },
  });
  return {
    url: `${server.origin}/`,
    close: server.close,
    sizes: () =>
      [...loaded].map(([variant, files]) => ({ variant, files: [...files].map((f) => weigh(f, quick)) })),
  };
}

function fileOf(path, loaded) {
  if (/^\/(models|photos)\//.test(path)) return fileIn(assets, path);
  const engine = /^\/engines\/([^/]+)\/(.+)$/.exec(path);
  if (!engine) return fileIn(dist, path);
  const [, id, name] = engine;
  const variant = variants.find((variant) => variant.id === id);
  const file = variant && fileIn(join(dist, "engines", variant.bundle), name);
  if (!file) return null;
  if (!loaded.has(id)) loaded.set(id, new Set());
  loaded.get(id).add(file);
  return file;
}

const weighed = new Map();

/** The best that brotli can do takes half a minute for the largest files. */
function weigh(path, quick) {
  if (!weighed.has(path)) {
    const bytes = readFileSync(path);
    weighed.set(path, {
      file: path.slice(dist.length),
      bytes: bytes.length,
      gzip: gzipSync(bytes, { level: 9 }).length,
      brotli: brotliCompressSync(bytes, {
        params: {
          [constants.BROTLI_PARAM_QUALITY]: quick ? 5 : constants.BROTLI_MAX_QUALITY,
          [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
        },
      }).length,
    });
  }
  return weighed.get(path);
}

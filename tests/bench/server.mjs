// Serves what was built and the models, and remembers which files each library asked for.

import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { dist } from "./build.mjs";
import { variants } from "./engines.mjs";

const assets = fileURLToPath(new URL("../../www/public", import.meta.url));
const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};
const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Benchmark</title><script type="module" src="/page.js"></script>`;

/**
 * Starts the server; with `isolated`, its pages are cross-origin isolated, so that memory can be shared between threads. Its
 * `sizes()` tells for each variant what it loaded. With `cached`, the browser may keep what it has fetched.
 */
export async function serve({ isolated, quick, cached = false }) {
  const loaded = new Map();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (isolated) {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
      response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
    }
    response.setHeader("Cache-Control", cached ? "max-age=3600" : "no-store");
    if (pathname === "/") {
      response.setHeader("Content-Type", types[".html"]);
      response.end(page);
      return;
    }
    const path = fileOf(normalize(decodeURIComponent(pathname)), loaded);
    if (path === null || !existsSync(path) || !statSync(path).isFile()) {
      response.statusCode = 404;
      response.end("not here");
      return;
    }
    response.setHeader("Content-Type", types[extname(path)] ?? "application/octet-stream");
    createReadStream(path).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://localhost:${server.address().port}/`,
    close: () => server.close(),
    sizes: () =>
      [...loaded].map(([variant, files]) => ({ variant, files: [...files].map((f) => weigh(f, quick)) })),
  };
}

function fileOf(path, loaded) {
  if (/^\/(models|photos)\//.test(path)) return join(assets, path);
  const engine = /^\/engines\/([^/]+)\/(.+)$/.exec(path);
  if (!engine) return join(dist, path);
  const [, id, file] = engine;
  const variant = variants.find((variant) => variant.id === id);
  if (!variant) return null;
  const place = join(dist, "engines", variant.bundle, file);
  if (!loaded.has(id)) loaded.set(id, new Set());
  loaded.get(id).add(place);
  return place;
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

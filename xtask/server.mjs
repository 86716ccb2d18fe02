// The one static server of this project: of the demo (`cargo xtask demo`), of the tests in a browser, and of the benchmark.
//
//     node xtask/server.mjs FOLDER --port 8080      serves a folder until the standard input ends

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

/** How many ports are tried after the one that was asked for. */
const tries = 20;

/** With another type, a browser refuses WebAssembly and modules. */
const types = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".md": "text/plain; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

/** Pages with these headers are cross-origin isolated: their workers may share memory, and clocks are precise. */
export const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

/** The file below `folder` that a path of an address means; null where there is none, or it lies elsewhere. */
export function fileIn(folder, path) {
  const root = resolve(folder);
  const file = resolve(join(root, path));
  if (file !== root && !file.startsWith(root.endsWith(sep) ? root : root + sep)) return null;
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isFile()) return file;
  return found?.isDirectory() ? fileIn(root, join(path, "index.html")) : null;
}

/**
 * Starts a server for this machine only, on `port` or, where that is in use, one of the next; 0 is any free port. `find` is given the decoded
 * path of an address and tells what is sent: `{ file }` or `{ text }` with `headers` of its own, or nothing. `headers` come with every answer.
 */
export async function serve({ find, headers = {}, port = 0 }) {
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries({ "X-Content-Type-Options": "nosniff", ...headers })) {
      response.setHeader(name, value);
    }
    const refuse = (status, why) => {
      response.statusCode = status;
      response.setHeader("Content-Type", types[".txt"]);
      response.end(`${why}\n`);
    };
    if (request.method !== "GET" && request.method !== "HEAD") {
      refuse(405, "Only GET and HEAD are answered.");
      return;
    }
    const path = decoded(request.url);
    const found = path === null ? null : find(path);
    if (!found) {
      refuse(404, "There is no such file.");
      return;
    }
    const type = types[extname(found.file ?? path)] ?? "application/octet-stream";
    response.setHeader("Content-Type", type);
    for (const [name, value] of Object.entries(found.headers ?? {})) response.setHeader(name, value);
    const size = found.file ? statSync(found.file).size : Buffer.byteLength(found.text);
    response.setHeader("Content-Length", size);
    if (request.method === "HEAD") response.end();
    else if (found.file)
      createReadStream(found.file)
        .on("error", () => response.destroy())
        .pipe(response);
    else response.end(found.text);
  });
  await listen(server, port);
  return {
    port: server.address().port,
    origin: `http://localhost:${server.address().port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The path of an address; null where it is none. It is taken as it comes: URL would resolve its dots. */
function decoded(address) {
  const [path] = address.split(/[?#]/, 1);
  try {
    const text = decodeURIComponent(path);
    return text.startsWith("/") && !text.includes("\0") ? text : null;
  } catch {
    return null;
  }
}

async function listen(server, port) {
  const last = port === 0 ? 0 : port + tries;
  for (let candidate = port; candidate <= last; candidate++) {
    const error = await new Promise((settle) => {
      server.once("error", settle);
      server.listen(candidate, "127.0.0.1", () => {
        server.off("error", settle);
        settle(null);
      });
    });
    if (!error) return;
    if (error.code !== "EADDRINUSE") {
      throw new Error(`Port ${candidate} cannot be used (${error.message}): name another one with --port.`);
    }
  }
  throw new Error(`The ports from ${port} on are all in use: name another one with --port.`);
}

/** Serves a folder until the standard input ends, as it does when the task that has started this program is ended. */
async function main() {
  const { values, positionals } = parseArgs({
    options: { port: { type: "string", default: "8080" } },
    allowPositionals: true,
  });
  const [folder] = positionals;
  const port = Number(values.port);
  if (!folder || !Number.isInteger(port) || port < 0 || port > 65535 - tries) {
    throw new Error("usage: node server.mjs FOLDER [--port 8080]");
  }
  const server = await serve({
    port,
    // What was built last is what is shown.
    headers: { ...isolation, "Cache-Control": "no-cache" },
    find: (path) => {
      const file = fileIn(folder, path);
      return file && { file };
    },
  });
  console.log(`The page is at http://127.0.0.1:${server.port}/ (end with Ctrl-C)`);
  process.stdin
    .on("end", () => process.exit(0))
    .on("error", () => process.exit(0))
    .resume();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  main().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
}

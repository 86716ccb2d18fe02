// Serves what the project has built: the page under /demo/ with the policy that it was built with, the package as it is
// published under /package/, the oracles' figures under /fixtures/, and an empty page that uses the package.

import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { basename, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folders = {
  demo: here("../../www/dist/"),
  package: here("../../pkg/dist/"),
  fixtures: here("../fixtures/"),
  cases: process.env.ADVERSIGHT_CASES ?? here("../fixtures/cases/"),
  page: here("page/"),
  // ONNX's own tests, where they have been fetched.
  onnx: process.env.ADVERSIGHT_ONNX_TESTS,
  "onnx-newest": process.env.ADVERSIGHT_ONNX_NEWEST_TESTS,
};
const types = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".jpg": "image/jpeg",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".png": "image/png",
  ".wasm": "application/wasm",
};

/** The folder of the cases: questions to the command line with their right answers. */
export const cases = folders.cases;

/** Starts the server on a free port; with `isolated`, its pages are cross-origin isolated, so that their workers can share memory. */
export async function serve({ isolated = false } = {}) {
  const index = join(folders.demo, "index.html");
  for (const file of [index, join(folders.package, "index.js")]) {
    if (!existsSync(file)) {
      throw new Error(
        `${file} is missing: \`cargo xtask demo --build-only\` builds the package and the page.`,
      );
    }
  }
  const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(
    readFileSync(index, "utf8"),
  )?.[1];
  if (!policy) throw new Error("The built page carries no content security policy.");

  /** What is served in place of a file, by its name: a text, or nothing at all. A browser's own way would miss workers within workers. */
  const instead = new Map();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const [, folder, path] = /^\/([^/]+)\/(.*)$/.exec(normalize(decodeURIComponent(pathname))) ?? [];
    const file = folders[folder] && join(folders[folder], path === "" ? "index.html" : path);
    response.setHeader("Cache-Control", "no-store");
    if (isolated) {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    // As a header, the policy binds the page's worker too.
    if (folder === "demo") response.setHeader("Content-Security-Policy", policy.replaceAll("&#39;", "'"));
    const other = instead.get(basename(pathname));
    if (other) {
      response.setHeader("Content-Type", types[extname(pathname)]);
      response.end(other);
      return;
    }
    if (other === null || !file || !existsSync(file) || !statSync(file).isFile()) {
      response.statusCode = 404;
      response.end("There is no such file.");
      return;
    }
    response.setHeader("Content-Type", types[extname(file)] ?? "application/octet-stream");
    response.setHeader("Content-Length", statSync(file).size);
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://localhost:${server.address().port}`,
    instead,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

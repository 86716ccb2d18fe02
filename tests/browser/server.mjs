// What the pages under test can ask for: the demo under /demo/ with the policy that it was built with, the package as it is
// published under /package/, the oracles' figures under /fixtures/, and an empty page that uses the package.

import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fileIn, isolation, serve as serveFiles } from "../../xtask/server.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folders = {
  demo: here("../../www/dist/"),
  package: here("../../pkg/dist/"),
  fixtures: here("../fixtures/"),
  cases: process.env.ADVERSIGHT_CASES ?? here("../fixtures/cases/"),
  random: process.env.ADVERSIGHT_RANDOM_NETWORKS ?? here("../fixtures/random_networks/"),
  page: here("page/"),
  // ONNX's own tests, where they have been fetched.
  onnx: process.env.ADVERSIGHT_ONNX_TESTS,
  "onnx-newest": process.env.ADVERSIGHT_ONNX_NEWEST_TESTS,
};

/** The folder of the cases: questions to the command line with their right answers. */
export const cases = folders.cases;

/** The folder of the networks that were drawn. */
export const randomNetworks = folders.random;

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
  const server = await serveFiles({
    headers: { "Cache-Control": "no-store", ...(isolated ? isolation : {}) },
    find: (path) => {
      const [, folder, rest] = /^\/([^/]+)\/(.*)$/.exec(path) ?? [];
      // As a header, the policy binds the page's worker too.
      const headers =
        folder === "demo" ? { "Content-Security-Policy": policy.replaceAll("&#39;", "'") } : undefined;
      const other = instead.get(basename(path));
      if (other) return { text: other, headers };
      const file = other === null || !folders[folder] ? null : fileIn(folders[folder], rest);
      return file && { file, headers };
    },
  });
  return { origin: server.origin, instead, close: server.close };
}

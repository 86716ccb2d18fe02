// Bundles the page, the thread's script, and each library by itself, so that what each one weighs can be told.

import { build } from "esbuild";
import { cpSync, existsSync, rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundles } from "./engines.mjs";

export const dist = fileURLToPath(new URL("dist/", import.meta.url));
const here = fileURLToPath(new URL(".", import.meta.url));

/** Builds the page and these libraries into dist/. */
export async function buildAll(names) {
  rmSync(dist, { recursive: true, force: true });
  const common = {
    absWorkingDir: here,
    bundle: true,
    format: "esm",
    target: "es2022",
    // Each library is served as its users would serve it.
    minify: true,
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "error",
  };
  await build({ ...common, entryPoints: { page: "src/page.ts", worker: "src/worker.ts" }, outdir: dist });
  for (const name of names) {
    for (const file of bundles[name]) {
      const from = `${here}node_modules/${file}`;
      if (!existsSync(from) || statSync(from).size < 100) throw new Error(missing(file));
      // Where the bundle, which lies where the library's code lay, looks for it.
      cpSync(from, `${dist}engines/${name}/${file.split("/dist/")[1]}`);
    }
    await build({
      ...common,
      entryPoints: { engine: `src/engines/${name}.ts` },
      outdir: `${dist}engines/${name}`,
      splitting: true,
      // TF.js asks for node's modules where it runs in node.
      external: ["fs", "path", "os", "util", "crypto", "string_decoder", "worker_threads", "perf_hooks"],
    });
  }
}

const missing = (file) =>
  file.startsWith("adversight/")
    ? "The package is not built: run `cargo xtask demo --build-only` in the root of the project, or measure the others " +
      "alone with `--engines`."
    : `node_modules holds no ${file}: run \`npm ci\` here.`;

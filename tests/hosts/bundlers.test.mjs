// The packed package in each bundler: built as its users build, served from one origin and from two, with threads and without.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { app, ask, assertNoPaths, cdn, close, here, html, main, origin, right, thorough } from "./hosts.mjs";

const run = promisify(execFile);
const require = createRequire(import.meta.url);
after(close);

/** Slow, and therefore by --thorough alone; named here, so that nothing is left out in silence. */
const slow = thorough ? {} : { skip: "by `cargo xtask test --thorough`" };

/** Runs a program of this folder's node_modules in an app. */
async function tool(folder, file, args) {
  await run(process.execPath, [join(here, "node_modules", file), ...args], {
    cwd: folder,
    maxBuffer: 1 << 26,
    env: { ...process.env, NODE_ENV: "production" },
  });
}

/** What is built runs from one origin, in threads where it is isolated, and with all but its page on another origin. */
async function assertRuns(output, { far, threads = 2 } = {}) {
  assertNoPaths(output);
  const near = await origin(output);
  const isolated = await origin(output, { isolated: true });
  try {
    assert.deepEqual(await ask(`${near.origin}/`), { result: right(), faults: [], missing: [] });
    const several = await ask(`${isolated.origin}/`, { threads });
    assert.deepEqual(several, { result: right(threads), faults: [], missing: [] });
  } finally {
    near.close();
    isolated.close();
  }
  if (!far) return;
  // The page alone, and everything else on the other origin.
  const assets = await cdn(output);
  try {
    const page = await far(assets.origin);
    for (const isolated of [false, true]) {
      const server = await origin(page, { isolated });
      const got = await ask(`${server.origin}/`, { threads });
      server.close();
      assert.deepEqual(got, { result: right(isolated ? threads : 1), faults: [], missing: [] });
    }
  } finally {
    assets.close();
  }
}

const source = { "index.html": html(), "main.js": main() };

for (const version of [5, 6, 7, 8]) {
  const often = version === 8 || version === 6 ? {} : slow;
  const vite = `vite${version}/bin/vite.js`;

  test(
    `Vite ${version} builds it without configuration, also with its assets on another origin`,
    often,
    async () => {
      const folder = app(`vite${version}`, source);
      await tool(folder, vite, ["build", "--logLevel", "error"]);
      await assertRuns(join(folder, "dist"), {
        far: async (base) => {
          // Built for that origin, whose server has the same files already but for this build's.
          await tool(folder, vite, ["build", "--logLevel", "error", "--base", `${base}/`]);
          const page = join(folder, "page");
          mkdirSync(page);
          cpSync(join(folder, "dist/index.html"), join(page, "index.html"));
          return page;
        },
      });
    },
  );

  test(`Vite ${version} serves it while one develops, without configuration`, often, async () => {
    const folder = app(`vite${version}-dev`, source);
    cpSync(join(here, "../fixtures/tiny.onnx"), join(folder, "public/fixtures/tiny.onnx"));
    cpSync(join(here, "../fixtures/tiny.json"), join(folder, "public/fixtures/tiny.json"));
    cpSync(join(here, "../fixtures/tiny/a.png"), join(folder, "public/fixtures/tiny/a.png"));
    const { createServer } = await import(
      require.resolve(`vite${version}`).replace(/index\.cjs$/, "dist/node/index.js")
    );
    for (const isolated of [false, true]) {
      const server = await createServer({
        root: folder,
        logLevel: "silent",
        server: {
          port: 0,
          hmr: false,
          headers: isolated
            ? { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" }
            : {},
        },
      });
      try {
        await server.listen();
        const { port } = server.httpServer.address();
        const address = `http://localhost:${port}/`;
        const { result } = await ask(address, { threads: 2 });
        assert.deepEqual(result, right(isolated ? 2 : 1));
        const onThePage = await ask(address, { worker: false });
        assert.deepEqual(onThePage.result, right());
      } finally {
        await server.close();
      }
    }
  });

  test(`Vite ${version} builds a library of which it stays a dependency`, slow, async () => {
    const folder = app(`vite${version}-lib`, {
      ...source,
      "vite.config.js": `export default {
        build: { lib: { entry: "main.js", formats: ["es"], fileName: "library" }, rollupOptions: { external: ["adversight"] } },
      };`,
    });
    await tool(folder, vite, ["build", "--logLevel", "error"]);
    const size = readdirSync(join(folder, "dist")).reduce(
      (sum, name) => sum + statSync(join(folder, "dist", name)).size,
      0,
    );
    assert.ok(size < 20_000, `the library has ${size} bytes`);
  });
}

test("webpack 5 builds it: a file a worker, no warning, also with publicPath on another origin", async () => {
  const { default: webpack } = await import("webpack");
  const folder = app("webpack", { "main.js": main() });
  const build = (publicPath, path) =>
    new Promise((resolve, reject) => {
      webpack(
        {
          context: folder,
          mode: "production",
          entry: "./main.js",
          output: {
            path: join(folder, path),
            filename: "main.js",
            publicPath,
            chunkFilename: "[id].[contenthash].js",
          },
        },
        (error, stats) => (error ? reject(error) : resolve(stats)),
      );
    });
  const stats = await build("auto", "dist");
  const { warnings, errors, chunks } = stats.toJson({
    all: false,
    warnings: true,
    errors: true,
    chunks: true,
    chunkModules: false,
  });
  assert.deepEqual(errors, []);
  assert.deepEqual(
    warnings
      .map(({ message }) => message)
      .filter((message) => !/size limit|code splitting|performance/i.test(message)),
    [],
  );
  // Each worker is a chunk of its own: two of one name would be one file, in which both run.
  assert.ok(chunks.filter(({ entry }) => entry).length >= 3, "main, worker and helper are entries");
  writeFileSync(join(folder, "dist/index.html"), html('<script defer src="./main.js"></script>'));
  await assertRuns(join(folder, "dist"), {
    far: async (base) => {
      await build(`${base}/`, "dist");
      const page = join(folder, "page");
      mkdirSync(page, { recursive: true });
      writeFileSync(
        join(page, "index.html"),
        html(`<script defer crossorigin src="${base}/main.js"></script>`),
      );
      return page;
    },
  });
});

test(
  "Vite puts the worker into the script, and the engine is told where its WebAssembly is",
  slow,
  async () => {
    const folder = app("vite-inline", {
      "index.html": html(),
      "main.js": `import Inline from "adversight/worker?worker&inline";
import cpu from "adversight/wasm-cpu?url";
${main()}
const asked = globalThis.run;
globalThis.run = (options) => asked({ worker: new Inline(), wasm: { cpu }, ...options });`,
    });
    await tool(folder, "vite8/bin/vite.js", ["build", "--logLevel", "error"]);
    const output = join(folder, "dist");
    const server = await origin(output);
    try {
      assert.deepEqual(await ask(`${server.origin}/`), { result: right(), faults: [], missing: [] });
    } finally {
      server.close();
    }
  },
);

test("Vite makes data of every file that is not large, and threads run all the same", slow, async () => {
  const folder = app("vite-data", {
    ...source,
    "vite.config.js": "export default { build: { assetsInlineLimit: 200_000 } };",
  });
  await tool(folder, "vite8/bin/vite.js", ["build", "--logLevel", "error"]);
  await assertRuns(join(folder, "dist"));
});

/** esbuild and Rollup leave addresses as they are: the package's files are put beside the bundle, as the README says. */
function beside(folder, output) {
  for (const name of ["worker.js", "helper.js", "wasm"]) {
    cpSync(join(folder, "node_modules/adversight/dist", name), join(output, name), { recursive: true });
  }
  writeFileSync(join(output, "index.html"), html());
}

test("esbuild bundles it, with the worker and the WebAssembly beside the bundle", async () => {
  const { build } = await import("esbuild");
  const folder = app("esbuild", { "main.js": main() });
  await build({
    entryPoints: [join(folder, "main.js")],
    bundle: true,
    format: "esm",
    outdir: join(folder, "dist"),
    logLevel: "error",
  });
  beside(folder, join(folder, "dist"));
  await assertRuns(join(folder, "dist"));
});

test("esbuild makes a classic script of it, which is told where the worker lies, and its worker where the WebAssembly is", async () => {
  const { build } = await import("esbuild");
  const folder = app("esbuild-iife", { "main.js": main(), "worker-main.js": 'import "adversight/worker";' });
  await build({
    entryPoints: [join(folder, "main.js"), join(folder, "worker-main.js")],
    bundle: true,
    format: "iife",
    outdir: join(folder, "dist"),
    logLevel: "silent",
  });
  const output = join(folder, "dist");
  beside(folder, output);
  writeFileSync(join(output, "index.html"), html('<script defer src="./main.js"></script>'));
  const server = await origin(output);
  try {
    const lost = await ask(`${server.origin}/`);
    assert.equal(lost.result.code, "engine_failed");
    assert.match(lost.result.error, /Give createEngine the worker/);
    // The bundled worker knows no address either, and needs none.
    const wasm = { cpu: "/wasm/adversight_cpu_bg.wasm" };
    const given = await ask(`${server.origin}/`, { worker: "/worker-main.js", wasm });
    assert.deepEqual(given, { result: right(), faults: [], missing: [] });
    const without = await ask(`${server.origin}/`, { worker: "/worker-main.js" });
    assert.match(without.result.error, /Give createEngine its addresses or bytes/);
    assert.equal(without.result.code, "engine_failed");
  } finally {
    server.close();
  }
});

test("Rollup bundles it, with the worker and the WebAssembly beside the bundle", async () => {
  const { rollup } = await import("rollup");
  const { default: resolve } = await import("@rollup/plugin-node-resolve");
  const folder = app("rollup", { "main.js": main() });
  const bundle = await rollup({ input: join(folder, "main.js"), plugins: [resolve({ browser: true })] });
  await bundle.write({ dir: join(folder, "dist"), format: "es" });
  await bundle.close();
  beside(folder, join(folder, "dist"));
  await assertRuns(join(folder, "dist"));
});

test('a bundler copies no WebGPU engine for an app of "adversight/cpu"', async () => {
  const folder = app("cpu-only", { "index.html": html(), "main.js": main("adversight/cpu") });
  await tool(folder, "vite8/bin/vite.js", ["build", "--logLevel", "error"]);
  const files = readdirSync(join(folder, "dist/assets"));
  assert.ok(
    files.some((name) => /^adversight_cpu_bg.*\.wasm$/.test(name)),
    files.join(", "),
  );
  assert.ok(!files.some((name) => /^adversight_bg/.test(name)), files.join(", "));
  await assertRuns(join(folder, "dist"));
});

test("Parcel builds it", slow, async () => {
  const folder = app("parcel", source);
  const { Parcel } = await import("@parcel/core");
  const bundler = new Parcel({
    entries: join(folder, "index.html"),
    defaultConfig: require.resolve("@parcel/config-default"),
    mode: "production",
    shouldDisableCache: true,
    targets: {
      app: {
        distDir: join(folder, "dist"),
        context: "browser",
        includeNodeModules: true,
        isLibrary: false,
        sourceMap: false,
        engines: { browsers: ["last 2 Chrome versions"] },
      },
    },
  });
  await bundler.run();
  const server = await origin(join(folder, "dist"));
  try {
    const { result } = await ask(`${server.origin}/`);
    assert.deepEqual(result, right());
  } finally {
    server.close();
  }
});

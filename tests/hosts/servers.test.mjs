// Hosts whose tools are large (tests/hosts/thorough holds them): Next.js, which renders on a server, with both of its bundlers, and Angular.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import {
  ask,
  assertNoPaths,
  cdn,
  close,
  here,
  html,
  main,
  origin,
  packed,
  right,
  thorough,
} from "./hosts.mjs";

const slow = thorough ? {} : { skip: "by `cargo xtask test --thorough`" };
const tools = join(here, "thorough");
const apps = join(tools, ".apps");
before(() => {
  if (thorough && !existsSync(join(tools, "node_modules")))
    throw new Error("Run `npm ci` in tests/hosts/thorough.");
});
after(close);

/** An app below the tools' folder, where Node and the bundlers find them as in any project. */
function app(name, files) {
  const folder = join(apps, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  cpSync(packed().folder, join(folder, "node_modules/adversight"), { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  for (const fixture of ["tiny.onnx", "tiny.json", "tiny/a.png"]) {
    cpSync(join(here, "../fixtures", fixture), join(folder, "public/fixtures", fixture));
  }
  return folder;
}

/** Runs a program of the tools to its end; what it has said. */
function tool(folder, script, args) {
  return new Promise((resolve, reject) => {
    const child = start(folder, script, args);
    child.on("close", (code) =>
      code === 0 ? resolve(child.said) : reject(new Error(`${script} ${args.join(" ")}: ${child.said}`)),
    );
  });
}

function start(folder, script, args, environment = {}) {
  const child = spawn(process.execPath, [join(tools, "node_modules", script), ...args], {
    cwd: folder,
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NG_CLI_ANALYTICS: "false", CI: "1", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (child.said += text));
  return child;
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Starts a server of the tools, waits until it answers, and gives its address to `use`. */
async function serving(folder, script, args, use) {
  const port = await freePort();
  const child = start(folder, script, [...args, "--port", String(port)]);
  try {
    const address = `http://localhost:${port}`;
    const end = Date.now() + 120_000;
    for (;;) {
      const answer = await fetch(`${address}/`).catch(() => null);
      if (answer?.ok) break;
      if (Date.now() > end || child.exitCode !== null) throw new Error(`It does not answer: ${child.said}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await use(address);
  } finally {
    child.kill();
    await new Promise((resolve) => (child.exitCode !== null ? resolve() : child.on("close", resolve)));
  }
}

const next = {
  "package.json": JSON.stringify({ name: "app-next", private: true, type: "module" }),
  "next.config.mjs": `import { fileURLToPath } from "node:url";
const root = fileURLToPath(new URL("../..", import.meta.url));
export default {
  turbopack: { root },
  outputFileTracingRoot: root,
  assetPrefix: process.env.CDN,
  async headers() {
    return [{ source: "/:path*", headers: process.env.ISOLATED ? [
      { key: "Cross-Origin-Opener-Policy", value: "same-origin" },
      { key: "Cross-Origin-Embedder-Policy", value: "require-corp" },
    ] : [{ key: "X-Plain", value: "1" }] }];
  },
};`,
  "app/layout.js": `export default function Layout({ children }) {
  return <html lang="en"><head><link rel="icon" href="data:," /></head><body>{children}</body></html>;
}`,
  // The server renders this, with a value of the package.
  "app/page.js": `import { maxPixels } from "adversight";
import Client from "./client";
export const dynamic = "force-dynamic";
export default function Page() {
  return <main><p id="server">{String(maxPixels)} at {new Date().getFullYear()}</p><Client /></main>;
}`,
  // And this too, before the browser goes on with it.
  "app/client.js": `"use client";
import "adversight/register";
import { useEffect } from "react";
import { run } from "./run";
export default function Client() {
  useEffect(() => { globalThis.run = run; });
  return <adversight-explainer model="/fixtures/tiny.onnx" preprocessing="/fixtures/tiny.json" src="/fixtures/tiny/a.png" method="saliency" device="cpu" />;
}`,
  "app/run.js": main().replace("globalThis.run = async", "export const run = async"),
};

for (const [bundler, flag] of [
  ["Turbopack", "--turbopack"],
  ["webpack", "--webpack"],
]) {
  test(
    `Next.js with ${bundler}: rendered on the server, built and run, in threads where it is isolated`,
    slow,
    async () => {
      const folder = app(`next-${bundler.toLowerCase()}`, next);
      await tool(folder, "next/dist/bin/next", ["build", flag]);
      // Turbopack's own runtime makes addresses below file:///ROOT; they hold no path.
      assertNoPaths(join(folder, ".next/static"), { addresses: false });
      await serving(folder, "next/dist/bin/next", ["start"], async (address) => {
        const markup = await (await fetch(address)).text();
        assert.match(markup, /<p id="server">67108864/);
        assert.match(markup, /<adversight-explainer[^>]*model="\/fixtures\/tiny\.onnx"/);
        assert.deepEqual(await ask(`${address}/`), { result: right(), faults: [], missing: [] });
      });
      process.env.ISOLATED = "1";
      try {
        await tool(folder, "next/dist/bin/next", ["build", flag]);
        await serving(folder, "next/dist/bin/next", ["start"], async (address) => {
          const got = await ask(`${address}/`, { threads: 2 });
          assert.deepEqual(got, { result: right(2), faults: [], missing: [] });
        });
      } finally {
        delete process.env.ISOLATED;
      }
    },
  );

  test(`Next.js with ${bundler} serves it while one develops`, slow, async () => {
    const folder = app(`next-dev-${bundler.toLowerCase()}`, next);
    await serving(folder, "next/dist/bin/next", ["dev", flag], async (address) => {
      const { result } = await ask(`${address}/`);
      assert.deepEqual(result, right());
    });
  });
}

const angular = {
  "package.json": JSON.stringify({ name: "app-angular", private: true }),
  "angular.json": JSON.stringify({
    version: 1,
    cli: { analytics: false },
    projects: {
      app: {
        projectType: "application",
        root: "",
        sourceRoot: "src",
        architect: {
          build: {
            builder: "@angular/build:application",
            options: {
              browser: "src/main.ts",
              index: "src/index.html",
              tsConfig: "tsconfig.json",
              outputPath: { base: "dist", browser: "" },
              outputHashing: "none",
              optimization: true,
              // What esbuild leaves where it was: the worker, the helper and the WebAssembly.
              assets: [
                { glob: "{worker,helper}.js", input: "node_modules/adversight/dist", output: "." },
                { glob: "*", input: "node_modules/adversight/dist/wasm", output: "wasm" },
                { glob: "**/*", input: "public", output: "." },
              ],
            },
          },
          serve: {
            builder: "@angular/build:dev-server",
            options: { buildTarget: "app:build", prebundle: false },
          },
        },
      },
    },
  }),
  "tsconfig.json": JSON.stringify({
    compilerOptions: {
      strict: true,
      target: "es2022",
      module: "es2022",
      moduleResolution: "bundler",
      lib: ["es2022", "dom"],
      experimentalDecorators: true,
      importHelpers: true,
      skipLibCheck: false,
      types: [],
    },
    files: ["src/main.ts"],
  }),
  "src/index.html": html("<base href='/'><app-root></app-root>"),
  "src/main.ts": `import { Component, CUSTOM_ELEMENTS_SCHEMA, provideZonelessChangeDetection } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";
import { createEngine, AdversightError, type EngineOptions } from "adversight";
import "adversight/register";

@Component({
  selector: "app-root",
  schemas: [CUSTOM_ELEMENTS_SCHEMA],
  template: '<adversight-explainer model="/fixtures/tiny.onnx" preprocessing="/fixtures/tiny.json" src="/fixtures/tiny/a.png" [method]="method" device="cpu" (adversight-explanation)="told = true"></adversight-explainer>',
})
class App {
  method = "saliency";
  told = false;
}

${main()
  .replace(/import .*\n/, "")
  .replace(
    "globalThis.run = async (options = {})",
    "(globalThis as any).run = async (options: EngineOptions = {})",
  )
  .replace("async (name)", "async (name: string)")
  .replace("catch (error)", "catch (error: any)")}
bootstrapApplication(App, { providers: [provideZonelessChangeDetection()] });
`,
};

test(
  "Angular's builder bundles it, with the worker and the WebAssembly as assets, also with the assets on another origin",
  slow,
  async () => {
    const folder = app("angular", angular);
    const builder = ["build", "--configuration", ""];
    await tool(folder, "@angular/cli/bin/ng.js", builder.slice(0, 1));
    const output = join(folder, "dist");
    assertNoPaths(output);
    for (const isolated of [false, true]) {
      const server = await origin(output, { isolated });
      const got = await ask(`${server.origin}/`, { threads: 2 });
      server.close();
      assert.deepEqual(got, { result: right(isolated ? 2 : 1), faults: [], missing: [] });
    }
    // The page alone here, and everything else there.
    const far = join(folder, "far/browser");
    const assets = await cdn(far);
    try {
      const there = ["--deploy-url", `${assets.origin}/`, "--output-path", "far"];
      await tool(folder, "@angular/cli/bin/ng.js", ["build", ...there]);
      const page = join(folder, "page");
      mkdirSync(page);
      cpSync(join(far, "index.html"), join(page, "index.html"));
      for (const isolated of [false, true]) {
        const server = await origin(page, { isolated });
        const got = await ask(`${server.origin}/`, { threads: 2 });
        server.close();
        assert.deepEqual(got, { result: right(isolated ? 2 : 1), faults: [], missing: [] });
      }
    } finally {
      assets.close();
    }
  },
);

test("Angular's server serves it while one develops", slow, async () => {
  const folder = app("angular-dev", angular);
  await serving(folder, "@angular/cli/bin/ng.js", ["serve"], async (address) => {
    const { result } = await ask(`${address}/`);
    assert.deepEqual(result, right());
  });
});

// Builds dist/ (or the folder of --outDir): the TypeScript sources by tsc, a copy of what wasm-bindgen made in src/wasm/, the workers and the files
// for a script tag as one file each, and what editors read.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build as bundle } from "esbuild";
import { digestOf, made } from "./stamp.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const { outDir } = parseArgs({ options: { outDir: { type: "string", default: "dist" } } }).values;
const out = resolve(here("."), outDir);

// The engine for the CPU is the one that a page cannot do without.
if (!existsSync(here("src/wasm/adversight_cpu_bg.wasm"))) {
  console.error(
    "src/wasm/ holds no engine yet: run `cargo xtask demo --build-only` in the root of the project.",
  );
  process.exit(1);
}

const sources = digestOf(here("."));
rmSync(out, { recursive: true, force: true });
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const { status } = spawnSync(process.execPath, [tsc, "-p", here("tsconfig.build.json"), "--outDir", out], {
  stdio: "inherit",
});
if (status !== 0) process.exit(status ?? 1);
cpSync(here("src/wasm"), join(out, "wasm"), {
  recursive: true,
  filter: (path) => !path.endsWith(".gitignore"),
});
cpSync(here("types"), join(out, "jsx"), { recursive: true });
declarations();
await bundles();
await catalogue();
writeFileSync(join(out, made), sources);

/**
 * Declarations that older TypeScript reads too, with `skipLibCheck` off: wasm-bindgen always writes a method for disposing that needs a library of its own,
 * and before TypeScript 5.7 typed arrays had no type of their buffer.
 */
function declarations() {
  for (const name of readdirSync(out, { recursive: true })) {
    if (!name.endsWith(".d.ts")) continue;
    const file = join(out, name);
    const text = readFileSync(file, "utf8")
      .replace(/^\s*\[Symbol\.dispose\]\(\): void;\n/gm, "")
      .replace(/\b(\w+Array)<ArrayBuffer>/g, 'ReturnType<$1["slice"]>');
    writeFileSync(file, text);
  }
  const address =
    "/** The address of the file, where a bundler makes one of it. */\ndeclare const url: string;\nexport default url;\n";
  for (const name of readdirSync(here("types"))) {
    writeFileSync(join(out, "jsx", name.replace(/\.d\.ts$/, ".js")), "export {};\n"); // types are all there is
  }
  for (const name of [
    "adversight",
    "adversight_cpu",
    "adversight_cpu_threads",
    "adversight_sound",
    "adversight_text",
  ]) {
    writeFileSync(join(out, "wasm", `${name}_url.d.ts`), address);
  }
}

/** Bundles a script. What esbuild only warns of, as of code that it leaves out, would be missed by whoever uses it. */
async function build(options) {
  const { warnings } = await bundle(options);
  if (warnings.length > 0) process.exit(1);
}

/** The scripts that a page or a server takes as one file. */
async function bundles() {
  const shared = {
    bundle: true,
    target: "es2022",
    logLevel: "warning",
    legalComments: "none",
    banner: {
      js: "/*! Adversight, MIT OR Apache-2.0; see LICENSE and THIRD-PARTY-LICENSES.txt beside it */",
    },
  };
  // Workers need no second file: whoever copies one has all of it, and it starts over the network at once.
  // The classic ones are for places without module workers, as pages that are files.
  const classic = { format: "iife", define: { "import.meta.url": "self.location.href" }, minify: true };
  for (const [name, to, form] of [
    ["worker", "worker.classic", classic],
    ["worker", "worker", { format: "esm", sourcemap: true }],
    ["worker-cpu", "worker-cpu", { format: "esm", sourcemap: true }],
  ]) {
    await build({
      ...shared,
      entryPoints: [join(out, `${name}.js`)],
      outfile: join(out, `${to}.js`),
      allowOverwrite: true,
      ...form,
    });
  }
  const entry = {
    // Not by importing register.js: the manifest's list of files with side effects knows it in dist/ alone, and this folder may have another name.
    contents:
      'export * from "./index.js"; export * from "./element.js"; import { define } from "./element.js"; define();',
    resolveDir: out,
  };
  // `here` stays a file of its own: with the engine's modules for WebAssembly, which only `worker: false` needs, this one would be thrice as large.
  // An import that is left as it is would be relative to the page, or to the address of the package without a file.
  const apart = {
    name: "apart",
    setup({ onLoad }) {
      const index = join(out, "index.js");
      onLoad({ filter: /[\\/]index\.js$/ }, ({ path }) => {
        if (resolve(path) !== index) return undefined;
        const [text, imported] = [readFileSync(path, "utf8"), 'import("./here.js")'];
        if (!text.includes(imported)) throw new Error("index.js imports here.js in another way now.");
        return { contents: text.replace(imported, 'import(new URL("./here.js", import.meta.url).href)') };
      });
    },
  };
  await build({
    ...shared,
    stdin: entry,
    outfile: join(out, "adversight.min.js"),
    format: "esm",
    minify: true,
    plugins: [apart],
    define: { "import.meta.url": "__adversight_address" },
    // jsDelivr has this file at the package's own address too, without a name and without sending one on to it: the others lie in dist/ then.
    banner: {
      js: `${shared.banner.js}\nconst __adversight_address=import.meta.url.replace(/^([^?#]*\\/adversight(?:@[^/?#]*)?)\\/?(?:[?#].*)?$/,"$1/dist/adversight.min.js");`,
    },
  });
  // A classic script has no import.meta; it knows its own address while it runs for the first time.
  await build({
    ...shared,
    stdin: entry,
    outfile: join(out, "adversight.global.js"),
    format: "iife",
    globalName: "adversight",
    minify: true,
    define: { "import.meta.url": "__adversight_address" },
    banner: {
      js: `${shared.banner.js}\nvar __adversight_address=(document.currentScript||{}).src||document.baseURI;`,
    },
    plugins: [apart],
  });
}

/** custom-elements.json, made from the element's own list of attributes. */
async function catalogue() {
  const { manifest } = await import(pathToFileURL(join(out, "attributes.js")).href);
  writeFileSync(join(out, "custom-elements.json"), `${JSON.stringify(manifest(), null, 2)}\n`);
}

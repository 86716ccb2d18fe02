// Packs the package as it would be published and looks at the tarball with publint and "Are the types wrong?".
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

/** The program of an installed package. */
function program(name, command) {
  const manifest = findManifest(name);
  const { bin } = JSON.parse(readFileSync(manifest, "utf8"));
  return join(dirname(manifest), typeof bin === "string" ? bin : bin[command]);
}

function findManifest(name) {
  for (const folder of require.resolve.paths(name)) {
    try {
      return require.resolve(join(folder, name, "package.json"));
    } catch {
      // not in this one
    }
  }
  throw new Error(`${name} is not installed: run npm ci.`);
}

const run = (script, args) =>
  execFileSync(process.execPath, [script, ...args], { cwd: here, stdio: "inherit" });

const problem = (() => {
  try {
    execFileSync(process.execPath, [join(here, "prepack.mjs")], { stdio: ["ignore", "ignore", "pipe"] });
    return null;
  } catch (error) {
    return String(error.stderr);
  }
})();
if (problem !== null) {
  console.error(problem);
  // While the engines are not all built of the same there is enough to work with, but not to publish: tests/hosts, which packs too, fails then.
  const isOfEngines = problem
    .trim()
    .split("\n")
    .slice(0, -1)
    .every((line) => /^The engine \S+ does not fit|^dist\/ is incomplete: (\S+\/wasm\/\S+ ?)+/.test(line));
  if (isOfEngines) console.error("The package was NOT checked as it would be published.");
  process.exit(isOfEngines ? 0 : 1);
}
const folder = mkdtempSync(join(tmpdir(), "adversight-package-"));
try {
  const packed = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: here,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  const report = JSON.parse(packed);
  const { filename, size, unpackedSize } = Array.isArray(report) ? report[0] : Object.values(report)[0];
  const tarball = join(folder, filename);
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  console.log(`${filename}: ${megabytes(size)}, unpacked ${megabytes(unpackedSize)}`);
  run(program("publint", "publint"), ["run", tarball, "--strict"]);
  // The package is for browsers and their bundlers: it has ES modules alone, which `require` gives as such.
  run(program("@arethetypeswrong/cli", "attw"), [
    tarball,
    "--ignore-rules",
    "cjs-resolves-to-esm",
    "--quiet",
    "--exclude-entrypoints",
    "./wasm",
    "./wasm-cpu",
    "./wasm-threads",
    "./worker-classic",
    "./wasm-sound",
    "./adversight.min.js",
    "./adversight.global.js",
    "./custom-elements.json",
  ]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

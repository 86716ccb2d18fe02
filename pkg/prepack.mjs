// Before the package is packed: refuses a dist/ that is stale or incomplete, and puts the licences beside it.
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { licences } from "./licences.mjs";
import { digestOf, made } from "./stamp.mjs";

const folder = process.env.ADVERSIGHT_PACKAGE ?? dirname(fileURLToPath(import.meta.url));
const root = join(folder, "..");
const inFolder = (path) => join(folder, path);
const manifest = JSON.parse(readFileSync(inFolder("package.json"), "utf8"));

/** What speaks against packing, in sentences. */
function problems() {
  const found = [];
  if (!existsSync(inFolder(`dist/${made}`))) return ["dist/ is not there."];
  const missing = [...new Set(targets(manifest.exports))].filter((path) => !existsSync(inFolder(path)));
  if (missing.length > 0) found.push(`dist/ is incomplete: ${missing.join(", ")} is missing.`);
  if (readFileSync(inFolder(`dist/${made}`), "utf8") !== digestOf(folder)) {
    found.push("dist/ is stale: the sources have changed since it was built.");
  }
  for (const engine of ["adversight", "adversight_cpu", "adversight_cpu_threads"]) {
    const [glue, wasm] = [`dist/wasm/${engine}.js`, `dist/wasm/${engine}_bg.wasm`].map(inFolder);
    if (!existsSync(glue) || !existsSync(wasm)) continue; // told above
    const fault = mismatch(readFileSync(glue, "utf8"), readFileSync(wasm));
    if (fault) found.push(`The engine ${engine} does not fit its module for JavaScript: ${fault}.`);
  }
  const version = /^version = "([^"]+)"/m.exec(readFileSync(join(root, "Cargo.toml"), "utf8"))?.[1];
  if (version !== manifest.version) {
    found.push(`package.json says version ${manifest.version}, and Cargo.toml ${version}.`);
  }
  return found;
}

/** Every file that the exports name. */
function targets(exported) {
  if (typeof exported === "string") return exported.includes("*") ? [] : [exported];
  return Object.values(exported).flatMap(targets);
}

/** Why a WebAssembly file is not the one of its module; null where it is. What it imports has names that change with its content. */
function mismatch(glue, bytes) {
  let module;
  try {
    module = new WebAssembly.Module(bytes);
  } catch (error) {
    return error.message;
  }
  const foreign = WebAssembly.Module.imports(module).find(
    ({ name, kind }) => kind === "function" && !glue.includes(name),
  );
  return foreign ? `it asks for ${foreign.name}` : null;
}

const found = problems();
if (found.length > 0) {
  console.error(
    `${found.join("\n")}\nBuild the engines with \`cargo xtask wasm\` and then \`npm run build\`.`,
  );
  process.exit(1);
}
for (const name of ["LICENSE-MIT", "LICENSE-APACHE", "NOTICE", "CHANGELOG.md"]) {
  copyFileSync(join(root, name), inFolder(name));
}
const mit = readFileSync(join(root, "LICENSE-MIT"), "utf8");
writeFileSync(
  inFolder("LICENSE"),
  `Adversight is licensed under the MIT License or the Apache License, Version 2.0, whichever you choose.\nThe first stands below, the second in LICENSE-APACHE. What was compiled into its WebAssembly files has licences of its own, which\nstand in THIRD-PARTY-LICENSES.txt.\n\n${mit}`,
);
writeFileSync(inFolder("THIRD-PARTY-LICENSES.txt"), licences(root));

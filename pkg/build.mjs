// Builds dist/ (or the folder of --outDir): the TypeScript sources by tsc, and a copy of what wasm-bindgen made in src/wasm/.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const out = parseArgs({ options: { outDir: { type: "string", default: "dist" } } }).values.outDir;

// The engine for the CPU is the one that a page cannot do without.
if (!existsSync(here("src/wasm/adversight_cpu_bg.wasm"))) {
  console.error(
    "src/wasm/ holds no engine yet: run `cargo xtask demo --build-only` in the root of the project.",
  );
  process.exit(1);
}

rmSync(here(out), { recursive: true, force: true });
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const { status } = spawnSync(
  process.execPath,
  [tsc, "-p", here("tsconfig.build.json"), "--outDir", here(out)],
  {
    stdio: "inherit",
  },
);
if (status !== 0) process.exit(status ?? 1);
cpSync(here("src/wasm"), here(`${out}/wasm`), {
  recursive: true,
  filter: (path) => !path.endsWith(".gitignore"),
});

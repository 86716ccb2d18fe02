// Builds dist/: the TypeScript sources by tsc, and a copy of what wasm-bindgen made in src/wasm/.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

if (!["adversight", "adversight_cpu"].every((name) => existsSync(here(`src/wasm/${name}_bg.wasm`)))) {
  console.error(
    "src/wasm/ holds no engine yet: run `cargo xtask demo --build-only` in the root of the project.",
  );
  process.exit(1);
}

rmSync(here("dist"), { recursive: true, force: true });
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const { status } = spawnSync(process.execPath, [tsc, "-p", here("tsconfig.build.json")], {
  stdio: "inherit",
});
if (status !== 0) process.exit(status ?? 1);
cpSync(here("src/wasm"), here("dist/wasm"), {
  recursive: true,
  filter: (path) => !path.endsWith(".gitignore"),
});

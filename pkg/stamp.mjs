// What a build was made of, so that nothing stale is published.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** The file in dist/ that says what it was made of. */
export const made = "made-of.txt";

/** A digest of all that dist/ is made of, given the package's folder. */
export function digestOf(folder) {
  const hash = createHash("sha256");
  const sources = ["src", "types"]
    .flatMap((name) => readdirSync(join(folder, name), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name !== ".gitignore" && !entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
  const others = ["build.mjs", "tsconfig.json", "tsconfig.build.json", "package.json"];
  for (const file of [...others.map((name) => join(folder, name)), ...sources]) {
    hash
      .update(relative(folder, file).replaceAll("\\", "/"))
      .update("\0")
      .update(readFileSync(file))
      .update("\0");
  }
  return hash.digest("hex");
}

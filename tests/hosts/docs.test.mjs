// What the documents say of tests is true: each one that a table names is there, and no cell of a table of hosts is without one.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { here } from "./hosts.mjs";

const root = join(here, "../..");
const read = (path) => readFileSync(join(root, path), "utf8");

/** The rows of a document's tables, without their heads. */
function rows(document) {
  const lines = read(document).split("\n");
  return lines
    .filter(
      (line, i) =>
        line.startsWith("|") && !/^\|[-| :]+\|$/.test(line) && !/^\|[-| :]+\|$/.test(lines[i + 1] ?? ""),
    )
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
}

/** The tests that a text names, as "file: beginning of the test's name", with semicolons between them. */
function named(text) {
  return [...text.matchAll(/([\w./-]+\.test\.(?:mjs|ts)): ([^;|]+)/g)].map(([, file, name]) => ({
    file: file.endsWith(".ts") ? `pkg/src/${file}` : `tests/${file}`,
    name: name.trim(),
  }));
}

function assertThere({ file, name }) {
  assert.ok(existsSync(join(root, file)), `${file} is not there`);
  // Names of tests that are made from a template are looked for by what stands in it.
  const text = read(file).replaceAll(/\\(['"])/g, "$1");
  assert.ok(text.includes(name), `${file} has no test "${name}"`);
}

test("every report has its test, or a reason why there is none", () => {
  const all = rows("docs/consumer-reports.md");
  assert.ok(all.length > 35);
  for (const [report, before, tests] of all) {
    assert.ok(before, report);
    const found = named(tests);
    assert.ok(found.length > 0 || tests.startsWith("none"), `${report}: ${tests}`);
    found.forEach(assertThere);
  }
});

test("every cell of the table of hosts has its test", () => {
  const all = rows("docs/hosts.md");
  assert.ok(all.length > 20);
  for (const [host, ...cells] of all) {
    const found = named(cells.at(-1));
    assert.ok(found.length > 0, `${host} names no test`);
    found.forEach(assertThere);
  }
});

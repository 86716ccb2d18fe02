import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { kinds, shows, type KindView } from "./kinds.js";

test("what index.html has for some kinds only, some kind shows, and the other way round", () => {
  const page = readFileSync("index.html", "utf8");
  const there = new Set([...page.matchAll(/data-view="(\w+)"/g)].map(([, view]) => view));
  const shown = new Set<string>(Object.values(kinds).flatMap(({ views }) => [...views]));
  for (const view of there) assert.ok(shown.has(view ?? ""), `no kind shows ${view ?? ""}`);
  for (const view of ["picture", "words", "write", "proof", "samples", "sentences", "camera", "beside"]) {
    assert.ok(there.has(view), view);
  }
});

test("of a photograph nothing stands beside a text, and nothing of a text beside a photograph", () => {
  for (const view of ["picture", "samples", "camera"] satisfies KindView[]) {
    assert.ok(shows("image", view));
    assert.ok(!shows("text", view));
    assert.ok(!shows("file", view));
  }
  assert.ok(shows("text", "write"));
  assert.ok(!shows("image", "write"));
  assert.ok(!shows("file", "write"), "a file is not typed");
});

test("what belongs to another kind is hidden before the script runs, so that nothing moves", () => {
  const page = readFileSync("index.html", "utf8");
  for (const [tag, view] of page.matchAll(/<\w+[^>]*data-view="(\w+)"[^>]*>/g)) {
    assert.equal(/class="[^"]*\belsewhere\b/.test(tag), !shows("image", view as KindView), tag);
  }
});

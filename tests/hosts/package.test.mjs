// The tarball: what lies in it, what it says of itself, and what is refused before it is packed.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { apps, here, packed } from "./hosts.mjs";

const root = join(here, "../..");
const manifest = JSON.parse(readFileSync(join(root, "pkg/package.json"), "utf8"));

test("the tarball holds its licences, and those of what is compiled in", (t) => {
  const { folder, size, unpackedSize } = packed();
  t.diagnostic(`${(size / 1e6).toFixed(1)} MB, unpacked ${(unpackedSize / 1e6).toFixed(1)} MB`);
  for (const name of [
    "LICENSE",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "NOTICE",
    "THIRD-PARTY-LICENSES.txt",
    "README.md",
    "CHANGELOG.md",
  ]) {
    assert.ok(statSync(join(folder, name)).size > 100, name);
  }
  const licences = readFileSync(join(folder, "THIRD-PARTY-LICENSES.txt"), "utf8");
  const lock = readFileSync(join(root, "Cargo.lock"), "utf8");
  for (const crate of ["burn-core", "burn-cubecl", "wgpu", "wasm-bindgen", "image"]) {
    const version = new RegExp(`name = "${crate}"\\nversion = "([^"]+)"`).exec(lock)[1];
    assert.ok(licences.includes(`  ${crate} ${version}: `), crate);
  }
  assert.match(licences, /Permission is hereby granted, free of charge/);
  assert.match(licences, /Apache License\s+Version 2\.0/);
  assert.ok(!licences.includes("/.cargo/") && !licences.includes(root), "no path of this machine");
});

test("every file that the manifest names is there, in every form of finding it", () => {
  const { folder } = packed();
  const named = new Set([
    manifest.main,
    manifest.types,
    manifest.unpkg,
    manifest.jsdelivr,
    manifest.customElements,
    ...manifest.sideEffects,
  ]);
  const visit = (exported) => {
    if (typeof exported === "string") named.add(exported);
    else Object.values(exported).forEach(visit);
  };
  visit(manifest.exports);
  for (const [name, [file]] of Object.entries(manifest.typesVersions["*"])) {
    assert.equal(file, manifest.exports[`./${name}`].types, name);
  }
  for (const path of named) if (!path.includes("*")) assert.ok(existsSync(join(folder, path)), path);
  assert.ok(!("engines" in manifest), "a package for browsers asks for no Node");
});

test("no file of the package tells where it was built", () => {
  const { folder } = packed();
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!/\.(js|ts|map|json|txt|md)$/.test(name)) continue;
    assert.ok(!readFileSync(join(folder, name), "utf8").includes(root), name);
  }
});

test("a build is the same whatever its folder is called, and whether one was there before", () => {
  const pkg = join(root, "pkg");
  const other = join(pkg, "dist.other");
  // Of `cargo xtask`, which builds beside what is there and then puts it in its place.
  const built = join(pkg, "dist");
  const { status, stderr } = spawnSync(process.execPath, ["build.mjs", "--outDir", "dist.other"], {
    cwd: pkg,
    encoding: "utf8",
  });
  try {
    assert.equal(status, 0, stderr);
    const files = (folder) =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
        .sort();
    assert.deepEqual(files(other), files(built));
    for (const name of files(built)) {
      assert.ok(readFileSync(join(built, name)).equals(readFileSync(join(other, name))), name);
    }
  } finally {
    rmSync(other, { recursive: true, force: true });
  }
});

test("custom-elements.json knows every attribute, property, event, part and slot", async () => {
  const { folder } = packed();
  const { attributes, events, parts, slots } = await import(join(folder, "dist/attributes.js"));
  const { modules } = JSON.parse(readFileSync(join(folder, "dist/custom-elements.json"), "utf8"));
  const [element] = modules[0].declarations;
  assert.equal(element.tagName, "adversight-explainer");
  const names = (list) => list.map(({ name }) => name);
  assert.deepEqual(names(element.attributes), attributes.map(({ attribute }) => attribute).filter(Boolean));
  for (const { property } of attributes) assert.ok(names(element.members).includes(property), property);
  assert.deepEqual(names(element.events), Object.keys(events));
  assert.deepEqual(names(element.cssParts), Object.keys(parts));
  assert.deepEqual(names(element.slots), Object.keys(slots));
});

test("what is stale, incomplete or of two builds is not packed", () => {
  packed(); // the build is whole
  const at = join(apps, "prepack");
  const folder = join(at, "pkg");
  const fresh = () => {
    rmSync(at, { recursive: true, force: true });
    mkdirSync(at, { recursive: true });
    cpSync(join(root, "pkg"), folder, {
      recursive: true,
      filter: (path) => !/node_modules|\.test$|dist\.(next|old)/.test(path),
    });
    for (const name of ["Cargo.toml", "LICENSE-MIT", "LICENSE-APACHE", "NOTICE", "CHANGELOG.md"])
      cpSync(join(root, name), join(at, name));
  };
  const prepack = () => {
    const env = { ...process.env, ADVERSIGHT_PACKAGE: folder };
    const { status, stderr } = spawnSync(process.execPath, [join(root, "pkg/prepack.mjs")], {
      env,
      encoding: "utf8",
    });
    return { status, stderr };
  };
  const change = (path, to) =>
    writeFileSync(join(folder, path), to(readFileSync(join(folder, path), "utf8")));
  for (const [what, spoil, sentence] of [
    ["a changed source", () => change("src/index.ts", (text) => `${text}\n`), /stale/],
    [
      "a missing engine",
      () => rmSync(join(folder, "dist/wasm/adversight_cpu_threads_bg.wasm")),
      /incomplete: .*adversight_cpu_threads_bg\.wasm/,
    ],
    ["no build at all", () => rmSync(join(folder, "dist"), { recursive: true }), /not there/],
    [
      "another build's module",
      () => cpSync(join(folder, "dist/wasm/adversight_cpu.js"), join(folder, "dist/wasm/adversight.js")),
      /does not fit/,
    ],
    [
      "a file cut short",
      () => writeFileSync(join(folder, "dist/wasm/adversight_cpu_bg.wasm"), "no wasm"),
      /does not fit/,
    ],
    [
      "another version",
      () => writeFileSync(join(at, "Cargo.toml"), '[package]\nversion = "9.9.9"\n'),
      /version/,
    ],
  ]) {
    fresh();
    spoil();
    const { status, stderr } = prepack();
    assert.equal(status, 1, what);
    assert.match(stderr, sentence, what);
  }
  rmSync(at, { recursive: true, force: true });
});

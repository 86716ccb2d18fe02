// What the tests of hosts share: the package as it is packed, apps that are made of it, servers on two origins, and a browser.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { fileIn, isolation, serve } from "../../xtask/server.mjs";

export const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
export const apps = join(here, ".apps");
const fixtures = join(root, "tests/fixtures");

/** Slow tests run by `cargo xtask test --thorough` alone. */
export const thorough = process.env.ADVERSIGHT_THOROUGH === "1";

let unpacked = null;

/** The package's folder as npm would put it into node_modules: packed and unpacked again. */
export function packed() {
  if (unpacked) return unpacked;
  const folder = join(apps, ".package");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const report = execFileSync("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: join(root, "pkg"),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const found = JSON.parse(report.slice(report.indexOf("[") < 0 ? report.indexOf("{") : report.indexOf("[")));
  const { filename, size, unpackedSize } = Array.isArray(found) ? found[0] : Object.values(found)[0];
  execFileSync("tar", ["-xzf", join(folder, filename), "-C", folder]);
  return (unpacked = { folder: join(folder, "package"), size, unpackedSize });
}

/** An app with the package in its node_modules and these files; other packages come from beside the tests. */
export function app(name, files) {
  const folder = join(apps, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  const { folder: from } = packed();
  // A copy and no link: bundlers take what lies outside of node_modules for sources of the app.
  cpSync(from, join(folder, "node_modules/adversight"), { recursive: true });
  const manifest = { name: `app-${name}`, private: true, type: "module" };
  for (const [path, text] of Object.entries({ "package.json": JSON.stringify(manifest), ...files })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** Makes packages from beside the tests known in an app by another name, as vite5 by vite. */
export function link(folder, name, as = name) {
  mkdirSync(dirname(join(folder, "node_modules", as)), { recursive: true });
  symlinkSync(join(here, "node_modules", name), join(folder, "node_modules", as), "dir");
}

/** What an app does with the package: everything that it has to fetch, and a result that is known. */
export const main = (from = "adversight") => `
import { createEngine, AdversightError } from ${JSON.stringify(from)};
globalThis.run = async (options = {}) => {
  try {
    const engine = await createEngine({ device: "cpu", timeout: 20000, ...options });
    const get = async (name) => new Uint8Array(await (await fetch("/fixtures/" + name)).arrayBuffer());
    const model = await engine.loadModel({
      onnx: await get("tiny.onnx"),
      preprocessing: await (await fetch("/fixtures/tiny.json")).json(),
    });
    const picture = new Blob([await get("tiny/a.png")], { type: "image/png" });
    const { info, words } = await model.explain(picture, { method: "saliency" });
    engine.close();
    return { best: info.target.index, said: words.length > 0, threads: engine.device.threads };
  } catch (error) {
    return { error: error.message, code: error.code, known: error instanceof AdversightError };
  }
};
`;

/** What it then gives. */
export const right = (threads = 1) => ({ best: 6, said: true, threads });

export const html = (script = '<script type="module" src="./main.js"></script>') =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>App</title><link rel="icon" href="data:,">${script}</html>`;

/** Serves a folder as an app's origin, with the fixtures beside it. */
export async function origin(
  folder,
  { headers = {}, isolated = false, texts = {}, types = {}, under = null } = {},
) {
  return serve({
    headers: { "Cache-Control": "no-store", ...(isolated ? isolation : {}), ...headers },
    find: (path) => {
      if (path in texts) {
        return { text: texts[path], headers: path in types ? { "Content-Type": types[path] } : {} };
      }
      const [, fixture] = /^\/fixtures\/(.+)$/.exec(path) ?? [];
      const file = fixture ? fileIn(fixtures, fixture) : fileIn(folder, under?.exec(path)?.[1] ?? path);
      return file && { file };
    },
  });
}

/** Serves a folder as a CDN does: to every site, also to isolated ones. */
export const cdn = (folder) =>
  serve({
    headers: {
      "Access-Control-Allow-Origin": "*",
      "Cross-Origin-Resource-Policy": "cross-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    },
    find: (path) => {
      const file = fileIn(folder, path);
      return file && { file };
    },
  });

let browser = null;

export async function open() {
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM || process.env.CHROME || "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  return browser;
}

export async function close() {
  await browser?.close();
  browser = null;
}

/** Opens an address and asks its app for the known result; with what the page has said of itself. */
export async function ask(address, options = {}, prepare = () => undefined) {
  const context = await (await open()).newContext();
  try {
    const page = await context.newPage();
    const faults = [];
    const missing = [];
    page.on("pageerror", (error) => faults.push(error.message));
    context.on("response", (response) => {
      if (response.status() >= 400) missing.push(`${response.status()} ${response.url()}`);
    });
    await prepare(page);
    await page.goto(address);
    await page.waitForFunction(() => "run" in globalThis, null, { timeout: 60_000, polling: 50 });
    const result = await page.evaluate((options) => globalThis.run(options), options);
    return { result, faults, missing };
  } finally {
    await context.close();
  }
}

/** The texts that a build has put out, by their paths. */
export function texts(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => /\.(js|mjs|css|html|json)$/.test(name))
    .map((name) => [name, readFileSync(join(folder, name), "utf8")]);
}

/** No output may tell where it was built. */
export function assertNoPaths(output, { addresses = true } = {}) {
  for (const [name, text] of texts(output)) {
    if (addresses) assert.ok(!text.includes("file:///"), `${name} holds an address of a file`);
    assert.ok(!text.includes(here), `${name} holds a path of this machine`);
  }
}

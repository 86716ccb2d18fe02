// The server itself, without a browser.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { fileURLToPath } from "node:url";
import { fileIn, serve } from "../../xtask/server.mjs";

const folder = mkdtempSync(join(tmpdir(), "adversight-server-"));
const page = join(folder, "page");
mkdirSync(join(page, "inner"), { recursive: true });
mkdirSync(join(folder, "page-beside"));
for (const [name, text] of [
  ["secret.txt", "no"],
  ["page-beside/secret.txt", "no"],
  ["page/index.html", "<p>"],
  ["page/inner/index.html", "<i>"],
  ["page/a b.js", "1"],
  ["page/engine.wasm", "\0asm"],
]) {
  writeFileSync(join(folder, name), text);
}
after(() => {
  rmSync(folder, { recursive: true });
});

/** Asks without `fetch`, which would resolve the dots of an address itself. */
const ask = (port, path, method = "GET") =>
  new Promise((resolve, reject) => {
    request({ port, path, method, host: "127.0.0.1", agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part) => (text += part));
      response.on("end", () => {
        resolve({ status: response.statusCode, headers: response.headers, text });
      });
    })
      .on("error", reject)
      .end();
  });

const files = (path) => {
  const file = fileIn(page, path);
  return file && { file };
};

test("addresses mean files of the folder, and never leave it", async (t) => {
  const server = await serve({ find: files });
  t.after(server.close);
  for (const [path, text] of [
    ["/", "<p>"],
    ["/index.html?x=1", "<p>"],
    ["/inner", "<i>"],
    ["/a%20b.js", "1"],
  ]) {
    assert.equal((await ask(server.port, path)).text, text, path);
  }
  for (const path of [
    "/missing.js",
    "/../secret.txt",
    "/../page-beside/secret.txt",
    "/%2e%2e/secret.txt",
    "/%2E%2E%2Fsecret.txt",
    "/inner/..%2f..%2fsecret.txt",
    "//etc/passwd",
    "/%2fetc/passwd",
    "/%zz",
    "/%",
    "/a%00.js",
  ]) {
    assert.equal((await ask(server.port, path)).status, 404, path);
  }
});

test("files come with their type, their length and the headers of the server", async (t) => {
  const server = await serve({ find: files, headers: { "Cache-Control": "no-store" } });
  t.after(server.close);
  const { status, headers, text } = await ask(server.port, "/engine.wasm");
  assert.equal(status, 200);
  assert.equal(headers["content-type"], "application/wasm");
  assert.equal(headers["content-length"], "4");
  assert.equal(headers["cache-control"], "no-store");
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(text, "\0asm");
  const head = await ask(server.port, "/engine.wasm", "HEAD");
  assert.deepEqual([head.status, head.headers["content-length"], head.text], [200, "4", ""]);
  assert.equal((await ask(server.port, "/engine.wasm", "POST")).status, 405);
});

test("a port in use gives way to the next, and a text is served as a file is", async (t) => {
  const taken = await serve({ find: files, port: 38_411 });
  t.after(taken.close);
  const next = await serve({ find: () => ({ text: "é" }), port: taken.port });
  t.after(next.close);
  assert.ok(next.port > taken.port);
  assert.equal((await ask(next.port, "/x.js")).text, "é");
});

test("as a program it serves isolated pages, and ends with the task that has started it", async () => {
  const program = fileURLToPath(new URL("../../xtask/server.mjs", import.meta.url));
  const child = spawn(process.execPath, [program, page, "--port", "38511"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const said = await new Promise((resolve) => child.stdout.setEncoding("utf8").once("data", resolve));
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(said)?.[1]);
  const { headers } = await ask(port, "/");
  assert.equal(headers["cross-origin-opener-policy"], "same-origin");
  assert.equal(headers["cross-origin-embedder-policy"], "require-corp");
  assert.equal(headers["cache-control"], "no-cache");
  child.stdin.end();
  assert.equal(await ended, 0);
});

// Loading: broken transfers, what the browser keeps, progress of several files, and everything that bytes and pictures may come as.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";

const fixture = (name) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));
const onnx = fixture("tiny.onnx");
const sha256 = createHash("sha256").update(onnx).digest("hex");

let browser, page, faults, server, far;
/** How the other server behaves, and the ranges that it was asked for. */
const mood = { break: [], ranges: true, version: "1", asked: [] };
before(async () => {
  browser = await openBrowser({ webgpu: false });
  ({ page, faults } = await browser.openPackage());
  server = createServer((request, response) => {
    const { range } = request.headers;
    mood.asked.push(range ?? "all");
    const from = mood.ranges && range ? Number(/bytes=(\d+)-/.exec(range)[1]) : 0;
    const body = onnx.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      "Access-Control-Allow-Origin": "*",
      "Access-Control-Allow-Headers": "range",
      "Access-Control-Expose-Headers": mood.exposed ?? "content-range, etag",
      "Cache-Control": "no-store", // else the browser mends some of it by itself
      "Content-Length": body.length,
      ETag: `"${mood.version}"`,
      ...(from > 0 ? { "Content-Range": `bytes ${from}-${onnx.length - 1}/${onnx.length}` } : {}),
    });
    const after = mood.break.shift();
    if (after === undefined) response.end(body);
    else response.write(body.subarray(0, after), () => setTimeout(() => response.destroy(), 50));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  far = `http://127.0.0.1:${server.address().port}/tiny.onnx`;
  await page.evaluate(async () => {
    const { lab } = window;
    window.engine = await lab.adversight.createEngine({ device: "cpu" });
    window.load = async (source) => {
      const progress = [];
      const outcome = await lab.outcome(async () => {
        const model = await window.engine.loadModel({ ...source, onProgress: (one) => progress.push(one) });
        model.close();
        return model.info.classes;
      });
      return { ...outcome, progress };
    };
  });
});
after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
});
const load = (source) => page.evaluate((source) => window.load(source), source);
const set = (now) =>
  Object.assign(mood, { break: [], ranges: true, version: "1", exposed: undefined, asked: [] }, now);

test("a transfer that breaks off twice is taken up where it broke", async () => {
  for (const exposed of ["content-range, etag", "x-nothing"]) {
    set({ break: [1000, 500], exposed });
    const { value, error, progress } = await load({ onnx: far });
    assert.ok(value > 0, error?.message);
    assert.deepEqual(mood.asked, ["all", "bytes=1000-", "bytes=1500-"]);
    const done = progress.filter(({ stage }) => stage === "download").map((one) => one.done);
    assert.deepEqual(
      done,
      [...done].sort((a, b) => a - b),
      "it never goes back",
    );
    assert.equal(done.at(-1), onnx.length);
  }
});

test("without ranges, or with another version meanwhile, it comes from the start", async () => {
  set({ break: [1000], ranges: false });
  assert.ok((await load({ onnx: far, sha256 })).value > 0);
  assert.deepEqual(mood.asked, ["all", "bytes=1000-"]);
  await page.evaluate(() => window.lab.adversight.modelCache.clear());
  set({ break: [1000] });
  const changing = load({ onnx: far });
  while (mood.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  mood.version = "2";
  assert.ok((await changing).value > 0);
  assert.deepEqual(mood.asked, ["all", "bytes=1000-", "all"]);
});

test("a transfer that breaks off for ever is an error with a code, and can be aborted between", async () => {
  set({ break: Array(50).fill(0) });
  const { error } = await load({ onnx: far });
  assert.equal(error?.code, "download_failed");
  assert.match(error.message, /connection broke off/);
  set({ break: Array(50).fill(0) });
  const name = await page.evaluate(async (onnx) => {
    const signal = AbortSignal.timeout(300);
    return (await window.lab.outcome(() => window.engine.loadModel({ onnx, signal }))).error.name;
  }, far);
  assert.equal(name, "TimeoutError");
});

test("what is kept can be listed, measured, thrown away; old versions leave; a broken storage means a download", async () => {
  set({});
  const cache = (name, ...args) =>
    page.evaluate(({ name, args }) => window.lab.adversight.modelCache[name](...args), { name, args });
  await cache("clear");
  assert.equal(await cache("size"), 0);
  for (const query of ["?v=1", "?v=1", "?v=2"])
    assert.ok((await load({ onnx: far + query, sha256 })).value > 0);
  assert.equal(mood.asked.length, 2, "the second time it was kept");
  const contents = await cache("contents");
  assert.deepEqual(
    contents.map(({ url, bytes, sha256 }) => ({ url, bytes, sha256 })),
    [{ url: `${far}?v=2`, bytes: onnx.length, sha256 }],
  );
  assert.equal(await cache("size"), onnx.length);
  assert.equal(await cache("delete", `${far}?v=2`), true);
  assert.equal(await cache("size"), 0);
  const fails = await page.evaluate(
    async ({ onnx, sha256 }) => {
      const broken = ["open", "match", "put", "keys", "delete"];
      const outcomes = [];
      for (const method of broken) {
        const { prototype } = method === "open" ? CacheStorage : Cache;
        const original = prototype[method];
        for (const how of [
          () => Promise.reject(new DOMException("no", "QuotaExceededError")),
          () => {
            throw new DOMException("no", "SecurityError");
          },
        ]) {
          prototype[method] = how;
          outcomes.push((await window.load({ onnx, sha256 })).value > 0);
        }
        prototype[method] = original;
      }
      const own =
        Object.getOwnPropertyDescriptor(window, "caches") ??
        Object.getOwnPropertyDescriptor(Window.prototype, "caches");
      Object.defineProperty(window, "caches", {
        configurable: true,
        get() {
          throw new DOMException("no", "SecurityError");
        },
      });
      outcomes.push((await window.load({ onnx, sha256 })).value > 0);
      outcomes.push((await window.lab.adversight.modelCache.contents()).length === 0);
      Object.defineProperty(window, "caches", own);
      return outcomes;
    },
    { onnx: far, sha256 },
  );
  assert.deepEqual(fails, Array(12).fill(true));
});

test("progress of several files has each one's name, and in all it never goes back", async () => {
  set({});
  const { progress } = await load({ onnx: far, masker: "/fixtures/tiny.onnx" });
  const downloads = progress.filter(({ stage }) => stage === "download");
  assert.deepEqual(new Set(downloads.map(({ file }) => file.name)), new Set(["tiny.onnx"]));
  const shares = downloads.filter(({ total }) => total > 0).map(({ done, total }) => done / total);
  assert.ok(shares.length > 0);
  assert.deepEqual(
    shares,
    [...shares].sort((a, b) => a - b),
  );
  assert.deepEqual([downloads.at(-1).done, downloads.at(-1).total], [2 * onnx.length, 2 * onnx.length]);
});

test("bytes of every kind are a file: views into a larger buffer, another frame's, shared memory", async () => {
  const classes = await page.evaluate(async () => {
    const { lab } = window;
    const bytes = await lab.bytes("/fixtures/tiny.onnx");
    const larger = new Uint8Array(bytes.length + 5_000_000);
    larger.set(bytes, 100);
    const frame = document.body.appendChild(document.createElement("iframe")).contentWindow;
    const kinds = {
      view: larger.subarray(100, 100 + bytes.length),
      "another frame's": new frame.Uint8Array(bytes),
      "another frame's buffer": new frame.Uint8Array(bytes).buffer,
      "another frame's blob": new frame.Blob([bytes]),
      "another frame's address": new frame.URL("/fixtures/tiny.onnx", location.href),
      "a view of data": new DataView(bytes.buffer),
    };
    // Pages that are not isolated have no constructor for it, but the memory of WebAssembly.
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
    if (buffer.byteLength >= bytes.length) {
      const shared = new Uint8Array(buffer, 0, bytes.length);
      shared.set(bytes);
      kinds.shared = shared;
    }
    let sent = 0;
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (message, ...rest) {
      const onnx = message?.args?.onnx;
      if (onnx) sent = Math.max(sent, onnx.buffer.byteLength);
      return postMessage.call(this, message, ...rest);
    };
    const found = {};
    for (const [name, onnx] of Object.entries(kinds)) found[name] = (await window.load({ onnx })).value > 0;
    Worker.prototype.postMessage = postMessage;
    frame.frameElement.remove();
    const wrong = await window.load({ onnx: 42 });
    return { found, sent: sent - bytes.length, wrong: wrong.error.code };
  });
  assert.deepEqual(
    Object.values(classes.found),
    Array(Object.keys(classes.found).length).fill(true),
    JSON.stringify(classes.found),
  );
  assert.equal(classes.sent, 0, "the buffer behind a view is not sent");
  assert.equal(classes.wrong, "input_invalid");
});

test("a video frame is a picture; a closed one is refused by name; part of a larger buffer is sent alone", async () => {
  const seen = await page.evaluate(async () => {
    const { lab } = window;
    const model = await lab.loadTiny(window.engine);
    const blob = new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
    const bitmap = await createImageBitmap(blob);
    const frame = new VideoFrame(bitmap, { timestamp: 0 });
    const best = (await model.classify(frame)).top[0].index;
    frame.close();
    const closed = await lab.outcome(() => model.classify(frame));
    const large = new Float32Array(4_000_000);
    const size = 3 * 32 * 32;
    let sent = 0;
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (message, ...rest) {
      sent = message?.args?.input?.data?.buffer.byteLength ?? sent;
      return postMessage.call(this, message, ...rest);
    };
    await model.logits({ data: large.subarray(7, 7 + size), shape: [1, 3, 32, 32] });
    Worker.prototype.postMessage = postMessage;
    model.close();
    return { best, closed: [closed.error.code, closed.error.message], sent: sent / 4 - size };
  });
  assert.equal(seen.best, 6);
  assert.equal(seen.closed[0], "input_invalid");
  assert.match(seen.closed[1], /video frame was closed/);
  assert.equal(seen.sent, 0);
});

test("where the browser changes what is read from a canvas, the explanation says so", async () => {
  const notes = await page.evaluate(async () => {
    const { lab } = window;
    const { getImageData } = OffscreenCanvasRenderingContext2D.prototype;
    const engine = await lab.adversight.createEngine({ device: "cpu", worker: false });
    const model = await lab.loadTiny(engine);
    const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
    OffscreenCanvasRenderingContext2D.prototype.getImageData = function (...args) {
      const read = getImageData.apply(this, args);
      read.data[0] ^= 1;
      return read;
    };
    const { info } = await model.explain(picture, { method: "saliency" });
    OffscreenCanvasRenderingContext2D.prototype.getImageData = getImageData;
    engine.close();
    return info.notes;
  });
  assert.ok(
    notes.some((note) => /changes the pixels that a page reads/.test(note)),
    notes.join(" "),
  );
  const exact = await page.evaluate(async () => {
    const model = await window.lab.loadTiny(window.engine);
    const picture = new Blob([await window.lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
    return (await model.explain(picture, { method: "saliency" })).info.notes;
  });
  assert.ok(!exact.some((note) => /changes the pixels/.test(note)));
  assert.deepEqual(faults, []);
});

// Importing the package does nothing by itself, wherever it is imported.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openBrowser } from "./browser.mjs";

test("in a page, an import starts no worker, fetches no more than its own modules, and leaves no global", async () => {
  const browser = await openBrowser({ webgpu: false });
  try {
    const { page, faults } = await browser.openPackage();
    const workers = [];
    page.on("worker", (worker) => workers.push(worker.url()));
    const requests = [];
    page.on("request", (request) => requests.push(new URL(request.url()).pathname));
    await page.goto(`${browser.origin}/page/`, { waitUntil: "load" }); // a page that is not there: nothing of the lab is loaded
    requests.length = 0;
    const globals = await page.evaluate(async () => {
      const names = () => Object.getOwnPropertyNames(globalThis);
      const before = new Set(names());
      let called = 0;
      const { fetch, Worker, WebAssembly } = globalThis;
      const noticed = (object, name) => {
        const original = object[name];
        object[name] = function (...args) {
          called++;
          return new.target ? Reflect.construct(original, args) : original.apply(this, args);
        };
        return () => (object[name] = original);
      };
      const undo = [
        noticed(globalThis, "fetch"),
        noticed(globalThis, "Worker"),
        noticed(WebAssembly, "instantiate"),
        noticed(WebAssembly, "instantiateStreaming"),
      ];
      await import("/package/index.js");
      await import("/package/element.js");
      await new Promise((resolve) => setTimeout(resolve, 500));
      undo.forEach((restore) => restore());
      if (fetch !== globalThis.fetch || Worker !== globalThis.Worker) throw new Error("not restored");
      return {
        called,
        added: names().filter((name) => !before.has(name)),
        elements: !!customElements.get("adversight-explainer"),
      };
    });
    assert.deepEqual(globals, { called: 0, added: [], elements: false });
    assert.deepEqual(workers, []);
    assert.ok(requests.length > 0, "the package's modules were seen");
    for (const path of requests) assert.match(path, /^\/package\/[\w-]+\.js$/);
    assert.ok(!requests.some((path) => /worker|here/.test(path)), requests.join(", "));
    assert.deepEqual(faults, []);
  } finally {
    await browser.close();
  }
});

test("in node it imports, and an engine is refused with a code", async () => {
  const adversight = await import(new URL("../../pkg/dist/index.js", import.meta.url));
  await assert.rejects(adversight.createEngine(), { name: "AdversightError", code: "device_unavailable" });
  assert.equal(adversight.maxPixels, 64 * 1024 * 1024);
  await import(new URL("../../pkg/dist/element.js", import.meta.url));
  for (const entry of ["cpu", "here", "register", "adversight.min"]) {
    const { createEngine } = await import(new URL(`../../pkg/dist/${entry}.js`, import.meta.url));
    if (createEngine) await assert.rejects(createEngine(), { code: "device_unavailable" }, entry);
  }
});

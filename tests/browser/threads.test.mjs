// The engine in threads: only where the page is cross-origin isolated, with the same bits, and never so that anything hangs on them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { openBrowser, until } from "./browser.mjs";
import { visit } from "./visit.mjs";

let isolated, open;
before(async () => {
  isolated = await openBrowser({ webgpu: false, isolated: true });
  open = await openBrowser({ webgpu: false });
});
after(async () => {
  await isolated?.close();
  await open?.close();
});

/** A page of a browser, and the names of the files that it and its worker ask for. */
async function enter(browser) {
  const visited = await browser.openPackage();
  const files = [];
  visited.page
    .context()
    .on("request", (request) => files.push(new URL(request.url()).pathname.split("/").at(-1)));
  return { ...visited, files };
}

/** The networks by an engine with so many threads: the report, whether memory is shared, and every bit of some results. */
const compute = (page, threads) =>
  page.evaluate(async (threads) => {
    const { lab } = window;
    const digest = async (data) => {
      const hash = await crypto.subtle.digest("SHA-256", data);
      return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    };
    const engine = await lab.adversight.createEngine({ device: "cpu", threads });
    const index = await lab.json("/fixtures/imagenet/index.json");
    const results = {};
    for (const network of ["squeezenet1_1", "efficientnet_lite0"]) {
      const { preprocessing } = index.networks[network];
      const { image, target } = index.cases.find(
        ({ model, method }) => model === network && method === "gradient",
      );
      const input = await lab.tensorOf(`/fixtures/${image}`, preprocessing);
      const model = await engine.loadModel({ onnx: `/demo/models/${network}.onnx` });
      const logits = await model.logits(input);
      const gradient = await model.inputGradient(input, target);
      // Again, from memory that values have left.
      const again = await model.inputGradient(input, target);
      for (const [name, { data }] of Object.entries({ logits, gradient, again })) {
        if (!(data.buffer instanceof ArrayBuffer))
          throw new Error("the result lies in the engine's own memory");
        results[`${network}, ${name}`] = await digest(data);
      }
      model.close();
    }
    const tiny = await lab.loadTiny(engine);
    const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
    for (const method of ["guided_ig", "rise"]) {
      const { attribution, heatmap } = await tiny.explain(picture, { method, seed: 7 });
      results[`${method}, attribution`] = await digest(attribution.data);
      results[`${method}, heatmap`] = await digest(heatmap.data);
    }
    engine.close();
    return { device: engine.device, results };
  }, threads);

test("an isolated page loads the engine with threads, and no bit differs from one thread's", async () => {
  const { page, faults, files } = await enter(isolated);
  const one = await compute(page, 1);
  assert.equal(one.device.threads, 1);
  assert.ok(files.includes("adversight_cpu_bg.wasm"));
  assert.ok(!files.some((file) => /threads_bg|helper/.test(file)), files.join(", "));
  for (const threads of [2, 3]) {
    files.length = 0;
    const several = await compute(page, threads);
    assert.equal(several.device.threads, threads);
    assert.deepEqual(several.results, one.results, `${threads} threads`);
    assert.ok(files.includes("adversight_cpu_threads_bg.wasm"));
    assert.ok(!files.includes("adversight_cpu_bg.wasm"), "one engine is fetched");
  }
  assert.equal(
    new Set(Object.values(one.results)).size,
    8,
    "what is compared differs from one result to the next",
  );
  assert.deepEqual(faults, []);
});

test("left to itself, an engine takes as many threads as there are processors", async () => {
  const { page } = await enter(isolated);
  const [threads, processors] = await page.evaluate(async () => {
    const engine = await window.lab.adversight.createEngine({ device: "cpu" });
    engine.close();
    return [engine.device.threads, navigator.hardwareConcurrency];
  });
  assert.equal(threads, Math.min(processors, 8));
});

test("a page that is not isolated, and a page's own thread, load the engine without threads", async () => {
  for (const [browser, worker] of [
    [open, true],
    [isolated, false],
  ]) {
    const { page, faults, files } = await enter(browser);
    const device = await page.evaluate(async (worker) => {
      const engine = await window.lab.adversight.createEngine({ device: "cpu", threads: 2, worker });
      const model = await window.lab.loadTiny(engine);
      await model.classify(new Blob([await window.lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" }));
      engine.close();
      return engine.device;
    }, worker);
    assert.equal(device.threads, 1);
    assert.ok(files.includes("adversight_cpu_bg.wasm"));
    assert.ok(!files.some((file) => /threads_bg|helper/.test(file)), files.join(", "));
    assert.deepEqual(faults, []);
  }
});

/** An engine of two threads classifies. */
const classify = (page) =>
  page.evaluate(async () => {
    const { lab } = window;
    const engine = await lab.adversight.createEngine({ device: "cpu", threads: 2 });
    const model = await lab.loadTiny(engine);
    const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
    const { top } = await model.classify(picture);
    engine.close();
    return { threads: engine.device.threads, best: top[0].index };
  });

for (const [what, file] of [
  ["the engine with threads", "adversight_cpu_threads_bg.wasm"],
  ["its module", "adversight_cpu_threads.js"],
  ["the helper's script", "helper.js"],
]) {
  test(`where ${what} is missing, one thread computes`, async () => {
    const { page } = await enter(isolated);
    isolated.instead.set(file, null);
    try {
      assert.deepEqual(await classify(page), { threads: 1, best: 6 });
    } finally {
      isolated.instead.delete(file);
    }
  });
}

test("closing an engine ends its helpers too", async () => {
  const { page } = await enter(isolated);
  const before = await isolated.workers();
  await page.evaluate(async () => {
    window.lab.engine = await window.lab.adversight.createEngine({ device: "cpu", threads: 3 });
  });
  assert.equal(await isolated.workers(), before + 3, "the engine's worker and two helpers");
  await page.evaluate(() => window.lab.engine.close());
  await until(async () => (await isolated.workers()) === before, "the end of all three", 10_000);
});

test("closing an engine in the midst of its work ends its helpers too", async () => {
  const { page } = await enter(isolated);
  const before = await isolated.workers();
  const code = await page.evaluate(async () => {
    const { lab } = window;
    const engine = await lab.adversight.createEngine({ device: "cpu", threads: 2 });
    const model = await engine.loadModel({ onnx: "/demo/models/squeezenet1_1.onnx" });
    const long = lab.outcome(() =>
      model.logits({ data: new Float32Array(16 * 3 * 227 * 227), shape: [16, 3, 227, 227] }),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    engine.close();
    return (await long).error.code;
  });
  assert.equal(code, "engine_closed");
  await until(async () => (await isolated.workers()) === before, "the end of both", 10_000);
});

test("a helper that fails at its work ends the engine with an error, and the next engine computes", async () => {
  const { page } = await enter(isolated);
  const script = readFileSync(new URL("../../pkg/dist/helper.js", import.meta.url), "utf8");
  const failing = script.replace("wasm.help();", 'throw new WebAssembly.RuntimeError("unreachable");');
  assert.notEqual(failing, script);
  isolated.instead.set("helper.js", failing);
  const { error } = await page.evaluate(async () => {
    const { lab } = window;
    return lab.outcome(async () => {
      const engine = await lab.adversight.createEngine({ device: "cpu", threads: 2 });
      const model = await engine.loadModel({ onnx: "/demo/models/squeezenet1_1.onnx" });
      return model.logits({ data: new Float32Array(3 * 227 * 227), shape: [1, 3, 227, 227] });
    });
  });
  isolated.instead.delete("helper.js");
  assert.equal(error?.code, "engine_failed", error?.message);
  assert.deepEqual(await classify(page), { threads: 2, best: 6 });
});

test("the page explains with threads, under its own policy", async () => {
  const tour = await visit({ isolated: true });
  try {
    await tour.ready();
    const threads = tour.requests.filter((url) => /adversight_cpu_threads_bg.*\.wasm$/.test(url));
    assert.equal(threads.length, 1, tour.requests.join("\n"));
    assert.equal(
      await tour.browser.workers(),
      1 + (await tour.page.evaluate(() => navigator.hardwareConcurrency)) - 1,
    );
    assert.deepEqual(tour.strangers(), []);
    assert.deepEqual(tour.faults, []);
  } finally {
    await tour.browser.close();
  }
});

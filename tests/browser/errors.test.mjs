// Whatever a user may hand over that cannot be used: each has its own code and sentence, and the engine goes on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { mistakes } from "./page/mistakes.js";
import { blackPng } from "./png.mjs";

let browser;
before(async () => {
  browser = await openBrowser({ webgpu: false });
});
after(() => browser?.close());

for (const worker of [true, false]) {
  const where = worker ? "in a worker" : "on the page's thread";

  test(`bad input ${where}: each has its code and sentence, and the engine goes on`, async (t) => {
    const { page, faults } = await browser.openPackage();
    await page.evaluate(
      async ({ worker, huge, empty }) => {
        const { lab } = window;
        const engine = await lab.adversight.createEngine({ device: "cpu", worker });
        const index = await lab.json("/fixtures/tiny/index.json");
        const file = async (base64) =>
          new File([await (await fetch(`data:image/png;base64,${base64}`)).arrayBuffer()], "picture.png", {
            type: "image/png",
          });
        lab.things = {
          engine,
          model: await lab.loadTiny(engine),
          tensor: await lab.tensorOf("/fixtures/tiny/a.png", index.networks.tiny.preprocessing),
          picture: new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" }),
          huge: await file(huge),
          empty: await file(empty),
        };
      },
      {
        worker,
        huge: blackPng(10_000, 10_000).toString("base64"),
        empty: blackPng(0, 0).toString("base64"),
      },
    );
    const sentences = new Set();
    for (const [mistake, { code, sentence, node }] of Object.entries(mistakes)) {
      const { result, next } = await page.evaluate(async (mistake) => {
        const { lab } = window;
        const { mistakes } = await import("/page/mistakes.js");
        const result = await lab.outcome(() => mistakes[mistake].call(lab, lab.things));
        const next = await lab.outcome(() => lab.things.model.classify(lab.things.tensor));
        return { result, next };
      }, mistake);
      assert.ok(result.error, `${mistake} was taken: ${JSON.stringify(result.value)}`);
      assert.equal(result.error.code, code, `${mistake}: ${result.error.message}`);
      assert.match(result.error.message, sentence, mistake);
      assert.equal(result.error.node, node, mistake);
      assert.equal(result.error.name, "AdversightError");
      assert.ok(result.error.known, `${mistake} gives no AdversightError`);
      assert.equal(next.value?.top[0].index, 6, `after ${mistake}: ${JSON.stringify(next.error)}`);
      sentences.add(result.error.message);
    }
    t.diagnostic(`${Object.keys(mistakes).length} mistakes, ${sentences.size} sentences`);
    assert.deepEqual(faults, []);
    await page.close();
  });

  test(`cancelling ${where} rejects with the signal's reason, and the next call is answered`, async (t) => {
    const { page, faults } = await browser.openPackage();
    const { aborted, own, before, steps, progress, next, busy } = await page.evaluate(async (worker) => {
      const { lab } = window;
      const { createEngine } = lab.adversight;
      const engine = await createEngine({ device: "cpu", worker });
      const model = await lab.loadTiny(engine);
      const index = await lab.json("/fixtures/tiny/index.json");
      const input = await lab.tensorOf("/fixtures/tiny/a.png", index.networks.tiny.preprocessing);
      const progress = [];
      /** Steps of no length, which never arrive: it would go on for minutes. */
      const params = { samples: 9, steps: 1000, step_size: 0 };
      const run = async (controller, stop) =>
        lab.outcome(() =>
          model.explain(input, {
            method: "agi",
            params,
            signal: controller.signal,
            onProgress(report) {
              progress.push(report);
              stop(report);
            },
          }),
        );
      const first = new AbortController();
      const aborted = await run(first, ({ done }) => done === 3 && first.abort());
      const steps = progress.length;
      const started = performance.now();
      const next = await model.classify(input);
      const busy = performance.now() - started;
      const second = new AbortController();
      const own = await run(second, () => second.abort(new TypeError("I have changed my mind")));
      const already = AbortSignal.abort();
      const before = await lab.outcome(() => model.classify(input, { signal: already }));
      await model.classify(input);
      engine.close();
      return { aborted, own, before, steps, progress: progress.slice(0, 3), next, busy };
    }, worker);
    assert.equal(aborted.error?.name, "AbortError");
    assert.deepEqual([own.error?.name, own.error?.message], ["TypeError", "I have changed my mind"]);
    assert.equal(before.error?.name, "AbortError");
    assert.equal(next.top[0].index, 6);
    assert.deepEqual(
      progress.map(({ done }) => done),
      [0, 1, 2],
    );
    // On the processor one class comes after the other.
    const all = 9 * 1000;
    assert.ok(progress.every(({ total, stage }) => total === all && stage.length > 0));
    assert.ok(steps < 100, `it went on for ${steps} steps`);
    t.diagnostic(
      `stopped after ${steps} reports of ${all}; the next answer came ${Math.round(busy)} ms later`,
    );
    assert.deepEqual(faults, []);
    await page.close();
  });
}

test("every broken model is refused with its node, and the engine loads the next one", async (t) => {
  const { page, faults } = await browser.openPackage();
  const results = await page.evaluate(async () => {
    const { lab } = window;
    const engine = await lab.adversight.createEngine({ device: "cpu" });
    const results = [];
    for (const wanted of (await lab.json("/fixtures/broken/index.json")).cases) {
      const onnx = await lab.bytes(`/fixtures/broken/${wanted.file}`);
      const result = await lab.outcome(async () => (await engine.loadModel({ onnx })).info);
      const next = await lab.outcome(async () => (await lab.loadTiny(engine)).close());
      results.push({ ...wanted, result, next });
    }
    engine.close();
    return results;
  });
  assert.ok(results.length >= 8);
  for (const { file, node, result, next } of results) {
    assert.match(result.error?.code ?? "taken", /^model_(malformed|unsupported|invalid)$/, file);
    // A weight's own fault is no node's; the sentence names the weight.
    if (file === "huge_claim.onnx") assert.match(result.error.message, /weight "w"/);
    else assert.equal(result.error.node ?? null, node, `${file}: ${result.error.message}`);
    assert.equal(next.error, undefined, `after ${file}`);
    t.diagnostic(`${file}: ${result.error.code}: ${result.error.message.slice(0, 120)}`);
  }
  assert.deepEqual(faults, []);
  await page.close();
});

test("no WebGPU: asked for, it is refused by code; by itself, the CPU is used and the reason said", async () => {
  const { page, faults } = await browser.openPackage();
  for (const worker of [true, false]) {
    const { refused, device, top } = await page.evaluate(async (worker) => {
      const { lab } = window;
      const { createEngine } = lab.adversight;
      const refused = await lab.outcome(() => createEngine({ device: "webgpu", worker }));
      const engine = await createEngine({ device: "auto", worker });
      const model = await lab.loadTiny(engine);
      const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")]);
      const { top } = await model.classify(picture);
      engine.close();
      return { refused, device: engine.device, top };
    }, worker);
    assert.equal(refused.error?.code, "device_unavailable");
    assert.match(refused.error.message, /WebGPU/);
    assert.equal(device.kind, "cpu");
    assert.match(device.reason, /CPU is used.*WebGPU/);
    assert.equal(top[0].index, 6);
  }
  const unknown = await page.evaluate(() =>
    window.lab.outcome(() => window.lab.adversight.createEngine({ device: "abacus" })),
  );
  assert.ok(unknown.error?.known, "an unknown device");
  assert.match(unknown.error.message, /abacus|auto/);
  assert.deepEqual(faults, []);
  await page.close();
});

test("a closed engine refuses calls and ends those that run; another one works beside it", async () => {
  const { page, faults } = await browser.openPackage();
  const { running, later, other } = await page.evaluate(async () => {
    const { lab } = window;
    const { createEngine } = lab.adversight;
    const [one, two] = await Promise.all([createEngine({ device: "cpu" }), createEngine({ device: "cpu" })]);
    const [model, otherModel] = await Promise.all([lab.loadTiny(one), lab.loadTiny(two)]);
    const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")]);
    const params = { samples: 9, steps: 1000, step_size: 0 };
    const running = lab.outcome(() =>
      model.explain(picture, { method: "agi", params, onProgress: ({ done }) => done === 2 && one.close() }),
    );
    return {
      running: await running,
      later: await lab.outcome(() => model.classify(picture)),
      other: (await otherModel.classify(picture)).top[0].index,
    };
  });
  assert.equal(running.error?.code, "engine_closed");
  assert.equal(later.error?.code, "engine_closed");
  assert.equal(other, 6);
  assert.deepEqual(faults, []);
  await page.close();
});

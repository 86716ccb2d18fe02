// Maps of methods that are still at work, their early end, and what explanations cost in memory.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";

let browser, page, faults;
before(async () => {
  browser = await openBrowser({ webgpu: true });
  ({ page, faults } = await browser.openPackage());
  page.setDefaultTimeout(600_000);
  await page.evaluate(async () => {
    const { lab } = window;
    await lab.openBoth();
    lab.picture = await lab.tensorOf("/fixtures/tiny/a.png", lab.index.networks.tiny.preprocessing);
    /** The same with so many samples that it takes `least` milliseconds, whatever the machine. */
    lab.watchLong = async (model, samples, least) => {
      lab.take();
      const found = await lab.watch(model, { method: "rise", params: { samples } });
      const counts = lab.take();
      return found.info.milliseconds < least && samples < 100_000
        ? lab.watchLong(model, 4 * samples, least)
        : { ...found, counts, samples };
    };
    /** An explanation with all that was seen on the way. */
    lab.watch = async (model, options) => {
      const seen = [];
      const explanation = await model.explain(lab.picture, {
        ...options,
        onPartial: ({ attribution, heatmap, done, total }) =>
          seen.push({ data: attribution.data, shape: heatmap.shape, done, total }),
      });
      const { info, attribution } = explanation;
      const apart = seen.map(({ data }) => lab.agreement(data, attribution.data).l2);
      return { info, apart, seen: seen.map(({ shape, done, total }) => ({ shape, done, total })) };
    };
  });
});
after(() => browser?.close());

test("a long method on the CPU shows its map while it runs, and it approaches the result", async (t) => {
  const { info, apart, seen, samples } = await page.evaluate(() =>
    window.lab.watchLong(window.lab.onCpu, 6250, 2000),
  );
  t.diagnostic(
    `${seen.length} maps in ${Math.round(info.milliseconds)} ms, ${apart.map((l2) => l2.toFixed(3))}`,
  );
  assert.ok(seen.length >= 2 && seen.length <= info.milliseconds / 500, `${seen.length} maps`);
  assert.deepEqual(seen[0].shape, [32, 32]);
  assert.ok(seen.every(({ done, total }) => done > 0 && done <= total && total === samples));
  assert.ok(apart.at(-1) < apart[0], `${apart}`);
  assert.equal(info.stopped, null);
});

test("on a GPU it does too, and each map is one readback, of which there are few", async (t) => {
  const { info, apart, seen, counts, unwatched } = await page.evaluate(async () => {
    const { lab } = window;
    const found = await lab.watchLong(lab.onGpu, 400, 4000);
    await lab.onGpu.explain(lab.picture, { method: "rise", params: { samples: 60 } });
    return { ...found, unwatched: lab.take() };
  });
  t.diagnostic(`${seen.length} maps in ${Math.round(info.milliseconds)} ms; ${counts.readbacks} readbacks`);
  assert.ok(seen.length >= 1, "no map was shown");
  // Half a second, one second, two seconds: the time between maps doubles.
  const most = Math.ceil(Math.log2(info.milliseconds / 500 + 1)) + 1;
  assert.ok(seen.length <= most, `${seen.length} maps in ${info.milliseconds} ms`);
  assert.ok(counts.readbacks <= 3 + most, `${counts.readbacks} readbacks`);
  assert.ok(unwatched.readbacks <= 3, `${unwatched.readbacks} readbacks although nobody looked`);
  assert.ok(
    apart.every((l2) => l2 < 1),
    `${apart}`,
  );
});

test("a method ends when its map no longer changes, on both devices after as many steps", async (t) => {
  const infos = await page.evaluate(async () => {
    const { lab } = window;
    const stop = { change: 0.1, patience: 2, every: 20 };
    const options = { method: "smoothgrad", params: { samples: 1000 }, seed: 5, stop };
    const explained = [];
    for (const model of [lab.onGpu, lab.onCpu]) explained.push(await model.explain(lab.picture, options));
    return explained.map(({ info, words }) => ({ stopped: info.stopped, steps: info.steps, words }));
  });
  for (const { stopped, steps, words } of infos) {
    t.diagnostic(JSON.stringify(stopped));
    assert.ok(stopped.after < 1000 && stopped.of === 1000 && stopped.change <= 0.1, JSON.stringify(stopped));
    assert.equal(steps, stopped.after);
    assert.match(words.at(-1), /no longer changed/);
  }
  assert.equal(infos[0].stopped.after, infos[1].stopped.after);
});

test("a rule for a method that has no map on the way is refused", async () => {
  const { error } = await page.evaluate(() =>
    window.lab.outcome(() =>
      window.lab.onCpu.explain(window.lab.picture, { method: "saliency", stop: { change: 0.1 } }),
    ),
  );
  assert.equal(error?.code, "parameter_invalid");
});

test("a thousand explanations leave the CPU's memory as it was", async (t) => {
  const peaks = await page.evaluate(async () => {
    const { lab } = window;
    const methods = ["saliency", "smoothgrad", "integrated_gradients", "agi", "occlusion"];
    const params = {
      smoothgrad: { samples: 5 },
      integrated_gradients: { steps: 5 },
      agi: { samples: 2, steps: 3 },
    };
    const peaks = [];
    for (let i = 0; i < 1000; i++) {
      const method = methods[i % methods.length];
      const { info } = await lab.onCpu.explain(lab.picture, {
        method,
        params: params[method] ?? {},
        seed: i,
      });
      if (!info.memory.measured) throw new Error("the memory was not measured");
      peaks.push(info.memory.peak);
    }
    return peaks;
  });
  const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);
  t.diagnostic(`${mib(peaks[0])} MiB after one, ${mib(peaks[49])} after 50, ${mib(peaks.at(-1))} after 1000`);
  assert.ok(peaks.at(-1) < 4 * 2 ** 30);
  // What the first few have grown is used again by all that follow.
  assert.equal(peaks.at(-1), peaks[49]);
});

test("two hundred explanations leave a GPU's memory as it was", async (t) => {
  const live = await page.evaluate(async () => {
    const { lab } = window;
    const live = [];
    for (let i = 0; i < 200; i++) {
      const method = ["saliency", "smoothgrad"][i % 2];
      const params = method === "smoothgrad" ? { samples: 3 } : {};
      const { info } = await lab.onGpu.explain(lab.picture, { method, params, seed: i });
      if (info.memory.peak > info.memory.budget) throw new Error(JSON.stringify(info.memory));
      live.push(lab.take.live());
    }
    return live;
  });
  const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);
  t.diagnostic(
    `${mib(live[0])} MiB of buffers after one, ${mib(live[49])} after 50, ${mib(live.at(-1))} after 200`,
  );
  assert.ok(live[0] > 0, "no buffer was counted");
  const most = (from, to) => Math.max(...live.slice(from, to));
  assert.ok(most(150, 200) <= most(0, 50), `${mib(most(0, 50))}, then ${mib(most(150, 200))} MiB`);
});

test("a batch keeps within the memory that it is given", async () => {
  const { parts, whole, apart } = await page.evaluate(async () => {
    const { lab } = window;
    const engine = await lab.adversight.createEngine({ device: "cpu", batchMemory: 4 * 2 ** 20 });
    const model = await lab.loadTiny(engine);
    const options = { method: "smoothgrad", params: { samples: 50 }, seed: 2 };
    const [parts, whole] = [
      await model.explain(lab.picture, options),
      await lab.onCpu.explain(lab.picture, options),
    ];
    engine.close();
    return {
      parts: parts.info.memory,
      whole: whole.info.memory,
      apart: lab.agreement(parts.attribution.data, whole.attribution.data).l2,
    };
  });
  assert.equal(parts.budget, 4 * 2 ** 20);
  assert.equal(whole.budget, 256 * 2 ** 20);
  assert.ok(apart < 1e-4, `they are ${apart} apart`);
});

test("nothing went wrong unseen", () => {
  assert.deepEqual(faults, []);
});

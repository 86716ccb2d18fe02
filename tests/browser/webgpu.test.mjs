// The tiny network on WebGPU, which here is SwiftShader: every method, against the CPU backend and against the oracles.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";

/** Both devices compute in 32 bits, in different orders; rounding alone stays near 1e-6. */
const betweenDevices = { cosine: 0.9999, l2: 1e-3 };
const withOracle = { cosine: 0.999 };
/**
 * MASK descends by Adam, whose first steps have one length for every cell: where a gradient is near zero, rounding decides which way.
 * PyTorch in 32 bits differs from PyTorch in 64 by up to 5e-2 after ten steps (docs/accuracy.md).
 */
const withAdam = { cosine: 0.9999, l2: 1e-2 };

let browser, page, faults;
before(async () => {
  browser = await openBrowser({ webgpu: true });
  ({ page, faults } = await browser.openPackage());
  await page.evaluate(async () => {
    const { lab } = window;
    await lab.openBoth();
    lab.input = (image) => lab.tensorOf(`/fixtures/${image}`, lab.index.networks.tiny.preprocessing);
  });
});
after(() => browser?.close());

function near(actual, tolerance, what) {
  assert.ok(actual.cosine > tolerance.cosine, `${what}: cosine ${actual.cosine}`);
  if (tolerance.l2) assert.ok(actual.l2 < tolerance.l2, `${what}: relative l2 ${actual.l2}`);
}

const shown = ({ cosine, l2 }) =>
  `1 - cosine ${(1 - cosine).toExponential(1)}, relative l2 ${l2.toExponential(1)}`;

test("the engine reports the device and has tested it", async () => {
  const { gpu, cpu } = await page.evaluate(() => ({
    gpu: window.lab.gpu.device,
    cpu: window.lab.cpu.device,
  }));
  assert.equal(gpu.kind, "webgpu");
  assert.match(gpu.reason, /self-test/);
  assert.ok(gpu.selfTestError < 1e-3 && gpu.limits.maxBufferSize > 0, JSON.stringify(gpu));
  assert.equal(cpu.kind, "cpu");
  assert.equal(cpu.selfTestError, null);
});

test("what a gradient needs has been compiled when the network is loaded", async (t) => {
  const { start, first } = await page.evaluate(async () => {
    const { lab } = window;
    const input = await lab.input("tiny/a.png");
    const start = lab.take();
    await lab.onGpu.inputGradient(input, 6);
    return { start, first: lab.take() };
  });
  t.diagnostic(`${start.pipelines} pipelines at the start, ${first.pipelines} at the first gradient`);
  assert.ok(start.pipelines > 0, "pipelines are not counted");
  assert.equal(first.pipelines, 0);
});

test("a picture is classified alike on both devices", async () => {
  const [gpu, cpu] = await page.evaluate(async () => {
    const { lab } = window;
    const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
    return Promise.all([lab.onGpu, lab.onCpu].map((model) => model.classify(picture, { top: 3 })));
  });
  assert.equal(gpu.top.length, 3);
  assert.equal(gpu.top[0].index, 6, "the oracle's answer");
  assert.deepEqual(gpu.region, { x: 0, y: 0, width: 32, height: 32 });
  gpu.top.forEach(({ index, probability }, rank) => {
    assert.equal(index, cpu.top[rank].index);
    assert.ok(Math.abs(probability - cpu.top[rank].probability) < 1e-4);
  });
});

/**
 * A part of the oracles' cases, because emulated AGI takes seconds: AGI along its path with many false classes for one image,
 * and in every mode with a single one for the other. (Where one of a picture's 3072 gradients lies within rounding of zero, its
 * sign and so AGI's path may differ between devices. In these cases none does.)
 */
const chosen = ({ image, method, params, file }) =>
  method !== "smoothgrad" && // its oracle averages 4000 samples
  (method !== "agi" || (image === "tiny/a.png" ? file === "a_agi_path.npy" : params.classes.length === 1));

test("logits, gradients and methods equal the CPU's and the oracles'", async (t) => {
  const cases = (await page.evaluate(() => window.lab.index.cases)).filter(chosen);
  const modes = new Set(cases.filter(({ method }) => method === "agi").map(({ params }) => params.mode));
  assert.deepEqual([...modes].sort(), ["path", "reference", "straight"]);
  for (const wanted of cases) {
    const { device, oracle } = await page.evaluate(async (wanted) => {
      const { lab } = window;
      const { method, params, target } = wanted;
      const input = await lab.input(wanted.image);
      const [gpu, cpu] = await Promise.all(
        [lab.onGpu, lab.onCpu].map(async (model) => {
          if (method === "logits") return model.logits(input);
          if (method === "gradient") return model.inputGradient(input, target);
          const explanation = await model.explain(input, { method, params, target });
          if (String(explanation.attribution.shape) !== String(input.shape)) throw new Error("another shape");
          return explanation.attribution;
        }),
      );
      return { device: lab.agreement(gpu.data, cpu.data), oracle: await lab.compare(gpu, wanted, "tiny") };
    }, wanted);
    near(device, betweenDevices, `${wanted.file} and the CPU`);
    near(oracle, withOracle, `${wanted.file} and the oracle`);
    t.diagnostic(`${wanted.file}: CPU ${shown(device)}; oracle ${shown(oracle)}`);
  }
});

/** Settings that a method is tested with where its own take too long. */
const quick = {
  smoothgrad: { samples: 10 },
  agi: { samples: 2, steps: 2 },
  integrated_gradients: { steps: 10 },
  axai: { steps: 3, kernel_size: 1 },
  blur_ig: { steps: 4 },
  expected_gradients: { samples: 6 },
  hsic: { samples: 40, grid: 3 },
  idgi: { steps: 10 },
  mfaba: { steps: 4 },
  permutation_shap: { samples: 200, segmentation: "grid", segments: 9 },
  sobol: { designs: 4, grid: 3 },
  guided_ig: { steps: 4 },
  kernel_shap: { samples: 40, kernel_size: 1 },
  lime: { samples: 40, kernel_size: 1 },
  mask: { iterations: 3 },
  occlusion: { window: 8, stride: 8 },
  relex: { iterations: 2, samples: 3 },
  rise: { samples: 40 },
  score_cam: { channels: 8 },
  vargrad: { samples: 6 },
  xrai: { steps: 4 },
};

test("every registered method gives the CPU's values, heatmap and words", async (t) => {
  // The network has no attention and no boxes, and no masker beside it, which RT-Sal wants.
  const methods = await page.evaluate(() => window.lab.onGpu.info.methods);
  assert.deepEqual(
    methods.filter(({ applies }) => !applies).map(({ name }) => name),
    ["attention_rollout", "generic_attention", "legrad", "rt_sal", "d_rise"],
  );
  const names = methods.filter(({ applies }) => applies).map(({ name }) => name);
  for (const name of ["saliency", "smoothgrad", "integrated_gradients", "agi"])
    assert.ok(names.includes(name));
  for (const method of names) {
    const { device, blank, heatmap, infos, words } = await page.evaluate(
      async ({ method, params }) => {
        const { lab } = window;
        const input = await lab.input("tiny/b.png");
        const [gpu, cpu] = await Promise.all(
          [lab.onGpu, lab.onCpu].map((model) => model.explain(input, { method, params, seed: 7 })),
        );
        return {
          device: lab.agreement(gpu.attribution.data, cpu.attribution.data),
          // A map that is the same nearly everywhere shows nothing, on both devices.
          blank: [gpu, cpu].map(({ heatmap }) => heatmap.data.every((value) => value === 0)),
          heatmap: lab.agreement(gpu.heatmap.data, cpu.heatmap.data),
          infos: [gpu.info, cpu.info],
          words: [gpu.words, cpu.words],
        };
      },
      { method, params: quick[method] ?? {} },
    );
    const tolerance = method === "mask" ? withAdam : betweenDevices;
    near(device, tolerance, method);
    assert.equal(blank[0], blank[1], `heatmap of ${method}`);
    if (!blank[0]) near(heatmap, tolerance, `heatmap of ${method}`);
    assert.deepEqual(
      infos.map(({ device }) => device),
      ["webgpu", "cpu"],
    );
    assert.equal(infos[0].target.index, infos[1].target.index);
    // AGI draws its false classes at random: by the same seed, the same ones.
    assert.deepEqual(...infos.map(({ against }) => against.map(({ index }) => index)));
    assert.deepEqual(...infos.map(({ params }) => params));
    assert.ok(words[0].length > 0);
    assert.deepEqual(...words);
    t.diagnostic(`${method}: ${shown(device)}`);
  }
});

test("a seed means the same noise on both devices, another seed another noise", async (t) => {
  const { same, other, again } = await page.evaluate(async () => {
    const { lab } = window;
    const input = await lab.input("tiny/a.png");
    const run = async (model, seed) =>
      (await model.explain(input, { method: "smoothgrad", params: { samples: 10 }, target: 6, seed }))
        .attribution.data;
    const [gpu, gpuAgain, gpuOther] = [
      await run(lab.onGpu, 3),
      await run(lab.onGpu, 3),
      await run(lab.onGpu, 4),
    ];
    const cpu = await run(lab.onCpu, 3);
    return {
      same: lab.agreement(gpu, cpu),
      other: lab.agreement(gpu, gpuOther),
      again: lab.agreement(gpu, gpuAgain),
    };
  });
  near(same, betweenDevices, "the same seed");
  assert.ok(again.l2 < 1e-6, `repeated: ${again.l2}`);
  assert.ok(other.l2 > 0.1, `another seed changes next to nothing: ${other.l2}`);
  t.diagnostic(`the same seed: ${shown(same)}; another seed: ${shown(other)}`);
});

/**
 * A node takes a dispatch forward and one backward, save for those that are part of another's: so no more than 1.3 dispatches for
 * each of its 25 nodes. A backward pass that computed the weights' gradients too would need at least one more for each weight
 * and bias of its 10 convolutions.
 */
const mostDispatches = 1.3;

test("a gradient takes few dispatches and no gradients of weights", async (t) => {
  const { operators, runs } = await page.evaluate(async () => {
    const { lab } = window;
    const input = await lab.input("tiny/a.png");
    const { operators } = lab.onGpu.info;
    const runs = [];
    for (let i = 0; i < 3; i++) {
      lab.take();
      await lab.onGpu.logits(input);
      const forward = lab.take();
      await lab.onGpu.inputGradient(input, 6);
      runs.push({ forward, gradient: lab.take() });
    }
    return { operators, runs };
  });
  const convolutions = operators.find(({ name }) => name === "Conv").count;
  const nodes = operators.reduce((sum, { count }) => sum + count, 0);
  assert.deepEqual([convolutions, nodes], [10, 25]);
  const { forward, gradient } = runs.at(-1);
  const backward = gradient.dispatches - forward.dispatches;
  t.diagnostic(
    `dispatches: ${forward.dispatches} forward, ${gradient.dispatches} with the gradient, ${backward} backward`,
  );
  assert.ok(forward.dispatches > convolutions, "the GPU was not used, or not counted");
  assert.ok(backward > convolutions, "the backward pass was not counted");
  assert.ok(gradient.dispatches <= mostDispatches * nodes, `${gradient.dispatches} dispatches`);
  assert.equal(forward.readbacks, 1);
  assert.equal(gradient.readbacks, 1);
});

test("an explanation reads back its results and nothing in between", async (t) => {
  const counts = await page.evaluate(async () => {
    const { lab } = window;
    const input = await lab.input("tiny/a.png");
    const questions = [
      ["saliency", {}],
      ["smoothgrad", { samples: 10 }],
      ["integrated_gradients", { steps: 2 }],
      ["integrated_gradients", { steps: 10 }],
      ["agi", { classes: [4], steps: 1 }],
      ["agi", { classes: [4], steps: 3 }],
      ["agi", { classes: [4], steps: 3, mode: "reference" }],
      ["agi", { classes: [4], steps: 3, mode: "straight" }],
    ];
    const counts = [];
    for (const [method, params] of questions) {
      lab.take();
      await lab.onGpu.explain(input, { method, params, target: 6 });
      counts.push({ method, params, ...lab.take() });
    }
    return counts;
  });
  for (const { method, params, readbacks, dispatches } of counts) {
    // The map, the logits, and where the method has one the completeness gap, with a look at the baseline where it is missed; however many
    // steps it takes.
    const results = method === "integrated_gradients" ? 4 : 2;
    t.diagnostic(`${method} ${JSON.stringify(params)}: ${dispatches} dispatches, ${readbacks} readbacks`);
    assert.ok(readbacks > 0 && readbacks <= results, `${method}: ${readbacks} readbacks`);
  }
});

test("WebGPU works in a worker too", async () => {
  const { kind, agreement } = await page.evaluate(async () => {
    const { lab } = window;
    const engine = await lab.adversight.createEngine({ device: "webgpu" });
    const model = await lab.loadTiny(engine);
    const input = await lab.input("tiny/a.png");
    const gradient = await model.inputGradient(input, 6);
    const wanted = lab.index.cases.find(({ method }) => method === "gradient");
    engine.close();
    return { kind: engine.device.kind, agreement: await lab.compare(gradient, wanted, "tiny") };
  });
  assert.equal(kind, "webgpu");
  near(agreement, { cosine: 0.999, l2: 1e-3 }, "the gradient from a worker");
});

test("the automatic choice leaves a GPU that is only emulated alone, and says so", async () => {
  const device = await page.evaluate(async () => {
    const engine = await window.lab.adversight.createEngine({ device: "auto" });
    engine.close();
    return engine.device;
  });
  assert.equal(device.kind, "cpu", JSON.stringify(device));
  assert.match(device.reason, /emulated in software/);
});

test("bad input is refused on WebGPU as well, and cancelling ends a method", async () => {
  const { nan, range, cancelled, steps, next } = await page.evaluate(async () => {
    const { lab } = window;
    const input = await lab.input("tiny/a.png");
    const broken = { data: input.data.slice(), shape: input.shape };
    broken.data[5] = NaN;
    const controller = new AbortController();
    let steps = 0;
    const long = () =>
      lab.onGpu.explain(input, {
        method: "agi",
        params: { steps: 1000, samples: 1, mode: "reference", step_size: 0 },
        signal: controller.signal,
        onProgress: () => {
          if (++steps === 3) controller.abort();
        },
      });
    return {
      nan: await lab.outcome(() => lab.onGpu.classify(broken)),
      range: await lab.outcome(() => lab.onGpu.inputGradient(input, 10)),
      cancelled: await lab.outcome(long),
      steps,
      next: await lab.onGpu.classify(input),
    };
  });
  assert.equal(nan.error?.code, "input_not_finite");
  assert.equal(range.error?.code, "target_out_of_range");
  assert.equal(cancelled.error?.name, "AbortError");
  assert.ok(steps < 10, `${steps} steps`);
  assert.equal(next.top[0].index, 6);
});

test("nothing went wrong unseen", () => {
  assert.deepEqual(faults, []);
});

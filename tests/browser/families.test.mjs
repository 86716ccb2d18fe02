// A network of each family, loaded from bytes in the browser and explained, against the native engine's figures for the same seed
// (tests/it/inputs.rs writes them). Inputs are text, sounds, sequences, pictures with their channels first and last.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";

const { families, generated, seed } = JSON.parse(
  readFileSync(new URL("../fixtures/inputs/explained.json", import.meta.url), "utf8"),
);
/** The sums are the same, in an order that may differ. */
const near = { cosine: 0.99999, l2: 1e-3 };
/** Families that are light enough for WebGPU on a processor: one of sounds, one of tokens. */
const onGpu = ["sound", "sentence_cnn"];

let browser, page, faults;
before(async () => {
  browser = await openBrowser({ webgpu: true });
  ({ page, faults } = await browser.openPackage());
  await page.evaluate(async () => {
    const { lab } = window;
    lab.generated = await import("/page/generated.js");
    lab.engines = {
      cpu: await lab.adversight.createEngine({ device: "cpu" }),
      webgpu: await lab.adversight.createEngine({ device: "webgpu" }),
    };
    const [known, zoo] = await Promise.all([
      lab.json("/fixtures/families/index.json"),
      lab.json("/fixtures/zoo/index.json"),
    ]);

    /** A family's network, and its first input: a tensor, or null where the input is bound. */
    lab.loadFamily = async (engine, file) => {
      const family = known.cases.find(({ name }) => name === file);
      const folder = family ? "families" : "zoo";
      const onnx = await lab.bytes(`/fixtures/${folder}/${file}.onnx`);
      const { input, output, at, sizes } = family?.explained.options ?? {};
      const source = { onnx, input, output, at, sizes, external: lab.generated.externalFiles(onnx) };
      const model = await lab.engines[engine].loadModel(source);
      if (!family) {
        const { pictures, shape } = zoo.networks.find(({ name }) => name === file);
        return { model, input: lab.generated.picture(pictures[0], [1, ...shape.slice(1)]) };
      }
      const [{ picture, shape }] = family.inputs;
      if (picture) {
        // The first picture of the batch.
        const whole = lab.generated.picture(picture, shape);
        const data = whole.data.slice(0, whole.data.length / shape[0]);
        return { model, input: { data, shape: [1, ...shape.slice(1)] } };
      }
      const words = family.inputs.map(({ name, ints, shape: [, length] }) => [
        name,
        { data: Int32Array.from(ints.slice(0, length)), shape: [1, length] },
      ]);
      const bound = await model.withInputs(Object.fromEntries(words));
      model.close();
      return { model: bound, input: null };
    };

    /** What the test asks of an explanation. */
    lab.summary = ({ attribution: { data, shape }, segments, info, words, heatmap }, wanted) => {
      const actual = Float32Array.from(wanted.sample, (_, k) => data[(k * 7919) % data.length]);
      return {
        ...lab.agreement(actual, Float32Array.from(wanted.sample)),
        shape,
        finite: data.every(Number.isFinite),
        constant: data.every((value) => value === data[0]),
        norm: Math.sqrt(data.reduce((sum, value) => sum + value * value, 0)),
        sum: data.reduce((sum, value) => sum + value, 0),
        size: data.reduce((sum, value) => sum + Math.abs(value), 0),
        gap: info.completenessGap,
        densities: segments ? [Math.min(...segments.values), Math.max(...segments.values)] : null,
        segments: segments ? segments.values.length : null,
        cut: segments ? segments.labels.length === heatmap.data.length : null,
        words,
      };
    };
  });
});
after(() => browser?.close());

test("the generator of the weights gives the same numbers as in Rust", async () => {
  const here = await page.evaluate(({ noise, picture }) => {
    const { generated } = window.lab;
    const values = generated.picture(picture.name, picture.shape).data;
    return {
      noise: [...generated.noise(noise.seed, noise.scale, noise.offset, noise.values.length)],
      picture: picture.values.map((_, k) => values[(k * 7919) % values.length]),
    };
  }, generated);
  assert.deepEqual(here.noise, generated.noise.values.map(Math.fround));
  assert.deepEqual(here.picture, generated.picture.values.map(Math.fround));
});

function check({ method, shape, norm, segments, words }, found, what) {
  assert.deepEqual(found.shape, shape, what);
  assert.ok(found.finite && !found.constant, `${what}: ${found.finite ? "constant" : "not finite"}`);
  assert.ok(found.cosine > near.cosine && found.l2 < near.l2, `${what}: ${JSON.stringify(found)}`);
  assert.ok(Math.abs(found.norm / norm - 1) < near.l2, `${what}: norm ${found.norm}, not ${norm}`);
  if (method === "integrated_gradients") {
    // The attributions add up to the change of the score, but for the steps of the sum. Parts of both signs add up to little, so that
    // what is missing is held against all of them.
    assert.ok(Math.abs(found.gap) < 5e-3 * found.size, `${what}: gap ${found.gap} of ${found.size}`);
    if (found.change !== null) {
      const missing = found.sum - found.change;
      assert.ok(
        Math.abs(missing) < 5e-3 * found.size,
        `${what}: ${found.sum} for a change of ${found.change}`,
      );
    }
  }
  assert.equal(found.segments, segments, what);
  if (method === "axai") {
    const [low, high] = found.densities;
    assert.ok(0 <= low && low < high && high <= 1, `${what}: densities from ${low} to ${high}`);
    assert.ok(found.cut, `${what}: as many labels as places`);
  }
  assert.deepEqual(found.words, words, what);
}

for (const { title, file, target, maps } of families) {
  for (const engine of onGpu.includes(file) ? ["cpu", "webgpu"] : ["cpu"]) {
    test(`${title} (${file}) on ${engine}`, async (t) => {
      const started = Date.now();
      const found = await page.evaluate(
        async ({ engine, file, target, maps, seed }) => {
          const { lab } = window;
          const { model, input } = await lab.loadFamily(engine, file);
          const found = [];
          // The change of the score from the baseline: of a picture its lowest value throughout, of all else zero.
          let change = null;
          if (input) {
            const picture = model.info.layout.startsWith("picture");
            const low = picture ? input.data.reduce((a, b) => Math.min(a, b)) : 0;
            const lowest = { ...input, data: input.data.map(() => low) };
            const [score, baseline] = await Promise.all(
              [input, lowest].map((tensor) => model.logits(tensor)),
            );
            change = score.data[target] - baseline.data[target];
          }
          for (const wanted of maps) {
            const { method, params } = wanted;
            const explanation = await model.explain(input, { method, params, target, seed });
            found.push({ ...lab.summary(explanation, wanted), change });
          }
          model.close();
          return found;
        },
        { engine, file, target, maps, seed },
      );
      maps.forEach((wanted, i) => {
        check(wanted, found[i], `${title}, ${wanted.method}`);
      });
      const worst = Math.max(...found.map(({ l2 }) => l2)).toExponential(1);
      t.diagnostic(`largest relative l2 ${worst}, ${Date.now() - started} ms; ${found[0].words[1]}`);
    });
  }
}

test("nothing went wrong unseen", () => {
  assert.deepEqual(faults, []);
});

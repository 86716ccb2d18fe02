// Detectors in the package: their boxes, one of them explained and attacked, on the CPU and on WebGPU, beside onnxruntime, torchvision and PyTorch.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";

const { heads, explained } = JSON.parse(
  readFileSync(new URL("../fixtures/detectors/index.json", import.meta.url), "utf8"),
);

let browser, page, faults;
before(async () => {
  browser = await openBrowser({ webgpu: true });
  ({ page, faults } = await browser.openPackage());
  await page.evaluate(() => {
    const { lab } = window;
    const folder = "/fixtures/detectors";
    lab.detector = async (device, name, detector) => {
      lab.engines ??= {};
      lab.engines[device] ??= await lab.adversight.createEngine({ device });
      const onnx = await lab.bytes(`${folder}/${name}.onnx`);
      return lab.engines[device].loadModel({ onnx, ...(detector && { detector }) });
    };
    lab.stored = (file) => lab.npy(`${folder}/${file}`);
    lab.input = () => lab.stored("input.npy");
    lab.apart = (ours, theirs) => {
      const most = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      return ours.reduce((far, value, at) => Math.max(far, Math.abs(value - theirs[at])), 0) / most;
    };
  });
});
after(() => browser?.close());

for (const device of ["cpu", "webgpu"]) {
  test(`boxes of every head are those of torchvision, by ${device}`, async () => {
    const first = heads.filter(({ name }, at) => heads.findIndex((head) => head.name === name) === at);
    assert.ok(first.length >= 8);
    for (const { name, detector, overlap, boxes } of first) {
      const found = await page.evaluate(
        async ({ device, name, detector, overlap }) => {
          const { lab } = window;
          const model = await lab.detector(device, name, detector);
          return (await model.detect(await lab.input(), { overlap })).boxes;
        },
        { device, name, detector, overlap },
      );
      assert.deepEqual(
        found.map(({ row }) => row),
        boxes.map(({ row }) => row),
        name,
      );
      for (const [at, { class: best, box }] of found.entries()) {
        assert.equal(best.index, boxes[at].class, name);
        assert.ok(Math.abs(best.probability - boxes[at].score) < 1e-3, name);
        box.forEach((edge, side) => assert.ok(Math.abs(edge - boxes[at].box[side]) < 0.05, name));
      }
    }
  });

  test(`one box is explained as PyTorch has it, by ${device}`, async (t) => {
    const far = await page.evaluate(
      async ({ device, explained }) => {
        const { lab } = window;
        const model = await lab.detector(device, "yolov8");
        const [input, right] = [await lab.input(), await lab.stored(explained.gradient)];
        const target = { box: { number: explained.box } };
        const found = await model.explain(input, { method: "saliency", target });
        const odam = await model.explain(input, { method: "odam", target });
        const attacked = await model.attack(input, { target, epsilon: 0.05, steps: 5 });
        return {
          gradient: lab.apart(found.attribution.data, right.data),
          odam: lab.apart(odam.attribution.data, (await lab.stored(explained.odam)).data),
          words: found.words.join(" "),
          turned: attacked.input.data.some((value, at) => value !== input.data[at]),
        };
      },
      { device, explained },
    );
    t.diagnostic(JSON.stringify(far));
    assert.ok(far.gradient < 1e-3 && far.odam < 1e-3, JSON.stringify(far));
    assert.match(far.words, /box/);
    assert.ok(far.turned);
  });
}

test("what is no detector says what to give, and nothing went wrong unseen", async () => {
  const error = await page.evaluate(async () => {
    const { lab } = window;
    const model = await lab.detector("cpu", "yolov3");
    return model.detect(await lab.input()).catch(({ code, message }) => ({ code, message }));
  });
  assert.equal(error.code, "detector_unknown");
  assert.match(error.message, /anchors/);
  assert.deepEqual(faults, []);
});

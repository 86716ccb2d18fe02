// Both ImageNet networks on the CPU backend, in WebAssembly, against onnxruntime's logits and PyTorch's gradients on photographs.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";

/** The tabby, the tiger cat and the Egyptian Mau. */
const cats = [281, 282, 285];

let browser, page, faults;
before(async () => {
  browser = await openBrowser({ webgpu: false });
  ({ page, faults } = await browser.openPackage());
});
after(() => browser?.close());

for (const network of ["squeezenet1_1", "efficientnet_lite0"]) {
  test(`${network}: logits and input gradients on photographs`, async (t) => {
    const results = await page.evaluate(async (network) => {
      const { lab } = window;
      const index = await lab.json("/fixtures/imagenet/index.json");
      const { preprocessing } = index.networks[network];
      const engine = await lab.adversight.createEngine({ device: "cpu" });
      const model = await engine.loadModel({ onnx: `/demo/models/${network}.onnx` });
      const cases = index.cases.filter(
        ({ model, method }) => model === network && (method === "logits" || method === "gradient"),
      );
      const results = [];
      for (const wanted of cases) {
        const input = await lab.tensorOf(`/fixtures/${wanted.image}`, preprocessing);
        const started = performance.now();
        const tensor =
          wanted.method === "logits"
            ? await model.logits(input)
            : await model.inputGradient(input, wanted.target);
        const milliseconds = performance.now() - started;
        results.push({
          ...wanted,
          ...(await lab.compare(tensor, wanted, "imagenet")),
          actual: tensor.shape,
          milliseconds,
        });
      }
      engine.close();
      return results;
    }, network);
    assert.equal(results.length, 9, "three photographs, each with logits and two gradients");
    for (const { file, method, float32, l2, max, shape, actual, milliseconds } of results) {
      assert.deepEqual(actual, shape);
      // Where an activation lies within rounding of a ReLU's kink, PyTorch in 32 bits differs from itself in 64 by more.
      const limit = Math.max(1e-3, 3 * (float32?.relative_l2 ?? 0));
      assert.ok(l2 < limit, `${file}: relative l2 ${l2}`);
      if (method === "logits") assert.ok(max < 1e-3, `${file}: largest difference ${max}`);
      t.diagnostic(
        `${file}: relative l2 ${l2.toExponential(1)} (limit ${limit.toExponential(1)}), ${Math.round(milliseconds)} ms`,
      );
    }
  });
}

test("a photograph of any size is prepared by the declared preprocessing and classified", async (t) => {
  const classes = await page.evaluate(async () => {
    const { lab } = window;
    const engine = await lab.adversight.createEngine({ device: "cpu" });
    const card = await lab.json("/demo/models/efficientnet_lite0.json");
    const model = await engine.loadModel({
      onnx: "/demo/models/efficientnet_lite0.onnx",
      preprocessing: card.preprocessing,
      labels: "/demo/models/imagenet.json",
    });
    const photo = new Blob([await lab.bytes("/demo/photos/chelsea.jpg")]);
    const element = new Image();
    element.src = "/demo/photos/chelsea.jpg";
    const canvas = document.createElement("canvas");
    await element.decode();
    canvas.width = element.naturalWidth;
    canvas.height = element.naturalHeight;
    const context = canvas.getContext("2d");
    context.drawImage(element, 0, 0);
    const inputs = {
      Blob: photo,
      ImageBitmap: await createImageBitmap(photo),
      ImageData: context.getImageData(0, 0, canvas.width, canvas.height),
      HTMLImageElement: element,
      HTMLCanvasElement: canvas,
    };
    const classes = {};
    for (const [kind, input] of Object.entries(inputs))
      classes[kind] = (await model.classify(input, { top: 5 })).top;
    const bitmapKept = inputs.ImageBitmap.width > 0;
    engine.close();
    return { ...classes, bitmapKept };
  });
  const { bitmapKept, ...kinds } = classes;
  assert.ok(bitmapKept, "the caller's bitmap is still theirs");
  const [first] = Object.values(kinds);
  assert.ok(cats.includes(first[0].index), first[0].label);
  for (const [kind, top] of Object.entries(kinds)) {
    assert.equal(top.length, 5);
    assert.equal(top[0].index, first[0].index, kind);
    assert.ok(Math.abs(top[0].probability - first[0].probability) < 1e-3, kind);
  }
  t.diagnostic(
    `chelsea: ${first.map(({ label, probability }) => `${label} ${probability.toFixed(3)}`).join(", ")}`,
  );
});

test("nothing went wrong unseen", () => {
  assert.deepEqual(faults, []);
});

// The custom element, as somebody else's page would write it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";

let browser, page, faults;
before(async () => {
  browser = await openBrowser({ webgpu: false });
  ({ page, faults } = await browser.openPackage());
  await page.evaluate(async () => (await import("/package/element.js")).define());
});
after(() => browser?.close());

/** Puts an element into the page; gives what it tells, and whether its canvas shows a picture. */
const show = (attributes) =>
  page.evaluate(async (attributes) => {
    const element = document.createElement("adversight-explainer");
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    const told = new Promise((resolve) => {
      element.addEventListener("adversight-explanation", ({ detail }) => {
        const { target, method } = detail.info;
        resolve({ target, method, first: detail.attribution.data[0], words: detail.words });
      });
      element.addEventListener("adversight-error", ({ detail }) => resolve({ error: detail.message }));
    });
    document.body.append(element);
    const result = await told;
    const canvas = element.shadowRoot.querySelector("canvas");
    const caption = element.shadowRoot.querySelector("figcaption").textContent;
    element.remove();
    return { ...result, size: [canvas.width, canvas.height], caption };
  }, attributes);

const tiny = { model: "/fixtures/tiny.onnx", src: "/fixtures/tiny/a.png", method: "saliency", device: "cpu" };

test("a photograph is explained, with the words under it", async () => {
  const { target, method, words, caption, size } = await show({
    ...tiny,
    preprocessing: "/fixtures/tiny.json",
  });
  assert.equal(target.index, 6);
  assert.equal(method, "saliency");
  assert.equal(caption, words.join(" "));
  assert.ok(size[0] > 0 && size[1] > 0);
});

test("a preset with a size stands in for a preprocessing file", async () => {
  const shown = await show({ ...tiny, preset: "keras_tf", size: "32" });
  const asked = await page.evaluate(async () => {
    const { lab } = window;
    const { createEngine, presetPreprocessing } = lab.adversight;
    const engine = await createEngine({ device: "cpu" });
    const preprocessing = presetPreprocessing("keras_tf", { height: 32, width: 32 });
    const model = await engine.loadModel({ onnx: "/fixtures/tiny.onnx", preprocessing });
    const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")]);
    const { attribution, info } = await model.explain(picture, { method: "saliency" });
    engine.close();
    return { first: attribution.data[0], target: info.target };
  });
  assert.deepEqual({ first: shown.first, target: shown.target }, asked);
  const declared = await show({ ...tiny, preprocessing: "/fixtures/tiny.json" });
  assert.notEqual(shown.first, declared.first);
});

test("a preset that is none is refused with the names of those that are", async () => {
  const { error, caption } = await show({ ...tiny, preset: "keras" });
  assert.match(error, /imagenet, timm, keras_tf.*not "keras"/);
  assert.equal(caption, error);
  assert.deepEqual(faults, []);
});

test("a target and params that are none are refused in words, and an empty target is the network's answer", async () => {
  const declared = { ...tiny, preprocessing: "/fixtures/tiny.json" };
  assert.equal((await show({ ...declared, target: "" })).target.index, 6);
  assert.match((await show({ ...declared, target: "abc" })).error, /number of a class, not "abc"/);
  assert.match((await show({ ...declared, params: "{" })).error, /object in JSON, not \{/);
});

test("where a photograph fails, no earlier answer stays", async () => {
  const { before, after } = await page.evaluate(
    async (attributes) => {
      const element = document.createElement("adversight-explainer");
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      const told = (type) =>
        new Promise((resolve) => element.addEventListener(type, resolve, { once: true }));
      const first = told("adversight-explanation");
      document.body.append(element);
      await first;
      const state = () => ({
        explained: element.explanation !== null,
        width: element.shadowRoot.querySelector("canvas").width,
        caption: element.shadowRoot.querySelector("figcaption").textContent,
      });
      const before = state();
      const failed = told("adversight-error");
      element.setAttribute("src", "/fixtures/none.png");
      await failed;
      const after = state();
      element.remove();
      return { before, after };
    },
    { ...tiny, preprocessing: "/fixtures/tiny.json" },
  );
  assert.ok(before.explained && before.width > 0);
  assert.deepEqual([after.explained, after.width], [false, 0]);
  assert.match(after.caption, /^The image could not be loaded/);
  assert.deepEqual(faults, []);
});

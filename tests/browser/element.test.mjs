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

/** Puts an element with properties and attributes into the page, as `window.it`; `window.told` has what it tells. */
const put = (attributes = {}) =>
  page.evaluate((attributes) => {
    window.it?.remove();
    window.told = [];
    window.it = document.createElement("adversight-explainer");
    for (const [name, value] of Object.entries(attributes)) window.it.setAttribute(name, value);
    for (const type of ["adversight-explanation", "adversight-error", "adversight-progress"]) {
      window.it.addEventListener(type, ({ detail }) => {
        window.told.push({
          type: type.slice(11),
          code: detail.code,
          message: detail.message,
          method: detail.info?.method,
          seed: detail.info?.seed,
        });
      });
    }
    document.body.append(window.it);
  }, attributes);
const told = (type, count = 1) =>
  page.waitForFunction(
    ({ type, count }) => window.told.filter((one) => one.type === type).length >= count,
    { type, count },
    { timeout: 20_000 },
  );
const count = (type) => page.evaluate((type) => window.told.filter((one) => one.type === type).length, type);
const pause = (milliseconds = 300) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const declared = { ...tiny, preprocessing: "/fixtures/tiny.json" };

test("every attribute is a property, which may be set before the element is defined or after", async () => {
  const seen = await page.evaluate(async () => {
    const { define } = await import("/package/element.js");
    const { attributes } = await import("/package/attributes.js");
    const tag = "adversight-later";
    const early = document.createElement(tag);
    document.body.append(early);
    const picture = new Blob([await window.lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
    Object.assign(early, {
      model: "/fixtures/tiny.onnx",
      preprocessing: await window.lab.json("/fixtures/tiny.json"),
      image: picture,
      method: "saliency",
      device: "cpu",
      target: 3,
      colourMap: "viridis",
    });
    const told = new Promise((resolve) => {
      early.addEventListener("adversight-explanation", ({ detail }) => resolve(detail.info));
      early.addEventListener("adversight-error", ({ detail }) => resolve(detail.message));
    });
    define(tag);
    const info = await told;
    const observed = customElements.get(tag).observedAttributes;
    const properties = attributes.every(({ property }) => property in early);
    const reflected = [
      early.getAttribute("method"),
      early.getAttribute("colour-map"),
      early.target,
      early.getAttribute("target"),
    ];
    early.remove();
    return {
      method: info.method,
      target: info.target?.index,
      properties,
      observed: observed.length === attributes.filter(({ attribute }) => attribute !== null).length,
      reflected,
      own: Object.hasOwn(early, "image"),
    };
  });
  assert.deepEqual(seen, {
    method: "saliency",
    target: 3,
    properties: true,
    observed: true,
    reflected: ["saliency", "viridis", 3, "3"],
    own: false,
  });
});

test("equal values and moves compute nothing; what differs computes once", async () => {
  await put(declared);
  await told("explanation");
  await page.evaluate(async () => {
    const { it } = window;
    it.setAttribute("method", "saliency");
    it.method = "saliency";
    it.params = {};
    it.params = {};
    it.opacity = 0.5;
    it.view = "heatmap";
    const list = document.createElement("div");
    document.body.append(list);
    list.append(it);
    document.body.moveBefore?.(it, null);
    await new Promise((resolve) => setTimeout(resolve, 10));
    document.body.append(it);
  });
  await pause(700);
  assert.equal(await count("explanation"), 1);
  await page.evaluate(() => {
    window.it.method = "smoothgrad";
    window.it.seed = 4;
    window.it.setAttribute("seed", "5");
  });
  await told("explanation", 2);
  await pause();
  assert.equal(await count("explanation"), 2);
  assert.deepEqual(await page.evaluate(() => [window.told.at(-1).method, window.told.at(-1).seed]), [
    "smoothgrad",
    5,
  ]);
});

test("what is taken away stops, and busy ends", async () => {
  const long = { ...declared, method: "rise", params: '{"samples": 100000}' };
  for (const take of ["src", "model", "element"]) {
    await put(long);
    await told("progress");
    const during = await page.evaluate(() => window.it.getAttribute("aria-busy"));
    assert.equal(during, "true");
    await page.evaluate(
      (take) => (take === "element" ? window.it.remove() : window.it.removeAttribute(take)),
      take,
    );
    await pause(50);
    const after = await page.evaluate(() => ({
      busy: window.it.hasAttribute("aria-busy"),
      status: window.it.shadowRoot.querySelector('[part="status"]').textContent,
      bar: window.it.shadowRoot.querySelector("progress").hidden,
      steps: window.told.length,
    }));
    assert.deepEqual([after.busy, after.status, after.bar], [false, "", true], take);
    await pause();
    assert.equal(
      await page.evaluate(() => window.told.length),
      after.steps,
      `after ${take} was taken away, nothing goes on`,
    );
  }
  assert.deepEqual(faults, []);
});

test("two failures at once are one error, and none is left uncaught", async () => {
  await put({ ...declared, src: "/fixtures/none.png", model: "/fixtures/none.onnx" });
  await told("error");
  await pause();
  assert.equal(await count("error"), 1);
  assert.deepEqual(faults, []);
});

test("values that are none are refused with a code, those of the drawing too", async () => {
  for (const [attribute, value, sentence] of [
    ["device", "tpu", /device is one of auto, webgpu, cpu, not "tpu"/],
    ["activation", "relu", /activation is one of/],
    ["preset", "foo", /preset is one of/],
    ["size", "large", /size is/],
    ["params", "[1]", /params is an object/],
    ["target", "-1", /number of a class/],
    ["seed", "x", /seed is a whole number/],
    ["view", "sideways", /view is one of overlay, heatmap, photograph/],
    ["colour-map", "rainbow", /colour-map is one of magma/],
    ["opacity", "abc", /opacity is a number from 0 to 1 or a percentage/],
    ["segments", "x", /segments is how many/],
  ]) {
    await put({
      ...declared,
      ...(attribute === "size" ? { preset: "unit", preprocessing: "" } : {}),
      [attribute]: value,
    });
    await told("error").catch(() => assert.fail(`nothing was told of ${attribute}`));
    const { code, message } = await page.evaluate(() => window.told.find(({ type }) => type === "error"));
    assert.equal(code, "parameter_invalid", `${attribute}: ${message}`);
    assert.match(message, sentence);
  }
  await put({ ...declared, opacity: "50%" });
  await told("explanation");
  assert.equal(await count("error"), 0);
});

test("a model of one's own is used as it is and stays open; a broken parameter ends with the engine's own code", async () => {
  await put();
  const seen = await page.evaluate(async () => {
    const { lab, it } = window;
    const engine = await lab.adversight.createEngine({ device: "cpu" });
    const model = await lab.loadTiny(engine);
    const next = (type) =>
      new Promise((resolve) => it.addEventListener(type, ({ detail }) => resolve(detail), { once: true }));
    const explained = next("adversight-explanation");
    it.model = model;
    it.method = "saliency";
    it.image = new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
    const { info } = await explained;
    const failed = next("adversight-error");
    it.params = { nonsense: 1 };
    const { code } = await failed;
    it.remove();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const { closed } = engine;
    await model.classify(it.image);
    engine.close();
    return { best: info.target.index, code, closed };
  });
  assert.deepEqual(seen, { best: 6, code: "parameter_invalid", closed: false });
});

test("the author's name of the picture stays; the element's words are marked as English until they are put into another language", async () => {
  await put({ ...declared, "aria-label": "A cat" });
  await told("explanation");
  const english = await page.evaluate(() => {
    const { shadowRoot } = window.it;
    return {
      label: shadowRoot.querySelector("canvas").getAttribute("aria-label"),
      words: shadowRoot.querySelector('[part="words"]').lang,
      status: shadowRoot.querySelector('[part="status"]').lang,
    };
  });
  assert.deepEqual(english, { label: "A cat", words: "en", status: "en" });
  const german = await page.evaluate(async () => {
    const { it } = window;
    it.strings = {
      computing: "Wird berechnet …",
      loading: "Wird geladen …",
      progress: (share) => `zu ${Math.round(100 * share)} % fertig`,
    };
    const seen = [];
    const bar = it.shadowRoot.querySelector("progress");
    const status = it.shadowRoot.querySelector('[part="status"]');
    it.addEventListener("adversight-progress", () =>
      seen.push([
        status.textContent,
        status.lang,
        bar.hidden,
        bar.getAttribute("aria-label"),
        bar.getAttribute("aria-valuetext"),
      ]),
    );
    const done = new Promise((resolve) =>
      it.addEventListener("adversight-explanation", resolve, { once: true }),
    );
    it.params = { samples: 50 };
    it.method = "rise";
    await done;
    return seen.at(-1);
  });
  assert.deepEqual(german.slice(0, 4), ["Wird berechnet …", "", false, "Wird berechnet …"]);
  assert.match(german[4], /^zu \d+ % fertig$/);
});

test("slots take what the author puts there: controls, and what is shown while there is no picture", async () => {
  const seen = await page.evaluate(async () => {
    const it = document.createElement("adversight-explainer");
    it.innerHTML = '<p slot="placeholder">Choose a photograph</p><button slot="controls">Again</button>';
    document.body.append(it);
    const shown = () => [...it.children].map((child) => child.checkVisibility());
    const before = shown();
    Object.assign(it, {
      model: "/fixtures/tiny.onnx",
      preprocessing: "/fixtures/tiny.json",
      src: "/fixtures/tiny/a.png",
      method: "saliency",
      device: "cpu",
    });
    await new Promise((resolve) => it.addEventListener("adversight-explanation", resolve, { once: true }));
    const after = shown();
    it.remove();
    return { before, after };
  });
  assert.deepEqual(seen, { before: [true, true], after: [false, true] });
});

test("models and engines are counted: elements share them, a change lets the old one go, and the last one ends the worker", async () => {
  await put();
  await pause(2600);
  const before = await browser.workers();
  const seen = await page.evaluate(async () => {
    const { postMessage } = Worker.prototype;
    const calls = { loadModel: 0, closeModel: 0, open: 0 };
    Worker.prototype.postMessage = function (message, ...rest) {
      if (message?.kind === "call" && message.name in calls) calls[message.name]++;
      return postMessage.call(this, message, ...rest);
    };
    const attributes = {
      model: "/fixtures/tiny.onnx",
      preprocessing: "/fixtures/tiny.json",
      src: "/fixtures/tiny/a.png",
      method: "saliency",
      device: "cpu",
    };
    const told = (it) =>
      new Promise((resolve) => it.addEventListener("adversight-explanation", resolve, { once: true }));
    const elements = Array.from({ length: 5 }, () =>
      Object.assign(document.createElement("adversight-explainer"), attributes),
    );
    const all = Promise.all(elements.map(told));
    document.body.append(...elements);
    await all;
    const shared = { ...calls };
    for (const activation of ["sigmoid", "none", "softmax"]) {
      const changed = Promise.all(elements.map(told));
      for (const it of elements) it.activation = activation;
      await changed;
    }
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const changed = { ...calls };
    elements.forEach((it) => it.remove());
    await new Promise((resolve) => setTimeout(resolve, 2500));
    Worker.prototype.postMessage = postMessage;
    return { shared, changed };
  });
  assert.deepEqual(seen.shared, { loadModel: 1, closeModel: 0, open: 1 });
  assert.deepEqual(seen.changed, { loadModel: 4, closeModel: 3, open: 1 });
  assert.equal(await browser.workers(), before, "no worker stays");
  assert.deepEqual(faults, []);
});

test("preprocessing that says nothing of pictures is refused (finding 3)", async () => {
  for (const preprocessing of [
    {},
    { architectures: ["X"], id2label: { 0: "a" } },
    { title: "a model card" },
  ]) {
    await put(tiny);
    await page.evaluate((value) => (window.it.preprocessing = value), preprocessing);
    await told("error");
    const codes = await page.evaluate(() => window.told.map(({ code }) => code).filter(Boolean));
    assert.deepEqual([...new Set(codes)], ["preprocessing_invalid"]);
  }
});

test("a picture of one pixel's width is explained (finding 7)", async () => {
  await put({
    model: declared.model,
    preprocessing: declared.preprocessing,
    method: "saliency",
    device: "cpu",
  });
  await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(1, 16_000);
    canvas.getContext("2d").fillRect(0, 0, 1, 9000);
    window.it.image = await canvas.convertToBlob({ type: "image/png" });
  });
  await told("explanation");
});

test("a network that is missing is told after a moment (finding 29), and one that comes in time is not missed", async () => {
  await put({ src: tiny.src });
  await told("error");
  assert.match(await page.evaluate(() => window.told.at(-1).message), /the attribute model is missing/);
  await put({ src: tiny.src });
  await pause(200);
  await page.evaluate(
    (attributes) => Object.entries(attributes).forEach((one) => window.it.setAttribute(...one)),
    declared,
  );
  await told("explanation");
  await pause(1200);
  assert.equal(await count("error"), 0);
  await put({ model: tiny.model });
  await pause(1200);
  assert.equal(await count("error"), 0, "without a photograph it waits");
});

test("where a photograph is taken away, nothing of its answer stays (finding 30)", async () => {
  await put(declared);
  await told("explanation");
  const state = await page.evaluate(async () => {
    window.it.removeAttribute("src");
    await new Promise((resolve) => setTimeout(resolve, 100));
    const root = window.it.shadowRoot;
    return [
      window.it.explanation,
      root.querySelector("canvas").width,
      root.querySelector("figcaption").textContent,
      root.querySelector('[part="legend"]').hidden,
    ];
  });
  assert.deepEqual(state, [null, 0, "", true]);
});

test("quick settings, a first look and a legend with both ends (finding 31)", async () => {
  await put({ ...declared, method: "integrated_gradients" });
  const looks = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const root = window.it.shadowRoot;
        const seen = [];
        const note = () => seen.push(root.querySelector('[part="status"]').textContent);
        new MutationObserver(note).observe(root, { subtree: true, childList: true, characterData: true });
        window.it.addEventListener("adversight-explanation", ({ detail }) =>
          resolve({ seen, steps: detail.info.params.steps, quality: window.it.quality }),
        );
      }),
  );
  assert.ok(
    looks.seen.some((status) => status.startsWith("A first look.")),
    looks.seen.join(" | "),
  );
  const legend = () => page.evaluate(() => window.it.shadowRoot.querySelector('[part="legend"]').textContent);
  const label = await page.evaluate(() => window.it.explanation.info.target.label);
  assert.equal(await legend(), `against “${label}”for “${label}”`);
  await page.evaluate(() => (window.it.signs = "hide"));
  assert.equal(await legend(), "counts littlemuch");
  await page.evaluate(() => (window.it.quality = "quick"));
  await told("explanation", 2);
  const steps = await page.evaluate(() => window.it.explanation.info.params.steps);
  assert.ok(steps < looks.steps, `${steps} steps, ${looks.steps} of the paper`);
  await page.evaluate(() => window.it.setAttribute("quality", "best"));
  await told("error");
  assert.match(
    await page.evaluate(() => window.told.at(-1).message),
    /quality is one of paper, quick, not "best"/,
  );
  const drawn = () => page.evaluate(() => window.it.shadowRoot.querySelector("canvas").toDataURL());
  await put(declared);
  await told("explanation");
  const smooth = await drawn();
  await page.evaluate(() => (window.it.smooth = 0));
  assert.notEqual(await drawn(), smooth);
  assert.deepEqual(faults, []);
});

// What people hand over, and what the network is given of it: numbers of every type, pictures with transparency, values of further inputs,
// and files that are something else.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { onnxFile } from "./graph.mjs";
import { colourPng } from "./png.mjs";

let browser, page, faults;
before(async () => {
  browser = await openBrowser({ webgpu: false });
  ({ page, faults } = await browser.openPackage());
  await page.evaluate(async () => {
    const { lab } = window;
    lab.engine = await lab.adversight.createEngine({ device: "cpu" });
    lab.decode = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  });
});
after(() => browser?.close());

/** A graph that gives its input as real numbers. */
const asReal = (element, shape) =>
  onnxFile({
    inputs: [["x", element, shape]],
    outputs: [["y", "float32", shape]],
    nodes: [["Cast", ["x"], ["y"], { to: 1 }]],
  }).toString("base64");

/** What such a graph makes of numbers in an array of this kind; or the error's message. */
const run = (element, array, numbers) =>
  page.evaluate(
    async ({ onnx, array, numbers }) => {
      const { lab } = window;
      const data = globalThis[array].from(array.startsWith("Big") ? numbers.map(BigInt) : numbers);
      const found = await lab.outcome(() =>
        lab.engine.run(lab.decode(onnx), { x: { data, shape: [numbers.length] } }),
      );
      return found.error ?? [...found.value.y.data];
    },
    { onnx: asReal(element, [numbers.length]), array, numbers },
  );

test("several inputs are explained at once, each with its own map", async () => {
  const { two } = JSON.parse(
    readFileSync(new URL("../fixtures/small_inputs/index.json", import.meta.url), "utf8"),
  );
  const found = await page.evaluate(async (two) => {
    const { lab } = window;
    const names = Object.keys(two.shapes);
    const inputs = Object.fromEntries(
      names.map((name) => [name, { data: Float32Array.from(two.input[name]), shape: two.shapes[name] }]),
    );
    const onnx = await lab.bytes("/fixtures/small_inputs/two.onnx");
    const model = await lab.engine.loadModel({ onnx, input: names });
    const explain = (params) => model.explain({ inputs }, { target: 1, ...params });
    const path = await explain({
      method: "integrated_gradients",
      params: { steps: two.steps, score: "logit" },
    });
    const missing = await lab.outcome(() =>
      model.explain({ inputs: { row: inputs.row } }, { method: "saliency" }),
    );
    model.close();
    const maps = Object.entries(path.inputs).map(([name, { data, shape }]) => [name, [...data], shape]);
    return { maps, words: path.words, missing: missing.error };
  }, two);
  assert.equal(found.maps.length, 2);
  for (const [name, data, shape] of found.maps) {
    assert.deepEqual(shape, two.shapes[name]);
    two.integrated_gradients[name].forEach((value, i) => assert.ok(Math.abs(data[i] - value) < 2e-3, name));
  }
  assert.match(found.words.at(-1), /picture.*row|row.*picture/);
  assert.match(found.missing.message, /"picture" has no value/);
});

test("numbers are what the input's element type says, whatever array they come in", async () => {
  assert.deepEqual(await run("uint8", "Uint8Array", [0, 1, 2, 255]), [0, 1, 2, 255]);
  assert.deepEqual(await run("uint8", "Uint8ClampedArray", [0, 128, 255]), [0, 128, 255]);
  assert.deepEqual(await run("uint8", "Int32Array", [0, 128, 255]), [0, 128, 255]);
  assert.deepEqual(await run("int8", "Int8Array", [-128, 0, 127]), [-128, 0, 127]);
  assert.deepEqual(await run("int64", "BigInt64Array", [-5, 7]), [-5, 7]);
  assert.deepEqual(await run("int64", "Uint8Array", [0, 200]), [0, 200]);
  assert.deepEqual(await run("int32", "Float32Array", [-3, 4]), [-3, 4]);
  assert.deepEqual(await run("int16", "Int16Array", [-300, 300]), [-300, 300]);
  assert.deepEqual(await run("uint16", "Uint16Array", [0, 65535]), [0, 65535]);
  assert.deepEqual(await run("uint64", "BigUint64Array", [3]), [3]);
  assert.deepEqual(await run("bool", "Uint8Array", [0, 1, 1]), [0, 1, 1]);
  assert.deepEqual(await run("bool", "Int32Array", [0, 1]), [0, 1]);
  assert.deepEqual(await run("float32", "Uint8Array", [0, 7, 255]), [0, 7, 255]);
  assert.deepEqual(await run("float32", "Float64Array", [0.5, -2]), [0.5, -2]);
  assert.deepEqual(await run("float16", "Float32Array", [0.5, -2]), [0.5, -2]);
});

test("numbers that the element type does not have are refused with the input's name", async () => {
  for (const [element, array, numbers, reason] of [
    ["uint8", "Int32Array", [0, 256], /uint8, and 256 was given/],
    ["uint8", "Int8Array", [-1], /uint8, and -1 was given/],
    ["int8", "Uint8Array", [128], /int8, and 128 was given/],
    ["int64", "Float32Array", [0.5], /int64, and 0\.5 was given/],
    ["int32", "Float32Array", [NaN], /int32, and NaN was given/],
    ["bool", "Uint8Array", [0, 7], /bool, and 7 was given/],
    ["float16", "Uint16Array", [15360], /16-bit floats/],
  ]) {
    const error = await run(element, array, numbers);
    assert.equal(error.code, "input_invalid", `${element} from ${array}: ${JSON.stringify(error)}`);
    assert.match(error.message, reason);
    assert.match(error.message, /"x"/);
  }
});

/** 24 x 16 pixels of every opacity, with colours that have nothing to do with it. */
const [width, height] = [24, 16];
const pixels = Uint8Array.from({ length: 4 * width * height }, (_, i) => {
  const place = i >> 2;
  if ((i & 3) === 3) return place % 3 === 0 ? 0 : (place * 37) % 256;
  return (place * 71 + (i & 3) * 97) % 256;
});

/** A model that gives the pixels back as they come, and what it is given of each kind of picture, as bytes. */
const given = () =>
  page.evaluate(
    async ({ onnx, png, pixels, width, height }) => {
      const { lab } = window;
      const model = await lab.engine.loadModel({
        onnx: lab.decode(onnx),
        preprocessing: { do_resize: false, do_center_crop: false, do_rescale: false, do_normalize: false },
      });
      const blob = new Blob([lab.decode(png)], { type: "image/png" });
      const data = new ImageData(Uint8ClampedArray.from(pixels), width, height);
      const element = new Image();
      element.src = URL.createObjectURL(blob);
      await element.decode();
      const canvas = new OffscreenCanvas(width, height);
      canvas.getContext("2d").drawImage(element, 0, 0);
      const sources = {
        file: blob,
        decoded: await lab.adversight.decodeImage(blob),
        data,
        element,
        straight: await createImageBitmap(blob, { premultiplyAlpha: "none" }),
        multiplied: await createImageBitmap(blob, { premultiplyAlpha: "premultiply" }),
        canvas,
      };
      const found = {};
      for (const [kind, source] of Object.entries(sources)) {
        const { data } = await model.prepare(source);
        found[kind] = Array.from(
          { length: 3 * width * height },
          (_, i) => data[(i % 3) * width * height + Math.floor(i / 3)],
        );
      }
      model.close();
      return found;
    },
    {
      onnx: onnxFile({
        inputs: [["x", "float32", [1, 3, height, width]]],
        outputs: [["y", "float32", [1, 3 * width * height]]],
        nodes: [["Flatten", ["x"], ["y"], { axis: 1 }]],
      }).toString("base64"),
      png: colourPng(width, height, pixels).toString("base64"),
      pixels: [...pixels],
      width,
      height,
    },
  );

test('transparent pixels have the colours of their file, as Pillow\'s convert("RGB") gives them', async () => {
  const right = [...pixels].filter((_, i) => i % 4 !== 3);
  const found = await given();
  for (const kind of ["file", "decoded", "data", "element", "straight"]) {
    assert.deepEqual(found[kind], right, kind);
  }
  // A canvas, and a bitmap that was made by the page without asking, hold the colours multiplied: what is lost there is lost. The rest is
  // as near as the opacity lets it be.
  for (const kind of ["multiplied", "canvas"]) {
    found[kind].forEach((value, i) => {
      const opacity = pixels[4 * Math.floor(i / 3) + 3];
      const near = opacity === 0 ? 0 : right[i];
      assert.ok(
        Math.abs(value - near) <= 1 + 128 / Math.max(opacity, 1),
        `${kind} ${i}: ${value} for ${near} at ${opacity}`,
      );
    });
  }
});

/** Scores of a picture and an age: the pixels' means of three channels, each with the age added. */
const aged = onnxFile({
  inputs: [
    ["photo", "float32", [1, 3, 8, 8]],
    ["age", "int64", [1, 1]],
  ],
  outputs: [["scores", "float32", [1, 3]]],
  nodes: [
    ["GlobalAveragePool", ["photo"], ["means"]],
    ["Flatten", ["means"], ["flat"], { axis: 1 }],
    ["Cast", ["age"], ["real"], { to: 1 }],
    ["Add", ["flat", "real"], ["sum"]],
    ["Relu", ["sum"], ["scores"]],
  ],
}).toString("base64");

test("values of further inputs are given with the model or later, as numbers, lists or tensors", async () => {
  const scores = await page.evaluate(async (onnx) => {
    const { lab } = window;
    const photo = { data: new Uint8Array(192).fill(3), shape: [1, 3, 8, 8] };
    const first = async (inputs) => {
      const model = await lab.engine.loadModel({ onnx: lab.decode(onnx), input: "photo", inputs });
      const { data } = await model.logits(photo);
      const later = await model.withInputs({ age: [[7]] });
      const other = await later.logits(photo);
      model.close();
      later.close();
      return [data[0], other.data[0]];
    };
    return [
      await first({ age: [[42]] }),
      await first({ age: { data: Uint8Array.of(200), shape: [1, 1] } }),
      await first({ age: { data: BigInt64Array.of(42n), shape: [1, 1] } }),
    ];
  }, aged);
  assert.deepEqual(scores, [
    [45, 10],
    [203, 10],
    [45, 10],
  ]);
});

test("values that do not fit are refused with the input's name, and nothing is left behind", async () => {
  const results = await page.evaluate(async (onnx) => {
    const { lab } = window;
    const load = (inputs) =>
      lab.outcome(() => lab.engine.loadModel({ onnx: lab.decode(onnx), input: "photo", inputs }));
    return [
      await load({ age: [[1, 2]] }),
      await load({ age: [[0.5]] }),
      await load({ agee: [[1]] }),
      await load({ age: [[1], [2, 3]] }),
    ];
  }, aged);
  for (const { error } of results)
    assert.match(`${error?.code} ${error?.message}`, /^input_(invalid|shape) .*"agee?"/);
});

test("the element takes values of further inputs as an attribute and as a property", async () => {
  const url = await page.evaluate(async (onnx) => {
    (await import("/package/element.js")).define();
    return URL.createObjectURL(new Blob([window.lab.decode(onnx)]));
  }, aged);
  const show = (inputs, property) =>
    page.evaluate(
      async ({ url, inputs, property }) => {
        const element = document.createElement("adversight-explainer");
        const set = {
          model: url,
          src: "/fixtures/tiny/a.png",
          preset: "bytes",
          size: "8",
          method: "saliency",
          device: "cpu",
        };
        for (const [name, value] of Object.entries(set)) element.setAttribute(name, value);
        if (inputs !== null) element.setAttribute("inputs", inputs);
        if (property) element.inputs = { age: { data: BigInt64Array.of(BigInt(property)), shape: [1, 1] } };
        const told = new Promise((resolve) => {
          element.addEventListener("adversight-explanation", ({ detail }) =>
            resolve({ logit: detail.info.target.logit }),
          );
          element.addEventListener("adversight-error", ({ detail }) =>
            resolve({ code: detail.code, message: detail.message }),
          );
        });
        document.body.append(element);
        const result = await told;
        element.remove();
        return result;
      },
      { url, inputs, property },
    );
  const [by1000, by2000] = [await show('{"age": [[1000]]}'), await show(null, 2000)];
  assert.ok(by1000.logit > 1000 && by1000.logit < 1256, JSON.stringify(by1000));
  assert.ok(Math.abs(by2000.logit - by1000.logit - 1000) < 0.01, JSON.stringify(by2000));
  const both = await show('{"age": [[1000]]}', 2000);
  assert.equal(both.logit, by2000.logit, "the property stands above the attribute");
  const wrong = await show("[1]");
  assert.equal(wrong.code, "input_invalid");
  assert.match(wrong.message, /inputs is an object in JSON/);
});

test("files that are something else are told by name, with what to do", async () => {
  const results = await page.evaluate(async () => {
    const { lab } = window;
    const bytes = (text, before = 0) => {
      const all = new Uint8Array(before + text.length + 64);
      all.set(
        Array.from(text, (letter) => letter.charCodeAt(0)),
        before,
      );
      return all;
    };
    const file = (name, content) => new File([content], name);
    const message = async (call) => (await lab.outcome(call)).error;
    return {
      keras: await message(() => lab.engine.loadModel({ onnx: bytes("\x89HDF\r\n\x1a\n") })),
      torch: await message(() => lab.engine.inspect(file("net.pth", bytes("nonsense")))),
      page: await message(() => lab.engine.run(bytes("<!doctype html><html>"), {})),
      damaged: await message(() => lab.engine.inspect(bytes("nothing at all"))),
      dicom: await message(() => lab.adversight.decodeImage(file("scan", bytes("DICM", 128)))),
      heic: await message(() => lab.adversight.decodeImage(file("IMG_1.jpg", bytes("ftypheic", 4)))),
      svg: await message(() =>
        lab.adversight.decodeImage(file("a.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>')),
      ),
      jpeg: await message(() => lab.adversight.decodeImage(file("a.jpg", bytes("\xff\xd8\xff\xe0")))),
      text: await message(() => lab.adversight.decodeImage(file("a.txt", "a cat"))),
    };
  });
  const says = {
    keras: ["model_malformed", /no ONNX file\. This is a Keras file.*format="onnx"/],
    torch: ["model_malformed", /PyTorch file.*torch\.onnx\.export/],
    page: ["model_malformed", /web page/],
    damaged: ["model_malformed", /not a readable ONNX model/],
    dicom: ["input_invalid", /DICOM.*PNG/],
    heic: ["input_invalid", /HEIC.*JPEG/],
    svg: ["input_invalid", /SVG.*PNG/],
    jpeg: ["input_invalid", /JPEG photograph\) is damaged/],
    text: ["input_invalid", /This is text/],
  };
  for (const [kind, [code, message]] of Object.entries(says)) {
    assert.equal(results[kind]?.code, code, `${kind}: ${JSON.stringify(results[kind])}`);
    assert.match(results[kind].message, message, kind);
  }
});

test("nothing went wrong unseen", () => {
  assert.deepEqual(faults, []);
});

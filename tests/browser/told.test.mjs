// What the page tells about networks, pictures and labels: what was assumed, what is in doubt, what a file is, and what it does not explain.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { onnxFile } from "./graph.mjs";
import { colourPng } from "./png.mjs";
import { file, visit } from "./visit.mjs";

const fixture = (name) => readFileSync(fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url)));

let tour, page, at, text, until, dialog, drop;
before(async () => {
  tour = await visit({ prepare: (page) => page.addInitScript(stopOnDemand) });
  ({ page, at, text, until, dialog, drop } = tour);
  await tour.explained("agi");
});
after(() => tour?.browser.close());

/** Runs in the page before its own code: while `window.stopEngine` is set, the engine dies of whatever it is asked to look at. */
function stopOnDemand() {
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, ...rest) {
    if (window.stopEngine && message?.kind === "call" && message.name === window.stopEngine) {
      const error = { code: "engine_failed", message: "The engine stopped after a failure inside it." };
      setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data: { kind: "dead", error } })));
      return undefined;
    }
    return postMessage.call(this, message, ...rest);
  };
}

const picture = (colour) =>
  colourPng(
    64,
    64,
    Uint8Array.from({ length: 4 * 64 * 64 }, (_, i) => colour(i >> 2)[i & 3]),
  );

/** How much colour a canvas has, on average. */
const colourful = () =>
  at("picture").evaluate(async (canvas) => {
    await new Promise((done) => setTimeout(() => requestAnimationFrame(done), 600));
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let sum = 0;
    for (let i = 0; i < data.length; i += 4) {
      sum += Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]);
    }
    return sum / (data.length / 4);
  });

test("an answer that the network is not sure of is told so above a map that is toned down", async (t) => {
  assert.equal(
    await at("doubt").isVisible(),
    await text("words").then((words) => words.includes("not sure")),
  );
  await drop([
    file(
      "grey.png",
      picture(() => [128, 128, 128, 255]),
      "image/png",
    ),
  ]);
  await until(async () => (await text("photo-title")).startsWith("grey.png"), "the grey picture");
  await tour.explained("agi");
  assert.equal(await at("doubt").isVisible(), true);
  assert.match(await text("doubt"), /not sure/);
  t.diagnostic(await text("doubt"));
  const toned = await colourful();
  // With as much opacity as there is, a third of it is left: the grey picture has no colour of its own.
  assert.ok(toned < 40, `the map has ${toned} of colour`);
});

/** Three scores of a picture that are all alike: the mean of each channel, less itself. */
const noise = onnxFile({
  inputs: [["x", "float32", [1, 3, 16, 16]]],
  outputs: [["y", "float32", [1, 3]]],
  nodes: [
    ["GlobalAveragePool", ["x"], ["means"]],
    ["Flatten", ["means"], ["flat"], { axis: 1 }],
    ["Sub", ["flat", "flat"], ["none"]],
    ["Relu", ["none"], ["y"]],
  ],
});

test("a network whose answers look like noise says so where it is used, and afterwards", async () => {
  await at("sample-chelsea").click();
  await tour.explained("agi");
  await drop([file("noise.onnx", noise)]);
  await dialog("ready");
  assert.match(await text("own-status"), /answers look like noise\..*equally probable/);
  assert.equal(await text("own-accept"), "Use it all the same");
  await at("own-accept").click();
  await until(async () => (await at("model").inputValue()).startsWith("own-"), "the network");
  await until(async () => /answers look like noise.*equally probable/.test(await text("doubt")), "the doubt");
  await at("sample-coffee").click();
  await until(async () => (await at("sample-coffee").getAttribute("aria-pressed")) === "true", "coffee");
  await tour.ready();
  assert.match(await text("doubt"), /answers look like noise/, "it is true of every photograph");
  await at("model").selectOption("efficientnet_lite0");
  await until(async () => !/looks? like noise/.test(await text("doubt")), "the page's own network");
  await tour.explained("agi");
});

/** Scores of a picture and an age. */
const aged = onnxFile({
  inputs: [
    ["photo", "float32", [1, 3, 16, 16]],
    ["age", "int64", [1, 1]],
    ["state", "float32", [1, 3]],
  ],
  outputs: [["scores", "float32", [1, 3]]],
  nodes: [
    ["GlobalAveragePool", ["photo"], ["means"]],
    ["Flatten", ["means"], ["flat"], { axis: 1 }],
    ["Cast", ["age"], ["real"], { to: 1 }],
    ["Mul", ["flat", "real"], ["sum"]],
    ["Add", ["sum", "state"], ["scores"]],
  ],
});

/** A .npy file of one whole number. */
function npy(number) {
  const header = `${"{'descr': '<i8', 'fortran_order': False, 'shape': (1, 1), }".padEnd(117)}\n`;
  const value = Buffer.alloc(8);
  value.writeBigInt64LE(BigInt(number));
  return Buffer.concat([
    Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]),
    Buffer.from(header),
    value,
  ]);
}

test("further inputs are asked for by name, taken as numbers or files, or filled by a rule that is told", async () => {
  await drop([file("clinic.onnx", aged)]);
  await dialog("stopped");
  assert.match(await text("own-problem"), /further input needs a value.*depends on “age”/);
  assert.ok(await at("own-accept").isDisabled());
  await at("own-input-age").fill("0.5");
  await at("own-input-age").blur();
  await until(
    async () => (await text("own-problem")).includes("0.5"),
    "a number that is not whole is refused",
  );
  await at("own-input-age").fill("3");
  await at("own-input-age").blur();
  await dialog("ready");
  assert.match(await text("own-input-rule-state"), /filled with zeros/);
  assert.match(await text("own-notes"), /"state" is filled with zeros/);
  const before = await text("own-answers");
  await drop([file("age.npy", npy(40))]);
  await until(async () => /From age\.npy/.test(await text("own-input-rule-age")), "the file");
  await until(async () => (await text("own-answers")) !== before, "another answer");
  await dialog("ready");
  await at("own-accept").click();
  await until(async () => (await text("fact-network")).includes("clinic.onnx"), "the network");
  await tour.ready();
  assert.match(await text("fact-assumed"), /"state" is filled/);
  assert.equal(await at("banner").isVisible(), false);
  await at("model").selectOption("efficientnet_lite0");
  await tour.explained("agi");
});

test("an output with scores at many places is no list of classes, and another output is", async () => {
  const detector = onnxFile({
    inputs: [["x", "float32", [1, 3, 16, 16]]],
    outputs: [
      ["boxes", "float32", [1, 3, 4, 4]],
      ["kinds", "float32", [1, 3]],
    ],
    nodes: [
      ["AveragePool", ["x"], ["boxes"], {}],
      ["GlobalAveragePool", ["x"], ["means"]],
      ["Flatten", ["means"], ["kinds"], { axis: 1 }],
    ],
  });
  await drop([file("boxes.onnx", detector)]);
  await dialog("stopped");
  assert.match(await text("own-problem"), /no list of classes.*“boxes” is 1 × 3 × 4 × 4.*another output/);
  assert.match(await text("own-snippet"), /const target = \(i \* 4 \+ j\) \* 4 \+ k;/);
  assert.ok(await at("own-accept").isDisabled());
  await page.keyboard.press("Escape");
  await tour.ready();
});

test("a network of sounds gets its lines for the package", async () => {
  const sounds = onnxFile({
    inputs: [
      ["input", "float32", [1, 512]],
      ["state", "float32", [2, 1, 128]],
      ["sr", "int64", []],
    ],
    outputs: [["output", "float32", [1, 512]]],
    nodes: [["Relu", ["input"], ["output"]]],
  });
  await drop([file("vad.onnx", sounds)]);
  await dialog("stopped");
  assert.match(await text("own-problem"), /This is a network of sounds\./);
  const lines = await text("own-snippet");
  assert.match(lines, /input: "input"/);
  assert.match(lines, /state: \{ data: new Float32Array\(256\), shape: \[2, 1, 128\] \}/);
  assert.match(lines, /sr: \{ data: BigInt64Array\.of\(16000n\), shape: \[\] \}/);
  await page.keyboard.press("Escape");
  await tour.ready();
});

test("files that people have are told by what they are, and change nothing", async () => {
  const before = await text("photo-title");
  const inside = (place, signature) => {
    const bytes = Buffer.alloc(600);
    bytes.write(signature, place, "latin1");
    return bytes;
  };
  for (const [name, content, title, message] of [
    ["net.pt", inside(0, "odd"), /converted to ONNX/, /PyTorch file.*torch\.onnx\.export/],
    ["model.tflite", inside(4, "TFL3"), /converted to ONNX/, /TensorFlow Lite file/],
    ["weights", inside(0, "\x89HDF\r\n\x1a\n"), /converted to ONNX/, /Keras file/],
    [
      "labels.txt",
      Buffer.from("cat\ndog\n"),
      /no network among/,
      /labels\.txt is text that can name the classes.*\.onnx/,
    ],
    ["scan.dcm", inside(128, "DICM"), /not a picture/, /DICOM file.*PNG/],
    ["IMG_1.heic", inside(4, "ftypheic"), /not a picture/, /HEIC.*JPEG/],
    ["scan.tif", inside(0, "II*\0"), /not a picture/, /TIFF picture.*PNG/],
    ["logo.svg", Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), /not a picture/, /SVG drawing/],
  ]) {
    await drop([file(name, content)]);
    await until(async () => (await at("banner").isVisible()) && title.test(await text("banner-title")), name);
    assert.match(await text("banner-message"), message, name);
    await at("banner-dismiss").click();
  }
  assert.equal(await text("photo-title"), before);
});

test("beside a network, files of no use are named in its list", async () => {
  await drop([
    file("tiny.onnx", fixture("tiny.onnx")),
    file("preprocessor_config.json", fixture("tiny.json"), "application/json"),
    file("model.safetensors", Buffer.from('\x20\0\0\0\0\0\0\0{"__metadata__":{"format":"pt"}} ', "latin1")),
  ]);
  await dialog("ready");
  assert.match(await text("own-list"), /model\.safetensors.*not used.*safetensors file/);
  await page.keyboard.press("Escape");
  await tour.ready();
});

test("a photograph that stops the engine is put aside when it starts again", async () => {
  await page.evaluate(() => (window.stopEngine = "classify"));
  await drop([
    file(
      "thin.png",
      picture(() => [200, 10, 10, 255]),
      "image/png",
    ),
  ]);
  await until(() => at("banner").isVisible(), "the banner");
  assert.match(await text("banner-message"), /“thin\.png”, which is put aside/);
  await page.evaluate(() => (window.stopEngine = null));
  await at("banner-action").click();
  await until(async () => !(await text("photo-title")).startsWith("thin.png"), "another photograph");
  await tour.explained("agi");
  assert.equal(await at("banner").isVisible(), false);
});

test("a photograph is kept where a method stops the engine, once", async () => {
  await drop([
    file(
      "fine.png",
      picture((place) => [place % 256, 80, 10, 255]),
      "image/png",
    ),
  ]);
  await until(async () => (await text("photo-title")).startsWith("fine.png"), "its name");
  await tour.explained("agi");
  await page.evaluate(() => (window.stopEngine = "explain"));
  await at("explain").click();
  await until(() => at("banner").isVisible(), "the banner");
  assert.doesNotMatch(await text("banner-message"), /put aside/);
  await page.evaluate(() => (window.stopEngine = null));
  await at("banner-action").click();
  await tour.explained("agi");
  assert.match(await text("photo-title"), /^fine\.png/);
});

test("the buttons for a photograph of one's own can be reached, and all bars have one length", async () => {
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.evaluate(() => scrollTo(0, 0));
  const button = await at("choose").boundingBox();
  assert.ok(button.y + button.height < 900, `it lies at ${button.y}`);
  const lengths = await page
    .locator("#classes .bar")
    .evaluateAll((bars) => bars.map((bar) => Math.round(bar.getBoundingClientRect().width)));
  assert.equal(lengths.length, 5);
  assert.equal(new Set(lengths).size, 1, lengths.join(", "));
  await page.evaluate(() => scrollTo(0, 600));
  const bottom = await page.locator(".stage").evaluate((stage) => stage.getBoundingClientRect().bottom);
  assert.ok(bottom < 900 + 600, `the column ends at ${bottom}`);
});

test("nothing was sent anywhere", () => {
  assert.deepEqual(tour.strangers(), []);
  assert.deepEqual(tour.faults, []);
});

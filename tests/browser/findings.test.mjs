// What users of five kinds met on an earlier page and in the element, met again: docs/page-findings.md has the list, with the tests of the rest.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { onnxFile } from "./graph.mjs";
import { blackPng, colourPng } from "./png.mjs";
import { file, visit } from "./visit.mjs";

let tour, page, at, text, until;
before(async () => {
  tour = await visit();
  ({ page, at, text, until } = tour);
  await tour.explained("agi");
});
after(() => tour?.browser.close());

/** A network of one matrix, whose output has this shape. */
function matrix(shape) {
  const size = shape.reduce((product, side) => product * side, 1);
  return onnxFile({
    inputs: [["x", "float32", [1, 3, 16, 16]]],
    outputs: [["y", "float32", shape]],
    weights: [
      ["w", "float32", [768, size], Float32Array.from({ length: 768 * size }, (_, i) => Math.sin(i))],
      ["s", "int64", [shape.length], BigInt64Array.from(shape.map(BigInt))],
    ],
    nodes: [
      ["Flatten", ["x"], ["f"], { axis: 1 }],
      ["MatMul", ["f", "w"], ["m"]],
      ["Reshape", ["m", "s"], ["y"]],
    ],
  });
}
const settled = () => page.locator('#own-dialog[open]:not([data-state="busy"])').waitFor({ timeout: 60_000 });
const close = async () => {
  await page.keyboard.press("Escape");
  await tour.ready();
};

test("finding 1: boxes and pixels are no classes, whatever their order and number", async () => {
  for (const shape of [
    [1, 84, 25],
    [1, 25, 84],
    [1, 22, 49],
    [1, 5, 8, 8],
    [1, 1, 16, 16],
  ]) {
    await tour.drop([file("boxes.onnx", matrix(shape))]);
    await settled();
    assert.match(await text("own-problem"), /^This output is no list of classes\./, shape.join());
    assert.match(await text("own-problem"), new RegExp(shape.join(" × ")));
    assert.ok(await at("own-accept").isDisabled());
    assert.equal(await text("own-answers"), "", "and no answer is told");
    await close();
  }
});

test("finding 2: names that are too few or too many are not used, and both numbers are told", async () => {
  for (const count of [19, 21, 20]) {
    const names = Array.from({ length: count }, (_, i) => `thing ${i}`).join("\n");
    await tour.drop([file("c.onnx", matrix([1, 20])), file("labels.txt", names, "text/plain")]);
    await tour.dialog("ready");
    const answers = await text("own-answers");
    if (count === 20) assert.match(answers, /^thing \d/);
    else {
      assert.match(answers, /^class \d/);
      assert.match(await text("own-list"), new RegExp(`not used\\..*${count} names for 20 classes`));
    }
    await close();
  }
});

test("finding 3: a file that says nothing of pictures is no preprocessing", async () => {
  for (const content of [{}, { architectures: ["X"] }, { name: "x", title: "X", licence: "MIT" }]) {
    const config = file("preprocessor_config.json", JSON.stringify(content), "application/json");
    await tour.drop([file("c.onnx", matrix([1, 20])), config]);
    await tour.dialog("ready");
    assert.match(await text("own-list"), /preprocessor_config\.jsonnot used\./);
    await close();
  }
});

test("finding 7: pictures of one pixel's width are looked at, and in seconds", async (t) => {
  for (const [width, height] of [
    [1, 16_000],
    [60_000, 1],
    [2, 12_000],
  ]) {
    const began = performance.now();
    const name = `thin-${width}-${height}.png`;
    await tour.drop([file(name, blackPng(width, height), "image/png")]);
    await until(async () => (await text("photo-title")).startsWith(name), "its name");
    await tour.explained("agi");
    const seconds = (performance.now() - began) / 1000;
    t.diagnostic(`${width} × ${height}: ${seconds.toFixed(1)} s`);
    assert.equal(await at("banner").isVisible(), false, name);
    assert.ok(seconds < 30, `${name} took ${seconds} s`);
  }
});

test("finding 19: without a network a sample that is seen is given all the same, and another try reads what was not", async () => {
  await page.context().setOffline(true);
  await at("sample-rocket").click();
  const given = () => at("sample-rocket").getAttribute("aria-pressed");
  await until(async () => (await given()) === "true" || (await at("banner").isVisible()), "an answer");
  assert.equal(await at("banner").isVisible(), false, "its small picture is the same file");
  await tour.explained("agi");
  await page.locator('[data-testid="example"][data-given="audio"]').click();
  await until(() => at("banner").isVisible(), "the banner");
  assert.match(await text("banner-message"), /could not be loaded .*Try again\./);
  assert.doesNotMatch(await text("banner-message"), /[Rr]eload/);
  await page.context().setOffline(false);
  await at("banner-action").click();
  await page.locator('main[data-state="ready"][data-kind="audio"]:not([data-explained=""])').waitFor();
  assert.equal(await at("banner").isVisible(), false);
});

test("finding 27: what is told begins with a capital, and of two photographs the second is told", async () => {
  await at("device-webgpu").check({ force: true });
  await until(() => at("banner").isVisible(), "the banner");
  assert.match(await text("banner-message"), /^[A-Z]/);
  assert.match(await text("device-reason"), /^[A-Z]/);
  await at("banner-dismiss").click();
  const grey = (level) => colourPng(8, 8, new Uint8Array(256).fill(level));
  await tour.drop([file("a.png", grey(120), "image/png"), file("b.png", grey(90), "image/png")]);
  await until(() => at("banner").isVisible(), "the banner");
  assert.match(await text("banner-message"), /b\.png: One photograph at a time: a\.png came first/);
  assert.match(await text("photo-title"), /^a\.png/);
  await tour.explained("agi");
});

test("files that are opened with the installed page are taken as dropped ones are", async () => {
  const other = await visit({
    prepare: (page) =>
      page.addInitScript(() => {
        // Chromium has one of its own, which an assignment would leave in place.
        const value = { setConsumer: (consumer) => (window.launch = consumer) };
        Object.defineProperty(window, "launchQueue", { value });
      }),
  });
  await other.explained("agi");
  await other.page.evaluate(() => {
    window.launch({ files: [] });
    const file = new File(["a dull, unfunny film"], "opened.txt", { type: "text/plain" });
    window.launch({ files: [{ getFile: () => Promise.resolve(file) }] });
  });
  await other.page.locator('main[data-state="ready"][data-kind="text"]:not([data-explained=""])').waitFor();
  assert.match(await other.text("photo-title"), /opened\.txt/);
  assert.deepEqual(other.faults, []);
  await other.browser.close();
});

test("nothing broke", () => {
  assert.deepEqual(tour.faults, []);
  assert.deepEqual(tour.strangers(), []);
});

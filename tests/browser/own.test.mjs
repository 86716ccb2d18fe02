// A network of the visitor's own: dropped on the page, looked into, prepared for, and explained as the page's own are.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { file, visit } from "./visit.mjs";

const fixture = (name) => readFileSync(fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url)));
const tiny = file("tiny.onnx", fixture("tiny.onnx"));
const declared = file("preprocessor_config.json", fixture("tiny.json"), "application/json");
const names = Array.from({ length: 10 }, (_, i) => `thing ${i}`);

let tour, page, at, text, until, dialog, drop;
before(async () => {
  tour = await visit();
  ({ page, at, text, until, dialog, drop } = tour);
});
after(() => tour?.browser.close());

/** Changes a field as somebody who types does, and waits for what comes of it. */
async function type(id, value) {
  await at(id).fill(value);
  await at(id).blur();
  await dialog("ready");
}

/** The figures under a channel: minimum, maximum, mean. */
async function channel(i) {
  const caption = (await text(`own-channel-${i}`)).replaceAll("−", "-");
  return [...caption.matchAll(/(?:mean )?(-?\d[\d.e+-]*)(?= to |mean|$)|to (-?\d[\d.e+-]*?)(?=mean)/g)]
    .map((match) => Number(match[1] ?? match[2]))
    .slice(-3);
}

test("a network that is dropped with its preprocessing is reported on", async () => {
  // While the page is still busy with its own: that is interrupted.
  await until(async () => (await text("photo-title")) !== "", "the first photograph");
  await drop([declared, tiny]);
  await dialog("ready");
  assert.equal(await text("own-dialog").then((all) => all.includes("tiny.onnx")), true);
  assert.match(await text("own-privacy"), /Nothing leaves the browser/);
  assert.match(await text("own-fact-made"), /^adversight tests; opset \d+, IR \d+$/);
  assert.match(await text("own-fact-inputs"), /batch × 3 × 32 × 32 \(float32\)/);
  assert.match(await text("own-fact-outputs"), /batch × 10 \(float32\)/);
  assert.match(await text("own-fact-size"), /^[\d,]+ parameters in \d+ nodes, [\d.]+ kB of weights$/);
  assert.match(await text("own-operators"), /Conv \d/);
  assert.equal(await at("own-unsupported").count(), 0);
  assert.equal(await at("own-preset").inputValue(), "file");
  assert.equal(await at("own-mean-1").inputValue(), "0.5");
  assert.ok(await at("own-height").isDisabled(), "the network's size is fixed");
});

test("the network's input is shown, channel by channel with its figures", async () => {
  const size = await at("own-picture")
    .locator("canvas")
    .evaluate(({ width, height }) => [width, height]);
  assert.deepEqual(size, [32, 32]);
  for (const i of [0, 1, 2]) {
    const [low, high, mean] = await channel(i);
    // (pixel - 0.5) / 0.25 lies between -2 and 2.
    assert.ok(-2 <= low && low < mean && mean < high && high <= 2, `${low} ${mean} ${high}`);
  }
  // The coffee is more red than blue.
  assert.ok((await channel(0))[2] > (await channel(2))[2]);
  assert.equal(await at("own-answers").locator("li").count(), 3);
});

test("a preset and one's own values change what the network is given, at once", async () => {
  await at("own-preset").selectOption("bytes");
  await until(async () => (await channel(0))[1] > 100, "values up to 255");
  await dialog("ready");
  const [low, high] = await channel(0);
  assert.ok(low >= 0 && high <= 255);
  await at("own-preset").selectOption("keras_caffe");
  await until(async () => (await text("own-channel-0")).includes("blue"), "blue first");
  await dialog("ready");
  await type("own-mean-0", "0");
  await until(async () => (await channel(0))[0] >= 0, "the mean of the first channel is gone");
  assert.equal(await at("own-preset").inputValue(), "own");
  await at("own-std-2").fill("0");
  await at("own-std-2").blur();
  await page.locator('#own-dialog[data-state="stopped"]').waitFor();
  assert.match(await text("own-problem"), /deviation of each channel is above 0/);
  assert.ok(await at("own-accept").isDisabled());
  await at("own-preset").selectOption("file");
  await dialog("ready");
  assert.equal(await at("own-problem").isVisible(), false);
});

test("an answer that looks like noise is pointed out, with what to check", async () => {
  for (const i of [0, 1, 2]) await type(`own-std-${i}`, "1000000"); // every picture is the same to the network
  await until(() => at("own-doubt").isVisible(), "the warning");
  assert.match(await text("own-doubt"), /looks like noise.*Check the range of the values/);
  await at("own-preset").selectOption("file");
  await until(async () => !(await at("own-doubt").isVisible()), "the warning to go");
  await dialog("ready");
});

test("names of classes are taken from text and JSON where their number fits", async () => {
  await drop([file("few.txt", "cat\ndog\n", "text/plain")]);
  await until(async () => (await text("own-list")).includes("not used"), "their number does not fit");
  assert.match(await text("own-list"), /few\.txt.*2 names for 10 classes/);
  // One name too few is no list that begins with a background.
  await drop([file("short.txt", names.slice(1).join("\n"), "text/plain")]);
  await until(async () => /9 names for 10 classes/.test(await text("own-list")), "one name is missing");
  assert.doesNotMatch(await text("own-answers"), /thing|background/);
  await drop([
    file(
      "config.json",
      JSON.stringify({ id2label: Object.fromEntries(names.entries()) }),
      "application/json",
    ),
  ]);
  await until(async () => /thing \d/.test(await text("own-answers")), "the names");
  await dialog("ready");
});

test("the network is taken over by the keyboard, and explained as the page's own are", async (t) => {
  await at("own-accept").focus();
  await page.keyboard.press("Enter");
  await until(async () => (await at("model").inputValue()).startsWith("own-"), "the network");
  assert.equal(await at("own-dialog").isVisible(), false);
  const method = await at("method").inputValue();
  await tour.explained(method);
  assert.match(await text("words"), /thing \d/);
  assert.equal(await at("classes").locator("[data-testid^=class-]").count(), 5);
  assert.match(await text("fact-network"), /tiny\.onnx/);
  assert.equal(await at("banner").isVisible(), false);
  t.diagnostic(await text("words"));
  await at("method").selectOption("saliency");
  await tour.explained("saliency");
});

test("its settings can be opened again and changed", async () => {
  await at("own-settings").click();
  await dialog("ready");
  assert.equal(await at("own-preset").inputValue(), "file");
  await at("own-preset").selectOption("imagenet");
  await dialog("ready");
  await at("own-accept").click();
  await tour.explained("saliency");
  const options = await at("model").locator("option").allTextContents();
  assert.equal(options.filter((title) => title.includes("tiny.onnx")).length, 1, options.join(", "));
});

test("names that are dropped later go to the network in use", async () => {
  const others = names.map((name) => name.replace("thing", "object"));
  await drop([file("others.json", JSON.stringify(others), "application/json")]);
  await dialog("ready");
  assert.match(await text("own-answers"), /object \d/);
  await at("own-accept").click();
  await until(async () => /object \d/.test(await text("words")), "the new names");
  await tour.explained("saliency");
});

test("a file that is no network, and one that cannot run, are refused in words; the one before stays", async () => {
  const before = [await text("words"), await at("model").inputValue()];
  await at("own-files").setInputFiles(file("broken.onnx", fixture("broken/not_onnx.onnx")));
  await dialog("stopped");
  assert.match(await text("own-problem"), /cannot be read.*not a readable ONNX model/);
  assert.ok(await at("own-accept").isDisabled());
  await at("own-files").setInputFiles(file("odd.onnx", fixture("broken/unknown_operator.onnx")));
  await until(async () => (await text("own-problem")).includes("cannot run here"), "the refusal");
  const { node } = JSON.parse(fixture("broken/index.json")).cases.find(
    ({ file }) => file === "unknown_operator.onnx",
  );
  assert.ok((await text("own-unsupported")).includes(node), await text("own-unsupported"));
  assert.ok(await at("own-accept").isDisabled());
  await page.keyboard.press("Escape");
  await tour.ready();
  assert.equal(await at("own-dialog").isVisible(), false);
  assert.deepEqual([await text("words"), await at("model").inputValue()], before);
  await at("sample-coffee").click();
  await until(async () => (await at("sample-coffee").getAttribute("aria-pressed")) === "true", "coffee");
  await tour.explained("saliency");
  assert.equal(await at("banner").isVisible(), false);
});

test("weights that lie beside the file are asked for, and taken", async () => {
  await drop([file("model.onnx", fixture("families/external.onnx"))]);
  await dialog("stopped");
  assert.match(await text("own-problem"), /external\.bin: add that too/);
  assert.match(await text("own-list"), /external\.bin.*still missing/);
  await drop([file("external.bin", fixture("families/external.bin"))]);
  await dialog("ready");
  assert.doesNotMatch(await text("own-list"), /missing/);
  assert.equal(await at("own-answers").locator("li").count(), 3);
});

/** A file whose weights stand for any: what it answers is of no concern. */
async function withAnyWeights(name) {
  const weights = Buffer.from(Float32Array.from({ length: 10_000 }, (_, i) => Math.sin(i) / 10).buffer);
  await drop([file(`${name}.onnx`, fixture(`families/${name}.onnx`))]);
  await until(async () => (await at("own-fact-external").count()) === 1, "the report");
  const locations = (await text("own-fact-external")).split(", ");
  await drop(locations.map((location) => file(location, weights)));
  await dialog("ready");
}

test("of several outputs one is chosen", async () => {
  await withAnyWeights("heads_kind");
  const heads = await at("own-output").locator("option").allTextContents();
  assert.deepEqual(heads, ["kind: batch × 7", "age: batch × 3"]);
  await drop([file("ages.txt", "young\nmiddle\nold", "text/plain")]);
  await until(
    async () => (await text("own-list")).includes("not used"),
    "the names to be those of another output",
  );
  await at("own-output").selectOption("age");
  await until(async () => /young|middle|old/.test(await text("own-answers")), "the other output");
  await dialog("ready");
});

test("a network that leaves its size open is given one", async () => {
  await withAnyWeights("any_size_dynamo");
  assert.equal(await at("own-height").inputValue(), "224");
  assert.match(await text("own-picture"), /224 × 224 pixels/);
  await type("own-height", "64");
  await until(async () => /224 × 64 pixels/.test(await text("own-picture")), "the new height");
  assert.equal(await at("own-preset").inputValue(), "imagenet", "a size changes no preset");
});

test("a network of Keras takes pictures with their channels last", async () => {
  await drop([file("keras.onnx", fixture("families/keras.onnx"))]);
  await until(async () => (await text("own-report")).includes(" × 24 × 24 × 3"), "the report");
  await dialog("ready");
  assert.equal(await at("own-height").inputValue(), "24");
  assert.ok(await at("own-height").isDisabled(), "the network's size is fixed");
  const size = await at("own-picture")
    .locator("canvas")
    .evaluate(({ width, height }) => [width, height]);
  assert.deepEqual(size, [24, 24]);
  // The coffee is more red than blue, once each channel is found among the values of a pixel.
  await at("own-preset").selectOption("unit");
  await until(async () => (await channel(0))[0] >= 0, "values from 0 to 1");
  await dialog("ready");
  assert.ok((await channel(0))[2] > (await channel(2))[2]);
  await at("own-accept").click();
  await until(async () => (await text("fact-network")).includes("keras.onnx"), "the network");
  await at("method").selectOption("axai");
  await tour.explained("axai");
  assert.match(await text("words"), /of the picture/);
});

test("RT-Sal asks the masker that was added, and a layer is chosen from a list", async () => {
  await drop([
    file("natural.onnx", fixture("fashion_mnist/natural.onnx")),
    file("preprocessor_config.json", fixture("fashion_mnist/preprocessing.json"), "application/json"),
    file("labels.json", fixture("fashion_mnist/labels.json"), "application/json"),
  ]);
  await until(async () => (await text("own-report")).includes("1 × 28 × 28"), "the report");
  await dialog("ready");
  await at("own-masker").setInputFiles(file("tiny.onnx", fixture("tiny.onnx")));
  await dialog("stopped");
  assert.match(await text("own-problem"), /as a masker, it must/);
  await at("own-masker-remove").click();
  await dialog("ready");
  await at("own-masker").setInputFiles(file("masker.onnx", fixture("fashion_mnist/masker.onnx")));
  await until(async () => (await text("own-list")).includes("the masker, for RT-Sal"), "the masker");
  await dialog("ready");
  await at("own-accept").click();
  await until(async () => (await text("fact-network")).includes("natural.onnx"), "the network");
  await at("method").selectOption("rt_sal");
  await tour.explained("rt_sal");
  const map = await tour.picture("picture");
  assert.ok(map.width > 0);
  await at("method").selectOption("grad_cam");
  await tour.explained("grad_cam");
  const layers = at("param-layer").locator("option");
  assert.match(await layers.first().textContent(), /^as the method chooses: /);
  const names = await layers.evaluateAll((options) => options.map(({ value }) => value));
  assert.ok(names.length > 3, names.join(", "));
  await at("param-layer").selectOption(names[1]);
  const before = await text("words");
  await at("explain").click();
  await until(async () => (await text("words")) !== before, "the other layer's words");
  await tour.explained("grad_cam");
  await at("method").selectOption("saliency");
  await tour.explained("saliency");
});

test("a network of words is no network of pictures", async () => {
  await drop([file("words.onnx", fixture("families/bert_sdpa.onnx"))]);
  await dialog("stopped");
  await until(async () => (await text("own-problem")).includes("This is a network of words."), "the reason");
  const snippet = await text("own-snippet");
  assert.match(snippet, /onnx: "words\.onnx"/);
  for (const name of ["input_ids", "attention_mask"]) assert.ok(snippet.includes(`${name}: {`), snippet);
  assert.doesNotMatch(await text("own-list"), /choose below how pictures/);
  assert.ok(await at("own-accept").isDisabled());
  await page.keyboard.press("Escape");
  await tour.ready();
  assert.equal(await at("own-dialog").isVisible(), false);
});

test("what belongs to a network is refused without one, and a photograph is still a photograph", async () => {
  await at("model").selectOption("squeezenet1_1");
  await until(async () => !(await at("own-settings").isVisible()), "the page's own network");
  await tour.explained("saliency");
  await drop([file("labels.txt", "cat\ndog", "text/plain")]);
  await until(() => at("banner").isVisible(), "the banner");
  assert.match(await text("banner-title"), /no network/);
  await at("banner-dismiss").click();
  await drop([file("a.png", fixture("tiny/a.png"), "image/png")]);
  await until(async () => (await text("photo-title")).startsWith("a.png"), "its name");
  await tour.explained("saliency");
});

test("nothing was sent anywhere", async (t) => {
  assert.deepEqual(tour.strangers(), []);
  assert.deepEqual(tour.faults, []);
  t.diagnostic("no request left the page's own folder");
});

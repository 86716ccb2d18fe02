// Choosing among the methods, two of them side by side, and explanations by segments.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { difference, visit } from "./visit.mjs";

let tour, page, at, text, until;
before(async () => {
  tour = await visit({ prepare: (page) => page.addInitScript(answerInSegments) });
  ({ page, at, text, until } = tour);
  // The quickest method: what is tried here is the page.
  await until(async () => (await at("method").locator("option").count()) > 0, "the methods");
  await at("method").selectOption("saliency");
  await tour.explained("saliency");
});
after(() => tour?.browser.close());

/**
 * Runs in the page before its own code. While `window.inSegments` is set, the engine's explanations come with segments: four by four
 * squares, of which each counts for as much as its number, and three are chosen. So the page's part is tried whatever the methods are.
 */
function answerInSegments() {
  const { addEventListener } = Worker.prototype;
  Worker.prototype.addEventListener = function (type, listener, ...rest) {
    const wrapped = (event) => {
      const value = event.data?.value;
      if (window.inSegments && type === "message" && value?.heatmap) {
        const [height, width] = value.heatmap.shape;
        const labels = Uint32Array.from({ length: height * width }, (_, i) => {
          const [row, column] = [Math.floor(i / width), i % width];
          return 4 * Math.floor((4 * row) / height) + Math.floor((4 * column) / width);
        });
        value.segments = {
          labels,
          values: Float32Array.from({ length: 16 }, (_, i) => i),
          chosen: Uint32Array.of(15, 14, 13),
        };
      }
      return listener.call(this, event);
    };
    return addEventListener.call(this, type, wrapped, ...rest);
  };
}

const names = () =>
  at("method")
    .locator("option")
    .evaluateAll((options) => options.map(({ value }) => value));

test("every method stands in a group, with its cost in passes, and the cheapest first", async (t) => {
  await at("catalogue").locator("summary").click();
  const groups = await at("catalogue")
    .locator("section")
    .evaluateAll((sections) =>
      sections.map((section) => ({
        title: section.querySelector("h3").textContent,
        about: section.querySelector("p").textContent,
        methods: [...section.querySelectorAll("[data-method]")].map((entry) => ({
          name: entry.dataset.method,
          cost: entry.querySelector(".cost").textContent,
        })),
      })),
    );
  const listed = groups.flatMap(({ methods }) => methods.map(({ name }) => name));
  assert.deepEqual(listed, await names(), "the list and the menu hold the same, in the same order");
  const labels = await at("method")
    .locator("optgroup")
    .evaluateAll((all) => all.map(({ label }) => label));
  assert.deepEqual(
    labels,
    groups.map(({ title }) => title),
  );
  for (const { title, about, methods } of groups) {
    assert.match(about, /\.$/);
    for (const { name, cost } of methods) assert.match(cost, /^[\d,]+ pass(es)?, (about|less than) /, name);
    t.diagnostic(`${title}: ${methods.map(({ name, cost }) => `${name} (${cost})`).join(", ")}`);
  }
  const [first] = groups[0].methods;
  assert.match(first.cost, /^3 passes/, "a single gradient is the cheapest of its group");
  assert.match(await text("method-cost"), /^3 passes through the network at most, .* on your processor\.$/);
});

test("a method is chosen from the list by the keyboard", async () => {
  const method = (await names()).find((name) => name !== "saliency" && name === "smoothgrad");
  await at(`catalogue-${method}`).focus();
  await page.keyboard.press("Enter");
  await tour.explained(method);
  assert.equal(await at(`catalogue-${method}`).getAttribute("aria-pressed"), "true");
  assert.equal(await at("method").inputValue(), method);
  await at("method").selectOption("saliency");
  await tour.explained("saliency");
  await at("catalogue").locator("summary").click();
});

test("at its time limit a method is stopped, and what was shown stays", async (t) => {
  const words = await text("words");
  await at("limit").selectOption("10");
  await at("method").selectOption("integrated_gradients");
  await at("param-steps").fill("1000"); // some minutes
  await at("param-steps").blur();
  await at("explain").click();
  const started = Date.now();
  await until(() => at("banner").isVisible(), "the banner");
  t.diagnostic(`stopped after ${((Date.now() - started) / 1000).toFixed(1)} s`);
  assert.match(await text("banner-title"), /time limit/);
  await tour.ready();
  assert.equal(await page.locator("main").getAttribute("data-explained"), "saliency");
  assert.equal(await text("words"), words);
  await at("banner-dismiss").click();
  await at("limit").selectOption("");
  await at("method").selectOption("saliency");
  await tour.explained("saliency");
});

test("another method's explanation stands beside the first, and is computed alone", async () => {
  await tour.calls();
  await at("beside").selectOption("vargrad");
  await until(() => at("agreement").isVisible(), "both");
  await tour.ready();
  assert.deepEqual(await tour.calls(), ["explain"], "the first is not computed again");
  await at("beside").selectOption("smoothgrad");
  await until(async () => /^SmoothGrad/.test(await text("second-by")), "the other method");
  await tour.ready();
  assert.deepEqual(await tour.calls(), [], "what was answered before is not asked again");
  assert.match(await text("first-by"), /^Saliency/);
  assert.match(await text("second-by"), /^SmoothGrad.*\ds$|^SmoothGrad.*\d ?m?s$/);
  assert.match(await text("agreement"), /rank correlation −?[01]\.\d\d/);
  assert.match(await at("picture-beside").getAttribute("aria-label"), /Heatmap .* by SmoothGrad/);
  const [one, other] = [await tour.picture("picture"), await tour.picture("picture-beside")];
  assert.deepEqual([one.width, one.height], [other.width, other.height]);
  assert.ok(difference(one, other) > 1, `they differ by ${difference(one, other)}`);
});

test("what is changed of the display is changed for both, and nothing is computed", async () => {
  const both = async () => [await tour.picture("picture"), await tour.picture("picture-beside")];
  const before = await both();
  const opacity = await at("opacity").inputValue();
  for (const change of [
    () => at("colour-map").selectOption("viridis"),
    () => at("opacity").fill("20"),
    () => at("view-photograph").click(),
  ]) {
    const [one, other] = await both();
    await change();
    const [after, otherAfter] = await both();
    assert.ok(difference(one, after) > 1 && difference(other, otherAfter) > 1);
  }
  await at("view-overlay").click();
  await at("colour-map").selectOption("magma");
  await at("opacity").fill(opacity);
  const after = await both();
  assert.deepEqual([difference(before[0], after[0]), difference(before[1], after[1])], [0, 0]);
  assert.deepEqual(await tour.calls(), []);
});

test("the two change places by the keyboard, and a new photograph is explained by both", async () => {
  const [one, other] = [await tour.picture("picture"), await tour.picture("picture-beside")];
  await at("swap").focus();
  await page.keyboard.press("Enter");
  await until(async () => (await at("method").inputValue()) === "smoothgrad", "the other method");
  assert.equal(await at("beside").inputValue(), "saliency");
  assert.equal(difference(await tour.picture("picture"), other), 0);
  assert.equal(difference(await tour.picture("picture-beside"), one), 0);
  assert.deepEqual(await tour.calls(), []);

  await at("sample-flower").click();
  await until(async () => (await at("sample-flower").getAttribute("aria-pressed")) === "true", "the flower");
  await tour.explained("smoothgrad");
  await until(() => at("agreement").isVisible(), "both of the flower");
  const title = await at("sample-flower").locator("img").getAttribute("alt");
  for (const id of ["picture", "picture-beside"]) {
    const label = await at(id).getAttribute("aria-label");
    assert.ok(label.startsWith("Heatmap") && label.includes(title), label);
  }
  await at("beside").selectOption("");
  assert.equal(await at("second").isVisible(), false);
  await tour.ready();
  await at("method").selectOption("saliency");
  await tour.explained("saliency");
  assert.equal(await at("segments").isVisible(), false, "there are no segments yet");
});

test("segments are shown with their borders, and more or fewer of them without a new run", async (t) => {
  await page.evaluate(() => (window.inSegments = true));
  await at("explain").click();
  await until(() => at("segments").isVisible(), "the segments");
  await tour.ready();
  assert.equal(await at("segments").inputValue(), "3");
  assert.equal(
    await at("segments").getAttribute("max"),
    "15",
    "the one that counts for nothing is not offered",
  );
  assert.ok(await at("smooth").isDisabled(), "segments are not smoothed");
  await tour.calls();

  const three = await tour.picture("picture");
  await at("borders").uncheck();
  const bare = await tour.picture("picture");
  assert.ok(difference(three, bare) > 0.3, `borders make a difference of ${difference(three, bare)}`);
  await at("segments").focus();
  for (let step = 0; step < 9; step++) await page.keyboard.press("ArrowRight");
  assert.equal(await at("segments").inputValue(), "12");
  const twelve = await tour.picture("picture");
  assert.ok(difference(bare, twelve) > 3, `nine more make a difference of ${difference(bare, twelve)}`);
  await at("segments").fill("0");
  const none = await tour.picture("picture");
  await at("segments").fill("3");
  assert.equal(difference(await tour.picture("picture"), bare), 0);
  assert.ok(difference(none, bare) > 1);
  await at("borders").check();
  assert.equal(difference(await tour.picture("picture"), three), 0);
  assert.deepEqual(await tour.calls(), []);

  // The time from a move of the slider to the drawn picture.
  const times = await page.evaluate(async () => {
    const slider = document.querySelector("#segments");
    const times = [];
    for (let value = 1; value <= 15; value++) {
      slider.value = String(value);
      const started = performance.now();
      slider.dispatchEvent(new Event("input"));
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      times.push(performance.now() - started);
    }
    return times.sort((a, b) => a - b);
  });
  t.diagnostic(`from the slider to the picture: median ${times[7].toFixed(0)} ms`);
  assert.ok(times[7] < 200, `it takes ${times[7]} ms`);
});

test("AXAI's segments can be shown or hidden as the engine gives them", async (t) => {
  await page.evaluate(() => (window.inSegments = false));
  await at("method").selectOption("axai");
  await until(() => at("param-steps").isVisible(), "its settings");
  await at("param-steps").fill("2"); // a short attack
  await at("param-steps").blur();
  await at("explain").click();
  await tour.explained("axai");
  await until(async () => (await text("fact-settings")).includes("steps = 2"), "the short attack");
  const [shown, most] = [
    Number(await at("segments").inputValue()),
    Number(await at("segments").getAttribute("max")),
  ];
  assert.ok(shown >= 5 && shown < most, `${shown} of ${most}`);
  const few = await tour.picture("picture");
  await at("segments").fill(String(most));
  const all = await tour.picture("picture");
  t.diagnostic(`${shown} of ${most} segments; all make a difference of ${difference(few, all).toFixed(1)}`);
  assert.ok(difference(few, all) > 3);
});

test("nothing was sent anywhere", () => {
  assert.deepEqual(tour.strangers(), []);
  assert.deepEqual(tour.faults, []);
});

// What if? Brushes on a picture and silence in a sound, by the pointer and by the keys, undone, redone and reported; and evidence against, with the line
// between photograph and map.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { difference, patience, visit } from "./visit.mjs";

let tour, page, at, text, until;
before(async () => {
  tour = await visit({ isolated: true });
  ({ page, at, text, until } = tour);
  await tour.explained("agi");
  await page.setViewportSize({ width: 1440, height: 900 });
});
after(() => tour?.browser.close());

/** Until the answer and a first map of a change are there; both in milliseconds. */
async function followed(change) {
  await page.evaluate(() => delete document.getElementById("what-if").dataset.mapped);
  await change();
  const note = at("what-if");
  await until(() => note.evaluate(({ dataset }) => dataset.mapped !== undefined), "a map");
  return note.evaluate(({ dataset }) => [Number(dataset.answered), Number(dataset.mapped)]);
}
async function drag(from, to) {
  // Where the page was scrolled to a control, the picture may lie above the window.
  await at("picture").evaluate((picture) => picture.scrollIntoView({ block: "center", behavior: "instant" }));
  const { x, y, width, height } = await at("picture").boundingBox();
  await page.mouse.move(x + width * from[0], y + height * from[1]);
  await page.mouse.down();
  await page.mouse.move(x + width * to[0], y + height * to[1], { steps: 5 });
  await page.mouse.up();
}

test("parts of a picture are erased by the pointer: answer and map follow, and are undone and redone", async (t) => {
  await at("model").selectOption("squeezenet1_1");
  await tour.explained("agi");
  const whole = await tour.picture("picture");
  assert.equal(await at("undo").isDisabled(), true);
  await at("brush-erase").check({ force: true });
  const times = [];
  for (let i = 0; i < 5; i++)
    times.push(await followed(() => drag([0.3 + i / 10, 0.4], [0.35 + i / 10, 0.5])));
  const median = (at) => times.map((time) => time[at]).sort((a, b) => a - b)[2];
  t.diagnostic(`SqueezeNet: the answer after ${median(0)} ms, the map of one gradient after ${median(1)} ms`);
  assert.match(
    await text("what-if"),
    /^“espresso”(: .*, and 9\d% as it was| is no longer among the first answers; it was 9\d%)\.$/,
  );
  await tour.explained("agi");
  assert.ok(difference(whole, await tour.picture("picture")) > 1);
  const states = [await text("what-if")];
  for (let i = 0; i < 5; i++) {
    // The last one leads back to the photograph, whose answer and map are known.
    if (i < 4) await followed(() => at("undo").click());
    else
      await at("undo")
        .click()
        .then(() => tour.explained("agi"));
    states.push(await text("what-if"));
  }
  await tour.explained("agi");
  assert.equal(await at("undo").isDisabled(), true);
  assert.match(await text("photo-title"), /^A cup of coffee/);
  assert.equal(await at("sample-coffee").getAttribute("aria-pressed"), "true", "it is the example again");
  assert.equal(difference(whole, await tour.picture("picture")), 0, "as it was");
  for (let i = 4; i >= 0; i--) {
    await followed(() => at("redo").click());
    assert.equal(await text("what-if"), states[i], "the same change has the same answer");
  }
  assert.equal(await at("redo").isDisabled(), true);
});

test("by the keys alone: a ninth is blurred, a place painted over, and the report tells of both", async () => {
  await at("sample-chelsea").click();
  await tour.explained("agi");
  await at("picture").focus();
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Enter");
  await at("brush-look").check({ force: true });
  await at("picture").focus();
  await page.keyboard.press("Enter");
  assert.match(await text("what-if"), /Choose a brush first/);
  await at("brush-blur").check({ force: true });
  await at("picture").focus();
  await page.keyboard.press("Shift+ArrowUp");
  await followed(() => page.keyboard.press("Shift+Enter"));
  await at("brush-paint").focus();
  await at("brush-paint").check({ force: true });
  await at("picture").focus();
  await followed(() => page.keyboard.press("Enter"));
  await tour.explained("agi");
  await at("details").evaluate((details) => (details.open = true));
  const [download] = await Promise.all([page.waitForEvent("download"), at("download-report").click()]);
  const html = readFileSync(await download.path(), "utf8");
  assert.match(html, /Changed by hand: the top centre ninth was blurred\./);
  assert.match(html, /Changed by hand: painted over from /);
  await at("copy-link").click();
  await until(async () => (await text("sent")) !== "", "the link");
});

test("a stretch of a sound is muted, and comes back", async (t) => {
  await page.locator('[data-testid="example"][data-given="audio"]').click();
  await page
    .locator('main[data-state="ready"][data-kind="audio"]:not([data-explained=""])')
    .waitFor({ timeout: patience });
  await at("mute-from").fill("0.2");
  await at("mute-to").fill("0.8");
  const [answered, mapped] = await followed(() => at("mute").click());
  t.diagnostic(`TENet: the answer after ${answered} ms, the map of one gradient after ${mapped} ms`);
  assert.match(await text("what-if"), /^“go”(: .*, and .*9\d% as it was| is no longer among)/);
  await tour.ready();
  await at("undo").click();
  await until(
    async () => (await text("photo-title")).includes("go") && (await at("undo").isDisabled()),
    "the first",
  );
  await tour.ready();
  assert.match(await text("words"), /says “go”/);
});

test("what speaks against the class has a colour of its own, both ends are named, and the photograph is wiped free by the keys", async () => {
  await page.locator('[data-testid="example"][data-given="image"]').click();
  await tour.explained("agi");
  assert.equal(
    await text("legend-cut"),
    "What speaks against it is not shown.",
    "of AGI the paper's picture",
  );
  assert.equal(await text("legend-low"), "little");
  await at("method").selectOption("input_x_gradient");
  await tour.explained("input_x_gradient");
  assert.equal(await at("colour-map").inputValue(), "signs");
  const label = /says “(.+?)”/.exec(await text("words"))[1];
  assert.equal(await text("legend-low"), `against “${label}”`);
  assert.equal(await text("legend-high"), `for “${label}”`);
  const both = await tour.picture("picture");
  await tour.calls();
  await at("colour-map").selectOption("magma");
  assert.ok(difference(both, await tour.picture("picture")) > 1);
  assert.equal(await text("legend-low"), "little");
  await at("colour-map").selectOption("signs");
  assert.equal(difference(both, await tour.picture("picture")), 0);
  await at("picture").focus();
  const said = new Set();
  for (let i = 0; i < 14; i++) {
    await page.keyboard.press("ArrowLeft");
    said.add((await text("probe")).includes(": against “"));
  }
  assert.equal(said.size, 2, "some places speak for it, some against it");
  await at("wipe").focus();
  await page.keyboard.press("End");
  assert.match(await at("wipe").getAttribute("aria-valuetext"), /left 100 per cent/);
  const free = await tour.picture("picture");
  await at("view-photograph").check({ force: true });
  assert.ok(difference(free, await tour.picture("picture")) < 2, "the whole photograph is free");
  await at("view-overlay").check({ force: true });
  await page.keyboard.press("Home");
  await at("wipe").focus();
  await page.keyboard.press("Home");
  assert.deepEqual(await tour.calls(), [], "none of this computes anything");
  await at("method").selectOption("saliency");
  await tour.explained("saliency");
  const options = await at("colour-map").locator("option").allTextContents();
  assert.ok(!options.includes("For / against"), "magnitudes have no signs");
});

test("nothing broke", () => {
  assert.deepEqual(tour.faults, []);
  assert.deepEqual(tour.strangers(), []);
});

// "Is it true?" for words, sounds and files: parts go and come by importance, beside random orders, and an attack is told and heard.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { patience, visit } from "./visit.mjs";

let tour, page, at, text, until;
before(async () => {
  tour = await visit();
  ({ page, at, text, until } = tour);
});
after(() => tour?.browser.close());

const give = async (kind) => {
  await page.locator(`[data-testid="example"][data-given="${kind}"]`).click();
  await page
    .locator(`main[data-state="ready"][data-kind="${kind}"]:not([data-explained=""])`)
    .waitFor({ timeout: patience });
};
const settled = () =>
  page.locator('[data-testid="proof-panel"][data-state="ready"]').waitFor({ timeout: patience });
const open = async (name) => {
  if ((await at(`proof-${name}`).getAttribute("aria-expanded")) !== "true") await at(`proof-${name}`).click();
};
/** Plays the game to its end, whether it began by itself or not. */
const proved = async () => {
  await page.waitForTimeout(100);
  if (await at("prove-start").isVisible()) await at("prove-start").click();
  await at("prove-area-random").waitFor({ timeout: patience });
  await settled();
};
const slide = async (value) => {
  if ((await text("prove-play")) === "Pause") await at("prove-play").click();
  await at("prove-slider").focus();
  await at("prove-slider").fill(String(value));
};
const gone = () => at("prove-reading").locator(".gone").allTextContents();

test("words go by their importance while the score falls, and come back, beside five random orders", async (t) => {
  await give("text");
  await open("prove");
  await proved();
  assert.match(await text("prove-area-random"), /^in 5 random orders, area 0\.\d{3} to [01]\.\d{3}$/);
  assert.equal(await at("prove-chart").locator(".band").count(), 1);
  await tour.calls();
  await slide(0);
  assert.deepEqual(await gone(), []);
  await slide(1);
  const [ranked] = (await at("ranked-word").allTextContents()).filter((word) => word.endsWith("for"));
  const [first] = await gone();
  assert.ok(ranked.startsWith(first), `${first} goes first, and ${ranked} counts most for the answer`);
  assert.match(await text("prove-now"), /^7\.1% taken away: /);
  assert.match(
    await at("prove-reading").getAttribute("aria-label"),
    /^The sentence with 7\.1% of its words taken away$/,
  );
  await slide(14);
  assert.equal((await gone()).length, 14, "at the end no word is there");
  assert.deepEqual(await tour.calls(), [], "nothing is computed for it");
  const verdict = await text("prove-verdict");
  assert.match(verdict, /^(Passed|Failed|No better than chance)\. “negative” .* of the words are gone/);
  assert.match(await at("proof-prove").textContent(), /^Prove it(passed|failed|no better than chance)$/);
  t.diagnostic(verdict);
  await at("game-insertion").check({ force: true });
  await proved();
  await slide(1);
  assert.equal((await gone()).length, 13, "one word has come back");
  t.diagnostic(`${await text("prove-verdict")} ${await text("prove-word")}`);
});

test("a sentence's numbers are pushed until the answer turns, and the page says how far each word was", async (t) => {
  await open("attack");
  assert.equal(await at("attack-methods").isVisible(), false, "no explanation of numbers that are no words");
  await at("attack-strength-20").check({ force: true });
  await at("attack-start").click();
  await at("attack-words").locator(".game-word").first().waitFor({ timeout: patience });
  await settled();
  const verdict = await text("attack-verdict");
  assert.match(verdict, /The attack works: the network now says “positive” \(.*%\) instead of “negative”\./);
  assert.match(
    verdict,
    /All its numbers were moved by 20% of their length; “.+” was moved most, by \d+% of its own\./,
  );
  const [, name, share] = /“([^”]+)” was moved most, by (\d+%)/.exec(verdict);
  const word = at("attack-words")
    .locator(".game-word")
    .filter({ hasText: new RegExp(`^${name.replaceAll(/\W/g, ".")}$`) })
    .first();
  assert.equal(await word.getAttribute("title"), `moved by ${share}`);
  t.diagnostic(verdict);
});

test("a sound's cells fall silent by their importance, seen and heard at any moment", async (t) => {
  await give("audio");
  await open("prove");
  await at("game-deletion").check({ force: true });
  await proved();
  const quiet = () =>
    at("prove-sound").evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, i) => i % 4 === 0 && value >= 250).length;
    });
  await slide(0);
  const whole = await quiet();
  await slide(25);
  const half = await quiet();
  await slide(50);
  const none = await quiet();
  assert.ok(whole < half && half < none, `${whole} ${half} ${none} silent pixels`);
  assert.equal(none, 400 * 160, "at the end all is silent");
  await slide(10);
  await tour.calls();
  await at("prove-listen").focus();
  await page.keyboard.press("Enter");
  await until(async () => (await at("prove-listen").getAttribute("aria-pressed")) === "true", "the sound");
  assert.deepEqual(await tour.calls(), ["soundOf"], "what is heard is made of what is shown");
  await until(async () => (await at("prove-listen").getAttribute("aria-pressed")) === "false", "its end");
  const verdict = await text("prove-verdict");
  assert.match(verdict, /^\S.*of the parts are gone/);
  t.diagnostic(verdict);
});

test("a sound is attacked below what is easily heard, and both are played and saved", async (t) => {
  await open("attack");
  await at("attack-strength-20").check({ force: true });
  await at("attack-methods").locator("summary").click();
  for (const box of await at("attack-methods").locator("input").all())
    await box.setChecked((await box.getAttribute("value")) === "saliency");
  await at("attack-start").click();
  await at("pair-saliency").waitFor({ timeout: patience });
  await settled();
  const verdict = await text("attack-verdict");
  assert.match(verdict, /The change lies (2\d|3\d) dB below the sound\./);
  t.diagnostic(verdict);
  for (const name of ["before", "after", "change"]) {
    const button = at(`attack-play-${name}`);
    await button.click();
    await until(async () => (await button.getAttribute("aria-pressed")) === "true", name);
    await button.click();
    await until(async () => (await button.getAttribute("aria-pressed")) === "false", `the end of ${name}`);
  }
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    at("attack-sounds").getByRole("button", { name: "Save as WAV: after" }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "after.wav");
  assert.equal(await at("pair-saliency").locator("canvas").count(), 2, "both maps in time and frequency");
});

test("what only pictures have is not offered, and a test that is open goes with what it was of", async () => {
  assert.equal(await at("proof-edges").isVisible(), false);
  await give("image");
  assert.ok(await at("proof-edges").isVisible());
  assert.equal(await at("attack-verdict").isVisible(), false, "nothing of the sound is left");
  await open("edges");
  await give("text");
  assert.equal(await at("proof-panel").isVisible(), false);
});

test("nothing was sent anywhere, and nothing broke", () => {
  assert.deepEqual(tour.strangers(), []);
  assert.deepEqual(tour.faults, []);
});

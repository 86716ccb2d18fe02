// A second language: chosen by the reader's own or by a control, numbers as it writes them, the engine's own sentences marked as English.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { visit } from "./visit.mjs";

const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

let tour, page, at, text;
before(async () => {
  tour = await visit({
    prepare: (page) =>
      page.addInitScript(() => {
        Object.defineProperty(navigator, "languages", { get: () => ["de-CH", "en"] });
      }),
  });
  ({ page, at, text } = tour);
  await tour.explained("agi");
});
after(() => tour?.browser.close());

test("a reader of German is given German, with the engine's own sentences marked as English", async () => {
  assert.equal(await page.locator("html").getAttribute("lang"), "de");
  assert.equal(await page.title(), "Adversight: Warum sagt das Netz das?");
  assert.equal(await page.locator("h1").textContent(), "Warum sagt das Netz das?");
  assert.equal(await text("choose"), "Foto wählen …");
  assert.match(await text("kicker"), /^Warum „.+“\?$/);
  assert.match(await text("status"), /^Erklärt mit .* in \d+,\d s auf: /);
  assert.equal(await text("legend-low"), "wenig");
  assert.equal(await page.locator("#words p").first().getAttribute("lang"), "en");
  assert.match(await page.locator("#classes .share").first().textContent(), /^(> )?\d+\u00a0%$/);
  await page.evaluate(axe);
  const found = await page.evaluate(async () =>
    (await window.axe.run(document)).violations.map(({ id }) => id),
  );
  assert.deepEqual(found, []);
});

test("nothing of the page is left in English, but what is marked as such", async () => {
  const english = await page.evaluate(() => {
    const seen = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const { parentElement: parent, nodeValue: value } = node;
      if (
        parent.closest(
          '[lang="en"], code, kbd, script, style, option, #credit, #samples, [data-testid="catalogue"]',
        )
      )
        continue;
      if (/\b(the|and|of|with|is|are|your|for)\b/i.test(value)) seen.push(value.trim());
    }
    return seen;
  });
  assert.deepEqual(english, []);
});

test("another language is chosen, kept, and what was shown is shown again", async () => {
  await at("sample-chelsea").click();
  await page.locator('[data-testid="sample-chelsea"][aria-pressed="true"]').waitFor();
  await tour.explained("agi");
  await Promise.all([page.waitForEvent("load"), at("language").selectOption("en")]);
  await tour.explained("agi");
  assert.equal(await page.locator("html").getAttribute("lang"), "en-GB");
  assert.equal(await page.locator("h1").textContent(), "Why did the network say that?");
  assert.match(await text("photo-title"), /^Chelsea/);
  assert.deepEqual(tour.faults, []);
  assert.deepEqual(tour.strangers(), []);
});

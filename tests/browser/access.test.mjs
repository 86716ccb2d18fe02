// The page for everybody: axe-core finds nothing in any state, in both themes; all of it goes by the keyboard, focus is seen and never lost.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { patience, visit } from "./visit.mjs";

const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

let tour, page, at, text, until;
before(async () => {
  tour = await visit();
  ({ page, at, text, until } = tour);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.evaluate(axe);
  await tour.explained("agi");
});
after(() => tour?.browser.close());

const kinds = ["image", "text", "audio", "file"];
const give = async (kind) => {
  await page.locator(`[data-testid="example"][data-given="${kind}"]`).click();
  await page
    .locator(`main[data-state="ready"][data-kind="${kind}"]:not([data-explained=""])`)
    .waitFor({ timeout: patience });
};
/** What axe-core has against the page as it stands, in both themes. */
async function violations(state) {
  const found = [];
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    // Colours fade.
    await until(
      () => page.evaluate((theme) => document.documentElement.dataset.theme === theme, colorScheme),
      `the theme ${colorScheme}`,
    );
    await page.waitForTimeout(100);
    await page.evaluate(() =>
      Promise.all(document.getAnimations().map(({ finished }) => finished.catch(() => undefined))),
    );
    const rules = await page.evaluate(async () => {
      const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
      const told = ({ html, any: [first] }) => {
        const { fgColor, bgColor, contrastRatio } = first?.data ?? {};
        return `${html.slice(0, 60)} ${contrastRatio ? `${contrastRatio}: ${fgColor} on ${bgColor}` : ""}`;
      };
      return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(told).join(" | ")}`);
    });
    found.push(...rules.map((rule) => `${state}, ${colorScheme}: ${rule}`));
  }
  return found;
}

for (const kind of kinds) {
  test(`axe-core finds nothing against ${kind}, ready, under test and with all open`, async () => {
    const found = [];
    await page.setViewportSize({ width: 1280, height: 900 });
    await give(kind);
    found.push(...(await violations(kind)));
    for (const proof of ["prove", "compare", "attack"]) {
      await at(`proof-${proof}`).click();
      if (proof === "prove" && (kind === "image" || kind === "file")) await page.keyboard.press("Escape");
      await page.locator('[data-testid="proof-panel"][data-state="ready"]').waitFor({ timeout: patience });
      await page.evaluate(() => {
        for (const details of document.querySelectorAll("details")) details.open = true;
      });
      found.push(...(await violations(`${kind}, ${proof}`)));
    }
    await at("proof-attack").click();
    // As at a zoom of 200 %.
    await page.setViewportSize({ width: 640, height: 450 });
    found.push(...(await violations(`${kind}, 200 %`)));
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${over} pixels too wide`);
    assert.deepEqual(found, []);
  });
}

test("axe-core finds nothing against the dialogue of one's own network and a problem that is told", async () => {
  const found = [];
  await page.setViewportSize({ width: 1280, height: 900 });
  await tour.drop([{ name: "model.onnx", mimeType: "", buffer: Buffer.from("no network") }]);
  await tour.dialog("stopped");
  found.push(...(await violations("the dialogue")));
  await page.keyboard.press("Escape");
  await tour.drop([
    { name: "x.bin", mimeType: "audio/wav", buffer: Buffer.from("RIFF\0\0\0\0WAVEfmt ", "latin1") },
  ]);
  await until(() => at("banner").isVisible(), "the banner");
  await tour.ready();
  found.push(...(await violations("the banner")));
  await at("banner-dismiss").click();
  assert.deepEqual(found, []);
});

/** What has the focus, and whether it can be seen. */
const focused = () =>
  page.evaluate(() => {
    const { activeElement: on } = document;
    if (!on || on === document.body) return null;
    // Of a row that looks like one control, the label shows it.
    const shown = on.matches(".segments input") ? on.nextElementSibling : on;
    const { outlineStyle, outlineWidth } = getComputedStyle(shown);
    const { top, bottom, left, right } = shown.getBoundingClientRect();
    return {
      name: on.dataset.testid ?? on.id ?? on.tagName,
      html: on.outerHTML.slice(0, 100),
      ring: outlineStyle !== "none" && parseFloat(outlineWidth) > 0,
      inside: bottom > 0 && top < innerHeight && right > 0 && left < innerWidth,
    };
  });

for (const kind of kinds) {
  test(`by Tab through all that stands beside ${kind}, and the focus is seen at every stop`, async (t) => {
    await give(kind);
    await page.evaluate(() => {
      for (const details of document.querySelectorAll("details")) details.open = false;
      document.querySelector(".skip").focus();
    });
    const stops = [];
    for (let i = 0; i < 120; i++) {
      await page.keyboard.press("Tab");
      const stop = await focused();
      if (!stop) break;
      assert.ok(stop.ring, `no ring about ${stop.html}`);
      assert.ok(stop.inside, `out of sight: ${stop.html}`);
      stops.push(stop.name);
    }
    t.diagnostic(`${stops.length} stops`);
    assert.ok(stops.length > 20 && stops.length < 120, stops.join(" "));
    for (const name of ["example", "choose", "model", "method", "proof-prove", "device-auto"]) {
      assert.ok(stops.includes(name), `${name} is reached: ${stops.join(" ")}`);
    }
  });
}

test("what goes away with the focus on it gives it to what comes next", async () => {
  await give("text");
  const enter = async (id) => {
    await at(id).first().focus();
    await page.keyboard.press("Enter");
    await page.waitForTimeout(150);
    const stop = await focused();
    assert.ok(stop, `the focus is lost after ${id}`);
    return stop.name;
  };
  await enter("paper-settings");
  await page.locator('main[data-state="ready"]').waitFor();
  assert.ok(await focused(), "and when the answer has come");
  await at("proof-prove").focus();
  await page.keyboard.press("Enter");
  await page.locator('[data-testid="proof-panel"][data-state="ready"]').waitFor({ timeout: patience });
  assert.equal((await focused()).name, "proof-prove");
  await at("game-insertion").check({ force: true });
  await page.locator('[data-testid="proof-panel"][data-state="ready"]').waitFor({ timeout: patience });
  assert.ok(await focused());
  await at("proof-attack").focus();
  await page.keyboard.press("Enter");
  await enter("attack-start");
  await page.locator('[data-testid="proof-panel"][data-state="ready"]').waitFor({ timeout: patience });
  assert.ok(await focused(), "after the attack");
  await enter("class-1");
  await page.locator('main[data-state="ready"]').waitFor();
  assert.ok(await focused());
  for (const kind of kinds) {
    await page.locator(`[data-testid="example"][data-given="${kind}"]`).focus();
    await page.keyboard.press("Enter");
    await page.locator(`main[data-state="ready"][data-kind="${kind}"]:not([data-explained=""])`).waitFor();
    assert.equal((await focused()).name, "example", kind);
  }
});

test("the map of a picture is gone through by the arrow keys, told, heard, and is a table of nine parts", async () => {
  if ((await page.locator("main").getAttribute("data-kind")) !== "image") await give("image");
  // What is heard: the loudness that was asked for last.
  await page.evaluate(() => {
    window.heard = [];
    const { setTargetAtTime } = AudioParam.prototype;
    AudioParam.prototype.setTargetAtTime = function (value, ...rest) {
      window.heard.push(value);
      return setTargetAtTime.call(this, value, ...rest);
    };
  });
  const picture = at("picture");
  await picture.focus();
  await page.keyboard.press("ArrowLeft");
  assert.match(await text("probe"), /^middle centre: .*% of the strongest place for “.+”\.$/);
  assert.deepEqual(await page.evaluate(() => window.heard), [], "nothing is heard until it is asked for");
  await at("hear").focus();
  await page.keyboard.press("Enter");
  assert.equal(await at("hear").getAttribute("aria-pressed"), "true");
  await picture.focus();
  for (let i = 0; i < 2; i++) await page.keyboard.press("Shift+ArrowLeft");
  for (let i = 0; i < 2; i++) await page.keyboard.press("Shift+ArrowUp");
  assert.match(await text("probe"), /^top left: /);
  const places = [];
  for (let row = 0; row < 30; row++) {
    for (let column = 0; column < 30; column++) {
      const [, said] = /^(.+?): /.exec(await text("probe"));
      const loudness = await page.evaluate(() => window.heard.at(-2));
      places.push([said, loudness]);
      await page.keyboard.press(row % 2 === 0 ? "ArrowRight" : "ArrowLeft");
    }
    await page.keyboard.press("ArrowDown");
  }
  const sums = new Map();
  for (const [place, loudness] of places) sums.set(place, (sums.get(place) ?? 0) + loudness);
  const [loudest] = [...sums].sort(([, a], [, b]) => b - a)[0];
  await at("ninths").evaluate((details) => (details.open = true));
  const [row, column] = await at("ninths")
    .locator("td.best")
    .evaluate((cell) => [
      cell.parentElement.querySelector("th").textContent,
      cell.closest("table").querySelectorAll("thead th")[cell.cellIndex - 1].textContent,
    ]);
  assert.equal(loudest, `${row} ${column}`, "who only listens finds the part where most of it lies");
  await at("hear").click();
});

test("nothing broke", () => {
  assert.deepEqual(tour.faults, []);
});

// Tables and series on the page: a row is explained column by column, a column is pulled and the answer follows, a series is read by the keyboard,
// and a table of the visitor's own takes the place of the example.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { file, visit } from "./visit.mjs";

const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

let tour, page, at, text, until;
before(async () => {
  tour = await visit();
  ({ page, at, text, until } = tour);
  await tour.explained("agi");
});
after(() => tour?.browser.close());

const example = (kind) => page.locator(`[data-testid="example"][data-kind="${kind}"]`);
const explained = (kind, method) =>
  page
    .locator(`main[data-state="ready"][data-kind="${kind}"][data-explained="${method}"]`)
    .waitFor({ timeout: 60_000 });
const columns = () => at("columns").locator("[data-column]");
const bars = () => columns().evaluateAll((found) => found.map((row) => row.getAttribute("aria-label")));
const slider = (name) => page.locator(`[data-testid="pull-slider"][data-column="${name}"]`);

/** Pulls a slider as a hand does: the value, and then the event. */
const pull = (name, value) =>
  slider(name).evaluate((input, value) => {
    input.value = value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, String(value));

test("a row explains itself, column by column", async (t) => {
  const started = Date.now();
  await example("table").click();
  await explained("table", "kernel_shap");
  t.diagnostic(`explained ${((Date.now() - started) / 1000).toFixed(1)} s after the click`);
  assert.equal(await at("model").inputValue(), "wine");
  assert.match(
    await text("words"),
    /^The network says “cultivar 1” \(.*%\)\.“[\w /]+” \([\d.]+\) speaks most for it/,
  );
  assert.match(await text("words"), /each of 100 of the 142 background rows in turn/);
  const said = await bars();
  assert.equal(said.length, 13, "a bar for each column");
  assert.match(said[0], /^[\w /]+ [\d.]+: \+?\d.*% for the answer$/);
  assert.equal(await at("pull-slider").count(), 13);
  assert.equal(await at("picture").isVisible(), false);
});

test("the bars are read by the keyboard", async () => {
  const first = columns().first();
  await first.focus();
  await page.keyboard.press("ArrowDown");
  const now = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  assert.equal(await now(), (await bars())[1]);
  await page.keyboard.press("End");
  assert.equal(await now(), (await bars()).at(-1));
});

test("a column is pulled: the answer and the bars follow, and it was as it was", async () => {
  const before = await bars();
  const value = await slider("proline").inputValue();
  await pull("proline", 300);
  await pull("flavanoids", 0.5);
  await until(async () => / as it was/.test(await text("pull-note")), "the answer");
  await explained("table", "kernel_shap");
  await until(async () => JSON.stringify(await bars()) !== JSON.stringify(before), "other bars");
  assert.match(await text("pull-note"), /“cultivar 1”: .*%, and .*% as it was\./);
  assert.ok((await bars()).some((said) => said.startsWith("proline 300:")));
  await at("pull-reset").click();
  await until(async () => JSON.stringify(await bars()) === JSON.stringify(before), "the bars of the row");
  assert.equal(Number(await slider("proline").inputValue()), Number(value));
});

test("another row, another method", async () => {
  await at("pull-row").fill("20");
  await at("pull-row").press("Enter");
  await until(async () => (await at("photo-title").textContent()).includes("Row 20"), "row 20");
  await explained("table", "kernel_shap");
  await at("method").selectOption("integrated_gradients");
  await explained("table", "integrated_gradients");
  assert.match(await text("words"), /Baseline: the mean of the 142 background rows/);
  assert.match(await text("columns"), /Each bar starts where the one above ends/);
});

test("a row that is not there is refused in words, and nothing is lost", async () => {
  await at("pull-row").fill("99");
  await at("pull-row").press("Enter");
  await at("banner").waitFor();
  assert.match(await text("banner"), /rows 0 to 35/);
  await until(async () => (await columns().count()) === 13, "the row before");
});

test("a table of one's own takes the place of the example", async () => {
  const { table } = await page.evaluate(async () => {
    const response = await fetch("models/wine/rows.csv");
    return { table: await response.text() };
  });
  const [header, ...rows] = table.trim().split("\n");
  // As a program with decimal commas writes it.
  const own = [header, rows[30], rows[31]]
    .map((line) => line.replaceAll(",", ";").replaceAll(".", ","))
    .join("\r\n");
  await at("file").setInputFiles(file("mine.csv", `\ufeff${own}\r\n`, "text/csv"));
  await until(async () => (await at("photo-title").textContent()).includes("mine.csv"), "the table");
  await explained("table", "integrated_gradients");
  assert.match(await text("words"), /cultivar 3/);
  assert.match(await text("words"), /decimal points/);
});

test("a report holds the table, and is computed again", async () => {
  await at("details").locator("summary").first().click();
  const download = page.waitForEvent("download");
  await at("download-report").click();
  const path = await (await download).path();
  const html = await readFile(path, "utf8");
  assert.match(html, /data-column="proline"/);
  await tour.drop([{ name: "report.html", mimeType: "text/html", buffer: Buffer.from(html) }]);
  await until(
    async () => (await page.locator('[data-same="true"]').count()) === 1,
    "the same answer and map as the report has",
  );
});

test("a series is drawn with its map, and read by the keyboard", async () => {
  await example("series").click();
  await explained("series", "integrated_gradients");
  assert.match(await text("words"), /channel \w+, rows? \d+/);
  assert.equal(await at("series").locator("polyline").count(), 3);
  assert.equal(await at("series").locator("svg[data-map]").count(), 3);
  const frame = at("series").getByRole("slider");
  await frame.focus();
  await page.keyboard.press("Home");
  assert.equal(await frame.getAttribute("aria-valuenow"), "0");
  await page.keyboard.press("ArrowRight");
  assert.match(
    await frame.getAttribute("aria-valuetext"),
    /^Row 1: vibration .*\(counts .*\), temperature .*, load /,
  );
  assert.ok((await at("ranked-word").count()) > 0);
  await at("method").selectOption("occlusion");
  await explained("series", "occlusion");
  assert.equal(await at("series").locator("svg[data-map]").count(), 1, "one map of all channels");
});

test("axe-core has nothing against rows and series, in either theme", async () => {
  await page.evaluate(axe);
  for (const [kind, method] of [
    ["table", "integrated_gradients"],
    ["series", "occlusion"],
  ]) {
    await example(kind).click();
    await explained(kind, method);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await until(
        () => page.evaluate((theme) => document.documentElement.dataset.theme === theme, colorScheme),
        `the theme ${colorScheme}`,
      );
      await page.waitForTimeout(100);
      await page.evaluate(() =>
        Promise.all(document.getAnimations().map(({ finished }) => finished.catch(() => undefined))),
      );
      const found = await page.evaluate(async () => {
        const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
        return violations.map(
          ({ id, nodes }) =>
            `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" ")} ${nodes[0].failureSummary}`,
        );
      });
      assert.deepEqual(found, [], `${kind}, ${colorScheme}`);
    }
  }
});

test("nothing has left the page, and nothing has failed", () => {
  assert.deepEqual(tour.strangers(), []);
  assert.deepEqual(tour.faults, []);
});

// What the page does to eyes and hands: nothing moves while it starts, the order of Tab is that of reading, what is chosen can be seen, and what
// the browser keeps is not fetched again.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { patience } from "./visit.mjs";

let browser;
before(async () => {
  browser = await openBrowser({ webgpu: false });
});
after(() => browser?.close());

const explained = (page) =>
  page.locator('main[data-state="ready"][data-explained="agi"]').waitFor({ timeout: patience });

/** Runs in the page before its own code: adds up what moves without having been asked. */
function watchShifts() {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      const moved = entry.sources.map(({ node }) => node?.id || node?.className || node?.nodeName || "?");
      window.shifts.push([entry.value, moved.join(" ")]);
    }
  }).observe({ type: "layout-shift", buffered: true });
}

for (const [width, height] of [
  [390, 844],
  [768, 1024],
  [1440, 900],
]) {
  test(`at ${width} pixels nothing moves while the page starts, and nothing is wider than the window`, async (t) => {
    const { page, faults } = await browser.openDemo(async (page) => {
      await page.setViewportSize({ width, height });
      await page.addInitScript(watchShifts);
    });
    await explained(page);
    const shifts = await page.evaluate(() => window.shifts);
    const sum = shifts.reduce((sum, [value]) => sum + value, 0);
    t.diagnostic(`layout shift ${sum.toFixed(3)}: ${JSON.stringify(shifts)}`);
    assert.ok(sum <= 0.05, `layout shift ${sum}`);
    for (const kind of ["image", "text", "audio", "file"]) {
      await page.locator(`[data-testid="example"][data-given="${kind}"]`).click();
      await page.locator(`main[data-state="ready"][data-kind="${kind}"]:not([data-explained=""])`).waitFor();
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${kind}: ${over} pixels too wide`);
    }
    assert.deepEqual(faults, []);
    await page.context().close();
  });
}

for (const width of [390, 768, 1440]) {
  test(`at ${width} pixels the answer comes before the method, and Tab goes as one reads`, async () => {
    const { page } = await browser.openDemo((page) => page.setViewportSize({ width, height: 900 }));
    await explained(page);
    const top = async (id) => (await page.getByTestId(id).boundingBox()).y;
    assert.ok((await top("words")) < (await top("method")), "the answer before the method");
    assert.ok((await top("words")) < (await top("status")), "and before how long it took");
    assert.ok((await top("choose")) < 900, "one's own can be given at once");
    await page.evaluate(() => document.activeElement?.blur());
    const places = [];
    for (let i = 0; i < 150; i++) {
      await page.keyboard.press("Tab");
      const place = await page.evaluate(() => {
        const { activeElement: on } = document;
        if (!on || on === document.body) return null;
        const section = on.closest("main > section, header, .skip");
        const { top } = (section ?? on).getBoundingClientRect();
        return { name: section?.className ?? "", top: top + scrollY };
      });
      if (!place) break;
      if (place.name !== places.at(-1)?.name) places.push(place);
    }
    const names = places.map(({ name }) => name).filter((name) => name !== "skip");
    assert.deepEqual(
      names,
      ["top", "sources", "stage", "panel", "under", "settings", "extra"].filter((name) =>
        names.includes(name),
      ),
    );
    assert.ok(names.length >= 5, names.join(" "));
    if (width < 960) {
      const tops = places.filter(({ name }) => name !== "skip").map(({ top }) => top);
      assert.deepEqual(
        tops,
        [...tops].sort((a, b) => a - b),
        "further down each time",
      );
    }
    await page.context().close();
  });
}

test("a test that is opened is in sight", async () => {
  const { page } = await browser.openDemo((page) => page.setViewportSize({ width: 1440, height: 900 }));
  await explained(page);
  for (const name of ["compare", "edges"]) {
    await page.evaluate(() => scrollTo(0, 0));
    await page.getByTestId(`proof-${name}`).click({ force: true });
    await page.waitForTimeout(1000); // it glides
    const { y, height } = await page.getByTestId("proof-panel").boundingBox();
    assert.ok(
      y >= -1 && y < 600 && Math.min(y + height, 900) - y >= Math.min(height, 300),
      `${name}: ${y}, ${height} high`,
    );
  }
  await page.context().close();
});

test("in forced colours what is chosen can be read, and the colours of words stay", async () => {
  const { page } = await browser.openDemo((page) => page.emulateMedia({ forcedColors: "active" }));
  await explained(page);
  await page.getByTestId("proof-prove").click();
  const of = (locator) =>
    locator.evaluate((element) => {
      const style = getComputedStyle(element);
      return [style.color, style.backgroundColor, style.forcedColorAdjust];
    });
  const chosen = [
    page.locator("#view input:checked + span"),
    page.locator("#device input:checked + span"),
    page.getByTestId("proof-prove"),
  ];
  for (const locator of chosen) {
    const [colour, ground, adjust] = await of(locator);
    assert.notEqual(colour, ground);
    assert.equal(adjust, "none", "else a plate of the browser's own lies behind the text");
  }
  await page.locator('[data-testid="example"][data-given="text"]').click();
  await page.locator('main[data-state="ready"][data-kind="text"]:not([data-explained=""])').waitFor();
  const [pressed, other] = await Promise.all(
    ["text", "image"].map((kind) =>
      page
        .locator(`[data-testid="example"][data-given="${kind}"]`)
        .evaluate((button) => getComputedStyle(button).borderTopWidth),
    ),
  );
  assert.notEqual(pressed, other, "the kind at hand stands out");
  const grounds = await page
    .getByTestId("reading")
    .locator("[data-part]")
    .evaluateAll((words) => words.map((word) => getComputedStyle(word).backgroundColor));
  assert.ok(new Set(grounds).size > 5, "words have colours of their own");
  await page.context().close();
});

test("a network that the browser keeps is not fetched again, until it is deleted", async () => {
  const { page } = await browser.openDemo();
  await explained(page);
  const fetched = [];
  page.context().on("request", (request) => fetched.push(request.url()));
  const networks = () => fetched.splice(0).filter((url) => url.endsWith(".onnx"));
  const kept = page.getByTestId("kept");
  await page.getByTestId("kept-title").click();
  await kept.getByText(/9\.\d+ MB of networks/).waitFor();
  await page.reload();
  await explained(page);
  assert.deepEqual(networks(), []);
  await page.getByTestId("kept-title").click();
  await page.getByTestId("forget").click();
  await kept.getByText("Nothing is kept").waitFor();
  assert.equal(await page.getByTestId("forget").isVisible(), false);
  await page.reload();
  await explained(page);
  assert.equal(networks().length, 1, "once, and not once more by the worker");
  await page.context().close();
});

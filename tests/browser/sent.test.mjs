// What is sent on: a report that opens without a network and is computed again, a link, a clean print. Nothing of the visitor's is in a link.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { file, patience, visit } from "./visit.mjs";

let tour, page, at, text, until;
before(async () => {
  tour = await visit();
  ({ page, at, text, until } = tour);
  await until(async () => (await at("method").locator("option").count()) > 0, "the methods");
  await at("method").selectOption("saliency");
  await tour.explained("saliency");
});
after(() => tour?.browser.close());

const give = async (kind) => {
  await page.locator(`[data-testid="example"][data-given="${kind}"]`).click();
  await page
    .locator(`main[data-state="ready"][data-kind="${kind}"]:not([data-explained=""])`)
    .waitFor({ timeout: patience });
};
const unfold = () => at("details").evaluate((details) => (details.open = true));
const report = async () => {
  await unfold();
  const [download] = await Promise.all([page.waitForEvent("download"), at("download-report").click()]);
  assert.match(download.suggestedFilename(), /\.html$/);
  return readFile(await download.path(), "utf8");
};
const checked = async () => {
  await until(() => at("checked").isVisible(), "what is said of the report");
  return text("checked");
};

for (const kind of ["image", "text", "audio", "file"]) {
  test(`a report of ${kind} opens by itself, and dropped on the page it is computed again and the same`, async () => {
    await give(kind);
    const html = await report();
    const [said, method] = [await text("words"), await at("method").inputValue()];
    const alone = await page.context().newPage();
    const asked = [];
    alone.on("request", ({ url }) => asked.push(url()));
    await alone.setContent(html);
    assert.match(await alone.locator("body").innerText(), /^Why “/);
    assert.match(await alone.locator("dl").innerText(), /SHA-256\s+[0-9a-f]{64}/);
    if (kind === "image") {
      const seen = await alone
        .locator("img")
        .evaluate((image) => image.decode().then(() => image.naturalWidth));
      assert.ok(seen > 100);
    }
    assert.deepEqual(
      asked.filter((url) => /^https?:/.test(url)),
      [],
    );
    await alone.close();

    await give(kind === "image" ? "text" : "image");
    await tour.drop([file("why.html", html, "text/html")]);
    assert.match(await checked(), /^Computed again, and the same: .*\(the same engine\)\.$/);
    assert.equal(await text("words"), said);
    assert.equal(await at("method").inputValue(), method);
    assert.equal(await page.locator("main").getAttribute("data-kind"), kind);
  });
}

test("what differs is said, and a report of a network that is not here says which", async () => {
  await give("text");
  const html = await report();
  const changed = (from, to) => {
    assert.ok(from.test(html), String(from));
    return html.replace(from, to);
  };
  await tour.drop([file("other.html", changed(/("probability":)0\.99\d+/, "$10.61"), "text/html")]);
  assert.match(await checked(), /not the same as the report .* with \d+\.\d%, and not with 61\.0%\.$/);
  await tour.drop([file("older.html", changed(/"engine":"[^"]+"/, '"engine":"0.0.1"'), "text/html")]);
  await until(async () => /the report’s was 0\.0\.1/.test(await text("checked")), "the engine's version");
  await tour.drop([file("none.html", changed(/"sha256":"\w+"/, '"sha256":"0123456789abcdef"'), "text/html")]);
  await until(() => at("banner").isVisible(), "the banner");
  assert.match(await text("banner"), /SHA-256 0123456789ab…\), which is not here/);
  await at("banner-dismiss").click();
  await tour.drop([file("broken.html", changed(/"adversight":1/, '"adversight":9'), "text/html")]);
  await until(() => at("banner").isVisible(), "the banner");
  assert.match(await text("banner"), /no report of this page/);
  await at("banner-dismiss").click();
});

test("a link brings the example, the network, the method and its settings back, and nothing that was given", async () => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await give("text");
  await at("method").selectOption("occlusion");
  await tour.explained("occlusion");
  await at("class-1").click();
  await tour.explained("occlusion");
  const said = await text("words");
  await unfold();
  await at("copy-link").click();
  await until(async () => /copied/.test(await text("sent")), "the link");
  const address = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(address, /#example=.*network=kim_reviews&method=occlusion&target=1&params=/);
  await page.goto("about:blank");
  await page.goto(address);
  await page.locator('main[data-kind="text"]').waitFor();
  await tour.explained("occlusion");
  assert.equal(await text("words"), said);
  assert.match(await text("kicker"), /positive/);
  await at("text").fill("a secret of mine");
  await until(async () => /secret/.test(await at("reading").textContent()), "my words");
  await tour.ready();
  await unfold();
  await at("copy-link").click();
  await until(async () => /does not hold what you gave/.test(await text("sent")), "the other link");
  assert.ok(!(await page.evaluate(() => navigator.clipboard.readText())).includes("secret"));
});

test("on paper there is the input with its map and the answer, and nothing to press", async () => {
  await page.emulateMedia({ media: "print" });
  for (const id of ["choose", "method", "proof-prove", "text", "theme", "opacity"]) {
    assert.equal(await at(id).isVisible(), false, id);
  }
  for (const id of ["reading", "words", "classes", "ranked"]) assert.ok(await at(id).isVisible(), id);
  await page.emulateMedia({ media: "screen" });
});

test("nothing was sent anywhere, and nothing broke", () => {
  assert.deepEqual(tour.strangers(), []);
  assert.deepEqual(tour.faults, []);
});

// After one visit the page works with the cable pulled; it says what it keeps, keeps nothing of the visitor's, and deletes it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser, until } from "./browser.mjs";
import { blackPng } from "./png.mjs";
import { patience } from "./visit.mjs";

let browser, page, faults, context;
before(async () => {
  browser = await openBrowser({ webgpu: false });
  ({ page, faults } = await browser.openDemo(undefined, { serviceWorkers: "allow" }));
  context = page.context();
});
after(() => browser?.close());

const at = (id) => page.getByTestId(id);
const ready = (kind) =>
  page
    .locator(`main[data-state="ready"][data-kind="${kind}"]:not([data-explained=""])`)
    .waitFor({ timeout: patience });
const give = async (kind) => {
  await page.locator(`[data-testid="example"][data-given="${kind}"]`).click();
  await ready(kind);
};
/** The addresses of what is kept, below the page's folder. */
const kept = () =>
  page.evaluate(async () => {
    const found = [];
    for (const name of await caches.keys()) {
      for (const { url } of await (await caches.open(name)).keys()) found.push(url);
    }
    return found.map((url) => url.slice(new URL(".", location.href).href.length));
  });

test("one visit keeps the page, one engine and a network of each kind, and says how much", async (t) => {
  await ready("image");
  await until(
    async () => /^Works offline: \d+(\.\d)? MB$/.test(await at("kept-title").textContent()),
    "the end",
  );
  t.diagnostic(await at("kept-title").textContent());
  const files = await kept();
  for (const file of ["index.html", "photos/chelsea.jpg", "models/efficientnet_lite0.onnx"]) {
    assert.ok(files.includes(file), `${file}: ${files.join(" ")}`);
  }
  assert.equal(files.filter((file) => file.endsWith(".onnx")).length, 6, "the first network of each kind");
  assert.equal(files.filter((file) => /adversight(_cpu|_cpu_threads)?_bg-.*wasm$/.test(file)).length, 1);
  assert.equal(files.filter((file) => file.endsWith(".map")).length, 0);
  await at("kept-title").click();
  assert.match(
    await at("kept").textContent(),
    /works without a network: [\d.]+ MB of the page and [\d.]+ MB of networks, and nothing of yours\./,
  );
  await at("kept-title").click();
});

test("nothing that is given is kept", async () => {
  const before = (await kept()).sort();
  await at("file").setInputFiles({ name: "mine.png", mimeType: "image/png", buffer: blackPng(300, 200) });
  await until(async () => (await at("photo-title").textContent()).startsWith("mine.png"), "the picture");
  await ready("image");
  await give("text");
  await at("text").fill("my own words, which are nobody’s business.");
  await until(async () => /my own words/.test(await at("reading").textContent()), "the words");
  await ready("text");
  assert.deepEqual((await kept()).sort(), before);
});

test("with the cable pulled the page starts anew, and explains each kind", async () => {
  await context.setOffline(true);
  await page.reload();
  await ready("image");
  for (const kind of ["text", "audio", "file", "table", "series", "image"]) await give(kind);
  assert.equal(await at("banner").isVisible(), false);
  await at("sample-rocket").click();
  await until(async () => /DSCOVR/.test(await at("photo-title").textContent()), "another photograph");
  await ready("image");
  assert.match(await at("kept-title").textContent(), /^Works offline/);
  assert.deepEqual(faults, []);
  await context.setOffline(false);
});

test("what is kept is deleted, and nothing is kept again until it is asked for", async () => {
  await at("kept-title").click();
  await at("forget").click();
  await until(async () => (await at("kept-title").textContent()) === "Nothing kept", "all to be deleted");
  assert.deepEqual(await kept(), []);
  await page.reload();
  await ready("image");
  await page.waitForTimeout(500);
  const files = await kept();
  assert.deepEqual(
    files,
    ["models/efficientnet_lite0.onnx"],
    "the network in use, by the package, and no more",
  );
  assert.equal(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length), 0);
  await at("kept-title").click();
  await at("keep").click();
  await until(async () => /^Works offline/.test(await at("kept-title").textContent()), "what was asked for");
  assert.deepEqual(faults, []);
});

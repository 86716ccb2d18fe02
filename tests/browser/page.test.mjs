// The page as a visitor meets it: EfficientNet-Lite0 explained by AGI on the CPU, with everything that can be done about it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser, until } from "./browser.mjs";
import { blackPng } from "./png.mjs";

const patience = 180_000;

let browser, page, faults;
/** Every address that the visit asked for. */
const requests = [];
before(async () => {
  browser = await openBrowser({ webgpu: false });
  ({ page, faults } = await browser.openDemo(async (page, context) => {
    page.setDefaultTimeout(patience);
    context.on("request", (request) => requests.push(request.url()));
    page.on("websocket", (socket) => requests.push(socket.url()));
    await page.addInitScript(watchPage);
  }));
});
after(() => browser?.close());

/** Runs in the page before its own code: notes the calls to the engine, and what the progress bar and the page's state show. */
function watchPage() {
  window.calls = [];
  window.states = [];
  window.progress = [];
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, ...rest) {
    if (message?.kind === "call") window.calls.push(message.name);
    return postMessage.call(this, message, ...rest);
  };
  document.addEventListener("DOMContentLoaded", () => {
    const main = document.querySelector("main");
    const bar = document.querySelector("progress");
    new MutationObserver(() => {
      window.states.push(`${main.dataset.state} ${main.dataset.explained}`);
    }).observe(main, { attributeFilter: ["data-state", "data-explained"] });
    new MutationObserver(() => {
      if (!bar.hidden && bar.position > 0) window.progress.push(bar.position);
    }).observe(bar, { attributeFilter: ["value", "max", "hidden"] });
  });
}

const at = (id) => page.getByTestId(id);
const text = async (id) => (await at(id).textContent()).trim();
const explained = (method) =>
  page.locator(`main[data-state="ready"][data-explained="${method}"]`).waitFor({ timeout: patience });
const busy = () => page.locator('main[data-state="busy"]').waitFor();
const ready = () => page.locator('main[data-state="ready"]').waitFor({ timeout: patience });
const taken = (name) => page.evaluate((name) => window[name].splice(0), name);
const frames = () =>
  page.evaluate(() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 600)));

const setNumber = async (id, value) => {
  await at(id).fill(value);
  await at(id).blur();
};

/** The picture's pixels in figures. */
const picture = async () => {
  await frames(); // it fades in
  return page.evaluate(() => {
    const canvas = document.querySelector("canvas#picture");
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const colours = new Set();
    const sample = [];
    let [opaque, sum, squares] = [0, 0, 0];
    for (let i = 0; i < data.length; i += 4) {
      const grey = (data[i] + data[i + 1] + data[i + 2]) / 3;
      sum += grey;
      squares += grey * grey;
      if (data[i + 3] === 255) opaque++;
      if (i % 64 === 0) {
        colours.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
        sample.push(grey);
      }
    }
    const count = data.length / 4;
    const mean = sum / count;
    return {
      width,
      height,
      opaque: opaque / count,
      colours: colours.size,
      deviation: Math.sqrt(squares / count - mean * mean),
      sample,
    };
  });
};
const difference = (a, b) =>
  a.sample.reduce((sum, grey, i) => sum + Math.abs(grey - b.sample[i]), 0) / a.sample.length;

/** That the page still does what it is for: another photograph is looked at and explained. */
async function alive(sample) {
  await at(`sample-${sample}`).click();
  await until(async () => (await at(`sample-${sample}`).getAttribute("aria-pressed")) === "true", sample);
  await explained(await at("method").inputValue());
  assert.equal(await at("banner").isVisible(), false);
  assert.equal(await at("classes").locator("[data-testid^=class-]").count(), 5);
}

test("on opening, the first photograph is explained by AGI", async (t) => {
  const started = Date.now();
  await explained("agi");
  t.diagnostic(`explained ${((Date.now() - started) / 1000).toFixed(1)} s after opening`);
  const states = await taken("states");
  const seen = states.indexOf("busy ");
  assert.ok(seen >= 0 && seen < states.lastIndexOf("ready agi"), states.join(", "));
  assert.equal(await at("model").inputValue(), "efficientnet_lite0");
  assert.equal(await at("banner").isVisible(), false);

  const words = await at("words").locator("p").allTextContents();
  assert.ok(
    words.length >= 1 && words.length <= 3 && words.every((sentence) => /^\S.*[.]$/.test(sentence)),
    words.join("|"),
  );
  assert.match(words.join(" "), /espresso|coffee|cup/i);
  t.diagnostic(words.join(" "));

  const classes = at("classes").locator("[data-testid^=class-]");
  assert.equal(await classes.count(), 5);
  const shares = await classes.evaluateAll((buttons) =>
    buttons.map((button) => parseFloat(button.querySelector(".share").textContent)),
  );
  assert.deepEqual(
    shares,
    [...shares].sort((a, b) => b - a),
    "from the best to the least",
  );
  // The page opens on a photograph of which the network is sure.
  assert.ok(shares[0] > 80 && shares[0] <= 100, `${shares[0]}`);
  assert.equal(await at("doubt").isVisible(), false);
  assert.match(await classes.first().textContent(), /espresso|coffee|cup/i);

  assert.equal(await at("device-kind").getAttribute("data-kind"), "cpu");
  assert.match(await text("device-reason"), /CPU is used.*WebGPU/);
  assert.match(await text("privacy"), /Nothing was sent anywhere/);
  assert.match(await text("status"), /^Explained .* processor/);
});

test("the progress was shown on the way", async (t) => {
  const progress = await taken("progress");
  t.diagnostic(`${progress.length} positions of the bar`);
  assert.ok(progress.length >= 5 && progress.every((position) => position <= 1));
  assert.ok(new Set(progress).size >= 5);
  assert.equal(await at("progress").isVisible(), false);
  assert.equal(await at("cancel").isVisible(), false);
});

test("the picture shows the photograph, and over it the explanation", async (t) => {
  const overlay = await picture();
  await at("view-photograph").click();
  const photograph = await picture();
  await at("view-heatmap").click();
  const heatmap = await picture();
  await at("view-overlay").click();
  assert.equal(difference(await picture(), overlay), 0, "back to the same picture");
  for (const { width, height, colours, deviation } of [overlay, photograph, heatmap]) {
    assert.ok(width > 200 && height > 200);
    assert.ok(colours > 50 && deviation > 10, `${colours} colours, deviation ${deviation}`);
  }
  assert.deepEqual([overlay.opaque, photograph.opaque], [1, 1]);
  // The heatmap covers the square that the network saw.
  assert.ok(heatmap.opaque > 0.4 && heatmap.opaque < 0.7, `${heatmap.opaque}`);
  const [over, map] = [difference(overlay, photograph), difference(heatmap, overlay)];
  t.diagnostic(
    `overlay: ${overlay.colours} colours, deviation ${overlay.deviation.toFixed(1)}; ${over.toFixed(1)} from the photograph, ${map.toFixed(1)} from the heatmap`,
  );
  assert.ok(over > 3, `overlay and photograph differ by ${over}`);
  assert.ok(map > 3, `overlay and heatmap differ by ${map}`);
});

test("opacity, smoothing and colours draw anew and compute nothing", async () => {
  await Promise.all([taken("calls"), taken("states")]);
  const full = await picture();
  const opacity = await at("opacity").inputValue();
  await at("opacity").fill("10");
  const faint = await picture();
  await at("opacity").fill(opacity);
  const again = await picture();
  const smooth = await at("smooth").inputValue();
  await at("smooth").fill(smooth === "0" ? "5" : "0");
  const other = await picture();
  await at("smooth").fill(smooth);
  await at("colour-map").selectOption("turbo");
  const turbo = await picture();
  await at("colour-map").selectOption("magma");
  assert.ok(difference(full, faint) > 3);
  assert.equal(difference(full, again), 0);
  assert.ok(difference(full, other) > 0.3, `smoothing changes ${difference(full, other)}`);
  assert.ok(difference(full, turbo) > 3);
  assert.deepEqual(await taken("calls"), []);
  assert.deepEqual(await taken("states"), []);
});

test("why not this class: the network's answer is set against a clicked one", async (t) => {
  const rivals = at("classes").locator("[data-testid^=why-not-]");
  assert.equal(await rivals.count(), 4, "the winner has no such button");
  const rival = await rivals.nth(1).getAttribute("data-testid");
  const name = await at(rival.replace("why-not", "class")).locator(".label").textContent();
  const before = await text("words");
  await at(rival).click();
  await until(
    async () => (await at("fact-against").textContent()) === name,
    `an answer about ${name}`,
    patience,
  );
  await explained("agi");
  assert.ok((await text("kicker")).includes(name), await text("kicker"));
  assert.notEqual(await text("words"), before);
  assert.ok((await text("words")).includes(name), await text("words"));
  assert.equal(await at(rival).getAttribute("aria-pressed"), "true");
  t.diagnostic(`${await text("kicker")} ${await text("words")}`);
});

test("a class that did not win is explained when it is clicked", async () => {
  const second = at("classes").locator("[data-rank='1']");
  const name = await second.locator(".label").textContent();
  await second.click();
  await until(async () => (await text("fact-class")).startsWith(name), `an answer about ${name}`, patience);
  await explained("agi");
  assert.ok((await text("kicker")).includes(name), await text("kicker"));
  assert.equal(await second.getAttribute("aria-pressed"), "true");
});

test("any of the thousand classes can be asked about by its name", async () => {
  await at("another-class").fill("no such thing");
  await page.keyboard.press("Enter");
  assert.ok(
    await at("another-class").evaluate((input) => !input.validity.valid),
    "it is not there, and says so",
  );
  await at("another-class").fill("tabby");
  await page.keyboard.press("Enter");
  await until(async () => /tabby/.test(await text("kicker")), "the tabby", patience);
  await explained("agi");
  assert.match(await text("fact-class"), /^tabby/);
  await at("classes").locator("[data-rank='0']").click();
  await until(async () => /espresso/.test(await text("kicker")), "the network's own answer", patience);
  await explained("agi");
});

test("the method is changed by the keyboard alone", async () => {
  await page.locator("body").press("Control+Home");
  await page.evaluate(() => document.activeElement?.blur());
  const focused = () => page.evaluate(() => document.activeElement?.dataset.testid ?? "");
  let steps = 0;
  while ((await focused()) !== "method") {
    await page.keyboard.press("Tab");
    assert.ok(++steps < 100, "the method is not reached by Tab");
  }
  await page.keyboard.type("Integrated");
  await explained("integrated_gradients");
  assert.match(await text("status"), /Integrated/i);
  assert.match(await text("fact-completeness-gap"), /\d/);
  await taken("calls");
  while ((await focused()) !== "explain") {
    await page.keyboard.press("Tab");
    assert.ok(++steps < 200, "the button is not reached by Tab");
  }
  await page.keyboard.press("Enter");
  await until(() => page.evaluate(() => window.calls.includes("explain")), "the call");
  await ready();
  assert.equal(await page.locator("main").getAttribute("data-explained"), "integrated_gradients");
});

for (const [how, act] of [
  ["the button", () => at("cancel").click()],
  ["Escape", () => page.keyboard.press("Escape")],
]) {
  test(`cancel by ${how} keeps the result before, and the page goes on`, async (t) => {
    await at("method").selectOption("integrated_gradients");
    await explained("integrated_gradients");
    const [words, settings, steps] = [
      await text("words"),
      await text("fact-settings"),
      await at("param-steps").inputValue(),
    ];
    await setNumber("param-steps", "400"); // more than a minute
    await taken("progress");
    await at("explain").click();
    await busy();
    await until(() => page.evaluate(() => window.progress.length > 0), "progress");
    assert.ok(await at("progress").isVisible());
    // The words are those of the explanation before, the map is not.
    const busyWords = () => at("words").getAttribute("aria-busy");
    await until(async () => (await busyWords()) === "true", "a map on the way");
    const started = Date.now();
    await act();
    await ready();
    t.diagnostic(`ready again ${Date.now() - started} ms later`);
    assert.ok(Date.now() - started < 10_000, "it took long to stop");
    assert.equal(await at("banner").isVisible(), false, "what the user stops is no error");
    assert.deepEqual([await text("words"), await text("fact-settings")], [words, settings]);
    assert.equal(await busyWords(), "false");
    await setNumber("param-steps", steps);
    await at("method").selectOption("saliency");
    await explained("saliency");
  });
}

test("a file that is no picture, a picture of no pixels and one of 100 megapixels are refused in words", async () => {
  await at("method").selectOption("saliency");
  await explained("saliency");
  const [words, title] = [await text("words"), await text("photo-title")];
  for (const [file, sentence] of [
    [
      { name: "net.pt", mimeType: "application/octet-stream", buffer: Buffer.from("no picture") },
      /This is a PyTorch file/,
    ],
    [{ name: "none.png", mimeType: "image/png", buffer: blackPng(0, 0) }, /0 by 0 pixels/],
    [{ name: "huge.png", mimeType: "image/png", buffer: blackPng(10_000, 10_000) }, /100 megapixels/],
  ]) {
    await at("file").setInputFiles(file);
    await until(
      async () => (await at("banner").isVisible()) && sentence.test(await text("banner-message")),
      file.name,
    );
    assert.ok((await text("banner-title")).length > 0);
    assert.equal(await text("words"), words);
    assert.equal(await text("photo-title"), title);
    await at("banner-dismiss").click();
    assert.equal(await at("banner").isVisible(), false);
  }
  await alive("astronaut");
});

test("a photograph of one's own is looked at", async () => {
  await at("file").setInputFiles({ name: "dark.png", mimeType: "image/png", buffer: blackPng(300, 200) });
  await until(async () => (await text("photo-title")).startsWith("dark.png"), "its name");
  await explained("saliency");
  assert.equal(await at("classes").locator("[data-testid^=class-]").count(), 5);
});

test("a device that is not there is refused in words, and the processor stays in use", async () => {
  await at("device-webgpu").click();
  await until(() => at("banner").isVisible(), "the banner");
  assert.match(await text("banner-message"), /WebGPU/);
  assert.equal(await at("device-kind").getAttribute("data-kind"), "cpu");
  await alive("flower");
});

test("a network whose file is cut off is refused, the one before stays, and another try works", async () => {
  await page.route("**/squeezenet1_1.onnx", async (route) => {
    const response = await route.fetch();
    await route.fulfill({
      body: (await response.body()).subarray(0, 100_000),
      contentType: "application/octet-stream",
    });
  });
  await at("model").selectOption("squeezenet1_1");
  await until(() => at("banner").isVisible(), "the banner");
  assert.match(await text("banner-message"), /its content is another than expected/);
  assert.equal(await at("model").inputValue(), "efficientnet_lite0");
  await page.unroute("**/squeezenet1_1.onnx");
  await at("banner-action").click();
  await until(async () => (await at("model").inputValue()) === "squeezenet1_1", "the network");
  await explained("saliency");
  assert.equal(await at("banner").isVisible(), false);
  await alive("chelsea");
});

test("nothing was sent anywhere: the whole visit talked to its own server alone", async (t) => {
  const others = requests.filter(
    (url) => !url.startsWith(`${browser.origin}/demo/`) && !/^(data|blob):/.test(url),
  );
  assert.deepEqual(others, []);
  // Those of the worker are among them.
  // Those of the worker are among them, and without a GPU it fetches the engine for the CPU alone.
  const engines = requests.filter((url) => url.endsWith(".wasm"));
  assert.ok(engines.length > 0, "the worker's requests are seen");
  for (const url of engines) assert.match(url, /adversight_cpu_bg/);
  t.diagnostic(`${requests.length} requests`);
  assert.deepEqual(faults, []);
});

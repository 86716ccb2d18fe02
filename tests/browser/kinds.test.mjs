// What can be given beside a photograph: an example of each kind explains itself; words are typed, pasted and dropped; all of it by the keyboard,
// and nothing leaves the page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { blackPng } from "./png.mjs";
import { file, visit } from "./visit.mjs";

let tour, page, at, text, until;
before(async () => {
  tour = await visit();
  ({ page, at, text, until } = tour);
  await tour.explained("agi");
});
after(() => tour?.browser.close());

const example = (kind) => page.locator(`[data-testid="example"][data-given="${kind}"]`);
const main = () => page.locator("main");
/** Waits for an explanation of this kind that is no first look. */
const explained = (kind) =>
  page
    .locator(`main[data-state="ready"][data-kind="${kind}"]:not([data-explained=""])`)
    .waitFor({ timeout: 60_000 });
const words = () => at("reading").locator("[data-part]");
/** The words of the text with their colours. */
const coloured = () =>
  words().evaluateAll((found) =>
    found.map((word) => [word.textContent, getComputedStyle(word).backgroundColor]),
  );
const strength = (colour) => Number(/[\d.]+\)$/.exec(colour)?.[0].slice(0, -1) ?? 1);

test("the first screen has an example of each kind", async () => {
  await page.setViewportSize({ width: 1440, height: 900 });
  for (const kind of ["image", "text", "audio", "file"]) {
    const box = await example(kind).boundingBox();
    assert.ok(box && box.y + box.height <= 900, kind);
  }
  const shownAs = await at("example").evaluateAll((buttons) => buttons.map(({ dataset }) => dataset.kind));
  assert.deepEqual(shownAs, ["image", "text", "audio", "text", "table", "series"], "a file is shown as text");
  assert.equal(await example("image").getAttribute("aria-pressed"), "true");
  assert.equal(await at("text").isVisible(), false, "nothing of a text stands beside a photograph");
});

test("a sentence explains itself: its words are coloured, ranked and told", async (t) => {
  const started = Date.now();
  await example("text").click();
  await until(async () => (await main().getAttribute("data-kind")) === "text", "the sentence");
  await explained("text");
  t.diagnostic(`explained ${((Date.now() - started) / 1000).toFixed(1)} s after the click`);
  assert.equal(await at("model").inputValue(), "kim_reviews");
  assert.match(await text("words"), /^The network says “negative”/);
  const found = await coloured();
  assert.equal(found.length, 14, "words and marks");
  const byStrength = [...found].sort(([, a], [, b]) => strength(b) - strength(a));
  assert.equal(byStrength[0][0], "unfunny", "the word that makes it bad is the strongest");
  // The same in words, for those who see no colour.
  assert.match(await at("ranked-word").first().textContent(), /^unfunny\d+%, for$/);
  assert.match(await words().filter({ hasText: "unfunny" }).getAttribute("aria-label"), /unfunny: \d+%.*for/);
  assert.match(await text("legend-words"), /against “negative”.*for “negative”/);
  assert.equal(await at("classes").locator("[data-testid^=class-]").count(), 2);
});

test("what is only of photographs is not there, and comes back with one", async () => {
  for (const id of ["picture", "opacity", "smooth", "camera", "samples", "legend", "download-png"]) {
    assert.equal(await at(id).isVisible(), false, id);
  }
  assert.ok(await at("text").isVisible());
  await at("model").selectOption("efficientnet_lite0");
  await explained("image");
  assert.match(
    await text("photo-title"),
    /A cup of coffee/,
    "a network of photographs shows its first example",
  );
  for (const id of ["picture", "opacity", "smooth", "proof", "samples"]) {
    assert.ok(await at(id).isVisible(), id);
  }
  assert.equal(await at("method").inputValue(), "agi", "and the method that was used on photographs");
});

test("what is typed is answered after a pause, and the browser undoes it", async () => {
  await example("text").click();
  await explained("text");
  await at("text").focus();
  await page.keyboard.press("Control+A");
  await page.keyboard.type("a warm, funny, engaging film.");
  await until(async () => /“positive”/.test(await text("words")), "the answer to what was typed");
  await explained("text");
  assert.deepEqual(
    (await coloured()).map(([word]) => word),
    ["a", "warm", ",", "funny", ",", "engaging", "film", "."],
  );
  assert.equal(await page.evaluate(() => document.activeElement.id), "text", "the focus stays");
  assert.match(await text("photo-title"), /your words/);
  for (let i = 0; i < 40; i++) await page.keyboard.press("Control+Z");
  await until(async () => /“negative”/.test(await text("words")), "the sentence before");
});

test("an empty text asks for words, and 20,000 letters, emoji and right-to-left are answered", async () => {
  await at("text").fill("   ");
  await until(async () => /nothing to read/.test(await text("text-note")), "the hint");
  assert.equal(await at("banner").isVisible(), false);
  for (const odd of ["😀 👩‍👩‍👧 good", "فيلم ممتع good", "good ".repeat(4000)]) {
    await at("text").fill(odd);
    await until(
      async () => (await at("reading").textContent()).trim() === odd.trim(),
      `the text ${odd.slice(0, 20)}`,
    );
    await tour.ready();
    assert.equal(await at("banner").isVisible(), false, await text("banner"));
    assert.ok((await words().count()) > 0);
  }
  assert.equal(await text("text-note"), "");
});

test("what if? a word is struck out by a click or a key, the answer follows, and all of it is undone and redone", async () => {
  await example("text").click();
  await explained("text");
  const before = await text("words");
  const reading = at("reading");
  const answered = async (expected, what) => {
    await until(async () => expected.test(await text("what-if")), what);
    await explained("text");
  };
  await words().filter({ hasText: "unfunny" }).click();
  await answered(/^“negative”: .*%, and .*% as it was\.$/, "the answer without the word");
  assert.equal(await at("text").inputValue(), "it's a glorified sitcom, and a long, one at that.");
  assert.deepEqual(await reading.locator(".struck").allTextContents(), ["unfunny"]);
  assert.equal(
    (await reading.textContent()).trim(),
    "it's a glorified sitcom, and a long, unfunny one at that.",
  );
  assert.match(await reading.locator(".struck").getAttribute("aria-label"), /unfunny: struck out/);
  // By the keyboard, the focus stays on the word.
  await words().filter({ hasText: "glorified" }).focus();
  await page.keyboard.press("Enter");
  await until(async () => (await reading.locator(".struck").count()) === 2, "the second word");
  await explained("text");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "glorified");
  assert.match(await text("photo-title"), /with words struck out/);
  await at("undo").click();
  await until(async () => (await reading.locator(".struck").count()) === 1, "one word back");
  await at("undo").click();
  await until(async () => (await reading.locator(".struck").count()) === 0, "all words back");
  await explained("text");
  assert.equal(await text("words"), before);
  assert.ok(await at("undo").isDisabled());
  await at("redo").click();
  await until(async () => (await reading.locator(".struck").count()) === 1, "the first change again");
  await explained("text");
  // A second click brings it back.
  await reading.locator(".struck").click();
  await until(async () => (await reading.locator(".struck").count()) === 0, "the word back");
  await explained("text");
  assert.equal(await text("words"), before);
});

test("a class that did not win, and why not: as for photographs", async () => {
  await at("example-text").first().click();
  await explained("text");
  await at("class-1").click();
  await until(async () => /positive/.test(await text("kicker")), "the other class");
  await explained("text");
  assert.match(await text("legend-words"), /for “positive”/);
  const why = at("why-not-1");
  assert.ok(await why.isVisible());
  await why.click();
  await until(async () => /Why “negative” and not “positive”/.test(await text("kicker")), "the contrast");
});

test("two methods stand side by side, each with its words", async () => {
  await at("method").selectOption("integrated_gradients");
  await at("beside").selectOption("occlusion");
  await until(async () => (await at("reading-beside").locator("[data-part]").count()) === 14, "the second");
  await tour.ready();
  assert.match(await text("agreement"), /order of words/);
  await at("beside").selectOption("");
  assert.equal(await at("second").isVisible(), false);
});

test("text is pasted and dropped, and a file of text is read; what is none is refused in words", async () => {
  await page.evaluate(() => document.activeElement?.blur());
  await page.evaluate(() => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", "a dull film");
    document.body.dispatchEvent(
      new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }),
    );
  });
  await until(async () => (await at("text").inputValue()) === "a dull film", "what was pasted");
  await explained("text");
  await at("sample-coffee").or(example("image")).first().click();
  await explained("image");
  await tour.drop([file("review.txt", "an engaging, moving film", "text/plain")]);
  await until(async () => (await at("text").inputValue()) === "an engaging, moving film", "the file's text");
  await explained("text");
  assert.match(await text("photo-title"), /review\.txt/);
  const before = await text("words");
  for (const [name, content, message] of [
    ["latin.txt", Buffer.from([0x61, 0xe9, 0x20, 0x62]), /not UTF-8/],
    ["long.txt", "good ".repeat(40_000), /page or two/],
  ]) {
    await tour.drop([file(name, content, "text/plain")]);
    await until(async () => message.test(await text("banner")), name);
    await at("banner-dismiss").click();
    assert.equal(await text("words"), before);
  }
  await tour.drop([file("dark.png", blackPng(300, 200), "image/png")]);
  await until(async () => (await text("photo-title")).startsWith("dark.png"), "the picture");
  await explained("image");
});

test("by the keyboard alone: a sentence, its words, and what is said of each", async () => {
  await example("text").focus();
  await page.keyboard.press("Enter");
  await explained("text");
  await words().first().focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  assert.equal(await focused(), "glorified");
  await page.keyboard.press("End");
  assert.equal(await focused(), ".");
  assert.equal(await words().and(page.locator('[tabindex="0"]')).count(), 1, "one stop for Tab");
});

test("a file explains itself by its bytes, and any file can be given", async (t) => {
  const started = Date.now();
  await example("file").click();
  await explained("file");
  t.diagnostic(`explained ${((Date.now() - started) / 1000).toFixed(1)} s after the click`);
  assert.equal(await at("model").inputValue(), "magika");
  assert.match(await text("words"), /^The network says “python”/);
  assert.match(await at("reading").textContent(), /import sys/, "shown as text");
  assert.ok((await words().count()) > 20);
  assert.equal(await at("text").isVisible(), false, "nothing is written into a file");
  await at("example-file").nth(1).click();
  await until(async () => /“png”/.test(await text("words")), "the picture as a file");
  await explained("file");
  assert.match(
    await at("reading").textContent(),
    /50 ?4e ?47/,
    "bytes that are no text are shown by their numbers",
  );
  await at("sample-coffee").or(example("image")).first().click();
  await explained("image");
  for (const [name, content, answer] of [
    ["rows.csv", "city,degrees,day\n" + "Oslo,3.5,monday\nRome,17.25,tuesday\n".repeat(8), /csv/],
    [
      "notes.bin",
      "#!/bin/sh\nset -e\nfor f in *.txt; do\n  echo \"$f\" | sed 's/a/b/'\ndone\n".repeat(3),
      /^\S/,
    ],
  ]) {
    await tour.drop([file(name, content)]);
    await until(async () => (await text("photo-title")).startsWith(name), name);
    await explained("file");
    assert.match(await at("classes").locator(".label").first().textContent(), answer, name);
  }
  await at("file").setInputFiles(
    file("letter.txt", "Dear reader,\n\nthis is no film review.\n", "text/plain"),
  );
  await until(
    async () => (await text("photo-title")).startsWith("letter.txt"),
    "the file that was asked about",
  );
  assert.equal(await main().getAttribute("data-kind"), "file", "who asks of files means the file");
  await explained("file");
});

test("a spoken word explains itself: seen, pointed at by keys, heard whole and in parts", async (t) => {
  const started = Date.now();
  await example("audio").click();
  await explained("audio");
  t.diagnostic(`explained ${((Date.now() - started) / 1000).toFixed(1)} s after the click`);
  assert.equal(await at("model").inputValue(), "tenet_keywords");
  assert.match(await text("words"), /^The network says “go”/);
  assert.match(await text("words"), /\d\.\d+ to \d\.\d+ s/, "told in seconds");
  const hearing = at("hearing");
  const spectrogram = hearing.locator('canvas[part~="spectrogram"]');
  await spectrogram.waitFor();
  const colours = await spectrogram.evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const found = new Set();
    let colourful = 0;
    for (let i = 0; i < data.length; i += 4) {
      found.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
      if (Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 40)
        colourful++;
    }
    return [found.size, colourful / (data.length / 4)];
  });
  assert.ok(colours[0] > 100 && colours[1] > 0.001 && colours[1] < 0.6, colours.join(" "));
  await spectrogram.focus();
  await page.keyboard.press("ArrowRight");
  assert.match(await hearing.locator('[part~="place"]').textContent(), /0\.5\d s, .*Hz.*%/);
  for (const part of ["sound", "only", "left"]) {
    const button = hearing.locator(`button[data-part="${part}"]`);
    await button.focus();
    await page.keyboard.press("Enter");
    await until(async () => (await button.getAttribute("aria-pressed")) === "true", part);
    await page.keyboard.press("Enter");
    await until(async () => (await button.getAttribute("aria-pressed")) === "false", `${part} to end`);
  }
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    hearing.getByRole("button", { name: /Save as WAV: only what mattered/ }).click(),
  ]);
  assert.match(download.suggestedFilename(), /\.wav$/);
  // The same in words.
  assert.match(await at("ranked-word").first().textContent(), /\d\.\d+ to \d\.\d+ s.*Hz.*%/);
  await at("example-audio").filter({ hasText: "left" }).click();
  await until(async () => /“left”/.test(await text("words")), "another word");
  await explained("audio");
});

test("two methods stand side by side for a sound too", async () => {
  await at("beside").selectOption("axai");
  await at("hearing-beside").locator('canvas[part~="spectrogram"]').waitFor({ timeout: 60_000 });
  await tour.ready();
  assert.match(await text("agreement"), /order of parts/);
  await at("beside").selectOption("");
  assert.equal(await at("second").isVisible(), false);
});

test("a sound that is broken and a microphone that is refused are told, and nothing is lost", async () => {
  const [title, said] = [await text("photo-title"), await text("words")];
  await tour.drop([file("speech.wav", Buffer.from("RIFF\0\0\0\0WAVEfmt ", "latin1"), "audio/wav")]);
  await until(() => at("banner").isVisible(), "the banner");
  assert.match(await text("banner-title"), /This sound cannot be used/);
  await tour.ready();
  assert.deepEqual([await text("photo-title"), await text("words")], [title, said]);
  assert.ok(await at("banner").isVisible(), "and it is still told");
  await at("banner-dismiss").click();
  // The same with a network of another kind in use.
  await at("model").selectOption("efficientnet_lite0");
  await explained("image");
  await tour.drop([file("speech.wav", Buffer.from("RIFF\0\0\0\0WAVEfmt ", "latin1"), "audio/wav")]);
  await until(() => at("banner").isVisible(), "the banner");
  await explained("image");
  assert.match(await text("photo-title"), /A cup of coffee/);
  assert.equal(await at("model").inputValue(), "efficientnet_lite0");
  assert.ok(await at("banner").isVisible());
  await at("banner-dismiss").click();
  await example("audio").click();
  await explained("audio");
  await at("microphone").click();
  await until(() => at("banner").isVisible(), "the banner");
  assert.match(await text("banner"), /microphone cannot be used/);
  assert.equal(await at("microphone-dialog").isVisible(), false);
  await at("banner-dismiss").click();
  await at("example-audio").filter({ hasText: "up" }).click();
  await until(async () => /“up”/.test(await text("words")), "a word again");
  await explained("audio");
});

test("a network that cannot be loaded leaves what was there, and another try works", async () => {
  await at("sample-coffee").or(example("image")).first().click();
  await explained("image");
  const [title, said] = [await text("photo-title"), await text("words")];
  await page.route("**/minilm_reviews/model.onnx", (route) => route.abort());
  await at("model").selectOption("minilm_reviews");
  await until(() => at("banner").isVisible(), "the banner");
  assert.equal(await at("model").inputValue(), "efficientnet_lite0");
  assert.deepEqual([await text("photo-title"), await text("words")], [title, said]);
  assert.equal(await main().getAttribute("data-kind"), "image");
  await page.unroute("**/minilm_reviews/model.onnx");
  await at("banner-action").click();
  await explained("text");
  assert.equal(await at("model").inputValue(), "minilm_reviews");
  assert.match(await text("words"), /“negative”/);
  assert.equal(await at("banner").isVisible(), false);
  // The tokens that nobody has written are told apart.
  assert.match(await text("ranking"), /\[CLS\].*which nobody has written/);
});

test("what is typed asks nobody but the page, and nothing is left behind by the visit", async () => {
  const before = tour.requests.length;
  await at("text").fill("a film that nobody else shall know of");
  await until(async () => (await at("reading").textContent()).includes("nobody else"), "the text");
  await tour.ready();
  await at("method").selectOption("saliency");
  await tour.explained("saliency");
  assert.deepEqual(tour.requests.slice(before), [], "no request after load");
  assert.deepEqual(tour.strangers(), []);
  assert.deepEqual(tour.faults, []);
});

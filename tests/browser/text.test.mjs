// Sentences in the browser: the tokenizers' WebAssembly, words with their scores, and the view of them, beside the figures of tests/reference/small_texts.py.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";

const { cases } = JSON.parse(readFileSync(new URL("../fixtures/text/index.json", import.meta.url), "utf8"));
const source = {
  transformer: { onnx: "/fixtures/text/transformer.onnx", tokenizer: "/fixtures/text/tokenizer.json" },
  convolutions: { onnx: "/fixtures/text/convolutions.onnx", tokenizer: "/fixtures/text/vocabulary.txt" },
};

let browser, page, faults;
before(async () => {
  browser = await openBrowser({ webgpu: false });
  ({ page, faults } = await browser.openPackage());
  await page.evaluate(async (source) => {
    const { lab } = window;
    const engine = (lab.engine = await lab.adversight.createEngine({ device: "cpu" }));
    lab.fetchedBefore = performance
      .getEntriesByType("resource")
      .some(({ name }) => name.includes("adversight_text_bg"));
    lab.readers = {
      transformer: await engine.loadModel(source.transformer),
      convolutions: await engine.loadModel(source.convolutions),
    };
    lab.refusal = (promise) =>
      promise.then(
        () => null,
        ({ code, message }) => ({ code, message }),
      );
  }, source);
});
after(() => browser?.close());

const explain = (network, text, options) =>
  page.evaluate(
    async ([network, text, options]) => {
      const { parts, texts, words, info } = await window.lab.readers[network].explain(text, options);
      return { parts, texts, words, info };
    },
    [network, text, options],
  );

const scores = ({ parts }) => parts.filter(({ special }) => !special).map(({ score }) => score);

const near = (ours, theirs, what) => {
  assert.equal(ours.length, theirs.length, what);
  const most = Math.max(...theirs.map(Math.abs));
  ours.forEach((score, at) =>
    assert.ok(Math.abs(score - theirs[at]) < 1e-3 * most, `${what}: ${score}, not ${theirs[at]}`),
  );
};

test("each word of a sentence, a pair or a file has the oracle's share", async () => {
  for (const { network, text, integrated_gradients, occlusion, target } of cases) {
    const explained = await explain(network, text, { method: "integrated_gradients" });
    near(scores(explained), integrated_gradients, `${text} by ${network}`);
    assert.equal(explained.info.target.index, target);
    near(
      scores(await explain(network, text, { method: "occlusion" })),
      occlusion,
      `${text} hidden by ${network}`,
    );
    for (const { name, source, start, end, special } of explained.parts) {
      if (!special) assert.equal(explained.texts[source].slice(start, end), name);
    }
  }
  const [{ text, logits }] = cases;
  const top = await page.evaluate(async (text) => {
    const { lab } = window;
    return (await lab.readers.transformer.classify(new Blob([text]))).top;
  }, text);
  for (const { index, logit } of top) assert.ok(Math.abs(logit - logits[index]) < 1e-4);
});

test("the tokenizers are fetched only for a network that reads", async () => {
  const before = await page.evaluate(() => window.lab.fetchedBefore);
  assert.equal(before, false);
});

test("what the network does with tokens is told", async () => {
  const { tokens, notes } = await page.evaluate(() => window.lab.readers.transformer.info);
  assert.deepEqual(tokens, {
    input: "input_ids",
    embedding: tokens.embedding,
    rows: 61,
    length: null,
    longest: 24,
    batchAxis: 0,
    labelsTokens: false,
  });
  assert.ok(notes.some((note) => note.includes("attention_mask")));
});

test("deletion takes words out, and insertion brings them back", async () => {
  const [{ text, words, occlusion }] = cases;
  const { deletion, insertion, measured, attacked } = await page.evaluate(async (text) => {
    const model = window.lab.readers.transformer;
    const explanation = await model.explain(text, { method: "occlusion" });
    const deletion = await model.play(text, explanation);
    const insertion = await model.play(text, explanation, { kind: "insertion" });
    const measured = await model.measure(text, explanation, { metrics: ["deletion", "insertion"] });
    const attacked = await model.attack(text, { epsilon: 1, steps: 5 });
    return {
      deletion: { y: deletion.curve.y, step: deletion.step, ranks: [...deletion.ranks], area: deletion.area },
      insertion: { y: insertion.curve.y, area: insertion.area },
      measured: measured.map(({ value }) => value),
      attacked: { before: attacked.before, original: attacked.original, linf: attacked.linf },
    };
  }, text);
  assert.equal(deletion.step, 1);
  assert.equal(deletion.y.length, words.length + 1);
  assert.ok(Math.abs(deletion.y[0] - deletion.y[1] - Math.max(...occlusion)) < 1e-4);
  assert.equal(deletion.ranks[0], words.length);
  assert.deepEqual(measured, [deletion.area, insertion.area]);
  assert.ok(Math.abs(insertion.y.at(-1) - deletion.y[0]) < 1e-6);
  assert.ok(attacked.original.probability < attacked.before[0].probability);
  assert.ok(attacked.linf <= 1.0001);
});

test("mistakes have sentences of their own, and the model goes on", async () => {
  const found = await page.evaluate(async (source) => {
    const { lab } = window;
    const { engine, readers, refusal } = lab;
    const { convolutions: reader } = readers;
    const plain = await engine.loadModel({
      onnx: "/fixtures/tiny.onnx",
      preprocessing: "/fixtures/tiny.json",
    });
    return {
      empty: await refusal(reader.classify("")),
      spaces: await refusal(reader.classify(" \n")),
      broken: await refusal(reader.classify(new Blob([new Uint8Array([97, 255])]))),
      huge: await refusal(reader.classify("a ".repeat(1_000_001))),
      none: await refusal(plain.classify("a film")),
      vectors: await refusal(
        engine.loadModel({ onnx: "/fixtures/sentences/cnn.onnx", tokenizer: source.convolutions.tokenizer }),
      ),
      noTokenizer: await refusal(engine.loadModel({ ...source.transformer, tokenizer: new Blob(["{}"]) })),
      foreign: await refusal(
        engine
          .loadModel({ ...source.convolutions, tokenizer: source.transformer.tokenizer })
          .then((model) => model.classify("people love")),
      ),
      long: (await reader.classify("a great film ".repeat(10_000))).notes,
      emoji: (await reader.explain("שלום 🎬 dull", { method: "occlusion" })).parts.map(({ name }) => name),
    };
  }, source);
  assert.match(found.empty.message, /The text is empty/);
  assert.match(found.spaces.message, /holds nothing that the tokenizer makes a token of/);
  assert.match(found.broken.message, /not UTF-8: byte 1 /);
  assert.equal(found.huge.code, "input_too_large");
  assert.match(found.none.message, /load it with a tokenizer/);
  assert.equal(found.vectors.code, "model_invalid");
  assert.equal(found.noTokenizer.code, "tokenizer_invalid");
  assert.match(found.foreign.message, /the rows 0 to 53/);
  assert.ok(found.long.some((note) => note.includes("the first 14")));
  assert.deepEqual(found.emoji.slice(0, 3), ["שלום", "🎬", "dull"]);
});

test("words are drawn coloured, and the keys go from one to the next", async () => {
  const shown = await page.evaluate(async (text) => {
    const { lab } = window;
    const element = document.createElement("div");
    document.body.append(element);
    const explanation = await lab.readers.transformer.explain(text, { method: "integrated_gradients" });
    lab.adversight.drawWords(element, explanation);
    const words = [...element.querySelectorAll("[data-part]")];
    words[0].focus();
    const press = (key) =>
      document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    const visited = [];
    for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft", "End", "Home"]) {
      press(key);
      visited.push(words.indexOf(document.activeElement));
    }
    const strongest = words.reduce((most, word) => {
      const strength = (one) => Number(/([\d.]+)\)$/.exec(one.style.backgroundColor)?.[1] ?? 1);
      return strength(word) > strength(most) ? word : most;
    });
    const found = {
      text: element.textContent,
      visited,
      strongest: strongest.textContent,
      said: strongest.getAttribute("aria-label"),
      stops: words.filter(({ tabIndex }) => tabIndex === 0).length,
    };
    element.remove();
    return found;
  }, cases[0].text);
  assert.equal(shown.text, cases[0].text);
  const last = cases[0].words.length - 1;
  assert.deepEqual(shown.visited, [1, 2, 1, last, 0]);
  assert.equal(shown.strongest, "glorified");
  assert.match(shown.said, /^glorified: \d+%, speaks for the answer \(\+0\.16/);
  assert.equal(shown.stops, 1);
});

test("the element shows a sentence with its words coloured", async () => {
  const shown = await page.evaluate(
    async ([source, text]) => {
      (await import("/package/element.js")).define();
      const element = document.createElement("adversight-explainer");
      Object.assign(element, { ...source, model: source.onnx, device: "cpu", text });
      const told = new Promise((resolve) => {
        element.addEventListener("adversight-explanation", ({ detail }) =>
          resolve({ method: detail.info.method }),
        );
        element.addEventListener("adversight-error", ({ detail }) => resolve({ error: detail.message }));
      });
      document.body.append(element);
      const result = await told;
      const root = element.shadowRoot;
      const found = {
        ...result,
        text: root.querySelector('[part="text"]').textContent,
        words: root.querySelectorAll("[data-part]").length,
        caption: root.querySelector("figcaption").textContent,
      };
      element.remove();
      return found;
    },
    [{ onnx: source.transformer.onnx, tokenizer: source.transformer.tokenizer }, cases[1].text],
  );
  assert.equal(shown.method, "integrated_gradients");
  assert.equal(shown.text, cases[1].text);
  assert.equal(shown.words, cases[1].words.length);
  assert.match(shown.caption, /speaks most for it/);
});

test("nothing has gone wrong beside", () => {
  assert.deepEqual(faults, []);
});

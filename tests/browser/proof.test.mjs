// The tests of an explanation: on the page with EfficientNet-Lite0 on the CPU, beside the same questions asked through the package.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { patience, visit } from "./visit.mjs";

let tour, page, at, text, until, client;
before(async () => {
  tour = await visit();
  ({ page, at, text, until } = tour);
  // The quickest method: what is tried here is the proof.
  await until(async () => (await at("method").locator("option").count()) > 0, "the methods");
  await at("method").selectOption("saliency");
  await at("sample-chelsea").click();
  await until(async () => (await at("sample-chelsea").getAttribute("aria-pressed")) === "true", "the cat");
  await tour.explained("saliency");

  // Somebody else's page asks the same of the same network, for the figures behind the page's words.
  ({ page: client } = await tour.browser.openPackage());
  await client.evaluate(async () => {
    const { lab } = window;
    lab.engine = await lab.adversight.createEngine({ device: "cpu" });
    const about = await lab.json("/demo/models/efficientnet_lite0.json");
    lab.model = await lab.engine.loadModel({
      onnx: "/demo/models/efficientnet_lite0.onnx",
      preprocessing: about.preprocessing,
    });
    const photo = await (await fetch("/demo/photos/chelsea.jpg")).blob();
    lab.input = await lab.model.prepare(photo);
    lab.saliency = await lab.model.explain(lab.input, { method: "saliency" });
    lab.target = lab.saliency.info.target.index;
    lab.probability = async (input, target = lab.target) => {
      const { top } = await lab.model.classify(input, { top: 1000 });
      return top.find(({ index }) => index === target).probability;
    };
  });
});
after(() => tour?.browser.close());

const panel = () => page.locator('[data-testid="proof-panel"]');
const settled = () =>
  page.locator('[data-testid="proof-panel"][data-state="ready"]').waitFor({ timeout: patience });
const running = () => page.locator('[data-testid="proof-panel"][data-state="busy"]').waitFor();
const expanded = (name) => at(`proof-${name}`).getAttribute("aria-expanded");
const open = async (name) => {
  if ((await expanded(name)) !== "true") await at(`proof-${name}`).click();
};
/** The next three texts that an element has. */
const texts = (testid) =>
  page.evaluate(
    (testid) =>
      new Promise((done) => {
        const element = document.querySelector(`[data-testid=${testid}]`);
        const said = [];
        new MutationObserver(() => {
          said.push(element.textContent);
          if (said.length === 3) done(said);
        }).observe(element, { childList: true });
      }),
    testid,
  );
/** A percentage as the page writes it, as an interval that holds the exact number. */
const interval = (words) => {
  const percent = words.trim().replaceAll("\u00a0", " ");
  if (percent.startsWith("<")) return [0, 0.001];
  if (percent.startsWith(">")) return [0.99, 1];
  const half = percent.includes(".") ? 0.0006 : 0.006;
  return [parseFloat(percent) / 100 - half, parseFloat(percent) / 100 + half];
};
const holds = (words, number, what) => {
  const [low, high] = interval(words);
  assert.ok(number >= low && number <= high, `${what}: ${words} is not ${number}`);
};
/** Ticks these boxes of a list, and no others. */
async function tick(list, wanted) {
  const names = await at(list)
    .locator("input")
    .evaluateAll((boxes) => boxes.map(({ value }) => value));
  for (const name of names) await at(`${list}-${name}`).setChecked(wanted.includes(name));
}
const pixels = (testid) =>
  at(testid).evaluate((canvas) => [
    ...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data,
  ]);
const number = (words) => parseFloat(words.replace("−", "-").replace(/[^\d.-]/g, ""));

/** The page begins by itself where that is quick, and else says what it costs. */
async function proveIt() {
  await page.waitForTimeout(100);
  if ((await panel().getAttribute("data-state")) === "ready" && (await at("prove-start").isVisible())) {
    assert.match(await text("prove-cost"), /^\d+ passes .* on your processor\.$/);
    await at("prove-start").click();
  }
  await at("prove-area-random").waitFor({ timeout: patience });
  await settled();
}

test("“Prove it” plays deletion, and its curve ends at the network's own probabilities", async (t) => {
  const words = await text("words");
  await at("proof-prove").focus();
  await page.keyboard.press("Enter");
  assert.equal(await expanded("prove"), "true");
  await proveIt();

  const expected = await client.evaluate(async () => {
    const { lab } = window;
    const { data, shape } = lab.input;
    const steps = { kind: "deletion", step: Math.ceil((shape[2] * shape[3]) / 50) };
    lab.game = await lab.model.play(lab.input, lab.saliency, steps);
    const y = lab.game.curve.y;
    return {
      ends: [y[0], y.at(-1)],
      photo: await lab.probability(lab.input),
      blank: await lab.probability({ data: new Float32Array(data.length), shape }),
      area: lab.game.area,
      points: y.length,
    };
  });
  assert.ok(Math.abs(expected.ends[0] - expected.photo) < 1e-5, JSON.stringify(expected));
  assert.ok(Math.abs(expected.ends[1] - expected.blank) < 1e-5, JSON.stringify(expected));
  const chart = await at("prove-chart").getAttribute("aria-label");
  const [, first, last] = /goes from (.+?%) to (.+?%)\.$/.exec(chart);
  holds(first, expected.photo, "the photograph");
  holds(last, expected.blank, "the blank picture");
  assert.match(await text("prove-area"), new RegExp(`area ${expected.area.toFixed(3)}$`));
  assert.equal(Number(await at("prove-slider").getAttribute("max")), expected.points - 1);
  assert.equal(await text("words"), words, "the explanation stays");
  assert.match(await text("prove-verdict"), /area 0\.\d{3}, in 5 random orders 0\.\d{3} to 0\.\d{3}/);
  t.diagnostic(await text("prove-verdict"));
});

test("any step is shown without the engine, by the arrow keys too, with as many pixels taken away as it says", async () => {
  if ((await text("prove-play")) === "Pause") await at("prove-play").click();
  await tour.calls();
  const slider = at("prove-slider");
  await slider.focus();
  await page.keyboard.press("Home");
  const whole = await pixels("prove-picture");
  await page.keyboard.press("End");
  const blank = await pixels("prove-picture");
  assert.equal(new Set(blank.filter((_, i) => i % 4 === 0)).size, 1, "at the end it is one colour");
  await page.keyboard.press("Home");
  for (let press = 0; press < 10; press++) await page.keyboard.press("ArrowRight");
  assert.equal(await slider.inputValue(), "10");
  const some = await pixels("prove-picture");
  const { step, ranks, score } = await client.evaluate(() => {
    const { lab } = window;
    const { step, ranks, curve } = lab.game;
    return { step, ranks: [...ranks], score: curve.y[10] };
  });
  let taken = 0;
  for (let pixel = 0; pixel < ranks.length; pixel++) {
    const from = ranks[pixel] < 10 * step ? blank : whole;
    const same = [0, 1, 2].every((channel) => some[4 * pixel + channel] === from[4 * pixel + channel]);
    assert.ok(same, `pixel ${pixel} of rank ${ranks[pixel]}`);
    if (ranks[pixel] < 10 * step) taken++;
  }
  const said = await slider.getAttribute("aria-valuetext");
  const [, part, probability] = /^(.+?%) of the pixels taken away: .* (.+?%)$/.exec(said);
  holds(part, taken / ranks.length, "the part of the pixels");
  holds(probability, score, "the score there");
  assert.deepEqual(await tour.calls(), [], "nothing is computed for it");
});

test("it plays and pauses by the keyboard, and says the score at each tenth", async () => {
  await at("prove-slider").fill("0");
  await at("prove-play").focus();
  const heard = texts("prove-said");
  await page.keyboard.press("Space");
  assert.equal(await text("prove-play"), "Pause");
  for (const sentence of await heard) assert.match(sentence, /^.*% of the pixels taken away: “.*” .*%\.$/);
  await page.keyboard.press("Space");
  assert.equal(await text("prove-play"), "Play");
  const stopped = await at("prove-slider").inputValue();
  assert.ok(Number(stopped) >= 5, stopped);
  await page.waitForTimeout(300);
  assert.equal(await at("prove-slider").inputValue(), stopped);
});

test("for one who wants less motion nothing moves by itself, and playing goes from tenth to tenth", async () => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.getByTestId("game-insertion").check({ force: true });
  await proveIt();
  await page.waitForTimeout(500);
  assert.equal(await at("prove-slider").inputValue(), "0");
  const places = texts("prove-now").then((said) => said.map((text) => parseInt(text)));
  await at("prove-play").click();
  assert.deepEqual(await places, [10, 20, 30]);
  await at("prove-play").click();
  await page.emulateMedia({ reducedMotion: "no-preference" });
  const chart = await at("prove-chart").getAttribute("aria-label");
  const photo = await client.evaluate(() => window.lab.probability(window.lab.input));
  holds(/ to (.+?%)\.$/.exec(chart)[1], photo, "with all pixels put back");
});

test("the table marks the best of each column, and agrees with the curve", async (t) => {
  await open("compare");
  assert.match(
    await text("compare-cost"),
    /^[\d,]+ passes through the network at most, (about|less).* processor\.$/,
  );
  await at("compare-methods").locator("summary").click();
  await tick("compare-methods", ["saliency", "grad_cam", "input_x_gradient"]);
  await at("compare-start").click();
  await running();
  assert.equal(await at("compare-start").isVisible(), false, "its progress stands in its place");
  await settled();
  const rows = await at("compare-table")
    .locator("tbody tr")
    .evaluateAll((rows) =>
      rows.map((row) => ({
        method: row.dataset.method,
        cells: Object.fromEntries(
          [...row.querySelectorAll("td[data-metric]")].map((cell) => [
            cell.dataset.metric,
            { value: parseFloat(cell.textContent), best: cell.classList.contains("best") },
          ]),
        ),
      })),
    );
  assert.deepEqual(
    rows.map(({ method }) => method),
    ["random", "saliency", "input_x_gradient", "grad_cam"],
  );
  for (const [metric, best] of [
    ["insertion", Math.max],
    ["deletion", Math.min],
  ]) {
    const values = rows.slice(1).map(({ cells }) => cells[metric].value);
    assert.ok(
      values.every((value) => value > 0 && value < 1),
      `${metric}: ${values}`,
    );
    const marked = rows.filter(({ cells }) => cells[metric].best).map(({ cells }) => cells[metric].value);
    assert.deepEqual(new Set(marked), new Set([best(...values)]), `${metric}: ${values}`);
    t.diagnostic(
      `${metric}: ${rows.map(({ method, cells }) => `${method} ${cells[metric].value}`).join(", ")}`,
    );
  }
  assert.ok(
    rows.every(({ cells }) => !cells.sparseness.best),
    "what only describes has no best",
  );
  const area = await client.evaluate(() => window.lab.game.area);
  assert.ok(
    Math.abs(rows[1].cells.deletion.value - area) < 0.0006,
    `${rows[1].cells.deletion.value}, not ${area}`,
  );
});

test("a test is ended by Escape, and by another photograph, and the explanation stays whole", async () => {
  await at("compare-start").click();
  await running();
  await page.keyboard.press("Escape");
  await settled();
  assert.equal(await at("banner").isVisible(), false, "to cancel is no fault");
  assert.equal(await page.locator("main").getAttribute("data-explained"), "saliency");
  assert.ok(await at("compare-start").isEnabled());

  await at("compare-start").click();
  await running();
  await at("sample-coffee").click();
  await until(async () => (await at("sample-coffee").getAttribute("aria-pressed")) === "true", "the coffee");
  await tour.explained("saliency");
  await settled();
  assert.equal(await at("compare-table").isVisible(), false, "the table was the other photograph's");
  await open("prove");
  await proveIt();
  assert.match(await at("prove-chart").getAttribute("aria-label"), /espresso|cup|coffee/i);
  await at("sample-chelsea").click();
  await until(async () => (await at("sample-chelsea").getAttribute("aria-pressed")) === "true", "the cat");
  await tour.explained("saliency");
});

test("an attack that no eye sees turns the answer, and the maps of both are compared", async (t) => {
  await open("attack");
  await at("attack-strength-4").check({ force: true });
  await at("attack-methods").locator("summary").click();
  await tick("attack-methods", ["saliency", "grad_cam"]);
  assert.match(await text("attack-cost"), /^\d+ passes/);
  await at("attack-start").click();
  await at("pair-grad_cam").waitFor({ timeout: patience });
  await settled();

  const expected = await client.evaluate(async () => {
    const { lab } = window;
    const found = await lab.model.attack(lab.input, { epsilon: 4 / 255, steps: 10 });
    const answer = (await lab.model.classify(found.input, { top: 1 })).top[0];
    const [, , height, width] = lab.input.shape;
    const attacked = await lab.model.explain(found.input, { method: "saliency", target: lab.target });
    const [rank] = await lab.model.measure(found.input, attacked, {
      metrics: ["spearman"],
      reference: lab.saliency.attribution,
    });
    const retrieved = await lab.model.retrieve(found.input, attacked, { top: 1 });
    lab.attacked = found;
    return {
      before: found.before[0],
      after: found.after[0],
      answer,
      linf: found.linf,
      pixels: height * width,
      rank: rank.value,
      retrieved: retrieved.top[0].index === lab.target,
    };
  });
  const { before, after, answer, linf } = expected;
  assert.notEqual(after.index, before.index, "the prediction flips");
  assert.equal(answer.index, after.index, "the network itself says so");
  assert.ok(Math.abs(answer.probability - after.probability) < 1e-5);
  assert.ok(linf <= 4 / 255 + 1e-6 && linf > 3.9 / 255, `${linf}`);

  const captions = await at("attack-pictures").locator("figcaption").allTextContents();
  holds(/([<>]?\s?[\d.]+%)/.exec(captions[0])[1], before.probability, "before");
  const verdict = await text("attack-verdict");
  assert.match(verdict, /The attack works: the network now says “.*” \(.*%\) instead of “.*”\./);
  const survived = (await at("pair-saliency").getAttribute("data-survived")) === "true";
  assert.equal(survived, expected.retrieved);
  assert.equal(number(await text("pair-rank-saliency")), Number(expected.rank.toFixed(2)));
  assert.match(verdict, /survived/);
  t.diagnostic(verdict);

  const [clean, turned] = await at("attack-pictures")
    .locator("canvas")
    .evaluateAll((canvases) =>
      [canvases[0], canvases[2]].map((canvas) => [
        ...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data,
      ]),
    );
  assert.equal(clean.length, 4 * expected.pixels);
  const most = clean.reduce((most, byte, i) => Math.max(most, Math.abs(byte - turned[i])), 0);
  const changed = clean.filter((byte, i) => byte !== turned[i]).length / clean.length;
  assert.ok(most >= 3 && most <= 5, `the largest change of a byte is ${most}`);
  assert.ok(changed > 0.5, `${changed} of the bytes have changed`);
});

test("a network that has forgotten gets another map, and the check says so", async (t) => {
  await open("edges");
  await at("edges-start").click();
  await running();
  await settled();
  const { layers, rank } = await client.evaluate(async () => {
    const { lab } = window;
    const layers = await lab.model.layers();
    const forgetful = await lab.model.randomise({ seed: 1 });
    const other = await forgetful.explain(lab.input, { method: "saliency", target: lab.target });
    const [rank] = await lab.model.measure(lab.input, lab.saliency, {
      metrics: [{ name: "spearman", params: { magnitudes: true } }],
      reference: other.attribution,
    });
    forgetful.close();
    return { layers: layers.length, rank: rank.value };
  });
  const tiles = await at("edges-tiles")
    .locator("li")
    .evaluateAll((tiles) => tiles.map((tile) => tile.dataset.testid));
  assert.deepEqual(tiles, [
    "tile-own",
    "tile-1",
    `tile-${Math.ceil(layers / 2)}`,
    `tile-${layers}`,
    "tile-edges",
  ]);
  assert.equal(number(await text(`tile-${layers}-rank`)), Number(rank.toFixed(2)));
  assert.match(
    await text("edges-verdict"),
    rank < 0.3 ? /^Saliency passes:/ : rank > 0.6 ? /fails/ : /in part/,
  );
  t.diagnostic(await text("edges-verdict"));
});

test("another network begins anew", async () => {
  await at("model").selectOption("squeezenet1_1");
  await until(async () => (await at("edges-tiles").isVisible()) === false, "nothing of the other network");
  await tour.explained("saliency");
  await open("prove");
  await proveIt();
  assert.match(await text("prove-verdict"), /area/);
});

test("nothing was sent anywhere, and nothing broke", () => {
  const own = (url) => !new URL(url).pathname.match(/^\/(package|page|fixtures)\//);
  assert.deepEqual(tour.strangers().filter(own), []);
  assert.deepEqual(tour.faults, []);
});

test("the tiny network in the browser gives the native engine's figures and Captum's attack, on CPU and WebGPU", async (t) => {
  const other = await openBrowser({ webgpu: true });
  try {
    const { page: lab, faults } = await other.openPackage();
    const found = await lab.evaluate(async () => {
      const { lab } = window;
      const { createEngine } = lab.adversight;
      const index = await lab.json("/fixtures/tiny/index.json");
      const input = await lab.tensorOf("/fixtures/tiny/a.png", index.networks.tiny.preprocessing);
      const { cases } = await lab.json("/fixtures/perturbation/index.json");
      const captum = cases.filter(({ method, params }) => method === "attack" && !("half" in params));
      const native = await lab.json("/fixtures/tiny/proof.json");
      const results = [];
      for (const options of [{ device: "cpu" }, { device: "webgpu", worker: false }]) {
        const engine = await createEngine(options);
        const model = await lab.loadTiny(engine);
        const saliency = await model.explain(input, { method: "saliency" });
        const play = async (rules) =>
          (await model.play(input, saliency, { step: 64, seed: 3, ...rules })).area;
        const attacked = await model.attack(input, {
          epsilon: 8 / 255,
          randomStart: true,
          seed: 11,
          top: 10,
        });
        const forgetful = await model.randomise({ layers: 2, seed: 5 });
        const attacks = [];
        // SwiftShader takes its time: of each space one there.
        const some = captum.filter((_, i) => options.device === "cpu" || i % 2 === 1);
        for (const { params, target, file } of some) {
          // Black and white of this network are -2 and 2, the range of Captum's: an attack on pixels from 0 to 1.
          const [space, unit] = "range" in params ? ["pixel", 0.25] : ["model", 1];
          const { change } = await model.attack(input, {
            norm: "l2" in params ? "l2" : "linf",
            epsilon: params.epsilon * unit,
            step: params.step * unit,
            steps: params.steps,
            towards: "targeted" in params ? target : null,
            space,
          });
          const expected = await lab.npy(`/fixtures/perturbation/${file}`);
          const found = change.data.map((value) => value / unit);
          attacks.push({ file, ...lab.agreement(found, expected.data) });
        }
        const [measured] = await model.measure(input, saliency, {
          metrics: ["randomisation"],
          randomised: forgetful,
        });
        const unsuited = await lab.outcome(() => model.measure(input, saliency, { metrics: ["ablation"] }));
        const misshapen = await lab.outcome(() =>
          model.play(input, { data: new Float32Array(4), shape: [1, 1, 2, 2] }, { target: 1 }),
        );
        results.push({
          device: engine.device.kind,
          deletion: await play({ kind: "deletion" }),
          insertion: await play({ kind: "insertion" }),
          random: await play({ order: "random" }),
          classes: attacked.after.map(({ index }) => index),
          probabilities: attacked.after.map(({ probability }) => probability),
          l2: attacked.l2,
          layers: (await model.layers()).length,
          logits: [...(await forgetful.logits(input)).data],
          attacks,
          randomisation: measured.value,
          codes: [unsuited.error?.code, misshapen.error?.code],
        });
        engine.close();
      }
      return { results, native };
    });
    const { results, native } = found;
    for (const result of results) {
      const near = (actual, expected, tolerance, what) =>
        assert.ok(
          Math.abs(actual - expected) <= tolerance,
          `${what} on ${result.device}: ${actual}, not ${expected}`,
        );
      near(result.deletion, native.deletion, 1e-4, "deletion");
      near(result.insertion, native.insertion, 1e-4, "insertion");
      near(result.random, native.deletion_at_random, 1e-4, "deletion at random");
      near(result.l2, native.attack.l2, 1e-3, "the change");
      assert.deepEqual(result.classes.slice(0, 3), native.attack.classes.slice(0, 3));
      native.attack.probabilities.forEach((p, i) => near(result.probabilities[i], p, 1e-3, "a probability"));
      assert.equal(result.layers, native.layers);
      native.forgetful_logits.forEach((logit, i) => near(result.logits[i], logit, 1e-3, "a forgetful logit"));
      assert.equal(result.attacks.length, result.device === "cpu" ? 4 : 2);
      for (const { file, l2 } of result.attacks) assert.ok(l2 < 1e-3, `${file} on ${result.device}: ${l2}`);
      assert.deepEqual(result.codes, ["metric_unsuited", "map_shape"]);
      t.diagnostic(
        `${result.device}: relative l2 to Captum ${result.attacks.map(({ l2 }) => l2.toExponential(1)).join(", ")}`,
      );
    }
    assert.deepEqual(
      results.map(({ device }) => device),
      ["cpu", "webgpu"],
    );
    assert.ok(Math.abs(results[0].randomisation - results[1].randomisation) < 1e-3);
    assert.deepEqual(faults, []);
  } finally {
    await other.close();
  }
});

// Sounds in a browser: decoded there by the same code as natively, explained, and heard.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";

let browser, page, faults;
before(async () => {
  browser = await openBrowser({ webgpu: false });
  ({ page, faults } = await browser.openPackage());
  await page.evaluate(async () => {
    const adversight = await import("/package/index.js");
    const engine = await adversight.createEngine({ device: "cpu" });
    const file = async (name) => (await fetch(`/fixtures/sound/${name}`)).blob();
    const load = (options = {}) =>
      engine.loadModel({
        onnx: "/fixtures/sound/tones.onnx",
        labels: ["low", "high"],
        sound: {},
        ...options,
      });
    globalThis.hearing = { adversight, engine, file, load };
  });
});
after(() => browser?.close());

test("a file, samples and an AudioBuffer get the same answer, which is onnxruntime's", async () => {
  const found = await page.evaluate(async () => {
    const { adversight, file, load } = globalThis.hearing;
    const model = await load();
    const blob = await file("tones.wav");
    const ours = await model.classify(blob, { top: 2 });
    const { sound } = await model.heard(blob, await model.explain(blob, { method: "saliency" }));
    const samples = await model.classify(
      { samples: sound.channels[0], sampleRate: sound.sampleRate },
      { top: 2 },
    );
    const buffer = new AudioBuffer({ length: sound.channels[0].length, sampleRate: sound.sampleRate });
    buffer.copyToChannel(sound.channels[0], 0);
    const audio = await model.classify(buffer, { top: 2 });
    const saved = await model.classify(adversight.soundFile(sound), { top: 2 });
    return [ours, samples, audio, saved].map(({ top }) => [top[0].label, top[0].probability]);
  });
  for (const [label, probability] of found) {
    assert.equal(label, "low");
    assert.ok(Math.abs(probability - 0.616092) < 1e-3, String(probability));
  }
  assert.ok(Math.abs(found[0][1] - 0.616092) < 1e-5);
});

test("each kind of file is decoded, and sounds of other lengths follow each other", async () => {
  const seconds = await page.evaluate(async () => {
    const { file, load } = globalThis.hearing;
    const model = await load();
    const found = [];
    for (const name of ["three.wav", "three.flac", "three.mp3", "three.ogg", "tones.wav"]) {
      const { sound, words } = await model.explain(await file(name), { method: "saliency" });
      found.push([sound.length / sound.rate, words.join(" ")]);
    }
    return found;
  });
  for (const [length] of seconds.slice(0, 4)) assert.ok(Math.abs(length - 0.61) < 0.06, String(length));
  assert.equal(seconds[4][0], 1);
  assert.match(seconds[0][1], /22050 samples a second were made the network.s 16000/);
});

test("what mattered is heard, and what is left is the rest", async () => {
  const { parts, words, only, left, place } = await page.evaluate(async () => {
    const { adversight, file, load } = globalThis.hearing;
    const model = await load();
    const blob = await file("tones.wav");
    const explanation = await model.explain(blob, { method: "integrated_gradients", target: 1 });
    const heard = await model.heard(blob, explanation);
    const tone = (samples, hertz, from, to) => {
      let [sine, cosine] = [0, 0];
      for (let n = from; n < to; n++) {
        sine += samples[n] * Math.sin((2 * Math.PI * hertz * n) / 16_000);
        cosine += samples[n] * Math.cos((2 * Math.PI * hertz * n) / 16_000);
      }
      return (2 * Math.hypot(sine, cosine)) / (to - from);
    };
    const tones = ({ channels: [samples] }) => [
      tone(samples, 500, 2400, 5600),
      tone(samples, 2000, 10_400, 13_600),
    ];
    const cells = adversight.spectrogram(await model.prepare(blob));
    const place = adversight.soundPlace(explanation, 0.75, adversight.pitchHeight(2000, 16_000), cells);
    const { parts, words } = explanation;
    return {
      parts: parts.length,
      words: words.join(" "),
      only: tones(heard.only),
      left: tones(heard.left),
      place,
    };
  });
  assert.ok(parts > 50);
  assert.match(words, / to 0\.\d+ s, .* Hz/);
  assert.ok(only[1] > 0.1 && only[0] < 0.01 * only[1], String(only));
  assert.ok(left[0] > 0.2, String(left));
  assert.ok(place.decibels > -20 && place.share > 0.01, JSON.stringify(place));
});

test("an attack stays below the sound and can be heard", async () => {
  const { ratio, before, after } = await page.evaluate(async () => {
    const { adversight, file, load } = globalThis.hearing;
    const model = await load();
    const blob = await file("tones.wav");
    const prepared = await model.prepare(blob);
    const epsilon = adversight.attackLimit(prepared, 20);
    const attacked = await model.attack(blob, { norm: "l2", epsilon, towards: 1, top: 2 });
    const [sound, changed] = [await model.soundOf(prepared), await model.soundOf(attacked.input)];
    const high = (top) => top.find(({ index }) => index === 1).probability;
    return {
      ratio: adversight.signalToNoise(sound, changed),
      before: high(attacked.before),
      after: high(attacked.after),
    };
  });
  assert.ok(ratio > 19 && ratio < 40, String(ratio));
  assert.ok(after > before + 0.02, `${before} ${after}`);
});

test("what cannot be heard is refused, each with its own sentence, and the engine lives on", async () => {
  const errors = await page.evaluate(async () => {
    const { adversight, engine, file, load } = globalThis.hearing;
    const model = await load();
    const wav = new Uint8Array(await (await file("three.wav")).arrayBuffer());
    const changed = (at, ...bytes) => {
      const copy = wav.slice();
      copy.set(bytes, at);
      return new Blob([copy]);
    };
    const pictures = await engine.loadModel({
      onnx: "/fixtures/tiny.onnx",
      preprocessing: "/fixtures/tiny.json",
    });
    const refused = async (call) => {
      try {
        await call();
        return "nothing";
      } catch (error) {
        return `${error.code}: ${error.message}`;
      }
    };
    const silent = (length, value = 0) => ({
      samples: new Float32Array(length).fill(value),
      sampleRate: 16_000,
    });
    return {
      empty: await refused(() => model.classify(silent(0))),
      one: await refused(() => model.classify(silent(1))),
      nan: await refused(() => model.classify(silent(16_000, NaN))),
      long: await refused(() => model.classify(silent(16_000 * 601))),
      rate: await refused(() => model.classify(changed(24, 3, 0, 0, 0))),
      video: await refused(() =>
        model.classify(
          new Blob([
            new Uint8Array([
              0,
              0,
              0,
              24,
              ...Array.from("ftypisom", (c) => c.charCodeAt(0)),
              ...new Array(40).fill(0),
            ]),
          ]),
        ),
      ),
      picture: await refused(async () => pictures.classify(await file("three.wav"))),
      microphone: await refused(() => adversight.recordSound({ seconds: 0.1 })),
      after: (await model.classify(await file("tones.wav"))).top[0].label,
    };
  });
  assert.match(errors.empty, /input_invalid: .*length of zero/);
  assert.match(errors.one, /input_invalid: .*single sample/);
  assert.match(errors.nan, /input_not_finite: .*no finite number/);
  assert.match(errors.long, /input_too_large: .*10 minutes/);
  assert.match(errors.rate, /input_invalid: .*3 samples a second/);
  assert.match(errors.video, /input_invalid: .*no sound in the file/);
  assert.match(errors.picture, /input_invalid: This is a sound, and the network takes none/);
  assert.match(errors.microphone, /input_invalid: .*microphone/i);
  assert.equal(errors.after, "low");
});

test("the element shows a sound, its map and its words, and plays its parts", async () => {
  await page.evaluate(async () => (await import("/package/element.js")).define());
  const shown = await page.evaluate(async () => {
    const element = document.createElement("adversight-explainer");
    const attributes = {
      model: "/fixtures/sound/tones.onnx",
      audio: "/fixtures/sound/tones.wav",
      method: "saliency",
      device: "cpu",
    };
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    const told = new Promise((resolve) => {
      element.addEventListener("adversight-explanation", resolve);
      element.addEventListener("adversight-error", ({ detail }) => resolve(detail));
    });
    document.body.append(element);
    await told;
    const root = element.shadowRoot;
    const picture = root.querySelector('[part="spectrogram"]');
    const caption = root.querySelector("figcaption").textContent;
    if (!picture) return { caption };
    const { data } = picture.getContext("2d").getImageData(0, 0, picture.width, picture.height);
    picture.focus();
    picture.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
    const place = root.querySelector('[part="place"]').textContent;
    const buttons = [...root.querySelectorAll("button[data-part]")].map(({ textContent, disabled }) => [
      textContent,
      disabled,
    ]);
    const label = picture.getAttribute("aria-label");
    element.remove();
    return { caption, colours: new Set(data).size, place, buttons, label };
  });
  assert.match(shown.caption, /What counts for it lies mostly in .* s, .* Hz/);
  assert.ok(shown.colours > 50, String(shown.colours));
  assert.match(shown.place, /^0\.52 s, .*% of what counts$/);
  assert.deepEqual(
    shown.buttons.map(([, disabled]) => disabled),
    [false, false, false],
  );
  assert.match(shown.label, /Spectrogram of 1\.00 seconds/);
});

test("nothing failed unseen", () => {
  assert.deepEqual(faults, []);
});

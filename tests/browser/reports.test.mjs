// Reports of people who embed such packages (docs/consumer-reports.md) that no other test has: what a browser lacks or refuses, and what its decoders make of files.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { onnxFile } from "./graph.mjs";

let browser, isolated;
before(async () => {
  browser = await openBrowser({ webgpu: false });
  isolated = await openBrowser({ webgpu: false, isolated: true });
});
after(async () => {
  await browser?.close();
  await isolated?.close();
});

test("without WebAssembly, as in Apple's Lockdown Mode, the error says so", async () => {
  const { page } = await browser.openPackage();
  const { error } = await page.evaluate(async () => {
    delete globalThis.WebAssembly;
    return window.lab.outcome(() => window.lab.adversight.createEngine());
  });
  assert.equal(error.code, "device_unavailable");
  assert.match(error.message, /WebAssembly switched off/);
  await page.close();
});

test("where a large shared memory is refused, as on iOS, one thread computes", async () => {
  // In the worker, before its own script; a helper would say what it asked for.
  const refusing = `
    const { Memory } = WebAssembly;
    WebAssembly.Memory = function (limits) {
      if (limits.shared) throw new RangeError("WebAssembly.Memory(): could not allocate memory");
      return new Memory(limits);
    };
  `;
  const script = readFileSync(new URL("../../pkg/dist/worker.js", import.meta.url), "utf8");
  isolated.instead.set("worker.js", refusing + script);
  const { page, faults } = await isolated.openPackage();
  const got = await page.evaluate(async () => {
    const { lab } = window;
    const engine = await lab.adversight.createEngine({ device: "cpu", threads: 2 });
    const model = await lab.loadTiny(engine);
    const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
    const { top } = await model.classify(picture);
    engine.close();
    return { threads: engine.device.threads, best: top[0].index, isolated: crossOriginIsolated };
  });
  isolated.instead.delete("worker.js");
  assert.deepEqual(got, { threads: 1, best: 6, isolated: true });
  assert.deepEqual(faults, []);
  await page.close();
});

/**
 * What Chromium's decoders make otherwise than Pillow, which is theirs: a page gets the pixels after that. Everything else has to agree within the
 * tolerance of the file.
 */
const otherwise = {
  // Chromium brings four inks to RGB in its own way.
  "four_inks.jpg": 255,
  "four_inks_progressive.jpg": 255,
  "ycck.jpg": 255,
  // Of a transparent pixel Chromium's decoder of GIF keeps no colour.
  "palette_transparency.gif": 255,
  "part_clear.gif": 255,
  "part_opaque.gif": 255,
  // Sixteen bits become eight by another rounding.
  "grey_16.png": 1,
};

test("files are decoded as Pillow does: turned by EXIF, Display P3 and Adobe RGB brought to sRGB, palettes, opacity, films", async (t) => {
  const folder = new URL("../fixtures/pictures/", import.meta.url);
  const { files } = JSON.parse(readFileSync(new URL("index.json", folder), "utf8"));
  const types = {
    png: "image/png",
    jpg: "image/jpeg",
    webp: "image/webp",
    gif: "image/gif",
    bmp: "image/bmp",
  };
  const cases = files.filter(({ file }) => file.split(".").pop() in types);
  assert.ok(cases.length > 60);
  const networks = {};
  for (const { width, height } of cases) {
    networks[`${width}x${height}`] ??= onnxFile({
      inputs: [["x", "float32", [1, 3, height, width]]],
      outputs: [["y", "float32", [1, 3 * width * height]]],
      nodes: [["Flatten", ["x"], ["y"], { axis: 1 }]],
    }).toString("base64");
  }
  const { page } = await browser.openPackage();
  const found = await page.evaluate(
    async ({ networks, cases }) => {
      const { lab } = window;
      const decode = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const engine = await lab.adversight.createEngine({ device: "cpu" });
      const models = {};
      for (const [size, onnx] of Object.entries(networks)) {
        models[size] = await engine.loadModel({
          onnx: decode(onnx),
          preprocessing: {
            do_resize: false,
            do_center_crop: false,
            do_rescale: false,
            do_normalize: false,
          },
        });
      }
      const found = {};
      for (const { file, type, width, height } of cases) {
        const blob = new Blob([await lab.bytes(`/fixtures/pictures/${file}`)], { type });
        const { value, error } = await lab.outcome(async () => {
          const { data, shape } = await models[`${width}x${height}`].prepare(blob);
          const size = shape[2] * shape[3];
          return {
            shape,
            rgb: Array.from({ length: 3 * size }, (_, i) => data[(i % 3) * size + Math.floor(i / 3)]),
          };
        });
        found[file] = value ?? error;
      }
      engine.close();
      return found;
    },
    {
      networks,
      cases: cases.map(({ rgb: _, ...rest }) => ({ ...rest, type: types[rest.file.split(".").pop()] })),
    },
  );
  await page.close();
  const apart = {};
  for (const { file, rgb, tolerance } of cases) {
    const right = Buffer.from(rgb, "hex");
    const got = found[file];
    if (!got.rgb || got.rgb.length !== right.length) apart[file] = got.message ?? `of shape ${got.shape}`;
    else {
      const most = Math.max(...got.rgb.map((value, i) => Math.abs(value - right[i])));
      // A browser's own decoders of JPEG and of colour profiles round in another way than Pillow's.
      const limit = otherwise[file] ?? tolerance + (tolerance > 0 ? 1 : 0);
      if (most > limit) apart[file] = most;
    }
  }
  t.diagnostic(`${cases.length} files`);
  assert.deepEqual(apart, {});
});

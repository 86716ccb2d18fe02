// Draws the pictures of the documentation's methods anew: what each method, with its quick settings, says of one photograph and one network. It drives a browser with
// the built package, and writes docs/site/pictures/NAME.webp; names of methods may be given.
//
//     CHROMIUM=/usr/bin/chromium node docs/site/pictures.mjs [grad_cam ...]

import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fileIn, serve } from "../../xtask/server.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const require = createRequire(`${root}tests/browser/package.json`);
const { chromium } = (
  await import(pathToFileURL(require.resolve("playwright-core")).href)
).default;

const server = await serve({
  headers: {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
  },
  find(path) {
    if (path === "/index.html")
      return { text: '<!doctype html><link rel="icon" href="data:,">' };
    const file = fileIn(root, path);
    return file && { file };
  },
});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
try {
  const page = await browser.newPage();
  await page.goto(`${server.origin}/index.html`);
  const names = await page.evaluate(async () => {
    const adversight = await import("/pkg/dist/index.js");
    const engine = await adversight.createEngine({ device: "cpu" });
    const models = "/www/public/models/";
    const model = await engine.loadModel({
      onnx: `${models}efficientnet_lite0.onnx`,
      preprocessing: `${models}efficientnet_lite0.json`,
      labels: `${models}imagenet.json`,
    });
    const photograph = await (
      await fetch("/www/public/photos/coffee.jpg")
    ).blob();
    const bitmap = await adversight.decodeImage(photograph);
    Object.assign(globalThis, { adversight, engine, model, bitmap });
    const applies = new Map(
      model.info.methods.map((method) => [method.name, method]),
    );
    return engine
      .methods()
      .map(({ name, quick }) => ({ name, quick, told: applies.get(name) }));
  });
  mkdirSync(new URL("pictures/", import.meta.url), { recursive: true });
  const wanted = process.argv.slice(2);
  for (const { name, quick } of names) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const { picture, error, took } = await page.evaluate(
      async ({ name, quick }) => {
        const { adversight, engine, model, bitmap } = globalThis;
        const begin = performance.now();
        try {
          const explanation = await model.explain(bitmap, {
            method: adversight.anyName(name),
            params: quick ?? {},
            seed: 1,
          });
          const canvas = document.createElement("canvas");
          adversight.drawExplanation(canvas, bitmap, explanation, {
            colours: engine.colourMap("magma"),
            view: "overlay",
            opacity: 0.85,
            maxSide: 480,
          });
          const picture = canvas.toDataURL("image/webp", 0.8).split(",")[1];
          return { picture, took: Math.round(performance.now() - begin) };
        } catch (error) {
          return { error: `${error.code}: ${error.message}` };
        }
      },
      { name, quick },
    );
    if (picture)
      writeFileSync(
        new URL(`pictures/${name}.webp`, import.meta.url),
        Buffer.from(picture, "base64"),
      );
    console.log(`${name}: ${error ?? `${took} ms`}`);
  }
} finally {
  await browser.close();
  server.close();
}

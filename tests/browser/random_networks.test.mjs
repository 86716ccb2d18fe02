// Networks that were drawn block by block (tests/reference/random_networks.py), in a browser on the CPU and by WebGPU: the same logits and
// gradients as PyTorch's in 64 bits. (ADVERSIGHT_RANDOM_NETWORKS names another folder of them.)

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseNpy } from "../../pkg/dist/values.js";
import { openBrowser } from "./browser.mjs";
import { randomNetworks as folder } from "./server.mjs";

const all = readdirSync(folder).sort();
/** SwiftShader takes a second for the shaders of a network: some of them, and all by `cargo xtask test --thorough`. */
const every = process.env.ADVERSIGHT_THOROUGH === "1" ? { cpu: 1, webgpu: 1 } : { cpu: 2, webgpu: 4 };

let browser;
before(async () => (browser = await openBrowser({ webgpu: true })));
after(() => browser?.close());

const norm = (values) => Math.hypot(...values);
const difference = (a, b) => norm(Array.from(a, (value, index) => value - b[index])) / norm(b);

for (const device of ["cpu", "webgpu"]) {
  const names = all.filter((_, index) => index % every[device] === 0);
  test(`${names.length} networks agree with PyTorch: ${device}`, async () => {
    const { page, faults } = await browser.openPackage();
    await page.evaluate(async (device) => {
      const { lab } = window;
      const engine = await lab.adversight.createEngine({ device });
      lab.ask = async (name, target) => {
        const get = (file) => lab.bytes(`/random/${name}/${file}`);
        const model = await engine.loadModel({ onnx: await get("model.onnx") });
        try {
          const input = lab.adversight.parseNpy(await get("input.npy"));
          const { top } = await model.classify(input, { top: 10 });
          const { attribution } = await model.explain(input, {
            method: "input_x_gradient",
            target,
            params: { score: "logit" },
          });
          const logits = top.map(({ index, logit }) => [index, logit]);
          return { logits, product: Array.from(attribution.data) };
        } finally {
          model.close();
        }
      };
    }, device);
    const wrong = [];
    for (const name of names) {
      const read = (file) => parseNpy(readFileSync(join(folder, name, file))).data;
      const about = JSON.parse(readFileSync(join(folder, name, "about.json"), "utf8"));
      const [input, logits, gradient] = ["input.npy", "logits.npy", "gradient.npy"].map(read);
      const outcome = await page
        .evaluate(([name, target]) => window.lab.ask(name, target), [name, about.target])
        .catch((error) => ({ error: error.message }));
      if (outcome.error) {
        wrong.push(`${name}: ${outcome.error}`);
        continue;
      }
      const size = Math.max(1, ...Array.from(logits, Math.abs));
      const off = Math.max(...outcome.logits.map(([index, logit]) => Math.abs(logit - logits[index])));
      if (outcome.logits.length !== logits.length || !(off < 2e-4 * size)) {
        wrong.push(`${name}: its logits differ by ${off}`);
      }
      const product = Array.from(gradient, (slope, index) => slope * input[index]);
      const far = difference(outcome.product, product);
      if (!(far < 3e-4 + 20 * about.noise)) wrong.push(`${name}: its gradient differs by ${far}`);
    }
    assert.deepEqual(wrong, []);
    assert.deepEqual(faults, []);
    await page.context().close();
  });
}

// A long day in one page: many explanations, elements, aborted calls, engines. Nothing may pile up. `cargo xtask test --thorough` makes it ten times as long.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openBrowser, until } from "./browser.mjs";

const times = process.env.ADVERSIGHT_THOROUGH === "1" ? 10 : 1;

test("explanations, elements put in and taken out, and aborted calls leave memory flat and no worker", async (t) => {
  const browser = await openBrowser({ webgpu: false, args: ["--js-flags=--expose-gc"] });
  // What nobody needs any more is collected before it is measured, in the workers too.
  const collect = 'new BroadcastChannel("collect").onmessage = ({ data }) => data === "now" && gc();';
  const script = readFileSync(new URL("../../pkg/dist/worker.js", import.meta.url), "utf8");
  browser.instead.set("worker.js", `${collect}${script}`);
  try {
    const { page, faults } = await browser.openPackage();
    const session = await browser.session();
    /** What all processes of the browser's pages hold, in MB (Linux tells; elsewhere the script's heap counts). */
    const memory = async () => {
      await page.evaluate(async () => {
        for (let i = 0; i < 2; i++) {
          window.gc();
          new BroadcastChannel("collect").postMessage("now");
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
      });
      if (process.platform !== "linux") return page.evaluate(() => performance.memory.usedJSHeapSize / 1e6);
      const { processInfo } = await session.send("SystemInfo.getProcessInfo");
      const pages = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
      const anonymous = (id) =>
        Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))[1]) / 1000;
      return pages.reduce((sum, id) => sum + anonymous(id), 0);
    };
    const before = await browser.workers();
    await page.evaluate(async () => {
      const { lab } = window;
      (await import("/package/element.js")).define();
      const engine = await lab.adversight.createEngine({ device: "cpu" });
      const other = await lab.adversight.createEngine({ device: "cpu" });
      const picture = new Blob([await lab.bytes("/fixtures/tiny/a.png")], { type: "image/png" });
      const models = await Promise.all(
        [...Array(5)].flatMap(() => [lab.loadTiny(engine), lab.loadTiny(other)]),
      );
      // The engines' memory grows to what their work takes, and stays.
      for (let i = 0; i < 40; i++)
        await models[i % 10].explain(picture, { method: "rise", params: { samples: 100 } });
      let random = 7;
      const next = () => (random = (random * 16807) % 2147483647) / 2147483647;
      window.day = async (part) => {
        for (let i = 0; i < part.explanations; i++)
          await models[i % 10].explain(picture, { method: "saliency" });
        for (let i = 0; i < part.aborts; i++) {
          const controller = new AbortController();
          setTimeout(() => controller.abort(), 30 * next());
          const { error, value } = await lab.outcome(() =>
            models[i % 10].explain(picture, {
              method: "rise",
              params: { samples: 100 },
              signal: controller.signal,
            }),
          );
          if (error && error.name !== "AbortError") throw new Error(error.message);
          if (!error && !value) throw new Error("nothing came");
        }
        for (let i = 0; i < part.elements; i++) {
          const it = Object.assign(document.createElement("adversight-explainer"), {
            model: `/fixtures/tiny.onnx?${i % 2}`,
            preprocessing: "/fixtures/tiny.json",
            src: "/fixtures/tiny/a.png",
            method: "saliency",
            device: "cpu",
          });
          const told = new Promise((resolve) =>
            it.addEventListener("adversight-explanation", resolve, { once: true }),
          );
          document.body.append(it);
          if (i % 3) await told;
          it.remove();
        }
      };
      // Both by the engine's own count.
      window.engines = async () => {
        let sum = 0;
        for (const model of models.slice(0, 2)) {
          sum += (await model.explain(picture, { method: "saliency" })).info.memory.peak / 1e6;
        }
        return sum;
      };
      window.night = () => {
        engine.close();
        other.close();
      };
    });
    const part = { explanations: 10 * times, aborts: times, elements: Math.ceil(times / 2) };
    const held = [];
    for (let tenth = 0; tenth < 10; tenth++) {
      await page.evaluate((part) => window.day(part), part);
      const all = await memory();
      const engines = await page.evaluate(() => window.engines());
      held.push({ all, engines, rest: all - engines });
    }
    const list = (name) => held.map((one) => one[name].toFixed(0)).join(", ");
    t.diagnostic(`MB after each tenth: ${list("all")}; of them the engines' own: ${list("engines")}`);
    // From the second tenth on; the collector comes when it will, so that the least of each half is compared.
    const flat = (name) => {
      const values = held.map((one) => one[name]);
      const [early, late] = [Math.min(...values.slice(1, 5)), Math.min(...values.slice(6))];
      assert.ok(late < 1.05 * early, `it grew from ${early.toFixed(0)} to ${late.toFixed(0)} MB`);
    };
    flat("rest");
    // An engine's memory never shrinks: what a call leaves in it stays.
    flat("engines");
    await page.evaluate(() => window.night());
    await until(async () => (await browser.workers()) === before, "the end of all workers", 10_000);
    assert.deepEqual(faults, []);
  } finally {
    await browser.close();
  }
});

// A long day in one page: many explanations, elements, aborted calls, engines. Nothing may pile up. `cargo xtask test --thorough` makes it ten times as long.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openBrowser, until } from "./browser.mjs";

const times = process.env.ADVERSIGHT_THOROUGH === "1" ? 10 : 1;

test("explanations, elements put in and taken out, and aborted calls leave memory flat and no worker", async (t) => {
  const browser = await openBrowser({ webgpu: false });
  try {
    const { page, faults } = await browser.openPackage();
    const session = await browser.session();
    /** What all processes of the browser's pages hold, in MB (Linux tells; elsewhere the script's heap counts). */
    const memory = async () => {
      await page.evaluate(() => window.gc?.());
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
      window.night = () => {
        engine.close();
        other.close();
      };
    });
    const part = { explanations: 10 * times, aborts: times, elements: Math.ceil(times / 2) };
    const held = [];
    for (let tenth = 0; tenth < 10; tenth++) {
      await page.evaluate((part) => window.day(part), part);
      held.push(await memory());
    }
    t.diagnostic(`MB after each tenth: ${held.map((one) => one.toFixed(0)).join(", ")}`);
    // From the second tenth on; the collector comes when it will, so that the least of each half is compared.
    const [early, late] = [Math.min(...held.slice(1, 5)), Math.min(...held.slice(6))];
    assert.ok(late < 1.05 * early, `it grew from ${early} to ${late} MB`);
    await page.evaluate(() => window.night());
    await until(async () => (await browser.workers()) === before, "the end of all workers", 10_000);
    assert.deepEqual(faults, []);
  } finally {
    await browser.close();
  }
});

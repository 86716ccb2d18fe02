// Measures Adversight beside other libraries, all in one page of one headless browser, in one run.
//
//   npm run bench                            everything, written to docs/benchmark.md and docs/benchmark.json
//   npm run bench -- --quick                 a smoke test: one network, one picture, one round
//   npm run bench -- --engines tfjs,ort      only libraries whose names begin so (and onnxruntime-web, the reference)
//   npm run bench -- --no-isolation          without shared memory, thus without threads
//   npm run bench -- --rounds 9 --out table.md

import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { launch } from "./browser.mjs";
import { buildAll } from "./build.mjs";
import { reference, variants } from "./engines.mjs";
import { table } from "./report.mjs";
import { serve } from "./server.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    engines: { type: "string" },
    networks: { type: "string" },
    batches: { type: "string" },
    rounds: { type: "string" },
    out: { type: "string" },
    "no-isolation": { type: "boolean", default: false },
  },
});
const { quick } = options;
const isolated = !options["no-isolation"];
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = resolve(
  options.out ?? positionals[0] ?? here(quick ? "dist/benchmark.md" : "../../docs/benchmark.md"),
);
const numbers = (text) => text.split(",").map(Number);

const plan = {
  reference,
  networks: options.networks?.split(",") ?? [
    "squeezenet1_1",
    ...(quick ? [] : ["efficientnet_lite0"]),
    "tiny",
  ],
  batches: numbers(options.batches ?? (quick ? "1" : "1,8")).toSorted((a, b) => a - b),
  rounds: Number(options.rounds ?? (quick ? 1 : 5)),
  methodRounds: quick ? 0 : 3,
  budget: quick ? 1 : 200,
  patience: 1500,
  variants: variants.filter(
    ({ id, row, threads }) =>
      id === reference ||
      ((threads === 1 || (isolated && !quick)) &&
        (!options.engines || options.engines.split(",").some((name) => row.startsWith(name)))),
  ),
};

const say = (line) => {
  console.log(line);
};

say("bundling the libraries");
try {
  await buildAll(new Set(plan.variants.map(({ bundle }) => bundle)));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const server = await serve({ isolated, quick });
const browser = await launch();
let results;
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => {
    say(`the page reports: ${error.message}`);
  });
  await page.exposeFunction("say", say);
  await page.goto(server.url);
  await page.waitForFunction(() => "benchmark" in window);
  results = await page.evaluate((plan) => window.benchmark(plan, (line) => void window.say(line)), plan);
  results.browser = `Chromium ${browser.version()}`;
} finally {
  await browser.close();
  server.close();
}

say("weighing what each library loads");
const report = {
  date: new Date().toISOString().slice(0, 10),
  machine: {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memory: totalmem(),
    platform: `${process.platform} ${process.arch}`,
  },
  plan,
  quick,
  ...results,
  sizes: server.sizes(),
};
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, table(report));
const json = out.replace(/(\.md)?$/, ".json");
writeFileSync(json, `${JSON.stringify(report, null, 1)}\n`);
say(`written: ${out} and ${json}`);

const ours = report.entries.filter(({ variant }) => variant.startsWith("adversight"));
const wrong = ours.flatMap((entry) =>
  ["logits", "gradient"]
    .filter((quantity) => entry[quantity].missing?.kind === "failed" || entry[quantity].correct === false)
    .map((quantity) => `${entry.variant}: ${quantity} of ${entry.network}, batch ${entry.batch}`),
);
if (wrong.length > 0) {
  console.error(`Adversight failed or differs from the others:\n  ${wrong.join("\n  ")}`);
  process.exitCode = 1;
}

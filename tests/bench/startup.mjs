// Measures how long it takes from nothing to the first gradient of SqueezeNet on the CPU, here and with TensorFlow.js, in turns.
// The browser's cache is warm: the first round, which fills it, is left out.
//
//   npm run startup                          five rounds
//   npm run startup -- --rounds 9

import { parseArgs } from "node:util";
import { buildAll } from "./build.mjs";
import { launch } from "./browser.mjs";
import { variants } from "./engines.mjs";
import { serve } from "./server.mjs";

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "5" } } });
const measured = variants.filter(
  ({ row, threads }) =>
    threads === 1 && ["adversight-cpu", "tfjs-wasm", "tfjs-wasm-composed", "tfjs-cpu"].includes(row),
);

await buildAll(new Set(measured.map(({ bundle }) => bundle)));
const server = await serve({ isolated: true, quick: true, cached: true });
const browser = await launch();
let found;
try {
  const page = await browser.newPage();
  await page.exposeFunction("say", console.log);
  await page.goto(server.url);
  await page.waitForFunction(() => "startup" in window);
  found = await page.evaluate(
    ({ measured, rounds }) => window.startup(measured, rounds, (line) => void window.say(line)),
    { measured, rounds: Number(options.rounds) + 1 },
  );
} finally {
  await browser.close();
  server.close();
}

const middle = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
console.log("\n| milliseconds | start | load | first gradient | together |\n|---|---:|---:|---:|---:|");
for (const { id, title } of measured) {
  const rounds = found.filter(({ variant }) => variant === id).slice(1);
  const column = (name) => Math.round(middle(rounds.map((round) => round[name])));
  console.log(`| ${title} | ${["start", "load", "gradient", "total"].map(column).join(" | ")} |`);
}

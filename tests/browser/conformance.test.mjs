// ONNX's own tests of its operators on WebGPU in a browser (here SwiftShader), as far as they compute with real numbers: the
// first three of each operator. `cargo xtask test browser` fetches them; docs/operators.md holds the table that they give.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { nodeTests } from "./onnx.mjs";

const most = 3;
const suites = [
  { route: "onnx", folder: process.env.ADVERSIGHT_ONNX_TESTS, opsets: [1, 21] },
  { route: "onnx-newest", folder: process.env.ADVERSIGHT_ONNX_NEWEST_TESTS, opsets: [22, Infinity] },
];
const skip = suites.some(({ folder }) => !folder) && "ADVERSIGHT_ONNX_TESTS does not name ONNX's node tests";

/** What the engine may say instead of a result: it reads nothing back from a GPU, has six dimensions, and no chance. */
const refusals = /is computed on the GPU and decides|on the CPU only|too many dimensions|would be random/;

let browser, page, faults;
before(async () => {
  if (skip) return;
  browser = await openBrowser({ webgpu: true });
  ({ page, faults } = await browser.openPackage());
});
after(() => browser?.close());

/** Runs in the page: what the engine makes of a test's inputs. */
async function run({ onnx, inputs }) {
  const { lab } = window;
  lab.runs ??= await lab.adversight.createEngine({ device: "webgpu" });
  const arrays = { float: Float32Array, int: Int32Array, bool: Uint8Array };
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, { kind, data, shape }]) => [
      name,
      { data: arrays[kind].from(data), shape },
    ]),
  );
  const found = await lab.outcome(async () => lab.runs.run(onnx, values));
  if (found.error) {
    if (lab.runs.closed) lab.runs = undefined; // the tests after it have an engine all the same
    return found;
  }
  const outputs = Object.entries(found.value).map(([name, { data, shape }]) => [
    name,
    { data: [...data], shape },
  ]);
  return { value: Object.fromEntries(outputs), kind: lab.runs.device.kind };
}

/**
 * The tolerance of ONNX's own runner, 1e-3 of the value and 1e-7, with the rounding of a sum of numbers as large as the largest;
 * the first difference beyond it.
 */
function difference(actual, expected) {
  if (String(actual?.shape) !== String(expected.shape))
    return `shape ${actual?.shape}, not ${expected.shape}`;
  const largest = expected.data.filter(Number.isFinite).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const near = (a, b) =>
    Object.is(a, b) || a === b || Math.abs(a - b) <= 1e-7 + largest * 2 ** -23 + 1e-3 * Math.abs(b);
  const at = expected.data.findIndex((b, i) => !near(actual.data[i], b));
  return at < 0 ? null : `value ${at} is ${actual.data[at]} instead of ${expected.data[at]}`;
}

test("ONNX's own tests pass or are refused", { skip, timeout: 900_000 }, async (t) => {
  const counts = new Map();
  const [failures, reasons] = [[], []];
  const started = Date.now();
  for (const { name, operator, onnx, sets } of nodeTests(suites, most)) {
    let outcome = "passed";
    for (const { inputs, outputs } of sets()) {
      const { value, error, kind } = await page.evaluate(run, { onnx, inputs });
      if (error) {
        const refused = error.known && (error.code === "model_unsupported" || refusals.test(error.message));
        outcome = refused ? "refused" : "failed";
        (refused ? reasons : failures).push(`${name}: ${error.message.split(", which")[0]}`);
        break;
      }
      assert.equal(kind, "webgpu");
      const wrong = Object.entries(outputs).flatMap(([output, expected]) => {
        const found = difference(value[output], expected);
        return found ? [`${name}: ${output}: ${found}`] : [];
      });
      failures.push(...wrong);
      if (wrong.length > 0) outcome = "failed";
    }
    const row = counts.get(operator) ?? { passed: 0, refused: 0, failed: 0 };
    row[outcome] += 1;
    counts.set(operator, row);
  }
  const rows = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const all = { passed: 0, refused: 0, failed: 0 };
  for (const [, row] of rows) for (const key of Object.keys(all)) all[key] += row[key];
  t.diagnostic(
    `${all.passed} passed, ${all.refused} refused, ${all.failed} failed in ${Math.round((Date.now() - started) / 1000)} s`,
  );
  for (const reason of reasons) t.diagnostic(`refused ${reason}`);
  publish(rows, all);
  assert.deepEqual(failures, []);
  assert.ok(all.passed > 300 && all.passed > 5 * all.refused, JSON.stringify(all));
});

test("nothing went wrong unseen", { skip }, () => {
  assert.deepEqual(faults, []);
});

/** Writes the table into the docs, where `UPDATE_DOCS` asks for it. */
function publish(rows, all) {
  if (process.env.UPDATE_DOCS === undefined) return;
  const file = new URL("../../docs/operators.md", import.meta.url);
  const text = readFileSync(file, "utf8");
  const line = (name, { passed, refused, failed }) => `| ${name} | ${passed} | ${refused} | ${failed} |`;
  const bold = Object.fromEntries(Object.entries(all).map(([key, count]) => [key, `**${count}**`]));
  const table = [
    "| operator | passed | refused | failed |",
    "|---|---|---|---|",
    ...rows.map(([name, row]) => line(name, row)),
    line("**all**", bold),
  ].join("\n");
  const place = /(<!-- conformance-browser -->\n)[\s\S]*?(<!-- end -->)/;
  assert.match(text, place);
  writeFileSync(file, text.replace(place, `$1\n${table}\n\n$2`));
}

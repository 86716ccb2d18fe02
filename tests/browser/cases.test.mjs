// Questions to the command line with their right answers (tests/fixtures/cases), asked through the package in a browser, on the CPU and by
// WebGPU: the same files, the same options, the same answers. (ADVERSIGHT_CASES names another folder of cases.)

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseNpy } from "../../pkg/dist/values.js";
import { openBrowser } from "./browser.mjs";
import { cases as folder } from "./server.mjs";

const names = readdirSync(folder)
  .filter((name) => existsSync(join(folder, name, "case.json")))
  .sort();

const devices = ["cpu", "webgpu"];

let browser;
const pages = {};
before(async () => {
  browser = await openBrowser({ webgpu: true });
  for (const device of devices) {
    pages[device] = await browser.openPackage();
    await pages[device].page.evaluate(answerHere, device);
  }
});
after(() => browser?.close());

/** Runs in the page: `lab.answer` does there what the command line does with its arguments. */
async function answerHere(device) {
  const { lab } = window;
  const { AdversightError, createEngine, parseNpy } = lab.adversight;
  const engine = await createEngine({ device });
  const plain = ({ data, shape }) => ({ data: Array.from(data, Number), shape });

  lab.answer = async (name, command, options) => {
    const bytes = (file) => lab.bytes(`/cases/${name}/${file}`);
    const json = (file) => lab.json(`/cases/${name}/${file}`);
    const value = async (text) => (/\.npy$/.test(text) ? parseNpy(await bytes(text)) : JSON.parse(text));
    const each = async (pairs, read) =>
      Object.fromEntries(
        await Promise.all(
          (pairs ?? []).map(async (pair) => {
            const at = pair.indexOf("=");
            return [pair.slice(0, at), await read(pair.slice(at + 1))];
          }),
        ),
      );
    const one = (key) => options[key]?.at(-1);
    const literal = (text) => {
      try {
        return JSON.parse(text);
      } catch {
        return text;
      }
    };
    let model = null;
    try {
      const file = one("input");
      const input = /\.npy$/.test(file) ? parseNpy(await bytes(file)) : new File([await bytes(file)], file);
      model = await engine.loadModel({
        onnx: await bytes(one("model")),
        input: one("input-name"),
        output: one("output-name"),
        at: one("at"),
        layout: one("layout"),
        activation: one("activation"),
        preprocessing: options.preprocessing && (await json(one("preprocessing"))),
        labels: options.labels && (await json(one("labels"))),
        sizes: options.size && (await each(options.size, Number)),
        inputs: options.also && (await each(options.also, value)),
        // As on the command line, sizes that the file leaves open are those of the input at hand.
        shape: options.at ? undefined : input.shape,
      });
      const { info } = model;
      if (command === "classify") {
        const { top } = await model.classify(input, { top: Number(one("top") ?? 5) });
        return { top, info };
      }
      const tensor = await model.prepare(input);
      if (command === "logits") return { out: plain(await model.logits(tensor)), info };
      const target = options.target && Number(one("target"));
      if (command === "gradient") {
        const score = one("score");
        return { out: plain(await model.inputGradient(tensor, target, { score })), info };
      }
      const explanation = await model.explain(input, {
        method: one("method"),
        target,
        params: await each(options.param, literal),
        given: options.given && (await each(options.given, value)),
        seed: options.seed && Number(one("seed")),
      });
      const { attribution, heatmap, region, words } = explanation;
      const report = {
        info: explanation.info,
        words,
        heatmap: { shape: heatmap.shape, rule: heatmap.rule },
        region,
      };
      return { out: plain(attribution), json: { ...report, model: info, device: engine.device }, info };
    } catch (error) {
      if (!(error instanceof AdversightError)) throw error;
      return { error: { code: error.code, message: error.message } };
    } finally {
      model?.close();
    }
  };
}

/** The arguments of the command line by their names, each with all of its values. */
function readArguments([command, ...rest]) {
  const options = {};
  for (let i = 0; i < rest.length; i += 2) {
    assert.match(rest[i], /^--/, rest.join(" "));
    (options[rest[i].slice(2)] ??= []).push(rest[i + 1]);
  }
  return { command, options };
}

const numbers = (value, name) =>
  typeof value === "string"
    ? Array.from(parseNpy(readFileSync(join(folder, name, value))).data, Number)
    : [value].flat(Infinity).map(Number);

/** What a check looks at. */
function look(read, answer) {
  if (read === "out.max") return Math.max(...answer.out.data);
  if (read === "out.sum") return answer.out.data.reduce((sum, value) => sum + value, 0);
  if (read === "out") return answer.out.data;
  if (read.startsWith("json:"))
    return read
      .slice(5)
      .split(".")
      .reduce((value, key) => value[key], answer.json);
  const [place, key] = read.split(".");
  if (place === "any") return answer.top.map((row) => row[key]);
  const index = /^class:(\d+)$/.exec(place)?.[1];
  const row = index === undefined ? answer.top[0] : answer.top.find((entry) => entry.index === Number(index));
  return row?.[key === "class" ? "index" : key];
}

/** What a check finds wrong; null where nothing. */
function fault(check, answer, name) {
  const { atol = 0, rtol = 0 } = check;
  if (check.says) {
    const text = JSON.stringify(answer);
    const missing = check.says.filter((word) => !text.includes(word));
    return missing.length === 0 ? null : `it does not say ${missing.join(", ")}: ${text.slice(0, 300)}`;
  }
  const found = look(check.read, answer);
  if (check.right !== undefined) {
    const right = numbers(check.right, name);
    const values = [found].flat().map(Number);
    if (check.read.startsWith("any.")) {
      const [wanted] = right;
      const near = values.some((value) => Math.abs(value - wanted) <= atol + rtol * Math.abs(wanted));
      return near ? null : `none of ${values.join(", ")} is ${wanted}`;
    }
    if (values.length !== right.length) return `${values.length} values in place of ${right.length}`;
    const wrong = right.findIndex(
      (value, i) => !(Math.abs(values[i] - value) <= atol + rtol * Math.abs(value)),
    );
    return wrong < 0 ? null : `value ${wrong} is ${values[wrong]} in place of ${right[wrong]}`;
  }
  if (check.like) {
    const cosines = check.like.map((file) => cosine(found, numbers(file, name)));
    return cosines.some((value) => value >= check.at_least) ? null : `cosines of ${cosines.join(", ")}`;
  }
  let value = found;
  if (check.peak) {
    const at = unravel(found.indexOf(Math.max(...found)), answer.out.shape);
    const bare = (place) => place.filter((_, axis) => answer.out.shape[axis] > 1);
    if (String(bare(at)) !== String(bare(check.peak))) return `the peak is at ${at}`;
    value = Math.max(...found);
  } else if (check.at) {
    value = found[check.at.reduce((sum, index, axis) => sum * answer.out.shape[axis] + index, 0)];
  }
  if (check.above !== undefined && !(value > check.above)) return `${value} is not above ${check.above}`;
  if (check.below !== undefined && !(value < check.below)) return `${value} is not below ${check.below}`;
  return null;
}

function cosine(a, b) {
  if (a.length !== b.length) return NaN;
  const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

function unravel(index, shape) {
  const at = [];
  for (const size of [...shape].reverse()) {
    at.unshift(index % size);
    index = Math.floor(index / size);
  }
  return at;
}

test("there are cases", () => {
  assert.ok(names.length > 0, folder);
});

for (const device of devices) {
  for (const name of names) {
    const { expects, args, checks, refusal } = JSON.parse(
      readFileSync(join(folder, name, "case.json"), "utf8"),
    );
    test(`${name} (${device}): ${expects}`, async (t) => {
      const { command, options } = readArguments(args);
      const answer = await pages[device].page.evaluate(
        ({ name, command, options }) => window.lab.answer(name, command, options),
        { name, command, options },
      );
      if (answer.error) {
        // Some answers are a message that tells what to do.
        const { message } = answer.error;
        const said = checks.some(({ says }) => says?.every((word) => message.includes(word)));
        const worth =
          refusal === "fine" || (Array.isArray(refusal) && refusal.some((word) => message.includes(word)));
        // Integers decide what is computed, so that a GPU, which is never waited for, cannot hold them.
        const onCpuOnly = device === "webgpu" && /holds integers.*run this model on the CPU/.test(message);
        assert.ok(said || worth || onCpuOnly, message);
        t.diagnostic(message);
        return;
      }
      for (const check of checks) {
        const wrong = fault(check, answer, name);
        const other = wrong && check.or ? fault(check.or, answer, name) : wrong;
        assert.equal(other, null, `${check.read ?? ""}: ${wrong}`);
      }
    });
  }

  test(`nothing went wrong unseen (${device})`, () => {
    assert.deepEqual(pages[device].faults, []);
  });
}

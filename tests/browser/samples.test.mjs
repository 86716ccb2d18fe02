// Every code block of the READMEs, the guides and the documents, as it stands: scripts and markup run in a browser, where the names that they leave to the reader
// (photograph, file, canvas ...) and the files that they name are there; of commands the options and files are looked up.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { fileIn, serve } from "../../xtask/server.mjs";
import { onnxFile } from "./graph.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path) => readFileSync(join(root, path));
const names = (folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}/${name}`);
const documents = [
  "README.md",
  "CONTRIBUTING.md",
  "pkg/README.md",
  ...names("docs/guides"),
  ...names("docs"),
];

/** The code blocks of all documents. */
const blocks = documents.flatMap((document) => {
  const lines = read(document).toString("utf8").replaceAll("\r\n", "\n").split("\n");
  const found = [];
  for (let i = 0; i < lines.length; i++) {
    const [, language] = /^```(\S*)/.exec(lines[i]) ?? [];
    if (language === undefined) continue;
    const at = i + 2;
    const text = [];
    for (i++; !/^```/.test(lines[i]); i++) text.push(lines[i]);
    found.push({ document, at, language, text: text.join("\n") });
  }
  return found;
});
const of = (...languages) => blocks.filter(({ language }) => languages.includes(language));

/** The small network and its classes under the names that the samples use. */
const own = onnxFile({
  inputs: [
    ["pixels", "float32", [1, 3, "height", "width"]],
    ["age", "int64", [1, 1]],
    ["mask", "uint8", [1, 16]],
  ],
  outputs: [
    ["logits", "float32", [1, 3]],
    ["other", "float32", [1, 3]],
  ],
  weights: [["weights", "float32", [3, 3], "model.onnx.data"]],
  nodes: [
    ["GlobalAveragePool", ["pixels"], ["means"]],
    ["Flatten", ["means"], ["flat"], { axis: 1 }],
    ["MatMul", ["flat", "weights"], ["mixed"]],
    ["Cast", ["age"], ["years"], { to: 1 }],
    ["Cast", ["mask"], ["real"], { to: 1 }],
    ["ReduceMean", ["real"], ["share"], { keepdims: 1 }],
    ["Mul", ["years", "share"], ["added"]],
    ["Add", ["mixed", "added"], ["logits"]],
    ["Relu", ["mixed"], ["other"]],
  ],
});
const reviews = "www/public/models/minilm_reviews";
const files = {
  "model.onnx": read("tests/fixtures/tiny.onnx"),
  "vit.onnx": read("tests/fixtures/tiny.onnx"),
  "preprocessor_config.json": read("tests/fixtures/tiny.json"),
  "tiny.json": read("tests/fixtures/tiny.json"),
  "cat.jpg": read("www/public/photos/chelsea.jpg"),
  "photograph.png": read("tests/fixtures/tiny/a.png"),
  "net.onnx": read(`${reviews}/model.onnx`),
  "tokenizer.json": read(`${reviews}/tokenizer.json`),
  "own.onnx": own,
};

/** Where a document's files are others: a network that hears, names of other classes. */
const others = {
  "docs/text.md": { "labels.json": read(`${reviews}/labels.json`) },
  "docs/sound.md": Object.fromEntries(
    ["preprocessor_config.json", "labels.json"]
      .map((name) => [name, read(`www/public/models/tenet_keywords/${name}`)])
      .concat([
        ["net.onnx", read("www/public/models/tenet_keywords/model.onnx")],
        ["own.onnx", read("www/public/models/tenet_keywords/clips/left_en-us.wav")],
      ]),
  ),
};

/** Runs with the files of a document in place. */
async function within(document, run) {
  const before = { ...files };
  Object.assign(files, others[document]);
  try {
    return await run();
  } finally {
    for (const name of Object.keys(others[document] ?? {})) files[name] = before[name];
  }
}

/** What the samples leave to the reader, and whose. */
const given = `
import * as adversight from "adversight";
const bytes = async (name) => new Uint8Array(await (await fetch("/" + name)).arrayBuffer());
const { createEngine, decodeImage } = adversight;
globalThis.photograph = new Blob([await bytes("photograph.png")], { type: "image/png" });
globalThis.file = new File([await bytes("own.onnx")], "own.onnx");
globalThis.weights = new File([new Float32Array([1, 0, 0, 0, 1, 0, 0, 0, 1])], "model.onnx.data");
globalThis.canvas = document.createElement("canvas");
globalThis.element = document.createElement("p");
globalThis.bitmap = await decodeImage(photograph);
globalThis.engine = await createEngine({ device: "cpu" });
globalThis.model = await engine.loadModel({ onnx: "/model.onnx", preprocessing: "/tiny.json" });
globalThis.explanation = await model.explain(photograph, { method: "saliency" });
globalThis.colours = engine.colourMap("magma");
`;

let browser, server, count;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || process.env.CHROME || "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
  server = await serve({
    headers: { "Cache-Control": "no-store" },
    find(path) {
      const name = path.slice(1);
      if (name in files) return { text: files[name], headers: { "Content-Type": typeOf(name) } };
      const at = fileIn(join(root, "pkg/dist"), path.replace(/^\/package\//, ""));
      return path.startsWith("/package/") && at ? { file: at } : null;
    },
  });
  // The names of the classes are as many as the network has.
  files["empty.html"] = "<!doctype html>";
  const page = await browser.newPage();
  await page.goto(`${server.origin}/empty.html`);
  count = await page.evaluate(async () => {
    const { createEngine } = await import("/package/index.js");
    const engine = await createEngine({ device: "cpu" });
    const model = await engine.loadModel({ onnx: "/model.onnx" });
    engine.close();
    return model.info.classes;
  });
  await page.close();
  files["labels.json"] = JSON.stringify(Array.from({ length: count }, (_, i) => `thing ${i}`));
});
after(async () => {
  await browser?.close();
  server?.close();
});

const typeOf = (name) =>
  name.endsWith(".html")
    ? "text/html"
    : name.endsWith(".json")
      ? "application/json"
      : name.endsWith(".js")
        ? "text/javascript"
        : "application/octet-stream";

const map = JSON.stringify({
  imports: Object.fromEntries([
    ["adversight", "/package/index.js"],
    ...["cpu", "here", "element", "register"].map((name) => [`adversight/${name}`, `/package/${name}.js`]),
  ]),
});

/** Runs a page of this markup to the end of its script; what nobody has caught. */
async function run(markup, { wait = null, script = null } = {}) {
  const id = `sample-${Object.keys(files).length}`;
  files[`${id}.html`] = markup(id);
  if (script) files[`${id}.js`] = script;
  const context = await browser.newContext();
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(error.message));
  // A content delivery network has the package's own files, as its manifest names them.
  const { unpkg } = JSON.parse(read("pkg/package.json").toString("utf8"));
  await context.route(/^https:\/\/cdn\.jsdelivr\.net\//, (route) => {
    const [, rest] =
      /^https:\/\/cdn\.jsdelivr\.net\/npm\/adversight(?:@[\d.]+)?\/?(.*)$/.exec(route.request().url()) ?? [];
    if (rest === undefined) return route.abort();
    const path = join(root, "pkg", rest === "" ? unpkg : rest);
    if (!existsSync(path)) return route.fulfill({ status: 404 });
    return route.fulfill({
      path,
      headers: {
        "Access-Control-Allow-Origin": "*",
        "Content-Type": path.endsWith(".wasm") ? "application/wasm" : "text/javascript",
      },
    });
  });
  try {
    await page.goto(`${server.origin}/${id}.html`);
    const end = Date.now() + 90_000;
    const isDone = wait ?? (() => globalThis.done === true);
    for (;;) {
      if (await page.evaluate(isDone)) break;
      if (faults.length > 0) break;
      if (Date.now() > end)
        throw new Error(`The sample does not end: ${await page.evaluate(() => document.body.innerText)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return faults;
  } finally {
    await context.close();
  }
}

/** TypeScript as the browser takes it: types are stripped, nothing else. */
function stripped(text) {
  const ts = createRequire(join(root, "pkg/package.json"))("typescript");
  const { outputText } = ts.transpileModule(text, {
    compilerOptions: { target: "es2022", module: "esnext", verbatimModuleSyntax: true },
  });
  return outputText;
}

for (const { document, at, text } of of("ts", "js")) {
  test(`${document}:${at} runs`, async () => {
    const faults = await within(document, () =>
      run(
        (id) =>
          `<!doctype html><link rel="icon" href="data:,"><script type="importmap">${map}</script><body><script type="module">${given}
          await import("/${id}.js");
          globalThis.done = true;</script>`,
        { script: stripped(text) },
      ),
    );
    assert.deepEqual(faults, []);
  });
}

for (const { document, at, text } of of("html")) {
  test(`${document}:${at} runs`, async () => {
    // Where the markup has the element, it is done when that has explained; else when its script has.
    const hasElement = text.includes("<adversight-explainer");
    const isPage = text.includes("<!doctype");
    // A policy binds the scripts of the test too: what is the reader's comes from a file, and the sample's own script with its hash would not be the sample.
    const withPolicy = text.includes("Content-Security-Policy");
    const sample = withPolicy
      ? text.replace(
          /<script type="module">([\s\S]*?)<\/script>/,
          '<script type="module" src="/ID.js"></script>',
        )
      : text;
    const script = withPolicy ? /<script type="module">([\s\S]*?)<\/script>/.exec(text)[1] : null;
    const prelude = isPage || hasElement ? "" : '<script type="module" src="/given-small.js"></script>';
    files["given-small.js"] =
      'globalThis.photograph = new Blob([await (await fetch("/photograph.png")).arrayBuffer()], { type: "image/png" });';
    const faults = await run((id) => `${prelude}${sample.replaceAll("ID", id)}`, {
      script:
        script &&
        `${script.replaceAll('from "adversight"', 'from "/package/index.js"')}\nglobalThis.done = true;`,
      wait: hasElement
        ? () => {
            const element = document.querySelector("adversight-explainer");
            element?.addEventListener("adversight-error", ({ detail }) =>
              setTimeout(() => {
                throw detail;
              }),
            );
            return Boolean(element?.explanation);
          }
        : null,
    });
    assert.deepEqual(faults, []);
  });
}

test("the guides' JSX runs", async (t) => {
  const hosts = createRequire(join(root, "tests/hosts/package.json"));
  const { build } = await import(
    pathToFileURL(createRequire(join(root, "pkg/package.json")).resolve("esbuild")).href
  );
  let hasReact = true;
  try {
    hosts.resolve("react-dom/client");
  } catch {
    hasReact = false;
  }
  assert.ok(hasReact, "the packages of tests/hosts are not installed: npm ci there");
  for (const { document, at, text } of of("jsx", "tsx")) {
    await t.test(`${document}:${at}`, async () => {
      const { outputFiles } = await build({
        stdin: { contents: text, loader: "jsx", resolveDir: join(root, "tests/hosts") },
        bundle: true,
        write: false,
        format: "esm",
        jsx: "automatic",
        external: ["adversight", "adversight/*"],
        define: { "process.env.NODE_ENV": '"development"' },
        logLevel: "error",
      });
      const faults = await run(
        (id) =>
          `<!doctype html><link rel="icon" href="data:,"><script type="importmap">${map}</script><body><script type="module">${given}
          await import("/${id}.js");</script>`,
        {
          script: outputFiles[0].text,
          wait: () => {
            const said = document.querySelector("figcaption, #words")?.textContent ?? "";
            return said.length > 20;
          },
        },
      );
      assert.deepEqual(faults, []);
    });
  }
});

/** The sources that know the options of the commands. */
const sources = (folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .filter((name) => name.endsWith(".rs"))
    .map((name) => read(`${folder}/${name}`).toString("utf8"))
    .join("\n");

test("commands have the names, options and files that the documents give them", () => {
  const programs = { xtask: sources("xtask/src"), adversight: sources("src/bin") };
  const known = (source, word) => {
    const pascal = word.replace(/(^|-)(\w)/g, (_, _dash, letter) => letter.toUpperCase());
    const snake = word.replaceAll("-", "_");
    return new RegExp(`\\b${pascal}\\b|\\b${snake}\\b\\s*:|long = "${word}"|name = "${word}"`).test(source);
  };
  let looked = 0;
  for (const { document, at, text } of of("sh", "bash")) {
    for (const line of text.replaceAll("\\\n", " ").split("\n")) {
      const command = line.replace(/\s#.*$/, "").trim();
      if (command === "" || command.startsWith("#")) continue;
      const words = [...command.matchAll(/"[^"]*"|'[^']*'|\S+/g)].map(([word]) => word);
      while (/^\w+=/.test(words[0])) words.shift();
      const where = `${document}:${at}: ${command}`;
      const isTask = words[0] === "cargo" && words[1] === "xtask";
      const isRun =
        words[0] === "adversight" ||
        (words[0] === "cargo" && words[1] === "run" && words.includes("--") && !words.includes("--example"));
      if (isTask || isRun) {
        looked++;
        const rest = isTask
          ? words.slice(2)
          : words.slice(words[0] === "adversight" ? 1 : words.indexOf("--") + 1);
        const source = programs[isTask ? "xtask" : "adversight"];
        assert.ok(known(source, rest[0]), `${where}: no command ${rest[0]}`);
        for (const word of rest.filter((word) => /^--\w/.test(word))) {
          assert.ok(known(source, word.slice(2).split("=")[0]), `${where}: no option ${word}`);
        }
        for (const word of rest.filter((word) => /^(www|tests|docs|examples|pkg)\//.test(word))) {
          assert.ok(existsSync(join(root, word)), `${where}: no file ${word}`);
        }
      } else {
        assert.match(
          command,
          /^(cargo (run|test|build|bench|fmt|clippy|doc|install|add)|rustup|npm|npx|node|git|cd|pip|python3?|optimum-cli|apt-get|UPDATE_DOCS)\b/,
          where,
        );
      }
    }
  }
  assert.ok(looked >= 8, `${looked} commands`);
});

test("the guides' Python is Python", (t) => {
  const python = ["python3", "python"].find((name) => spawnSync(name, ["--version"]).status === 0);
  if (!python) return t.skip("Python is not installed");
  for (const { document, at, text } of of("python", "py")) {
    const { status, stderr } = spawnSync(python, ["-c", "import ast, sys; ast.parse(sys.stdin.read())"], {
      input: text,
      encoding: "utf8",
    });
    assert.equal(status, 0, `${document}:${at}: ${stderr}`);
  }
});

test("no block is of a kind that is not looked at", () => {
  const seen = new Set(["ts", "js", "html", "jsx", "tsx", "sh", "bash", "python", "py"]);
  // Rust is compiled by the examples' own tests; files and answers are told as what they are.
  const told = new Set(["rust", "json", "text", "toml", "txt"]);
  assert.deepEqual(
    blocks
      .filter(({ language }) => !seen.has(language) && !told.has(language))
      .map(({ document, at, language }) => `${document}:${at} ${language}`),
    [],
  );
});

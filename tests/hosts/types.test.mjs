// The package's types as a consumer's compiler reads them: from TypeScript 5.4 on, in every way of finding modules, with nothing left unchecked.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { app, here, link } from "./hosts.mjs";

const consumer = `
import { createEngine, heatmapPixels, modelCache, AdversightError } from "adversight";
import type { CachedModel, Engine, EngineOptions, Explanation, LoadProgress, Loss, Model } from "adversight";
import { define } from "adversight/element";
import type { AdversightExplainer, ExplainerProperties } from "adversight/element";
import { createEngine as onCpu, decodeImage } from "adversight/cpu";
import { createEngine as here } from "adversight/here";
import wasm from "adversight/wasm";
import wasmCpu from "adversight/wasm-cpu";
import wasmThreads from "adversight/wasm-threads";
import "adversight/register";

export async function use(picture: Blob, bytes: Uint8Array): Promise<string> {
  const options: EngineOptions = { device: "auto", powerPreference: "low-power", signal: new AbortController().signal, wasm: { webgpu: wasm, cpu: wasmCpu, threads: wasmThreads } };
  const engine: Engine = await createEngine(options);
  engine.lost.then((loss: Loss) => console.log(loss.message, loss.goesOn, engine.closed));
  const model: Model = await engine.loadModel({
    onnx: bytes,
    onProgress: (progress: LoadProgress) => console.log(progress.file?.name, progress.done / progress.total),
  });
  const explanation: Explanation = await model.explain(picture, { method: "agi", params: { samples: 3 } });
  const { data, width, height } = heatmapPixels(explanation.heatmap, { colours: engine.colourMap("magma") });
  new ImageData(data, width, height);
  const kept: CachedModel[] = await modelCache.contents();
  await decodeImage(picture);
  (await onCpu()).close();
  (await here({ device: "cpu" })).close();
  return kept.map(({ url }) => url).join() + model.info.name;
}

export function element(picture: Blob): AdversightExplainer {
  define();
  const explainer = document.createElement("adversight-explainer");
  explainer.image = picture;
  explainer.params = { steps: 5 };
  explainer.addEventListener("adversight-explanation", (event) => { event.detail.words.join(); });
  explainer.addEventListener("adversight-error", (event) => { if (event.detail.code === "download_failed") throw event.detail; });
  explainer.addEventListener("click", (event) => { event.clientX.toFixed(); });
  const properties: Partial<ExplainerProperties> = { method: "rise", target: 3 };
  return Object.assign(explainer, properties);
}
export const isOurs = (error: unknown) => error instanceof AdversightError;
// @ts-expect-error there is no such device
export const wrong: EngineOptions = { device: "tpu" };
`;

/** Compiles an app; what the compiler says. */
function compile(folder, typescript, options, files) {
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "es2022",
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
        types: [],
        ...options,
      },
      files,
    }),
  );
  const { stdout, status } = spawnSync(
    process.execPath,
    [join(here, "node_modules", typescript, "lib/tsc.js"), "-p", folder],
    { encoding: "utf8", cwd: folder },
  );
  return { said: stdout.trim(), status };
}

const lib = ["es2022", "dom"];

for (const typescript of ["typescript54", "typescript56", "typescript59", "typescript6"]) {
  test(`${typescript} reads the types in every resolution, with skipLibCheck off`, () => {
    const folder = app(typescript, { "consumer.ts": consumer });
    const old = typescript === "typescript6" ? { ignoreDeprecations: "6.0" } : {};
    for (const [name, options] of Object.entries({
      node10: { module: "es2022", moduleResolution: "node10", ...old },
      node16: { module: "node16", moduleResolution: "node16" },
      bundler: { module: "es2022", moduleResolution: "bundler" },
    })) {
      const { said, status } = compile(folder, typescript, { lib, ...options }, ["consumer.ts"]);
      assert.equal(said, "", `${name}: ${said}`);
      assert.equal(status, 0);
    }
  });
}

/** What each framework's compiler is shown: the right use, and a wrong one that has to be refused. */
const templates = {
  react: {
    packages: ["react", "@types/react"],
    options: { jsx: "react-jsx" },
    "template.tsx": `
import type {} from "adversight/react";
export const right = (picture: Blob) => (
  <adversight-explainer model="m.onnx" image={picture} params={{ steps: 5 }} colourMap="viridis" segments={3} className="a"
    onadversight-explanation={(event) => { event.detail.words.join(); }} />
);
// @ts-expect-error a number it is
export const wrong = <adversight-explainer target="three" />;
`,
  },
  vue: {
    packages: [
      "vue",
      "@vue/runtime-dom",
      "@vue/runtime-core",
      "@vue/reactivity",
      "@vue/shared",
      "@vue/compiler-dom",
      "@vue/compiler-core",
      "csstype",
    ],
    options: {},
    "template.ts": `
import type {} from "adversight/vue";
import type { GlobalComponents } from "vue";
type Props = InstanceType<GlobalComponents["adversight-explainer"]>["$props"];
export const right: Props = { model: "m.onnx", image: new Blob(), params: { steps: 5 }, "onAdversight-explanation": (event) => { event.detail.words.join(); } };
// @ts-expect-error a number it is
export const wrong: Props = { target: "three" };
`,
  },
  svelte: {
    packages: ["svelte"],
    options: {},
    "template.ts": `
import type {} from "adversight/svelte";
import type { SvelteHTMLElements } from "svelte/elements";
type Props = SvelteHTMLElements["adversight-explainer"];
export const right: Props = { model: "m.onnx", image: new Blob(), params: { steps: 5 }, class: "a", "onadversight-explanation": (event) => { event.detail.words.join(); } };
// @ts-expect-error a number it is
export const wrong: Props = { target: "three" };
`,
  },
  solid: {
    packages: ["solid-js", "csstype"],
    options: { jsx: "preserve", jsxImportSource: "solid-js" },
    "template.tsx": `
import type {} from "adversight/solid";
export const right = (picture: Blob) => (
  <adversight-explainer model="m.onnx" prop:image={picture} prop:params={{ steps: 5 }} class="a"
    on:adversight-explanation={(event) => { event.detail.words.join(); }} />
);
// @ts-expect-error a number it is
export const wrong = <adversight-explainer target="three" />;
`,
  },
};

for (const [name, { packages, options, ...files }] of Object.entries(templates)) {
  test(`a template of ${name} knows the element's attributes, properties and events`, () => {
    const folder = app(`types-${name}`, files);
    for (const one of packages) link(folder, one);
    // The frameworks' own types are theirs to keep clean.
    const all = {
      lib: [...lib, "dom.iterable"],
      module: "es2022",
      moduleResolution: "bundler",
      skipLibCheck: true,
      exactOptionalPropertyTypes: false,
      ...options,
    };
    const { said, status } = compile(folder, "typescript59", all, Object.keys(files));
    assert.equal(said, "");
    assert.equal(status, 0);
  });
}

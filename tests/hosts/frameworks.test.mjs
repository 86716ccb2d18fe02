// The element in the frameworks that set its properties: built as their users build, and run.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { build } from "esbuild";
import { app, close, here, html, link, open, origin } from "./hosts.mjs";
import { compile } from "svelte/compiler";

after(close);

const prepare = `
import "adversight/register";
globalThis.told = [];
const response = await fetch("/fixtures/tiny/a.png");
const image = await response.blob();
const data = {
  model: "/fixtures/tiny.onnx",
  preprocessing: "/fixtures/tiny.json",
  image,
  params: { samples: 4, grid: 2 },
};
const tell = (event) => globalThis.told.push(event.detail.info.params.samples);
`;

const apps = {
  "React 19": {
    packages: ["react", "react-dom", "scheduler"],
    files: {
      "main.jsx": `${prepare}
import { StrictMode, useState, useEffect } from "react";
import { createRoot } from "react-dom/client";
function App() {
  const [samples, setSamples] = useState(4);
  const [, redraw] = useState(0);
  useEffect(() => { globalThis.change = () => setSamples(5); globalThis.redraw = () => redraw((n) => n + 1); });
  return <adversight-explainer {...data} params={{ samples, grid: 2 }} method="rise" device="cpu" onadversight-explanation={tell} />;
}
createRoot(document.getElementById("app")).render(<StrictMode><App /></StrictMode>);`,
    },
  },
  "Vue 3": {
    packages: [
      "vue",
      "@vue/runtime-dom",
      "@vue/runtime-core",
      "@vue/reactivity",
      "@vue/shared",
      "@vue/compiler-dom",
      "@vue/compiler-core",
    ],
    files: {
      "main.js": `${prepare}
import { createApp, h, ref } from "vue";
const samples = ref(4);
const again = ref(0);
globalThis.change = () => (samples.value = 5);
globalThis.redraw = () => again.value++;
createApp({
  render: () => h("div", { title: again.value }, [h("adversight-explainer", { ...data, params: { samples: samples.value, grid: 2 }, method: "rise", device: "cpu", "onAdversight-explanation": tell })]),
}).mount("#app");`,
    },
  },
  "Svelte 5": {
    packages: ["svelte", "esm-env", "clsx", "@jridgewell/sourcemap-codec"],
    files: {
      "App.svelte": `<script>
  let { data, tell } = $props();
  let samples = $state(4);
  let again = $state(0);
  globalThis.change = () => (samples = 5);
  globalThis.redraw = () => again++;
</script>
<div title={String(again)}><adversight-explainer {...data} params={{ samples, grid: 2 }} method="rise" device="cpu" onadversight-explanation={tell}></adversight-explainer></div>`,
      "main.js": `${prepare}
import { mount } from "svelte";
import App from "./App.svelte";
mount(App, { target: document.getElementById("app"), props: { data, tell } });`,
    },
  },
};

const svelte = {
  name: "svelte",
  setup({ onLoad }) {
    onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
      const { readFileSync } = await import("node:fs");
      return {
        contents: compile(readFileSync(path, "utf8"), { filename: path, generate: "client" }).js.code,
      };
    });
  },
};

for (const [name, { packages, files }] of Object.entries(apps)) {
  test(`${name} sets rich properties; what it draws anew with the same values computes nothing`, async () => {
    const folder = app(name.toLowerCase().replace(" ", "-"), files);
    for (const one of packages) link(folder, one);
    const output = join(folder, "dist");
    await build({
      entryPoints: [
        join(
          folder,
          Object.keys(files).find((file) => file.startsWith("main")),
        ),
      ],
      bundle: true,
      format: "esm",
      jsx: "automatic",
      outfile: join(output, "main.js"),
      nodePaths: [join(here, "node_modules")],
      conditions: ["browser"],
      define: { "process.env.NODE_ENV": '"development"' },
      plugins: [svelte],
      logLevel: "error",
    });
    const { cpSync } = await import("node:fs");
    for (const file of ["worker.js", "helper.js", "wasm"]) {
      cpSync(join(folder, "node_modules/adversight/dist", file), join(output, file), { recursive: true });
    }
    writeFileSync(
      join(output, "index.html"),
      html('<div id="app"></div><script type="module" src="main.js"></script>'),
    );
    const server = await origin(output);
    const context = await (await open()).newContext();
    try {
      const page = await context.newPage();
      const faults = [];
      page.on("pageerror", (error) => faults.push(error.message));
      await page.goto(`${server.origin}/`);
      const told = (count) =>
        page.waitForFunction((count) => globalThis.told?.length >= count, count, {
          timeout: 60_000,
          polling: 50,
        });
      await told(1);
      await page.evaluate(() => globalThis.redraw());
      await page.evaluate(() => globalThis.redraw());
      await new Promise((resolve) => setTimeout(resolve, 500));
      await page.evaluate(() => globalThis.change());
      await told(2);
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.deepEqual(await page.evaluate(() => globalThis.told), [4, 5]);
      assert.deepEqual(faults, []);
    } finally {
      await context.close();
      server.close();
    }
  });
}

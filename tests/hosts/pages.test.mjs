// The packed package without a bundler: script tags, other origins, policies, frames, files, an extension.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { apps, ask, cdn, close, html, main, open, origin, packed, right } from "./hosts.mjs";

let assets, dist;
before(async () => {
  dist = join(packed().folder, "dist");
  assets = await cdn(dist);
});
after(async () => {
  assets?.close();
  await close();
});

/** Serves a page of this markup; `{cdn}` in it is the other origin. */
async function page(markup, { headers = {}, isolated = false, texts = {} } = {}) {
  const filled = (text) => text.replaceAll("{cdn}", assets.origin);
  const all = Object.fromEntries(
    Object.entries({ "/": html(markup), ...texts }).map(([path, text]) => [path, filled(text)]),
  );
  // Of the path "/" the server would not know the type.
  const { "/": index, ...others } = all;
  return origin(dist, {
    isolated,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, filled(value)])),
    texts: { "/index.html": index, ...others },
  });
}
const at = (server) => `${server.origin}/index.html`;

const module = (from) => `<script type="module" src="/main.js"></script><!--${from}-->`;
const mainOf = (from) => ({ "/main.js": main(from) });

test("from another origin, as from a CDN: with one thread, and with several where the page is isolated", async () => {
  for (const isolated of [false, true]) {
    const server = await page(module(), { isolated, texts: mainOf("{cdn}/index.js") });
    const got = await ask(at(server), { threads: 2 });
    server.close();
    assert.deepEqual(got, { result: right(isolated ? 2 : 1), faults: [], missing: [] });
  }
});

test("a browser that tells of a foreign worker by an event, as Firefox does, starts one all the same", async () => {
  const server = await page(module(), { texts: mainOf("{cdn}/index.js") });
  const got = await ask(at(server), {}, (page) =>
    page.addInitScript(() => {
      const { Worker } = window;
      window.Worker = class extends EventTarget {
        constructor(address, options) {
          super();
          if (new URL(address, location.href).origin === location.origin) return new Worker(address, options);
          setTimeout(() => this.dispatchEvent(new ErrorEvent("error", { cancelable: true })));
        }
        postMessage() {}
        terminate() {}
      };
    }),
  );
  server.close();
  assert.deepEqual(got, { result: right(), faults: [], missing: [] });
});

const explainer = `<adversight-explainer model="/fixtures/tiny.onnx" preprocessing="/fixtures/tiny.json" src="/fixtures/tiny/a.png"
  method="saliency" device="cpu"></adversight-explainer>`;

/** Waits for what an element of the page says. */
async function explained(address) {
  const context = await (await open()).newContext();
  try {
    const page = await context.newPage();
    const faults = [];
    page.on("pageerror", (error) => faults.push(error.message));
    await page.goto(address);
    // Asked by the clock: a browser without a screen does not promise to draw frames.
    const best = await page.evaluate(async () => {
      const element = document.querySelector("adversight-explainer");
      const said = () => element.shadowRoot?.querySelector('[part="status"]')?.textContent ?? "no element";
      let failed = null;
      element.addEventListener("adversight-error", ({ detail }) => (failed = detail.message));
      for (let waited = 0; waited < 60_000 && failed === null; waited += 50) {
        if (element.explanation) return element.explanation.info.target.index;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return failed ?? `nothing came; the element says: ${said()}`;
    });
    return { best, faults };
  } finally {
    await context.close();
  }
}

for (const [what, tag] of Object.entries({
  "a module's script tag": '<script type="module" src="{cdn}/adversight.min.js"></script>',
  "a classic script tag": '<script src="{cdn}/adversight.global.js"></script>',
  "a classic script tag at the end, deferred": '<script defer src="{cdn}/adversight.global.js"></script>',
})) {
  test(`${what} from another origin is all that the element needs`, async () => {
    const server = await page(`${tag}${explainer}`);
    const got = await explained(at(server));
    server.close();
    assert.deepEqual(got, { best: 6, faults: [] });
  });
}

test("the package's own address, without a file, is a script tag's too: jsDelivr sends nobody on from there", async () => {
  const { readFileSync } = await import("node:fs");
  const script = readFileSync(join(dist, "adversight.min.js"), "utf8");
  for (const path of ["/npm/adversight", "/npm/adversight@0.1.0", "/npm/adversight/"]) {
    const server = await origin(dist, {
      texts: {
        [path]: script,
        "/index.html":
          html(`<script type="module">import("${path}").then((all) => (globalThis.run = async () => {
          const engines = [];
          for (const worker of [true, false]) engines.push(await all.createEngine({ worker, device: "cpu" }));
          return engines.map((engine) => (engine.close(), engine.device.kind));
        }));</script>`),
      },
      types: { [path]: "text/javascript" },
      under: /^\/npm\/adversight(?:@[\d.]+)?\/dist(\/.*)$/,
    });
    const { result, missing } = await ask(at(server));
    server.close();
    assert.deepEqual({ result, missing }, { result: ["cpu", "cpu"], missing: [] }, path);
  }
});

test("the script tags' files have the whole package, and run the engine on the page's own thread too", async () => {
  const runs = (take) => `${take}
    globalThis.run = async () => {
      const names = Object.keys(adversight).length;
      const engine = await adversight.createEngine({ worker: false, device: "cpu" });
      engine.close();
      return { names: names > 20, device: engine.device.kind };
    };`;
  for (const [tag, script] of [
    [
      '<script type="module" src="/main.js"></script>',
      runs('import * as adversight from "{cdn}/adversight.min.js";'),
    ],
    ['<script src="{cdn}/adversight.global.js"></script><script src="/main.js"></script>', runs("")],
  ]) {
    const server = await page(tag, { texts: { "/main.js": script } });
    const { result, faults } = await ask(at(server));
    server.close();
    assert.deepEqual({ result, faults }, { result: { names: true, device: "cpu" }, faults: [] });
  }
});

/** Policies under which it runs, as the README lists them, with the package on the page's own origin and on another. */
const policies = {
  "one's own origin": [
    "/index.js",
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data:",
  ],
  "another origin": [
    "{cdn}/index.js",
    "default-src 'self'; script-src 'self' {cdn} 'wasm-unsafe-eval'; worker-src blob: {cdn}; connect-src 'self' {cdn}; img-src 'self' data:",
  ],
};
const trust = "; require-trusted-types-for 'script'; trusted-types adversight";

for (const [where, [from, policy]] of Object.entries(policies)) {
  for (const [more, addition] of [
    ["", ""],
    [" and Trusted Types", trust],
  ]) {
    test(`under a strict policy${more}, from ${where}`, async () => {
      for (const isolated of [false, true]) {
        const server = await page(module(), {
          isolated,
          headers: { "Content-Security-Policy": policy + addition },
          texts: mainOf(from),
        });
        const got = await ask(at(server), { threads: 2 });
        server.close();
        assert.deepEqual(got, { result: right(isolated ? 2 : 1), faults: [], missing: [] });
      }
    });
  }
}

test("what a policy forbids is an error with a code, which names the directive", async () => {
  const [own, policy] = policies["one's own origin"];
  const [far, farPolicy] = policies["another origin"];
  for (const [from, forbidding, directive] of [
    [own, policy.replace("'wasm-unsafe-eval'", ""), /wasm-unsafe-eval/],
    [own, `${policy}; connect-src 'none'`, /connect-src/],
    [far, farPolicy.replace("worker-src blob: {cdn}", "worker-src 'self'"), /worker-src/],
    [own, `${policy}; require-trusted-types-for 'script'; trusted-types another`, /trusted-types adversight/],
  ]) {
    const server = await page(module(), {
      headers: { "Content-Security-Policy": forbidding },
      texts: mainOf(from),
    });
    const { result, faults } = await ask(at(server));
    server.close();
    assert.equal(result.code, "engine_failed", result.error);
    assert.ok(result.known);
    assert.match(result.error, directive);
    assert.deepEqual(faults, []);
  }
});

test("in a sandboxed frame, which has no origin and no storage", async () => {
  const inner = html('<script type="module" src="/main.js"></script>');
  const server = await origin(dist, {
    headers: { "Access-Control-Allow-Origin": "*" },
    texts: {
      "/inner.html": inner,
      "/main.js": `${main("/index.js")}
        parent.postMessage(await run(), "*");`,
      "/index.html": html(`<iframe sandbox="allow-scripts" src="/inner.html"></iframe><script>
        const told = new Promise((resolve) => addEventListener("message", ({ data }) => resolve(data)));
        globalThis.run = () => told;
      </script>`),
    },
  });
  const got = await ask(at(server));
  server.close();
  assert.deepEqual(got.result, right());
});

test("from a file, as in Electron: classic scripts, with the WebAssembly given as bytes", async () => {
  const folder = join(apps, "file");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(dist, join(folder, "adversight"), { recursive: true });
  writeFileSync(join(folder, "index.html"), html('<script src="adversight/adversight.global.js"></script>'));
  const context = await (await open()).newContext();
  try {
    const page = await context.newPage();
    await page.goto(pathToFileURL(join(folder, "index.html")).href);
    const { readFileSync } = await import("node:fs");
    const base64 = (path) => readFileSync(path).toString("base64");
    const given = {
      worker: base64(join(dist, "worker.classic.js")),
      wasm: base64(join(dist, "wasm/adversight_cpu_bg.wasm")),
      onnx: base64(join(packed().folder, "../../../../fixtures/tiny.onnx")),
    };
    const got = await page.evaluate(async (given) => {
      const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const { createEngine } = globalThis.adversight;
      const script = new Blob([bytes(given.worker)], { type: "text/javascript" });
      const worker = new Worker(URL.createObjectURL(script));
      const plain = await createEngine({ device: "cpu", timeout: 5000 }).catch(({ code }) => code);
      const engine = await createEngine({ device: "cpu", worker, wasm: { cpu: bytes(given.wasm) } });
      const model = await engine.loadModel({ onnx: bytes(given.onnx) });
      const { top } = await model.classify({ data: new Float32Array(3 * 32 * 32), shape: [1, 3, 32, 32] });
      engine.close();
      return { plain, classes: top.length };
    }, given);
    assert.deepEqual(got, { plain: "engine_failed", classes: 5 });
  } finally {
    await context.close();
  }
});

test("an extension of Manifest V3: its service worker is told what to do and can run the engine, and so can its offscreen document", async () => {
  const folder = join(apps, "extension");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(dist, join(folder, "adversight"), { recursive: true });
  cpSync(join(packed().folder, "../../../../fixtures"), join(folder, "fixtures"), {
    recursive: true,
    filter: (path) => !/\.(npy|npz)$/.test(path),
  });
  writeFileSync(
    join(folder, "manifest.json"),
    JSON.stringify({
      manifest_version: 3,
      name: "Test",
      version: "1",
      permissions: ["offscreen"],
      background: { service_worker: "background.js", type: "module" },
      content_security_policy: { extension_pages: "script-src 'self' 'wasm-unsafe-eval'; object-src 'self'" },
    }),
  );
  writeFileSync(join(folder, "offscreen.html"), html('<script type="module" src="offscreen.js"></script>'));
  writeFileSync(
    join(folder, "offscreen.js"),
    `${main("./adversight/index.js")}
     chrome.runtime.sendMessage(await run());`,
  );
  writeFileSync(
    join(folder, "background.js"),
    `import { createEngine as inWorker } from "./adversight/index.js";
     ${main("./adversight/here.js")}
     globalThis.asked = async () => {
       const refused = [];
       for (const worker of [true, false]) {
         await inWorker({ worker, device: "cpu" }).catch(({ code, message }) => refused.push({ code, message }));
       }
       return refused;
     };
     globalThis.offscreen = () => new Promise((resolve) => {
       chrome.runtime.onMessage.addListener((message) => { resolve(message); });
       chrome.offscreen.createDocument({ url: "offscreen.html", reasons: ["WORKERS"], justification: "a test" });
     });`,
  );
  const profile = mkdtempSync(join(tmpdir(), "adversight-extension-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || process.env.CHROME || "/usr/bin/chromium",
    headless: false,
    args: [
      "--headless=new",
      "--no-sandbox",
      `--disable-extensions-except=${folder}`,
      `--load-extension=${folder}`,
    ],
  });
  try {
    const background =
      context.serviceWorkers()[0] ?? (await context.waitForEvent("serviceworker", { timeout: 20_000 }));
    const refused = await background.evaluate(() => globalThis.asked());
    assert.deepEqual(
      refused.map(({ code }) => code),
      ["engine_failed", "engine_failed"],
    );
    for (const { message } of refused) assert.match(message, /"adversight\/here".*offscreen document/);
    assert.deepEqual(await background.evaluate(() => globalThis.run()), right());
    assert.deepEqual(await background.evaluate(() => globalThis.offscreen()), right());
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
});

// Other engines than Chromium's: Firefox (over WebDriver BiDi) and WebKit (WebKitGTK's driver) run the package on the CPU, where they are installed. What they
// cannot do stands in docs/hosts.md.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, test } from "node:test";
import { cdn, here, html, main, origin, packed, right, thorough } from "./hosts.mjs";

/** The first program of this name on the search path. */
const program = (...names) =>
  names
    .flatMap((name) => (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name)))
    .find((file) => existsSync(file));

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Firefox: `open` gives a page with `evaluate` and `close`. */
async function firefox() {
  const require = createRequire(join(here, "thorough/package.json"));
  const { default: puppeteer } = await import(pathToFileURL(require.resolve("puppeteer-core")).href);
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: program("firefox-esr", "firefox"),
    headless: true,
  });
  return {
    version: await browser.version(),
    async open(address) {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      const faults = [];
      page.on("pageerror", ({ message }) => faults.push(message));
      await page.goto(address);
      return {
        faults,
        evaluate: (body, given = null) =>
          page.evaluate(`(async (given) => { ${body} })(${JSON.stringify(given)})`),
        close: () => context.close(),
      };
    },
    close: () => browser.close(),
  };
}

/** WebKit by its driver, which speaks WebDriver over HTTP; it needs a screen, which Xvfb stands for. */
async function webkit() {
  const screen = `:${90 + (process.pid % 100)}`;
  const port = await freePort();
  const profile = mkdtempSync(join(tmpdir(), "adversight-webkit-"));
  const children = [
    spawn(program("Xvfb"), [screen, "-screen", "0", "1280x1024x24", "-nolisten", "tcp"], { stdio: "ignore" }),
  ];
  await new Promise((resolve) => setTimeout(resolve, 1500));
  children.push(
    spawn(program("WebKitWebDriver"), [`--port=${port}`, "--host=127.0.0.1"], {
      stdio: "ignore",
      env: { ...process.env, DISPLAY: screen, HOME: profile, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1" },
    }),
  );
  const call = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${value.error}: ${value.message}`);
    return value;
  };
  for (let waited = 0; ; waited += 200) {
    if (await call("GET", "/status").catch(() => null)) break;
    if (waited > 20_000) throw new Error("WebKitWebDriver does not answer.");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const session = await call("POST", "/session", { capabilities: { alwaysMatch: {} } });
  const at = `/session/${session.sessionId}`;
  await call("POST", `${at}/timeouts`, { script: 120_000, pageLoad: 60_000 });
  return {
    version: `${session.capabilities.browserName} ${session.capabilities.browserVersion}`,
    async open(address) {
      await call("POST", `${at}/url`, { url: address });
      return {
        faults: [], // the driver does not tell of them
        async evaluate(body, given = null) {
          const script = `const [given, tell] = arguments;
            (async () => { ${body} })().then((value) => tell({ value }), (error) => tell({ error: String(error) }));`;
          const { value, error } = await call("POST", `${at}/execute/async`, { script, args: [given] });
          if (error) throw new Error(error);
          return value;
        },
        close: async () => call("POST", `${at}/url`, { url: "about:blank" }),
      };
    },
    async close() {
      await call("DELETE", at).catch(() => undefined);
      for (const child of children.reverse()) child.kill();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const engines = {
  Firefox: { start: firefox, there: program("firefox-esr", "firefox"), how: "apt-get install firefox-esr" },
  WebKit: {
    start: webkit,
    there: program("WebKitWebDriver") && program("Xvfb"),
    how: "apt-get install webkit2gtk-driver xvfb",
  },
};

const waitForRun = `
  for (let waited = 0; !("run" in globalThis); waited += 50) {
    if (waited > 30000) throw new Error("the page's script did not run");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return globalThis.run(given);`;

for (const [name, { start, there, how }] of Object.entries(engines)) {
  const why = !thorough
    ? "by `cargo xtask test --thorough`"
    : there
      ? null
      : `${name} is not installed (${how})`;
  const options = why ? { skip: why } : {};

  test(`${name}`, options, async (t) => {
    const browser = await start();
    t.diagnostic(browser.version);
    const dist = join(packed().folder, "dist");
    const assets = await cdn(dist);
    /** What an app of this markup gives when it is run. */
    const ask = async (texts, { headers = {}, isolated = false, given = {} } = {}) => {
      const server = await origin(dist, { headers, isolated, texts });
      const page = await browser.open(`${server.origin}/index.html`);
      try {
        const result = await page.evaluate(waitForRun, given);
        return { result, faults: page.faults };
      } finally {
        await page.close();
        server.close();
      }
    };
    const app = (from) => ({
      "/index.html": html('<script type="module" src="/main.js"></script>'),
      "/main.js": main(from),
    });
    try {
      await t.test("the package from one's own origin", async () => {
        assert.deepEqual(await ask(app("/index.js")), { result: right(), faults: [] });
      });
      await t.test("the package from another origin", async () => {
        assert.deepEqual(await ask(app(`${assets.origin}/index.js`)), { result: right(), faults: [] });
      });
      await t.test("threads, on an isolated page, from one's own origin and from another", async () => {
        // Shared memory and a way to wait for it without blocking; WebKitGTK's process for automation is not isolated.
        const { result: can } = await ask(
          {
            ...app("/index.js"),
            "/main.js": `globalThis.run = async () =>
              globalThis.crossOriginIsolated && "SharedArrayBuffer" in globalThis && "waitAsync" in Atomics;`,
          },
          { isolated: true },
        );
        t.diagnostic(`threads are ${can ? "" : "not "}possible`);
        if (name === "Firefox") assert.ok(can);
        for (const from of ["/index.js", `${assets.origin}/index.js`]) {
          const { result } = await ask(app(from), { isolated: true, given: { threads: 2 } });
          assert.deepEqual(result, right(can ? 2 : 1), from);
        }
      });
      await t.test("on the page's own thread", async () => {
        const { result } = await ask(app("/index.js"), { given: { worker: false } });
        assert.deepEqual(result, right());
      });
      await t.test("what is there is taken, and why is said", async () => {
        const { result } = await ask({
          ...app("/index.js"),
          "/main.js": `import { createEngine } from "/index.js";
              globalThis.run = async () => {
                const engine = await createEngine();
                engine.close();
                return engine.device;
              };`,
        });
        assert.ok(
          result.kind === "webgpu" || /^The CPU is used: /.test(result.reason),
          JSON.stringify(result),
        );
      });
      await t.test("under a strict policy, from another origin", async () => {
        const far = assets.origin;
        const policy = `default-src 'self'; script-src 'self' ${far} 'wasm-unsafe-eval'; worker-src blob: ${far}; connect-src 'self' ${far}; img-src 'self' data:`;
        const { result } = await ask(app(`${far}/index.js`), {
          headers: { "Content-Security-Policy": policy },
        });
        assert.deepEqual(result, right());
      });
      for (const [what, tag] of [
        ["a module's script tag", `<script type="module" src="${assets.origin}/adversight.min.js"></script>`],
        ["a classic script tag", `<script src="${assets.origin}/adversight.global.js"></script>`],
      ]) {
        await t.test(`the element, by ${what} from another origin`, async () => {
          const { result } = await ask({
            "/index.html":
              html(`${tag}<adversight-explainer model="/fixtures/tiny.onnx" preprocessing="/fixtures/tiny.json"
              src="/fixtures/tiny/a.png" method="saliency" device="cpu"></adversight-explainer><script>
              globalThis.run = async () => {
                const element = document.querySelector("adversight-explainer");
                let failed = null;
                element.addEventListener("adversight-error", ({ detail }) => (failed = detail.message));
                for (let waited = 0; waited < 60000 && failed === null; waited += 50) {
                  if (element.explanation) return element.explanation.info.target.index;
                  await new Promise((resolve) => setTimeout(resolve, 50));
                }
                return failed;
              };</script>`),
          });
          assert.equal(result, 6);
        });
      }
      await t.test("pictures are turned upright and keep their colours", async () => {
        const { files } = JSON.parse(readFileSync(join(here, "../fixtures/pictures/index.json"), "utf8"));
        const cases = files.filter(({ file }) => /^(rgb|rgba|turned_[1368])\.(png|webp|jpg)$/.test(file));
        const { result } = await ask(
          {
            ...app("/index.js"),
            "/main.js": `import { decodeImage } from "/index.js";
              globalThis.run = async ({ cases }) => {
                const found = {};
                for (const file of cases) {
                  const bitmap = await decodeImage(await (await fetch("/fixtures/pictures/" + file)).blob());
                  const { width, height } = bitmap;
                  const context = new OffscreenCanvas(width, height).getContext("2d");
                  context.drawImage(bitmap, 0, 0);
                  const { data } = context.getImageData(0, 0, width, height);
                  found[file] = { width, height, rgba: [...data] };
                }
                return found;
              };`,
          },
          { given: { cases: cases.map(({ file }) => file) } },
        );
        const apart = {};
        for (const { file, width, height, rgb, tolerance } of cases) {
          const got = result[file];
          assert.deepEqual([got.width, got.height], [width, height], file);
          const data = Buffer.from(rgb, "hex");
          let most = 0;
          for (let i = 0; i < width * height; i++) {
            if (got.rgba[4 * i + 3] !== 255) continue; // what a canvas has lost; the engine reads it otherwise
            for (let c = 0; c < 3; c++)
              most = Math.max(most, Math.abs(got.rgba[4 * i + c] - data[3 * i + c]));
          }
          if (most > tolerance + (tolerance > 0 ? 2 : 0)) apart[file] = most;
        }
        assert.deepEqual(apart, {});
      });
      await t.test("the page explains a photograph", async () => {
        const page = join(here, "../../www/dist");
        assert.ok(existsSync(join(page, "index.html")), "www is not built");
        const server = await origin(page);
        const opened = await browser.open(`${server.origin}/`);
        try {
          const said = await opened.evaluate(`
            const at = (id) => document.getElementById(id);
            for (let waited = 0; waited < 90000; waited += 200) {
              const words = at("words")?.textContent ?? "";
              if (words.includes("“")) return words; // the answer's name
              await new Promise((resolve) => setTimeout(resolve, 200));
            }
            return "nothing: " + document.body.innerText.slice(0, 400);`);
          t.diagnostic(said.slice(0, 160));
          assert.doesNotMatch(said, /^nothing: /);
          assert.deepEqual(opened.faults, []);
        } finally {
          await opened.close();
          server.close();
        }
      });
    } finally {
      assets.close();
      await browser.close();
    }
  });
}

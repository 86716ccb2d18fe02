// The documentation site: every method and metric has its page, every link leads somewhere, nothing comes from elsewhere, and it can be read on a phone, in the dark, and
// by whoever does not see it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { facts } from "../../docs/site/facts.mjs";
import { fileIn, serve } from "../../xtask/server.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const site = mkdtempSync(join(tmpdir(), "adversight-docs-"));
let pages, browser, server;
before(async () => {
  execFileSync(process.execPath, [join(root, "docs/site/build.mjs"), "--outDir", site], { stdio: "ignore" });
  pages = new Map(
    readdirSync(site, { recursive: true })
      .filter((name) => name.endsWith(".html"))
      .map((name) => [join(site, name), readFileSync(join(site, name), "utf8")]),
  );
  server = await serve({
    find: (path) => {
      const file = fileIn(site, path);
      return file && { file };
    },
  });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || process.env.CHROME || "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
});
after(async () => {
  await browser?.close();
  server?.close();
  rmSync(site, { recursive: true, force: true });
});

const registered = (document) =>
  [...readFileSync(join(root, document), "utf8").matchAll(/^## (.+) \(`(\w+)`\)$/gm)].map(
    ([, title, name]) => ({
      title,
      name,
    }),
  );

test("every method has its page, with a formula, a warning and every parameter; every metric has one too", () => {
  const methods = registered("docs/methods.md");
  assert.ok(methods.length > 40);
  // A new method is told about in docs/site/facts.mjs.
  assert.deepEqual(
    methods.map(({ name }) => name).filter((name) => !(name in facts)),
    [],
  );
  assert.deepEqual(
    Object.keys(facts).filter((name) => !methods.some((method) => method.name === name)),
    [],
  );
  const text = readFileSync(join(root, "docs/methods.md"), "utf8");
  for (const { name, title } of methods) {
    const page = pages.get(join(site, `methods/${name}.html`));
    assert.ok(page?.includes('class="formula"') && page.includes("When not to trust it"), name);
    const section = text.split(`## ${title} (\`${name}\`)`)[1].split("\n## ")[0];
    for (const [, parameter] of section.matchAll(/^\| `(\w+)` \|/gm)) {
      assert.ok(page.includes(`<code>${parameter}</code>`), `${name}: ${parameter}`);
    }
  }
  for (const { name } of registered("docs/metrics.md")) {
    assert.ok(pages.has(join(site, `metrics/${name}.html`)), name);
  }
});

test("the API has everything that the package exports", async () => {
  for (const [entry, page] of [
    ["index", "api/index.html"],
    ["element", "api/element.html"],
  ]) {
    const text = pages.get(join(site, page));
    const module = await import(new URL(`../../pkg/dist/${entry}.js`, import.meta.url));
    for (const name of Object.keys(module)) assert.ok(text.includes(`id="${name}"`), `${entry}: ${name}`);
  }
  const index = pages.get(join(site, "api/index.html"));
  for (const name of ["Engine.loadModel", "Model.explain", "EngineOptions.gpuDevice", "Explanation.words"]) {
    assert.ok(index.includes(`id="${name}"`), name);
  }
});

test("every link leads to a page and a place that are there", () => {
  const broken = [];
  let count = 0;
  for (const [file, text] of pages) {
    for (const [, attribute, address] of text.matchAll(/\s(href|src)="([^"]*)"/g)) {
      count++;
      if (/^https?:/.test(address)) {
        if (attribute === "src") broken.push(`${file}: ${address} is another host's`);
        continue;
      }
      const [path, anchor] = address.replaceAll("&amp;", "&").split("#");
      const target = path === "" ? file : resolve(dirname(file), path);
      if (!existsSync(target)) broken.push(`${file}: ${address}`);
      else if (
        anchor &&
        pages.has(target) &&
        !pages.get(target).includes(`id="${decodeURIComponent(anchor)}"`)
      ) {
        broken.push(`${file}: ${address} has no such place`);
      }
    }
    const ids = [...text.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
    for (const id of ids)
      if (ids.filter((one) => one === id).length > 1) broken.push(`${file}: two of #${id}`);
  }
  assert.ok(count > 1400, `${count} links`);
  assert.deepEqual(
    [...new Set(broken)].map((line) => line.replace(site, "")),
    [],
  );
});

test("no page tells where it was built", () => {
  for (const [file, text] of pages) assert.ok(!text.includes(root) && !text.includes("file://"), file);
});

test("pages are read on a phone and on a desk, in light and dark, without a fault, a script or another host", async () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  const inTheDark = [
    "",
    "methods/agi.html",
    "methods/legrad.html",
    "guides/pytorch.html",
    "api/element.html",
  ];
  for (const [colorScheme, width] of [
    ["light", 390],
    ["dark", 1280],
    ["dark", 320],
  ]) {
    const context = await browser.newContext({
      colorScheme,
      viewport: { width, height: 844 },
      bypassCSP: true,
    });
    const page = await context.newPage();
    const wrong = [];
    page.on("pageerror", (error) => wrong.push(error.message));
    page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
    page.on("request", (request) => {
      if (!request.url().startsWith(server.origin)) wrong.push(request.url());
      if (request.resourceType() === "script") wrong.push(`a script: ${request.url()}`);
    });
    for (const path of [
      "",
      "methods/index.html",
      "methods/agi.html",
      "methods/legrad.html",
      "methods/lime.html",
      "metrics/index.html",
      "metrics/insertion.html",
      "guides/index.html",
      "guides/pytorch.html",
      "guides/package.html",
      "guides/project.html",
      "api/index.html",
      "api/element.html",
      "more/hosts.html",
      "more/operators.html",
      "more/consumer-reports.html",
    ]) {
      const address = `${server.origin}/${path}`;
      const response = await page.goto(address);
      assert.equal(response.status(), 200, address);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${path} at ${width} px is ${overflow} px too wide`);
      // In the dark the colours alone are others, and at the narrowest only the room.
      const isLooked = colorScheme === "light" || (width > 320 && inTheDark.includes(path));
      if (!isLooked) continue;
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() =>
        globalThis.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"] }),
      );
      assert.deepEqual(
        violations.map(
          ({ id, nodes }) =>
            `${id}: ${nodes
              .map(({ html }) => html.slice(0, 120))
              .slice(0, 3)
              .join(" ; ")}`,
        ),
        [],
        `${path} at ${width} px, ${colorScheme}`,
      );
    }
    assert.deepEqual(wrong, []);
    await context.close();
  }
});

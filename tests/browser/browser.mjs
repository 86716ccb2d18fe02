// The browser, and pages in it.

import { chromium } from "playwright-core";
import { serve } from "./server.mjs";

const quiet = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** WebGPU without a GPU: Chromium's own rasteriser computes on the processor. */
const swiftShader = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/** A browser with a server for its pages: whether it has WebGPU, and whether pages are cross-origin isolated; `args` for the browser. */
export async function openBrowser({ webgpu, isolated = false, args = [] }) {
  const server = await serve({ isolated });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || process.env.CHROME || "/usr/bin/chromium",
    args: [...quiet, ...(webgpu ? swiftShader : []), ...args],
  });
  return {
    origin: server.origin,
    instead: server.instead,

    /**
     * The demo in a fresh profile; `prepare` is given the page before it loads anything. It keeps itself for a day without a network only where
     * that is what is tried: what it fetches for that would stand in the way of the rest.
     */
    async openDemo(prepare = () => undefined, { serviceWorkers = "block" } = {}) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, serviceWorkers });
      const page = await context.newPage();
      const faults = watch(page);
      // Whoever changes settings has them unfolded, and the page remembers that.
      await page.addInitScript(() => {
        if (location.protocol.startsWith("http")) localStorage.setItem("settings", "open");
      });
      await prepare(page, context);
      await page.goto(`${server.origin}/demo/`);
      return { page, faults };
    },

    /** An empty page with the package, as somebody else's page would import it, and the tests' own `lab`. */
    async openPackage() {
      const page = await browser.newPage();
      const faults = watch(page);
      await page.goto(`${server.origin}/page/package.html`);
      await page.evaluate(() => window.lab.ready);
      return { page, faults };
    },

    /** How many workers run in all pages, and within workers. */
    async workers() {
      const session = await browser.newBrowserCDPSession();
      const { targetInfos } = await session.send("Target.getTargets", { filter: [{}] });
      await session.detach();
      return targetInfos.filter(({ type }) => type === "worker").length;
    },

    /** What a test asks of the browser itself. */
    session: () => browser.newBrowserCDPSession(),

    async close() {
      await browser.close();
      server.close();
    },
  };
}

/** Errors that no code of the page has caught. */
function watch(page) {
  const faults = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("crash", () => faults.push("the page crashed"));
  return faults;
}

/** Waits until `probe` gives something true, and gives that. */
export async function until(probe, what, milliseconds = 120_000) {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`Waited ${milliseconds / 1000} s in vain for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// What the tests of the page share: a visit to it, with everything noted that leaves it, and short names for what is asked of it.

import { openBrowser, until } from "./browser.mjs";

export const patience = 180_000;

/** Opens the page, cross-origin isolated or not; `prepare` runs before it loads. */
export async function visit({ prepare, isolated = false } = {}) {
  const browser = await openBrowser({ webgpu: false, isolated });
  /** Every address that the visit asked for. */
  const requests = [];
  const { page, faults } = await browser.openDemo(async (page, context) => {
    page.setDefaultTimeout(patience);
    context.on("request", (request) => requests.push(request.url()));
    page.on("websocket", (socket) => requests.push(socket.url()));
    await page.addInitScript(watchCalls);
    await prepare?.(page);
  });
  const at = (id) => page.getByTestId(id);
  return {
    browser,
    page,
    faults,
    at,
    text: async (id) => (await at(id).textContent()).trim(),
    ready: () => page.locator('main[data-state="ready"]').waitFor({ timeout: patience }),
    explained: (method) =>
      page.locator(`main[data-state="ready"][data-explained="${method}"]`).waitFor({ timeout: patience }),
    requests,
    /** The calls to the engine since the last time. */
    calls: () => page.evaluate(() => window.calls.splice(0)),
    /** Requests to anywhere but the page's own folder. */
    strangers: () =>
      requests.filter((url) => !url.startsWith(`${browser.origin}/demo/`) && !/^(data|blob):/.test(url)),
    /** The grey values of a canvas, once it has faded in. */
    async picture(testid) {
      await page.evaluate(() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 600)));
      return at(testid).evaluate((canvas) => {
        const { width, height } = canvas;
        const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
        const sample = [];
        for (let i = 0; i < data.length; i += 64) sample.push((data[i] + data[i + 1] + data[i + 2]) / 3);
        return { width, height, sample };
      });
    },
    until: (probe, what) => until(probe, what, patience),
    /** Waits for the dialogue of one's own network to be in a state: busy, ready, stopped. */
    dialog: (state) =>
      page.locator(`#own-dialog[open][data-state="${state}"]`).waitFor({ timeout: patience }),
    /** Drops files on the page as a visitor does. */
    async drop(files) {
      const sent = files.map(({ name, mimeType, buffer }) => ({
        name,
        mimeType,
        base64: buffer.toString("base64"),
      }));
      const transfer = await page.evaluateHandle(async (files) => {
        const transfer = new DataTransfer();
        for (const { name, mimeType, base64 } of files) {
          const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
          transfer.items.add(new File([bytes], name, { type: mimeType }));
        }
        return transfer;
      }, sent);
      await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
    },
  };
}

/** A file to be dropped. */
export const file = (name, content, mimeType = "application/octet-stream") => ({
  name,
  mimeType,
  buffer: Buffer.from(content),
});

/** Runs in the page before its own code: notes the calls to the engine. */
function watchCalls() {
  window.calls = [];
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, ...rest) {
    if (message?.kind === "call") window.calls.push(message.name);
    return postMessage.call(this, message, ...rest);
  };
}

/** The mean difference of two pictures' grey values. */
export const difference = (a, b) =>
  a.sample.reduce((sum, grey, i) => sum + Math.abs(grey - b.sample[i]), 0) / a.sample.length;

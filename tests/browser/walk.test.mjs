// Random walks: whatever is done in whatever order, nothing breaks, nothing hangs, and what is shown is what was asked for. Each walk goes by its seed;
// the long ones run with ADVERSIGHT_THOROUGH=1.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { colourPng } from "./png.mjs";
import { file, patience, visit } from "./visit.mjs";

const thorough = Boolean(process.env.ADVERSIGHT_THOROUGH);
const walks = thorough ? [1, 2, 3, 4, 5].map((seed) => [seed, 300]) : [[7, 40]];

let tour, page, at;
before(async () => {
  tour = await visit();
  ({ page, at } = tour);
  await tour.explained("agi");
});
after(() => tour?.browser.close());

/** Numbers from 0 to 1, the same ones for a seed (mulberry32). */
function randomBy(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Methods that end within a second or two. */
const quick = ["saliency", "input_x_gradient", "grad_cam", "agi", "integrated_gradients", "smoothgrad"];

/** One action; gives its name. What is not there, or is not to be used now, is left. */
async function act(random) {
  const pick = (list) => list[Math.floor(random() * list.length)];
  const now = (locator) => locator.first();
  const press = async (locator) => {
    const one = now(locator);
    if ((await one.count()) > 0 && (await one.isVisible()) && (await one.isEnabled())) {
      await one.click({ timeout: 5000, force: true, noWaitAfter: true }).catch((error) => {
        if (!/Timeout|detached|not attached|outside of the viewport/.test(error.message)) throw error;
      });
    }
  };
  const picture = file(
    "grey.png",
    colourPng(8, 8, new Uint8Array(256).fill(Math.floor(random() * 256))),
    "image/png",
  );
  const actions = {
    kind: () =>
      press(
        page.locator(`[data-testid="example"][data-given="${pick(["image", "text", "audio", "file"])}"]`),
      ),
    sample: () => press(at(`sample-${pick(["chelsea", "coffee", "rocket", "flower"])}`)),
    example: () => press(page.locator("#sentences button").nth(Math.floor(random() * 6))),
    method: () =>
      at("method")
        .selectOption(pick(quick))
        .catch(() => undefined),
    network: async () => {
      const names = await at("model")
        .locator("option")
        .evaluateAll((all) => all.map(({ value }) => value));
      const same = { image: /efficient|squeeze/, text: /reviews/, audio: /tenet/, file: /magika/ };
      const kind = await page.locator("main").getAttribute("data-kind");
      await at("model").selectOption(pick(names.filter((name) => same[kind ?? "image"].test(name))));
    },
    answer: () => press(page.locator("#classes .name").nth(Math.floor(random() * 5))),
    why: () => press(page.locator("#classes .why").nth(Math.floor(random() * 4))),
    view: () => press(page.locator("#view label").nth(Math.floor(random() * 3))),
    colours: async () => {
      if (!(await at("colour-map").isVisible()) || (await at("colour-map").isDisabled())) return;
      const names = await at("colour-map")
        .locator("option")
        .evaluateAll((all) => all.map(({ value }) => value));
      await at("colour-map")
        .selectOption(pick(names))
        .catch(() => undefined);
    },
    wipe: async () => {
      if (await at("wipe").isVisible())
        await at("wipe").evaluate(
          (input, value) => {
            input.value = value;
            input.dispatchEvent(new Event("input"));
          },
          String(Math.floor(random() * 100)),
        );
    },
    brush: () => press(page.locator("#brush label").nth(Math.floor(random() * 4))),
    paint: async () => {
      const box = await at("picture").boundingBox();
      if (!box) return;
      await page.mouse.move(box.x + box.width * random(), box.y + box.height * random());
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * random(), box.y + box.height * random(), { steps: 3 });
      await page.mouse.up();
    },
    strike: () => press(page.locator("#reading [data-part]").nth(Math.floor(random() * 8))),
    mute: () => press(at("mute")),
    undo: () => press(at("undo")),
    redo: () => press(at("redo")),
    type: async () => {
      if (await at("text").isVisible())
        await at("text").fill(pick(["a dull film", "great", "", "so-so, but long"]));
    },
    beside: async () => {
      if (await at("beside").isVisible())
        await at("beside")
          .selectOption(pick(["", "saliency"]))
          .catch(() => undefined);
    },
    test: () => press(at(`proof-${pick(["prove", "compare", "attack"])}`)),
    escape: () => page.keyboard.press("Escape"),
    drop: () => tour.drop([picture]),
    nonsense: () => tour.drop([file("x.bin", Buffer.from([1, 2, 3, Math.floor(random() * 256)]))]),
    network_file: () => tour.drop([file("model.onnx", "no network")]),
    dismiss: () => press(at("banner-dismiss")),
    theme: () => press(at("theme")),
    tab: () => page.keyboard.press("Tab"),
    pause: () => page.waitForTimeout(300 * random()),
  };
  const name = pick(Object.keys(actions));
  const dialog = page.locator("dialog[open]");
  if ((await dialog.count()) > 0 && name !== "pause") {
    await page.keyboard.press("Escape");
    return "escape from a dialogue";
  }
  await actions[name]();
  return name;
}

/** Waits until nothing is computed, and checks that what is shown is what was asked for. */
async function settle(log) {
  for (let i = 0; i < 5 && (await page.locator("dialog[open]").count()) > 0; i++)
    await page.keyboard.press("Escape");
  await page.locator('main[data-state="ready"]').waitFor({ timeout: patience });
  const state = await page.evaluate(() => {
    const main = document.querySelector("main");
    const value = (id) => document.getElementById(id).value;
    return {
      explained: main.dataset.explained,
      method: value("method"),
      kind: main.dataset.kind,
      network: document.getElementById("model").selectedOptions[0]?.value,
      pressed: document.querySelector('[data-testid="example"][aria-pressed="true"]')?.dataset.given,
      banner: document.getElementById("banner").textContent,
      answers: document.querySelectorAll("#classes .name").length,
      busy: document.getElementById("words").ariaBusy,
      lost: document.activeElement === null,
    };
  });
  const told = `${JSON.stringify(state)} after ${log.slice(-25).join(", ")}`;
  assert.deepEqual(tour.faults, [], told);
  assert.doesNotMatch(state.banner, /needs a new start|Something went wrong inside/, told);
  // Without a map there is a reason that is told: a cancel, or a banner.
  if (state.explained !== "") assert.equal(state.explained, state.method, told);
  assert.ok(state.answers > 0, told);
  assert.equal(state.pressed, state.kind, told);
  const networks = { image: /efficient|squeeze|own/, text: /reviews/, audio: /tenet/, file: /magika/ };
  assert.match(state.network, networks[state.kind], told);
  assert.notEqual(state.busy, "true", told);
}

for (const [seed, length] of walks) {
  test(`a walk of ${length} actions by seed ${seed}`, async (t) => {
    const random = randomBy(seed);
    const log = [];
    for (let i = 1; i <= length; i++) {
      log.push(await act(random));
      assert.deepEqual(tour.faults, [], log.slice(-25).join(", "));
      if (i % 20 === 0) await settle(log);
    }
    await settle(log);
    // And all goes on from there.
    await page.keyboard.press("Escape");
    await page.locator('[data-testid="example"][data-given="image"]').click();
    await at("method").selectOption("saliency");
    await tour.explained("saliency");
    t.diagnostic([...new Set(log)].sort().join(", "));
  });
}

test("a walk asks nobody but the page", () => {
  assert.deepEqual(tour.strangers(), []);
  assert.deepEqual(tour.faults, []);
});

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

import { signedPixels } from "./picture.js";
import { showsSigns, sides, signedMap, tellsSigns } from "./signs.js";

const methods = new URL("../../src/attribution/methods/", import.meta.url);

test("which methods tell signs is what the engine says of them", () => {
  const names = readdirSync(methods).filter((name) => name !== "mod.rs");
  assert.ok(names.length > 40);
  for (const file of names) {
    // By itself a method's values are added up with their signs.
    const source = readFileSync(new URL(file, methods), "utf8");
    const joined = /const JOINED: Joined = Joined::(\w+)/.exec(source)?.[1] ?? "Sum";
    assert.equal(tellsSigns(file.replace(/\.rs$/, "")), joined === "Sum", file);
  }
  assert.ok(showsSigns("integrated_gradients") && !showsSigns("agi") && !showsSigns("saliency"));
});

const map = (data: number[], shape: number[], places: [number, number]) => ({
  attribution: { data: new Float32Array(data), shape },
  heatmap: { data: new Float32Array(places[0] * places[1]), shape: places, rule: "test" },
});

test("channels are added up with their signs, wherever they stand, and the strongest is one", () => {
  const first = map([1, -2, 0, 1, -2, 0, 2, -4, 0], [1, 3, 1, 3], [1, 3]);
  assert.deepEqual([...(signedMap(first, { method: "lrp" })?.data ?? [])], [0.5, -1, 0]);
  const last = map([1, 1, 2, -2, -2, -4, 0, 0, 0], [1, 1, 3, 3], [1, 3]);
  const layout = "picture_channels_last";
  assert.deepEqual([...(signedMap(last, { method: "lrp", layout })?.data ?? [])], [0.5, -1, 0]);
  assert.equal(signedMap(first, { method: "saliency" }), null, "magnitudes have no signs");
  assert.equal(signedMap(map([1, 0, 2], [1, 1, 1, 3], [1, 3]), { method: "lrp" }), null, "nothing against");
});

test("over a photograph what counts for nothing is not painted, and the two sides have their colours", () => {
  const { data } = signedPixels(
    { data: new Float32Array([-1, 0, 1]), shape: [1, 3] },
    { base: 0, opacity: 1 },
  );
  assert.deepEqual([...data.subarray(0, 4)], [...sides.against, 255]);
  assert.equal(data[7], 0);
  assert.deepEqual([...data.subarray(8, 12)], [...sides.for, 255]);
  const alone = signedPixels({ data: new Float32Array([0]), shape: [1, 1] }, {});
  assert.deepEqual([...alone.data], [...sides.neutral, 255]);
});

/** Machado, Oliveira, Fernandes (2009), for full protanopia, deuteranopia and tritanopia, in linear light. */
const blindness = {
  none: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
};

/** CIE Lab of a colour as it is seen. */
function lab(colour: readonly number[], matrix: readonly number[]): number[] {
  const linear = colour.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const rows = (m: readonly number[], v: readonly number[]) =>
    [0, 3, 6].map((row) => v.reduce((sum, value, i) => sum + (m[row + i] ?? 0) * value, 0));
  const seen = rows(matrix, linear).map((value) => Math.min(1, Math.max(0, value)));
  const srgb = [0.4124, 0.3576, 0.1805, 0.2126, 0.7152, 0.0722, 0.0193, 0.1192, 0.9505];
  const white = [0.9505, 1, 1.089];
  const [x = 0, y = 0, z = 0] = rows(srgb, seen).map((value, i) => {
    const part = value / (white[i] ?? 1);
    return part > 0.008856 ? Math.cbrt(part) : 7.787 * part + 16 / 116;
  });
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

test("for, against and neither are told apart whatever colours one sees", () => {
  for (const [name, matrix] of Object.entries(blindness)) {
    const [one, other, none] = [sides.for, sides.against, sides.neutral].map((colour) => lab(colour, matrix));
    const far = (a: number[] = [], b: number[] = []) =>
      Math.hypot(...a.map((value, i) => value - (b[i] ?? 0)));
    for (const pair of [far(one, other), far(one, none), far(other, none)]) {
      assert.ok(pair > 30, `${name}: ${pair.toFixed(0)}`); // a difference of 2 can just be seen
    }
  }
});

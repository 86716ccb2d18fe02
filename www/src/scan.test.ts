// A scripted listener: it has the sound alone, samples as a loudspeaker gets them, and says in which ninth of the picture most of the map lies.

import assert from "node:assert/strict";
import test from "node:test";

import { ninths, scanOf, type ScanTone } from "./probe.js";

const rate = 8000;

/** The scan as it is heard: left and right, by the equal power of a stereo panner. */
function played(tones: readonly ScanTone[]): [left: Float32Array, right: Float32Array] {
  const last = tones.at(-1);
  const length = Math.ceil(((last?.at ?? 0) + (last?.lasts ?? 0)) * rate);
  const [left, right] = [new Float32Array(length), new Float32Array(length)];
  for (const { at, lasts, hertz, gain, pan } of tones) {
    const angle = ((pan + 1) * Math.PI) / 4;
    for (let i = Math.round(at * rate); i < Math.min(length, Math.round((at + lasts) * rate)); i++) {
      const value = gain * 0.15 * Math.sin((2 * Math.PI * hertz * i) / rate);
      left[i] = value * Math.cos(angle);
      right[i] = value * Math.sin(angle);
    }
  }
  return [left, right];
}

/** What a listener makes of it: when it was loudest tells the row, and from which side it came the column. */
function heard([left, right]: [Float32Array, Float32Array], seconds: number): [row: number, column: number] {
  const moment = Math.round(0.05 * rate);
  let best = { power: -1, at: 0, side: 0 };
  for (let start = 0; start + moment <= left.length; start += Math.round(moment / 2)) {
    let [l, r] = [0, 0];
    for (let i = start; i < start + moment; i++) {
      l += (left[i] ?? 0) ** 2;
      r += (right[i] ?? 0) ** 2;
    }
    if (l + r > best.power * 1.0001) best = { power: l + r, at: start / rate, side: (r - l) / (l + r) };
  }
  const row = Math.min(2, Math.floor((3 * best.at) / seconds));
  return [row, best.side < -0.4 ? 0 : best.side > 0.4 ? 2 : 1];
}

/** A map with a large spot, smaller ones and noise, by a seed. */
function mapOf(seed: number, size: number): { data: Float32Array; shape: [number, number]; rule: string } {
  let state = seed * 2654435761 + 1;
  const random = () => (state = (state * 1664525 + 1013904223) % 4294967296) / 4294967296;
  const spots = Array.from({ length: 4 }, (_, i) => ({
    x: random() * size,
    y: random() * size,
    width: size * (0.08 + 0.1 * random()),
    height: i === 0 ? 1 : 0.6 * random(),
  }));
  const data = Float32Array.from({ length: size * size }, (_, i) => {
    const [x, y] = [i % size, Math.floor(i / size)];
    const sum = spots.reduce(
      (sum, spot) =>
        sum + spot.height * Math.exp(-((x - spot.x) ** 2 + (y - spot.y) ** 2) / (2 * spot.width ** 2)),
      0,
    );
    return Math.min(1, sum + 0.1 * random());
  });
  return { data, shape: [size, size], rule: "test" };
}

for (const side of [3, 6, 12]) {
  test(`who has the sound alone finds the ninth where most of the map lies, of a scan of ${side} × ${side}`, (t) => {
    let right = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const map = mapOf(seed, 96);
      const tones = scanOf(map, side);
      // A row and the silence after it take a third of the time, or its share.
      const [, below] = [tones[0], tones[side]];
      const [row, column] = heard(played(tones), (below?.at ?? 0) * side);
      const shares = ninths(map);
      const truth = shares.indexOf(Math.max(...shares));
      if (3 * row + column === truth) right++;
    }
    t.diagnostic(`${right} of 40`);
    // A finer scan is of places, not of ninths: where a spot is small, it is heard elsewhere than where most of the sum lies.
    assert.ok(right >= 32, `${right} of 40`);
  });
}

test("what speaks against the class is heard below what counts for nothing, and an empty map is silent", () => {
  const [low] = scanOf({ data: new Float32Array([-1]), shape: [1, 1] }, 1);
  const [none] = scanOf({ data: new Float32Array([0]), shape: [1, 1] }, 1);
  assert.ok(low && none && low.hertz < none.hertz && low.gain === 1 && none.gain === 0);
});

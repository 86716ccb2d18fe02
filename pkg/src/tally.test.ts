import assert from "node:assert/strict";
import test from "node:test";
import { nameOf, Tally, type LoadProgress } from "./tally.js";

test("several files are told as one, whose share never goes back", () => {
  const told: LoadProgress[] = [];
  const tally = new Tally((progress) => told.push(progress));
  const [model, masker, kept] = ["m.onnx", "k.onnx", "kept.onnx"].map((name) => tally.file(name));
  model?.onProgress?.({ done: 10, total: 60, stage: "download" });
  masker?.onProgress?.({ done: 10, total: 20, stage: "download" });
  kept?.came(20);
  model?.onProgress?.({ done: 60, total: 60, stage: "download" });
  assert.deepEqual(
    told.map(({ done, total, file }) => [done, total, file?.name, file?.done]),
    [
      [10, 0, "m.onnx", 10],
      [20, 0, "k.onnx", 10],
      [90, 100, "m.onnx", 60],
    ],
  );
});

test("a file is called by the last part of its address", () => {
  assert.equal(nameOf("https://x.example/a/model.onnx?v=2#x"), "model.onnx");
  assert.equal(nameOf(new URL("https://x.example/")), "https://x.example/");
});

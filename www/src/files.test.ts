import assert from "node:assert/strict";
import test from "node:test";

import { concernNetwork, sortFiles } from "./files.js";

const file = (name: string, content = "", type = "") => new File([content], name, { type });

test("files are sorted by what is in them", async () => {
  const sorted = await sortFiles([
    file("cat.jpg", "", "image/jpeg"),
    file("preprocessor_config.json", '{"image_mean": [0.5, 0.5, 0.5]}'),
    file("model.onnx"),
    file("model.onnx.data"),
    file("config.json", '{"id2label": {"0": "cat", "1": "dog"}}'),
  ]);
  assert.equal(sorted.onnx?.name, "model.onnx");
  assert.equal(sorted.photo?.name, "cat.jpg");
  const { preprocessing, labels, weights } = sorted.companions;
  assert.deepEqual(preprocessing, {
    file: "preprocessor_config.json",
    value: { image_mean: [0.5, 0.5, 0.5] },
  });
  assert.deepEqual(labels, { file: "config.json", value: ["cat", "dog"] });
  assert.deepEqual(
    weights.map(({ name }) => name),
    ["model.onnx.data"],
  );
  assert.deepEqual(sorted.refused, []);
});

test("what cannot be used is named with the reason, and the rest is used", async () => {
  const { onnx, companions, refused } = await sortFiles([
    file("one.onnx"),
    file("two.onnx"),
    file("broken.json", "{"),
    file("config.json", '{"model_type": "resnet"}'),
    file("labels.txt", "cat\ndog"),
  ]);
  assert.equal(onnx?.name, "one.onnx");
  assert.deepEqual(companions.labels?.value, ["cat", "dog"]);
  assert.equal(refused.length, 3);
  assert.match(refused[0] ?? "", /two\.onnx.*one\.onnx came first/);
  assert.match(refused[1] ?? "", /broken\.json.*JSON/);
  assert.match(refused[2] ?? "", /config\.json/);
});

test("a photograph alone concerns no network", () => {
  assert.ok(!concernNetwork([file("cat.jpg", "", "image/jpeg"), file("scan", "")]));
  assert.ok(concernNetwork([file("cat.jpg"), file("Model.ONNX")]));
  assert.ok(concernNetwork([file("labels.txt")]));
});

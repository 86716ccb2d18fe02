import assert from "node:assert/strict";
import test from "node:test";

import { presetNames, presetPreprocessing } from "adversight";
import { formProblem, readForm, writeForm } from "./picture-form.js";

const size = { height: 224, width: 224 };

test("what is written is read as the same, for every preset and what was changed of it", () => {
  for (const name of presetNames) {
    const form = readForm(presetPreprocessing(name, size), size);
    assert.deepEqual(readForm(writeForm(form), size), form, name);
    assert.equal(formProblem(form), null);
    const changed = { ...form, mean: [1, 2, 3], order: "BGR" as const, fit: "crop" as const, edge: 300 };
    assert.deepEqual(readForm(writeForm(changed), size), changed, name);
  }
});

test("Hugging Face's files are read by the engine's rules", () => {
  const read = (file: object) => readForm(file as never, { height: 99, width: 99 });
  const vit = read({
    do_normalize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
    size: 224,
  });
  assert.deepEqual([vit.fit, vit.height, vit.width, vit.scale], ["stretch", 224, 224, 1 / 255]);
  assert.deepEqual(vit.std, [0.5, 0.5, 0.5]);
  const convNext = read({ crop_pct: 0.875, size: { shortest_edge: 224 }, resample: 3 });
  assert.deepEqual([convNext.fit, convNext.edge, convNext.height, convNext.resample], ["crop", 256, 224, 3]);
  const large = read({ crop_pct: 1, size: { shortest_edge: 384 } });
  assert.deepEqual([large.fit, large.height], ["stretch", 384]);
  const resnet = read({ do_center_crop: true, crop_size: 224, size: 256 });
  assert.deepEqual([resnet.fit, resnet.edge, resnet.height], ["crop", 256, 224]);
  const raw = read({ do_rescale: false, do_resize: false, channel_order: "BGR" });
  assert.deepEqual([raw.scale, raw.height, raw.order, raw.mean, raw.std], [1, 99, "BGR", [0, 0, 0], [1, 1, 1]]); // prettier-ignore
  const off = read({ do_normalize: false, image_mean: [9, 9, 9], size: 8 });
  assert.deepEqual(off.mean, [0, 0, 0]);
});

test("fields that cannot be used are named", () => {
  const form = readForm(presetPreprocessing("imagenet"), size);
  assert.match(formProblem({ ...form, height: 0 }) ?? "", /Height/);
  assert.match(formProblem({ ...form, edge: 2.5 }) ?? "", /shorter edge/);
  assert.equal(formProblem({ ...form, edge: 2.5, fit: "stretch" }), null);
  assert.match(formProblem({ ...form, std: [1, 0, 1] }) ?? "", /deviation/);
  assert.match(formProblem({ ...form, mean: [NaN, 0, 1] }) ?? "", /mean/);
});

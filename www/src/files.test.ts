import assert from "node:assert/strict";
import test from "node:test";

import { concernNetwork, refusalProblem, sortFiles } from "./files.js";

const file = (name: string, content: BlobPart = "", type = "") => new File([content], name, { type });
const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0);

test("files are sorted by what is in them", async () => {
  const sorted = await sortFiles([
    file("cat.dat", jpeg, ""),
    file("preprocessor_config.json", '{"image_mean": [0.5, 0.5, 0.5]}'),
    file("model.onnx"),
    file("model.onnx.data"),
    file("config.json", '{"id2label": {"0": "cat", "1": "dog"}}'),
  ]);
  assert.equal(sorted.onnx?.name, "model.onnx");
  assert.equal(sorted.photo?.name, "cat.dat");
  const { preprocessing, labels, weights } = sorted.companions;
  assert.deepEqual(preprocessing, {
    file: "preprocessor_config.json",
    value: { image_mean: [0.5, 0.5, 0.5] },
  });
  assert.deepEqual(labels, { file: "config.json", text: '{"id2label": {"0": "cat", "1": "dog"}}' });
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
    file("weights.h5", Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a)),
  ]);
  assert.equal(onnx?.name, "one.onnx");
  assert.deepEqual(companions.labels, { file: "labels.txt", text: "cat\ndog" });
  const reasons = refused.map((refusal) => `${refusal.file}: ${refusal.reason}`);
  assert.equal(refused.length, 4, reasons.join("\n"));
  assert.match(reasons[0] ?? "", /two\.onnx.*one\.onnx came first/);
  assert.match(reasons[1] ?? "", /broken\.json.*JSON/);
  assert.match(reasons[2] ?? "", /config\.json/);
  assert.match(reasons[3] ?? "", /weights\.h5: This is a Keras file/);
});

test("only what may name classes is taken for their names", async () => {
  const taken = async (json: string) =>
    (await sortFiles([file("a.json", json)])).companions.labels !== undefined;
  for (const json of [
    '["cat"]',
    '{"0": "cat"}',
    '{"cat": 0}',
    '{"classes": ["cat"]}',
    '{"names": {"0": "cat"}}',
  ]) {
    assert.ok(await taken(json), json);
  }
  for (const json of ["{}", "3", '"cat"', '{"labels": "labels.txt"}', '{"version": "1.0", "model": {}}']) {
    assert.ok(!(await taken(json)), json);
  }
});

test("NumPy's files are values of inputs", async () => {
  const header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }".padEnd(117) + "\n";
  const start = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0);
  const npy = new File([start, header, Int32Array.of(3, 4)], "age.npy");
  const { companions, refused } = await sortFiles([npy, file("odd.npy", start)]);
  assert.deepEqual(companions.arrays, [
    { file: "age.npy", value: { data: Int32Array.of(3, 4), shape: [2] } },
  ]);
  assert.match(refused[0]?.reason ?? "", /\.npy file/);
});

test("a photograph alone concerns no network", async () => {
  assert.ok(!concernNetwork(await sortFiles([file("cat.jpg", jpeg), file("scan", "", "image/x-odd")])));
  assert.ok(concernNetwork(await sortFiles([file("cat.jpg", jpeg), file("Model.ONNX")])));
  assert.ok(concernNetwork(await sortFiles([file("labels.txt", "a")])));
});

test("files that are of no use alone are told with what to do", async () => {
  const problemOf = async (...files: File[]) => refusalProblem((await sortFiles(files)).refused);
  const torch = await problemOf(file("net.pth", "odd"));
  assert.match(torch?.title ?? "", /converted to ONNX/);
  assert.match(torch?.message ?? "", /^net\.pth: This is a PyTorch file.*torch\.onnx\.export/);
  const sound = await problemOf(file("a.wav", "RIFF\0\0\0\0WAVEfmt "), file("b.csv", "1,2"));
  assert.match(sound?.title ?? "", /networks of pictures/);
  assert.match(sound?.message ?? "", /a\.wav: This is a WAV sound.*\(And b\.csv\.\)$/);
  assert.match((await problemOf(file("a.pdf", "%PDF-1.7")))?.title ?? "", /cannot be used/);
  assert.equal(refusalProblem([]), null);
});

test("what another kind of network can be asked about is told apart", async () => {
  const others = async (...files: File[]) =>
    Object.entries((await sortFiles(files)).others).map(([kind, { name }]) => `${kind}: ${name}`);
  assert.deepEqual(await others(file("review.txt", "a dull film")), ["text: review.txt"]);
  assert.deepEqual(await others(file("labels.txt", "cat\ndog"), file("class_names.txt", "cat")), []);
  assert.deepEqual(await others(file("a.wav", "RIFF\0\0\0\0WAVEfmt ")), ["audio: a.wav"]);
  assert.deepEqual(await others(file("a.pdf", "%PDF-1.7"), file("odd", "\x00\x01\x02\x03")), ["file: a.pdf"]);
  assert.deepEqual(await others(file("odd", "\x00\x01\x02\x03")), ["file: odd"]);
  for (const none of [
    file("cat.jpg", jpeg),
    file("net.pth", "odd"),
    file("m.onnx"),
    file("config.json", "{}"),
  ]) {
    assert.deepEqual(await others(none), [], none.name);
  }
});

import assert from "node:assert/strict";
import test from "node:test";

import { filesToKeep } from "./files.js";

test("what is kept is the page with one engine and the networks that are wanted", () => {
  const files = [
    "index.html",
    "assets/index-abc.js",
    "assets/index-abc.js.map",
    "assets/adversight_bg-a.wasm",
    "assets/adversight_cpu_bg-b.wasm",
    "assets/adversight_cpu_threads_bg-c.wasm",
    "assets/adversight_cpu_threads-d.js",
    "assets/adversight_text_bg-e.wasm",
    "assets/adversight_sound_bg-f.wasm",
    "models/a.onnx",
    "models/b.onnx",
    "models/b.json",
  ].map((path) => ({ path, sha256: "", bytes: 1 }));
  const kept = filesToKeep(files, { engines: ["adversight_cpu_threads"], networks: ["models/a.onnx"] });
  assert.deepEqual(
    kept.map(({ path }) => path),
    [
      "index.html",
      "assets/index-abc.js",
      "assets/adversight_cpu_threads_bg-c.wasm",
      "assets/adversight_cpu_threads-d.js",
      "assets/adversight_text_bg-e.wasm",
      "assets/adversight_sound_bg-f.wasm",
      "models/a.onnx",
      "models/b.json",
    ],
  );
});

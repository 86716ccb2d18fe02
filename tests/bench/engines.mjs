// The libraries that are measured, each in all its forms.

/** The files that each bundle loads beside its code: folders or files in node_modules. */
export const bundles = {
  adversight: [
    "adversight/dist/wasm/adversight_bg.wasm",
    "adversight/dist/wasm/adversight_cpu_bg.wasm",
    "adversight/dist/wasm/adversight_cpu_threads_bg.wasm",
    "adversight/dist/wasm/adversight_cpu_threads.js",
    "adversight/dist/helper.js",
  ],
  "tfjs-cpu": [],
  "tfjs-wasm": [
    "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm",
    "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm",
  ],
  "tfjs-webgpu": [],
  jax: [],
  "ort-wasm": [
    "onnxruntime-web/dist/ort-wasm-simd-threaded.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
  ],
  "ort-webgpu": [
    "onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.wasm",
  ],
};

/** The variant whose logits are the reference. */
export const reference = "ort-wasm";

const libraries = {
  "adversight cpu": "Adversight",
  "adversight webgpu": "Adversight, WebGPU",
  "tfjs-wasm wasm": "TF.js wasm",
  "tfjs-cpu cpu": "TF.js cpu",
  "jax wasm": "jax-js wasm",
  "ort-wasm wasm": "onnxruntime-web wasm",
  "tfjs-webgpu webgpu": "TF.js WebGPU",
  "jax webgpu": "jax-js WebGPU",
  "ort-webgpu webgpu": "onnxruntime-web WebGPU",
};

/** `row` names the line of the table: what differs only in threads shares one. */
export const variants = [
  {
    row: "adversight-cpu",
    title: "**Adversight**, CPU",
    bundle: "adversight",
    device: "cpu",
    threads: [1, 2],
  },
  {
    row: "tfjs-wasm",
    title: "TF.js wasm, as shipped",
    bundle: "tfjs-wasm",
    device: "wasm",
    gradients: "shipped",
    threads: [1, 2],
  },
  {
    row: "tfjs-wasm-composed",
    title: "TF.js wasm, gradients composed by hand",
    bundle: "tfjs-wasm",
    device: "wasm",
    gradients: "composed",
    threads: [1, 2],
  },
  { row: "tfjs-cpu", title: "TF.js cpu", bundle: "tfjs-cpu", device: "cpu", threads: [1] },
  { row: "jax-wasm", title: "jax-js wasm", bundle: "jax", device: "wasm", threads: [1, 2] },
  { row: "ort-wasm", title: "onnxruntime-web wasm", bundle: "ort-wasm", device: "wasm", threads: [1, 2] },
  {
    row: "adversight-webgpu",
    title: "**Adversight**, WebGPU",
    bundle: "adversight",
    device: "webgpu",
    threads: [1],
  },
  { row: "tfjs-webgpu", title: "TF.js WebGPU", bundle: "tfjs-webgpu", device: "webgpu", threads: [1] },
  { row: "jax-webgpu", title: "jax-js WebGPU", bundle: "jax", device: "webgpu", threads: [1] },
  {
    row: "ort-webgpu",
    title: "onnxruntime-web WebGPU",
    bundle: "ort-webgpu",
    device: "webgpu",
    threads: [1],
  },
].flatMap(({ threads, title, ...variant }) =>
  threads.map((count) => ({
    ...variant,
    rowTitle: title,
    id: count === 1 ? variant.row : `${variant.row}-${count}`,
    library: libraries[`${variant.bundle} ${variant.device}`],
    title: `${title.replaceAll("*", "")}${count === 1 ? "" : `, ${count} threads`}`,
    threads: count,
  })),
);

// What the benchmark makes up itself, always the same: a network small enough for a GPU played by the CPU, and pictures.

import { writeOnnx, type Graph, type Node, type Weights } from "./onnx.ts";

/** A generator of numbers in [0, 1) that starts from `seed` (mulberry32). */
export function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** 3x3 convolution to 32 channels, 3x3 convolution with stride 2 to 64, mean over the image, linear layer to 10 classes. */
export function tinyOnnx(): Uint8Array {
  const next = random(1);
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const weights = new Map<string, Weights>();
  const add = (name: string, shape: number[], deviation: number) => {
    const size = shape.reduce((a, b) => a * b, 1);
    weights.set(name, { shape, data: Float32Array.from({ length: size }, () => deviation * normal()) });
    return name;
  };
  const conv = (name: string, input: string, from: number, to: number, stride: number): Node => ({
    op: "Conv",
    inputs: [
      input,
      add(`${name}.weight`, [to, from, 3, 3], Math.sqrt(2 / (9 * from))),
      add(`${name}.bias`, [to], 0.1),
    ],
    outputs: [name],
    attributes: { group: 1, kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [stride, stride] },
  });
  const plain = (op: string, input: string, output: string, attributes = {}): Node => ({
    op,
    inputs: [input],
    outputs: [output],
    attributes,
  });
  const nodes: Node[] = [
    conv("conv1", "input", 3, 32, 1),
    plain("Relu", "conv1", "relu1"),
    conv("conv2", "relu1", 32, 64, 2),
    plain("Relu", "conv2", "relu2"),
    plain("GlobalAveragePool", "relu2", "mean"),
    plain("Flatten", "mean", "flat", { axis: 1 }),
    {
      op: "Gemm",
      inputs: ["flat", add("linear.weight", [10, 64], 1), add("linear.bias", [10], 0.1)],
      outputs: ["logits"],
      attributes: { transB: 1 },
    },
  ];
  const graph: Graph = {
    input: { name: "input", shape: [null, 3, 32, 32] },
    output: "logits",
    nodes,
    weights,
  };
  return writeOnnx(graph, [null, 10]);
}

/**
 * A batch of pictures [batch, 3, size, size] with values in about ±`scale`: a few soft blobs and stripes of colour on each, and fine
 * grain, so that every part of the network has something to do. All differ; the first is the same at any batch.
 */
export function pictures(batch: number, size: number, scale: number): Float32Array<ArrayBuffer> {
  const data = new Float32Array(batch * 3 * size * size);
  for (let n = 0; n < batch; n++) {
    const next = random(1000 + n);
    const blobs = Array.from({ length: 12 }, () => ({
      x: next() * size,
      y: next() * size,
      width: size * (0.04 + 0.2 * next()),
      stripes: next() < 0.5 ? 0 : (2 * Math.PI * (2 + 10 * next())) / size,
      angle: next() * Math.PI,
      colour: [next() * 2 - 1, next() * 2 - 1, next() * 2 - 1],
    }));
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const pixel = [0, 0, 0];
        for (const blob of blobs) {
          const [dx, dy] = [x - blob.x, y - blob.y];
          const along = dx * Math.cos(blob.angle) + dy * Math.sin(blob.angle);
          const weight =
            Math.exp(-(dx * dx + dy * dy) / (2 * blob.width * blob.width)) * Math.cos(blob.stripes * along);
          for (let c = 0; c < 3; c++) pixel[c]! += weight * blob.colour[c]!;
        }
        for (let c = 0; c < 3; c++) {
          const value = pixel[c]! + 0.1 * (next() - 0.5);
          data[((n * 3 + c) * size + y) * size + x] = scale * Math.max(-1, Math.min(1, value));
        }
      }
    }
  }
  return data;
}

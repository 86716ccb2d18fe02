// onnxruntime-web: forward only. It is also what the others' logits are held against.

import type { InferenceSession, Tensor, TypedTensor } from "onnxruntime-common";
import type { CreateEngine } from "../engine.ts";

interface Ort {
  env: { wasm: { numThreads?: number; wasmPaths?: unknown }; versions: { web?: string } };
  InferenceSession: {
    create(bytes: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  Tensor: new (type: "float32", data: Float32Array, shape: readonly number[]) => TypedTensor<"float32">;
}

export const create =
  (ort: Ort): CreateEngine =>
  async ({ device, threads, base }) => {
    ort.env.wasm.numThreads = threads;
    ort.env.wasm.wasmPaths = base;
    return {
      description: `onnxruntime-web ${ort.env.versions.web ?? ""}, ${device}`,
      async load({ onnx, graph }) {
        const session = await ort.InferenceSession.create(onnx, {
          executionProviders: [device],
          graphOptimizationLevel: "all",
        });
        return {
          prepare: (data, shape) => ({
            async logits() {
              const input: Tensor = new ort.Tensor("float32", data, shape);
              const results = await session.run({ [graph.input.name]: input });
              const output = results[graph.output]!;
              return (await output.getData()) as Float32Array;
            },
          }),
          free: () => void session.release(),
        };
      },
    };
  };

// Ourselves, through the npm package as its users see it.

import { createEngine } from "adversight";
import type { CreateEngine } from "../engine.ts";

const create: CreateEngine = async ({ device, threads }) => {
  // The benchmark has put the engine into a worker already, as it does with every library.
  const engine = await createEngine({
    device: device === "webgpu" ? "webgpu" : "cpu",
    worker: false,
    threads,
  });
  const { kind, name, reason } = engine.device;
  if (kind !== (device === "webgpu" ? "webgpu" : "cpu"))
    throw new Error(`${device} is not to be had: ${reason}`);
  if (engine.device.threads !== threads) throw new Error(`It runs ${engine.device.threads} threads.`);
  return {
    description: `${kind}: ${name}, ${threads} thread${threads === 1 ? "" : "s"}`,
    async load({ name, onnx, preprocessing }) {
      const model = await engine.loadModel({ onnx, name, preprocessing: preprocessing ?? undefined });
      return {
        prepare: (data, shape) => ({
          logits: async () => (await model.logits({ data, shape })).data,
          gradient: async (target) => (await model.inputGradient({ data, shape }, target)).data,
          gradientOfProbability: async (target) =>
            (await model.inputGradient({ data, shape }, target, { score: "probability" })).data,
        }),
        async explain(picture, explanation) {
          await model.explain(picture, { ...explanation, seed: 0 });
        },
        free: () => {
          model.close();
        },
      };
    },
  };
};

export default create;

import "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
import type { CreateEngine } from "../engine.ts";
import { create } from "./tfjs.ts";

const createWebGpu: CreateEngine = async (options) => {
  if (!(await tf.setBackend("webgpu"))) throw new Error("TF.js finds no WebGPU.");
  return create(options, "");
};

export default createWebGpu;

import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import type { CreateEngine } from "../engine.ts";
import { create } from "./tfjs.ts";

const createCpu: CreateEngine = async (options) => {
  await tf.setBackend("cpu");
  return create(options, "");
};

export default createCpu;

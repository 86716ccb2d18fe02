import { getThreadsCount, setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import type { CreateEngine } from "../engine.ts";
import { create } from "./tfjs.ts";

const createWasm: CreateEngine = async (options) => {
  setWasmPaths(options.base);
  setThreadsCount(options.threads);
  // It takes no more than one thread for two processors, whatever count is set.
  Object.defineProperty(navigator, "hardwareConcurrency", { value: 2 * options.threads });
  if (!(await tf.setBackend("wasm"))) throw new Error("TF.js could not start its wasm backend.");
  const threads = getThreadsCount();
  if (threads !== options.threads) throw new Error(`TF.js runs ${threads} threads, not ${options.threads}.`);
  return create(options, `, ${threads} thread${threads === 1 ? "" : "s"}`);
};

export default createWasm;

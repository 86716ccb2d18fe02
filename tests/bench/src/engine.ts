// What the benchmark asks of a library.

import type { Graph } from "./onnx.ts";

export interface EngineOptions {
  device: "cpu" | "wasm" | "webgpu";
  threads: number;
  /** The address of the folder with the library's files, with a slash at its end. */
  base: string;
  /** TF.js on wasm: the gradients that it ships, or gradients composed of its other operations. */
  gradients?: "shipped" | "composed";
}

export interface Engine {
  /** What runs, in the library's own words: its backend, its threads. */
  readonly description: string;
  load(model: {
    name: string;
    graph: Graph;
    onnx: Uint8Array;
    preprocessing: Record<string, unknown> | null;
  }): Promise<Loaded>;
}

/** A network in a library. */
export interface Loaded {
  /** Makes an input [batch, 3, height, width] ready in the layout that the library works in; this is not timed. */
  prepare(data: Float32Array<ArrayBuffer>, shape: Shape): Prepared;
  /** Explains what the network makes of a picture, and waits for the map. */
  explain?: (picture: Blob, explanation: Explanation) => Promise<void>;
  free?(): void;
}

/** One of our methods and its parameters. */
export interface Explanation {
  method: string;
  params: Record<string, unknown>;
  /** The class; the most likely one where it is left out. */
  target?: number;
}

export type Shape = [batch: number, channels: number, height: number, width: number];

/** One input, from numbers in the page's memory to numbers in the page's memory: this is timed. */
export interface Prepared {
  logits(): Promise<Float32Array>;
  /** The gradient of the logit of class `target`, for each picture of the batch, in the library's own layout. */
  gradient?: (target: number) => Promise<Float32Array>;
  /** The gradient of the probability of class `target`, which reaches back from all logits. */
  gradientOfProbability?: (target: number) => Promise<Float32Array>;
  /** Brings a gradient from the library's own layout to [batch, channels, height, width]. */
  toNchw?: (gradient: Float32Array) => Float32Array;
}

export type CreateEngine = (options: EngineOptions) => Promise<Engine>;

//! Types that exist on the JavaScript side only, in TypeScript.

use serde::Deserialize;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** Numbers with a shape, last dimension fastest. */
export interface TensorData {
    data: Float32Array;
    shape: number[];
}

/** What a model takes: RGBA pixels, or a tensor in model space that goes into the network as it is. */
export type WasmInput = { pixels: Uint8Array | Uint8ClampedArray; width: number; height: number } | TensorData;

/** How to open an engine. */
export interface EngineOptions {
    device?: DeviceChoice;
}

/** What is known about a model. */
export interface ModelOptions {
    name?: string | null;
    /** The contents of a Hugging Face preprocessor_config.json, optionally with `channel_order: "BGR"`. */
    preprocessing?: Record<string, unknown> | null;
    labels?: string[] | null;
    /** The contents of a Hugging Face config.json; its id2label names the classes. */
    config?: Record<string, unknown> | null;
}

/** Called between the steps of an explanation. */
export interface ExplainHooks {
    onProgress?: ((progress: Progress) => void) | undefined;
    isCancelled?: (() => boolean) | undefined;
}

/** A picture of an attribution, values 0 to 1. */
export interface Heatmap {
    data: Float32Array;
    /** Height and width. */
    shape: [number, number];
    /** How the values came about, in words. */
    rule: string;
}

/** A partition of the picture, and what each part counted for. */
export interface Segmentation {
    /** The segment of every pixel, row by row. */
    labels: Uint32Array;
    /** The attribution of each segment. */
    values: Float32Array;
    /** The segments that make up the explanation, the most important first. */
    chosen: Uint32Array;
}

/** An explanation of one input. */
export interface Explanation {
    /** The raw values of the method, in the shape of the model's input or of one channel of it. */
    attribution: TensorData;
    heatmap: Heatmap;
    /** What tells the target from each class of `info.against` alone, where that was asked for (AGI's `individual`). */
    individual?: TensorData[];
    /** For methods that work on segments. */
    segments?: Segmentation;
    /** The part of the photograph that the network saw; null for tensors. */
    region: Region | null;
    info: ExplanationInfo;
    /** One or two sentences. */
    words: string[];
}
"#;

/// The counterpart of the TypeScript `ModelOptions`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ModelOptions {
    pub name: Option<String>,
    pub preprocessing: Option<serde_json::Value>,
    pub labels: Option<Vec<String>>,
    pub config: Option<serde_json::Value>,
}

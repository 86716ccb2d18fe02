//! Types that exist on the JavaScript side only, in TypeScript.

use std::collections::BTreeMap;

use serde::Deserialize;
use wasm_bindgen::{JsCast, prelude::*};

use super::{JsResult, convert};
use crate::{
    DetectorOptions, SoundPreparation, SoundView,
    input::{layout::Layout, sound},
    model,
};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** Numbers with a shape, last dimension fastest. */
export interface TensorData {
    data: Float32Array;
    shape: number[];
}

/** The score of a class that is differentiated: its logit, its probability, or the logarithm of that. */
export type Score = "logit" | "probability" | "log_probability";

/** What a model takes: RGBA pixels, or a tensor in model space that goes into the network as it is. */
export type WasmInput =
    | SoundData
    | { table: TableData }
    | { values: Record<string, TensorData> }
    | { pixels: Uint8Array | Uint8ClampedArray; width: number; height: number }
    | Tokens
    | TensorData
    /** The inputs that `withInputs` has set, for a model that is explained at a node. */
    | null;

/** A token of a text, and where it stands. */
export interface Token {
    /** What the tokenizer calls it. */
    piece: string;
    /** Which of the texts it is of. */
    text: number;
    /** Its range in that text, in bytes of UTF-8; empty for what the tokenizer has added. */
    bytes: [number, number];
    /** The same in units of UTF-16, as JavaScript counts. */
    units: [number, number];
    /** The word of that text that it is a piece of, counted from 0. */
    word: number | null;
    /** Whether the tokenizer has added it, as it does `[CLS]`. */
    special: boolean;
}

/** A text, or a pair of texts, as the numbers that a network takes. */
export interface Tokens {
    texts: string[];
    /** The number of each token. */
    ids: number[];
    /** The number of the text that each token is of, as the tokenizer has it. */
    typeIds: number[];
    /** 1 for what is to be looked at. */
    attentionMask: number[];
    tokens: Token[];
    /** The numbers of the tokens that fill up, that hide a word, and that stand for unknown words. */
    padding: number | null;
    mask: number | null;
    unknown: number | null;
    /** The most tokens that the tokenizer's file lets through. */
    longest: number | null;
    notes: string[];
    /** The token that is asked about, where the network gives each a class: its number, or its word. */
    token?: number | string | null;
}

/** A sound: samples from -1 to 1 of each channel. */
export interface SoundData {
    channels: Float32Array[];
    sampleRate: number;
}

/** A row of a table, or a series of its rows, as texts of CSV files with a header. */
export interface TableData {
    csv: string;
    /** The row, from 0, the header left aside; of a series the first one. */
    row?: number;
    /** What the columns are to the network (docs/tables.md); guessed, and told, where it is left out. */
    columns?: Record<string, unknown> | null;
    /** The rows to compare with; the others of the table where it is left out. */
    background?: string | null;
    /** Cells of the row that hold something else, by the names of their columns. */
    changes?: Record<string, string> | null;
    /** Whether it is a row or a series; by the network where it is left out. */
    kind?: TableKind | null;
}

/**
 * What is explained where that is more than the number of a class. Places are in pixels of the photograph as given, and of a tensor in those of
 * the network's input.
 */
export type Target =
    | { class: number }
    /** How much more one class's score is than another's. */
    | { class: number; against: number }
    /** A box of a detector. */
    | { box: BoxTarget }
    /** The mean score of a class over a part of a dense map. */
    | { region: RegionTarget }
    /** The class of one token, where the network gives each one: by its number, or the word that it is of. */
    | { token: number | string; class?: number }
    /** The cosine of the angle between the network's output and this embedding. */
    | { like: number[] };

/** A box, and what of it is explained. */
export interface BoxTarget {
    /** Its number in the list that `detect` gives; the first where neither this nor `at` is given. */
    number?: number;
    /** Or where it lies: left, top, right, bottom. */
    at?: [number, number, number, number];
    /** Its class; the one that the detector gives it where it is left out. */
    class?: number;
    /** What made it this class (the default), had it found at all, or put its edges where they are. */
    explain?: "class" | "objectness" | "left" | "top" | "right" | "bottom" | "width" | "height";
    /** What stands for it where the input changes: the same row of the output, or the best one that overlaps; by the method where it is left out. */
    follow?: "place" | "overlap";
    /** The least score and the largest overlap of the boxes that `number` counts. */
    threshold?: number;
    overlap?: number;
}

/** A part of a map of classes: what hangs together with a pixel, a mask, or the whole area of a class. */
export interface RegionTarget {
    class?: number;
    /** A pixel, x and y. */
    at?: [number, number];
    /** Above 0 inside, `[height, width]` of the network's input or of its map. */
    mask?: { data: number[]; shape: number[] };
}

/** How a network hears. */
export interface SoundOptions {
    /** Samples a second that it takes, where no preprocessing says so; 16,000 are assumed otherwise, and told. */
    rate?: number | null;
    /** What of a sound is explained: the cells of its short-time spectrum (time and frequency, the default), or its samples (time). */
    view?: SoundView | null;
    /** Samples of the sounds at that rate; set by the package for each sound. */
    length?: number | null;
}

/** A sound taken apart by its explanation, one channel at the network's rate. What mattered and what is left are as loud as the sound. */
export interface Heard {
    sound: SoundData;
    only: SoundData;
    left: SoundData;
    /** What `only` was multiplied by; divided by these, both add up to the sound. */
    onlyGain: number;
    leftGain: number;
}

/** Numbers in any typed array. */
export type Numbers =
    | Float32Array | Float64Array | Int8Array | Uint8Array | Uint8ClampedArray | Int16Array | Uint16Array | Int32Array | Uint32Array
    | BigInt64Array | BigUint64Array;

/**
 * A value of an input, last dimension fastest. What its numbers are is said by the element type of the graph's input: pixels in a
 * Uint8Array stay numbers, and truth values are 0 and 1 in any array.
 */
export interface ModelInput {
    data: Numbers;
    shape: number[];
}

/** An output of a graph: real numbers, whole numbers, or truth values as 0 and 1; last dimension fastest. */
export interface GraphOutput {
    data: Float32Array | Int32Array | Uint8Array;
    shape: number[];
}

/** How to open an engine. */
export interface EngineOptions {
    device?: DeviceChoice;
    /** Why it is the CPU, in a sentence, where that was not asked for. */
    reason?: string;
    /**
     * Bytes that the values of one batch may take, beside the weights; larger batches are computed in parts. 256 MiB on the CPU, half of
     * the largest buffer that the adapter allows on a GPU where it is left out.
     */
    batchMemory?: number;
}

/** What is known about a model. */
export interface ModelOptions {
    name?: string | null;
    /** The contents of a Hugging Face preprocessor_config.json, optionally with `channel_order: "BGR"`. */
    preprocessing?: Record<string, unknown> | null;
    labels?: string[] | null;
    /** The contents of a Hugging Face config.json; its id2label names the classes. */
    config?: Record<string, unknown> | null;
    /** The explained input, where there are several; a list of them is explained at once. */
    input?: string | string[] | null;
    /** The explained output, where there are several. */
    output?: string | null;
    /** Explain the output of this node instead of an input: an embedding, above all. */
    at?: string | null;
    /** Sizes of open dimensions, by the symbolic name in the file or as `input:axis`. */
    sizes?: Record<string, number> | null;
    /** The shape of an input at hand, from which sizes that the file leaves open are taken. */
    shape?: number[] | null;
    /** Values of inputs that are not explained, by name. Those that decide what is computed have to be known here. */
    inputs?: Record<string, ModelInput> | null;
    /** How scores become probabilities; found in the graph where it is left out. */
    activation?: Activation | null;
    /** What the axes of the explained value mean; found by its shape and the graph where it is left out. */
    layout?: Layout | null;
    /** Whether it is asked about texts: the table that its tokens are looked up in is then found and explained, for texts of any length. */
    text?: boolean;
    /** The most tokens of a text, where the file takes any number: those that it has places for, else 512, where it is left out. */
    longest?: number | null;
    /** The axis of a text network's tokens that holds the texts: 0 for `[texts, tokens]`, 1 for `[tokens, texts]`; found by trying both where it is left out. */
    batchAxis?: number | null;
    /** How a detector's outputs are arranged; found in the file where it is left out (docs/detectors.md). */
    detector?: DetectorOptions | null;
    /** How it hears: for networks on sounds whose preprocessing does not say that they are. */
    sound?: SoundOptions | null;
    /** An ONNX network that was trained to mask what this one looks at, which RT-Sal needs. */
    masker?: Uint8Array | null;
    /** Files with weights that lie outside of the ONNX file, by the location that it names. */
    external?: Record<string, Uint8Array> | null;
}

/** Called between the steps of an explanation. */
export interface ExplainHooks {
    onProgress?: ((progress: Progress) => void) | undefined;
    isCancelled?: (() => boolean) | undefined;
    /** Called with the map so far while a long method runs, at most twice a second. */
    onPartial?: ((partial: PartialExplanation) => void) | undefined;
}

/** The map of a method that is still at work. */
export interface PartialExplanation {
    /** The raw values, as they would be if the method ended here. */
    attribution: TensorData;
    heatmap: Heatmap;
    /** Steps or samples that it is made of. */
    done: number;
    /** Steps or samples in all. */
    total: number;
    /** The part of the photograph that it covers; null for tensors. */
    region: Region | null;
}

/** A picture of an attribution, values 0 to 1. */
export interface Heatmap {
    data: Float32Array;
    /** Height and width; of what is no picture 1 and the number of samples, tokens or features. */
    shape: [number, number];
    /** How the values came about, in words. */
    rule: string;
}

/** A partition of the input, and what each part counted for. */
export interface Segmentation {
    /** The segment of every pixel, row by row; of every sample of a sound, every token, every feature. */
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
    /** Where several inputs are explained at once, what belongs to each of them, in its shape. */
    inputs?: Record<string, TensorData>;
    heatmap: Heatmap;
    /** What tells the target from each class of `info.against` alone, where that was asked for (AGI's `individual`). */
    individual?: TensorData[];
    /** For methods that work on segments. */
    segments?: Segmentation;
    /** Of a sound, what the places of the map are. */
    sound?: SoundInfo;
    /** Of a row of a table, its columns. */
    table?: TableView;
    /** Of a series, its channels and what each row counted for. */
    series?: SeriesView;
    /** The part of the photograph that the network saw; null for tensors. */
    region: Region | null;
    /** The columns of a row or the stretches of a series, each with what it counted for. The words of a text, each with what it counted for, and then what the network is given beside them; empty for what has no such parts. */
    parts: Part[];
    /** The texts that the parts are of. */
    texts: string[];
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
    pub sound: Option<SoundOptions>,
    #[serde(skip)]
    pub graph: model::ModelOptions,
    #[serde(skip)]
    files: JsValue,
    #[serde(skip)]
    masker: JsValue,
    #[serde(skip)]
    inputs: JsValue,
}

/// How a network hears.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct SoundOptions {
    rate: Option<u32>,
    view: Option<SoundView>,
    pub length: Option<usize>,
}

/// What of the options concerns the graph.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GraphOptions {
    input: Option<OneOrMore>,
    output: Option<String>,
    at: Option<String>,
    sizes: Option<BTreeMap<String, usize>>,
    activation: Option<model::Activation>,
    layout: Option<Layout>,
    text: bool,
    longest: Option<usize>,
    #[serde(rename = "batchAxis")]
    batch_axis: Option<usize>,
    shape: Option<Vec<usize>>,
    detector: Option<DetectorOptions>,
}

/// A name, or a list of names.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl ModelOptions {
    pub fn from_js(options: JsValue) -> JsResult<Self> {
        if options.is_undefined() || options.is_null() {
            return Ok(Self::default());
        }
        let graph: GraphOptions = convert::from_js(options.clone())?;
        let mut read: Self = convert::from_js(options.clone())?;
        let (input, joint) = match graph.input {
            None => (None, Vec::new()),
            Some(OneOrMore::One(name)) => (Some(name), Vec::new()),
            Some(OneOrMore::More(names)) => match <[String; 1]>::try_from(names) {
                Ok([name]) => (Some(name), Vec::new()),
                Err(names) => (None, names),
            },
        };
        read.graph = model::ModelOptions {
            input,
            joint,
            output: graph.output,
            at: graph.at,
            sizes: graph.sizes.unwrap_or_default(),
            activation: graph.activation,
            layout: graph.layout,
            text: graph.text,
            longest: graph.longest,
            batch_axis: graph.batch_axis,
            explained_shape: graph.shape,
            detector: graph.detector,
            ..Default::default()
        };
        read.files = convert::field(&options, "external")?.unwrap_or_default();
        read.masker = convert::field(&options, "masker")?.unwrap_or_default();
        read.inputs = convert::field(&options, "inputs")?.unwrap_or_default();
        Ok(read)
    }

    /// What concerns the graph, with the values of inputs that are not explained: of the types that the file gives them.
    pub fn of_graph(&self, onnx: &[u8]) -> JsResult<model::ModelOptions> {
        let mut graph = self.graph.clone();
        if self.inputs.is_object() {
            let known = model::file_inputs(onnx).map_err(convert::js_error)?;
            graph.values = convert::values_from_js(&self.inputs, &known)?;
        }
        Ok(graph)
    }

    /// How sounds are prepared, where the network is said to hear.
    pub fn listening(&self) -> crate::Result<Option<SoundPreparation>> {
        let declared =
            self.preprocessing.as_ref().map(ToString::to_string).filter(|json| sound::is_of_sounds(json));
        let given = self.sound.clone().unwrap_or_default();
        let mut preparation = match (declared, &self.sound) {
            (Some(json), _) => SoundPreparation::from_json(&json)?,
            (None, Some(_)) => SoundPreparation::of_samples(given.rate)?,
            (None, None) => return Ok(None),
        };
        if let Some(rate) = given.rate.filter(|&rate| rate != preparation.rate) {
            return Err(crate::Error::PreprocessingInvalid(format!(
                "the option sound says {rate} samples a second, and the preprocessing {}",
                preparation.rate
            )));
        }
        preparation.view = given.view.unwrap_or_default();
        Ok(Some(preparation))
    }

    /// The masking network.
    pub fn masker(&self) -> crate::Result<Option<Vec<u8>>> {
        match self.masker.dyn_ref::<js_sys::Uint8Array>() {
            Some(bytes) => Ok(Some(bytes.to_vec())),
            None if self.masker.is_undefined() => Ok(None),
            None => Err(crate::Error::InputInvalid("The masker must be a Uint8Array.".into())),
        }
    }

    /// The files beside the model.
    pub fn external(&self) -> crate::Result<Files> {
        let mut files = BTreeMap::new();
        if self.files.is_object() {
            for name in js_sys::Object::keys(&js_sys::Object::from(self.files.clone())) {
                let bytes = js_sys::Reflect::get(&self.files, &name).ok();
                let bytes = bytes.and_then(|bytes| bytes.dyn_into::<js_sys::Uint8Array>().ok());
                let name = name.as_string().unwrap_or_default();
                let bytes = bytes.ok_or_else(|| {
                    crate::Error::InputInvalid(format!("The external file \"{name}\" must be a Uint8Array."))
                })?;
                files.insert(name, bytes);
            }
        }
        Ok(Files(files))
    }
}

/// Files with weights, which stay in JavaScript's memory until a weight is read.
pub(super) struct Files(BTreeMap<String, js_sys::Uint8Array>);

impl Files {
    pub fn read(&self, location: &str, offset: u64, length: Option<u64>) -> Result<Vec<u8>, String> {
        let missing = || format!("lies in the file \"{location}\"; give that file too");
        let file = self.0.get(location).ok_or_else(missing)?;
        let size = u64::from(file.length());
        let end = offset.checked_add(length.unwrap_or(size.saturating_sub(offset)));
        match end.filter(|&end| end <= size) {
            Some(end) => Ok(file.subarray(offset as u32, end as u32).to_vec()),
            None => Err(format!("lies beyond the end of the file \"{location}\"")),
        }
    }
}

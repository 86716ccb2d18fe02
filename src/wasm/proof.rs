//! The boundary's part for those who doubt an explanation: metrics, the games of insertion and deletion, attacks, class
//! retrieval, and networks that have forgotten what they learned.

use js_sys::{Object, Reflect, Uint8ClampedArray, Uint32Array};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wasm_bindgen::prelude::*;

use super::{
    JsResult, Model, control,
    convert::{OwnedInput, field, from_js, js_error, optional, tensor_from_js, tensor_to_js, to_js},
};
use crate::{
    Aimed, Control, ExplainOptions, Explainer, Follow, HostTensor, Preprocessing, Result, Target,
    attack::{self, AttackOptions},
    attribution::Segmentation,
    input::{image::Region, picture::Picture},
    metric::{self, Assessment, GameOptions, Mask, randomise},
};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What a metric needs beside the map. */
export type MetricNeed = "predictions" | "image" | "reference" | "object" | "segments" | "method" | "randomised";

/** A metric of explanations. */
export interface MetricDescription {
    /** The name in every interface. */
    name: string;
    /** The name for people. */
    title: string;
    /** One or two sentences: what the value means. */
    summary: string;
    /** The paper that defines it. */
    paper: string;
    needs: MetricNeed[];
    /** Which values are good. */
    better: "higher" | "lower" | "neither";
    /** The values that it can have, in words. */
    range: string;
    /** The work that it takes, in words. */
    cost: string;
    params: ParamDescription[];
}

/** A metric to measure, with values for its parameters; the rest keep their defaults. */
export interface MetricRequest {
    name: string;
    params?: Record<string, unknown>;
}

/** What is judged, beside the map itself. */
export interface JudgeOptions {
    /** What the map explains: a class by its number, or a box, a region, a comparison. */
    target: number | Target;
    /** How the map was made: for metrics that make it again, and for how its channels become one value a pixel. */
    explained?: ExplainOptions | null;
    /** Seed of everything random; `explained`'s where it is left out. */
    seed?: number | null;
}

/** What is measured. */
export interface MeasureOptions extends JudgeOptions {
    metrics: MetricRequest[];
    /** A second map of the same shape, for metrics that compare. */
    reference?: TensorData | null;
    /** The pixels of the object in the network's input, row by row: not 0 within it. */
    object?: Uint8Array | null;
    /** The segments that the method worked on, as its explanation has them. */
    segments?: Segmentation | null;
    /**
     * Measures each metric on so many random maps, too: the judged map's values at random places. At least 20, or 0, the default, for
     * none. A metric then takes as many times as long, and one more.
     */
    chance?: number | null;
}

/** A metric's values for random maps. */
export interface Chance {
    values: number[];
    mean: number;
    /** What 2.5 % of them are below, and above. */
    low: number;
    high: number;
    /** How the judged map stands to them; "other" is beyond their range, of a metric that only describes. */
    standing: "better" | "no_better" | "worse" | "other";
    /** All of it as a sentence, such as "no better than chance: 0.41 against 0.40 of 20 random maps …". */
    words: string;
}

/** A quantity that is followed, point by point. */
export interface Curve {
    /** How far: the part of the pixels, from 0 to 1, or a method's steps. */
    x: number[];
    y: number[];
}

/** What a metric found. */
export interface Measurement {
    metric: string;
    /** All parameters in force. */
    params: Record<string, unknown>;
    value: number;
    /** Figures beside it, by name. */
    parts: Record<string, number>;
    /** How the value came about, for metrics that follow something. */
    curve: Curve | null;
    /** The same of random maps, where it was asked for. */
    chance: Chance | null;
    /** Samples that went through the network for it, those of maps that were made again and of random ones left out. */
    forwardPasses: number;
    milliseconds: number;
}

/** A picture as bytes: red, green, blue, alpha. */
export interface PixelPicture {
    pixels: Uint8ClampedArray<ArrayBuffer>;
    width: number;
    height: number;
}

/** How insertion or deletion is played. */
export interface PlayOptions extends JudgeOptions {
    /** Whether the pixels are taken out ("deletion", the default) or put in. */
    kind?: "deletion" | "insertion";
    /** The picture without its pixels: zero in model space, or a blur. By default RISE's: blank for deletion, blurred for insertion. */
    substrate?: "blank" | "blur" | null;
    /** Pixels that change at a step (224), or words of a text (1). */
    step?: number | null;
    /** Whether the most important pixels go first ("map", the default), or any. */
    order?: "map" | "random";
}

/** A game of insertion or deletion that was played to its end. `gameFrame` shows any moment of it. */
export interface Game {
    /**
     * The turn of every pixel, from 0. After k steps the pixels below `k * step` have changed. Of a text the turn of every token: those of a
     * word have one, and what is no word that after the last.
     */
    ranks: Uint32Array;
    /** The network's input before the first step and after the last one, as pictures; null where it is none. */
    from: PixelPicture | null;
    to: PixelPicture | null;
    step: number;
    /** The class's probability over the part of the pixels that have changed. */
    curve: Curve;
    /** The area under it, as the metric of the same name has it. */
    area: number;
    forwardPasses: number;
    milliseconds: number;
}

/** An attack on one input. */
export interface AttackDescription {
    /** The name in every interface. */
    name: string;
    /** The name for people. */
    title: string;
    /** One or two sentences: what it does, and what it finds. */
    summary: string;
    /** The paper that defines it. */
    paper: string;
    /** The options that it reads beside `space` and `seed`; others must be left out. */
    reads: ("norm" | "epsilon" | "step" | "steps" | "towards" | "randomStart")[];
    /** The work that it takes, in words. */
    cost: string;
    /** Its own parameters. */
    params: ParamDescription[];
}

/** How an input is attacked. */
export interface AttackOptions {
    /** The attack, of `attacks()` ("pgd"). */
    attack?: string;
    /** The attack's own parameters. */
    params?: Record<string, unknown>;
    /** The largest change of a value ("linf", the default), or the length of the change. */
    norm?: "linf" | "l2";
    /** The largest change in all, in `space` (2 / 255). */
    epsilon?: number;
    /** The length of a step; by default 2.5 epsilon / steps, and epsilon for a single step (the fast gradient method). */
    step?: number | null;
    /** Number of steps (10). */
    steps?: number;
    /** What is attacked where that is more than a class: the score of a box, above all. */
    target?: number | Target | null;
    /** The class that the attack leads to; by default it leads away from the predicted one. */
    towards?: number | null;
    /** Start at a random change within the ball. */
    randomStart?: boolean;
    seed?: number;
    /** Pixels from 0 to 1, or the network's input as it is; pixels where a preprocessing is declared. */
    space?: "pixel" | "model" | null;
}

/** An attacked input. */
export interface Attacked {
    /** The attacked input, in model space: goes into `classify`, `explain` and the rest as it is. */
    input: TensorData;
    /** What was added, in `space`. */
    change: TensorData;
    space: "pixel" | "model";
    /** The largest change of a value, and the length of the change, in `space`. */
    linf: number;
    l2: number;
    /**
     * What the network is given before and after, and the change, magnified until the largest one reaches black or white; null where it
     * is no picture.
     */
    pictures: { before: PixelPicture; after: PixelPicture; change: PixelPicture } | null;
    /** The most probable classes before and after. */
    before: ClassScore[];
    after: ClassScore[];
    /** The class that the network gave before, as it scores now. */
    original: ClassScore;
    /** What happened to the words of a text; null for what is none. `TextTokenizer.piece` names the numbers of rows. */
    text: {
        tokens: {
            place: number;
            piece: string;
            id: number;
            /** How far its row has moved, and the row's own length. */
            moved: number;
            length: number;
            /** The nearest row of the table by Euclid's distance, often its own; and the nearest other one. */
            nearest: number;
            other: number;
            otherDistance: number;
        }[];
        special: number;
        /** The text of the nearest rows as real tokens, null where it is the text itself; and of the nearest other rows. */
        nearest: { ids: number[]; top: ClassScore[]; turns: boolean } | null;
        others: { ids: number[]; top: ClassScore[]; turns: boolean } | null;
    } | null;
    /** Whether the network now says what the attack was for: another class than before, or the one that it led to. */
    turned: boolean;
    step: number;
    /** Samples of which the attack asked for the scores alone, and for a gradient. */
    forwardPasses: number;
    backwardPasses: number;
    milliseconds: number;
}

/** How a map becomes a mask from 0 to 1: its magnitudes scaled, or its values as they are (RelEx, RT-Sal). */
export type MaskRule = "scaled" | "raw";

/** What a map leaves of its input, and what the network makes of that. */
export interface Retrieval {
    /** The most probable classes of the masked input. */
    top: ClassScore[];
    /** The masked input; null where it is no picture. */
    picture: PixelPicture | null;
}

/** A layer of an ONNX file that has learned weights. */
export interface LearnedLayer {
    name: string;
    operator: string;
}

/** Which layers forget what they learned. */
export interface RandomiseOptions {
    /** How many, from the output on; all of them where it is left out. */
    layers?: number | null;
    /** Only the last of these, with all others as they were (independent instead of cascading randomisation). */
    alone?: boolean;
    seed?: number;
}
"#;

/// Every registered metric with its parameters.
#[wasm_bindgen(unchecked_return_type = "MetricDescription[]")]
pub fn metrics() -> JsResult {
    to_js(&metric::registry::metrics())
}

/// Every registered attack with its parameters.
#[wasm_bindgen(unchecked_return_type = "AttackDescription[]")]
pub fn attacks() -> JsResult {
    to_js(&attack::registry::attacks())
}

/// The layers of an ONNX file with weights, from the output to the input.
#[wasm_bindgen(unchecked_return_type = "LearnedLayer[]")]
pub fn layers(onnx: Vec<u8>) -> JsResult {
    #[derive(Serialize)]
    struct Described {
        name: String,
        operator: String,
    }
    let layers = randomise::layers(&onnx).map_err(js_error)?;
    let describe = |layer: randomise::Layer| Described { name: layer.name, operator: layer.operator };
    to_js(&layers.into_iter().map(describe).collect::<Vec<_>>())
}

/// An ONNX file whose last layers, or all, have forgotten what they learned (Adebayo et al. 2018).
#[wasm_bindgen(js_name = randomise)]
pub fn randomise_file(
    onnx: Vec<u8>,
    #[wasm_bindgen(unchecked_param_type = "RandomiseOptions")] options: JsValue,
) -> JsResult<Vec<u8>> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Options {
        layers: Option<usize>,
        alone: bool,
        seed: u32,
    }
    let options: Options = optional(options)?;
    let forget = || {
        let layers = randomise::layers(&onnx)?;
        let count = options.layers.unwrap_or(layers.len());
        if count == 0 || count > layers.len() {
            return Err(crate::Error::ParameterInvalid {
                method: "randomise".into(),
                name: "layers".into(),
                reason: format!("it must be from 1 to {}, the layers with weights", layers.len()),
            });
        }
        let first = if options.alone { count - 1 } else { 0 };
        randomise::randomise(&onnx, &layers[first..count], options.seed)
    };
    forget().map_err(js_error)
}

/// What the judging functions share of their options.
#[derive(Deserialize)]
struct Judged {
    target: Target,
    #[serde(default)]
    explained: Option<ExplainOptions>,
    #[serde(default)]
    seed: Option<u32>,
}

impl Judged {
    /// The network whose scores are what was explained.
    async fn aimed(
        &self,
        explainer: &Explainer,
        input: &HostTensor,
        region: Option<Region>,
    ) -> Result<Aimed> {
        explainer.aimed(&self.target, input, region, Follow::Overlap).await
    }

    fn assessment<'a>(
        &'a self,
        Aimed { explainer, class, .. }: &'a Aimed,
        input: &'a HostTensor,
        map: &'a HostTensor,
        control: &'a Control<'a>,
    ) -> Result<Assessment<'a>> {
        let mut assessment = Assessment::new(explainer, input, map, class.unwrap_or_default(), control)?;
        if let Some(explained) = &self.explained {
            assessment = assessment.with_method(explained)?;
        }
        Ok(match self.seed {
            Some(seed) => assessment.with_seed(seed),
            None => assessment,
        })
    }
}

#[derive(Deserialize)]
struct MetricRequest {
    name: String,
    #[serde(default)]
    params: Map<String, Value>,
}

#[derive(Deserialize)]
struct Measured {
    metrics: Vec<MetricRequest>,
    #[serde(default)]
    chance: Option<usize>,
}

#[wasm_bindgen]
impl Model {
    /// Measures a map by one metric or several, one after the other.
    #[wasm_bindgen(unchecked_return_type = "Measurement[]")]
    pub async fn measure(
        &self,
        #[wasm_bindgen(unchecked_param_type = "WasmInput")] input: JsValue,
        #[wasm_bindgen(unchecked_param_type = "TensorData")] map: JsValue,
        #[wasm_bindgen(unchecked_param_type = "MeasureOptions")] options: JsValue,
        #[wasm_bindgen(unchecked_param_type = "ExplainHooks")] hooks: JsValue,
    ) -> JsResult {
        self.measured(None, input, map, options, hooks).await
    }

    /// The same, with a randomised copy of the model for the metrics that need one.
    #[wasm_bindgen(js_name = measureBeside, unchecked_return_type = "Measurement[]")]
    pub async fn measure_beside(
        &self,
        randomised: &Model,
        #[wasm_bindgen(unchecked_param_type = "WasmInput")] input: JsValue,
        #[wasm_bindgen(unchecked_param_type = "TensorData")] map: JsValue,
        #[wasm_bindgen(unchecked_param_type = "MeasureOptions")] options: JsValue,
        #[wasm_bindgen(unchecked_param_type = "ExplainHooks")] hooks: JsValue,
    ) -> JsResult {
        self.measured(Some(&randomised.explainer), input, map, options, hooks).await
    }

    /// Plays insertion or deletion with a map.
    #[wasm_bindgen(unchecked_return_type = "Game")]
    pub async fn play(
        &self,
        #[wasm_bindgen(unchecked_param_type = "WasmInput")] input: JsValue,
        #[wasm_bindgen(unchecked_param_type = "TensorData")] map: JsValue,
        #[wasm_bindgen(unchecked_param_type = "PlayOptions")] options: JsValue,
        #[wasm_bindgen(unchecked_param_type = "ExplainHooks")] hooks: JsValue,
    ) -> JsResult {
        #[derive(Deserialize)]
        struct Rules {
            #[serde(default)]
            kind: metric::GameKind,
            #[serde(default)]
            substrate: Option<metric::Substrate>,
            #[serde(default)]
            step: Option<usize>,
            #[serde(default)]
            order: metric::Order,
        }
        let (input, map) = (OwnedInput::from_js(&input)?, tensor_from_js(&map)?);
        let judged: Judged = from_js(options.clone())?;
        let Rules { kind, substrate, step, order } = from_js(options)?;
        let rules = GameOptions { kind, substrate, step, order };
        let control = control(&hooks)?;
        let play = async {
            let (bound, input, region) = self.explainer.locate(&input.borrow()).await?;
            let explainer = bound.as_ref().unwrap_or(&self.explainer);
            let aimed = judged.aimed(explainer, &input, region).await?;
            metric::game(&judged.assessment(&aimed, &input, &map, &control)?, &rules).await
        };
        let game = play.await.map_err(js_error)?;
        let object = Object::new();
        let set = |name: &str, value: &JsValue| Reflect::set(&object, &name.into(), value);
        set("ranks", &Uint32Array::from(game.ranks.as_slice()))?;
        set("from", &self.shown(&game.from)?)?;
        set("to", &self.shown(&game.to)?)?;
        set("step", &game.step.into())?;
        set("curve", &to_js(&game.curve)?)?;
        set("area", &game.area.into())?;
        set("forwardPasses", &game.forward_passes.into())?;
        set("milliseconds", &game.milliseconds.into())?;
        Ok(object.into())
    }

    /// Attacks an input, and lists the `top` classes before and after.
    #[wasm_bindgen(unchecked_return_type = "Attacked")]
    pub async fn attack(
        &self,
        #[wasm_bindgen(unchecked_param_type = "WasmInput")] input: JsValue,
        #[wasm_bindgen(unchecked_param_type = "AttackOptions")] options: JsValue,
        top: usize,
        #[wasm_bindgen(unchecked_param_type = "ExplainHooks")] hooks: JsValue,
    ) -> JsResult {
        let input = OwnedInput::from_js(&input)?;
        let target: Option<Target> = field(&options, "target")?.map(from_js).transpose()?;
        let options: AttackOptions = optional(options)?;
        let control = control(&hooks)?;
        let run = async {
            let (bound, input, region) = self.explainer.locate(&input.borrow()).await?;
            let mut bound = bound.unwrap_or_else(|| (*self.explainer).clone());
            if let Some(target) = &target {
                bound = bound.aimed(target, &input, region, Follow::Place).await?.explainer;
            }
            Ok((attack::attack(&bound, &input, &options, top, &control).await?, input))
        };
        let (attacked, input) = run.await.map_err(js_error)?;
        let object = Object::new();
        let set = |name: &str, value: &JsValue| Reflect::set(&object, &name.into(), value);
        let pictures = Object::new();
        let before = self.shown(&input)?;
        let whole = !before.is_null();
        Reflect::set(&pictures, &"before".into(), &before)?;
        Reflect::set(&pictures, &"after".into(), &self.shown(&attacked.input)?)?;
        let added = attacked.input.data.iter().zip(&input.data).map(|(after, before)| after - before);
        let added = HostTensor { data: added.collect(), shape: input.shape.clone() };
        let change = self.as_picture(&added).and_then(|(known, change)| known.magnified(&change));
        Reflect::set(&pictures, &"change".into(), &picture_to_js(change)?)?;
        let none = JsValue::NULL;
        set("pictures", if whole { &pictures } else { &none })?;
        set("input", &tensor_to_js(&attacked.input)?)?;
        set("change", &tensor_to_js(&attacked.change)?)?;
        set("space", &to_js(&attacked.space)?)?;
        set("linf", &attacked.linf.into())?;
        set("l2", &attacked.l2.into())?;
        set("before", &to_js(&attacked.before)?)?;
        set("after", &to_js(&attacked.after)?)?;
        set("original", &to_js(&attacked.original)?)?;
        set("text", &to_js(&attacked.text)?)?;
        set("step", &attacked.step.into())?;
        set("turned", &attacked.turned.into())?;
        set("forwardPasses", &attacked.forward_passes.into())?;
        set("backwardPasses", &attacked.backward_passes.into())?;
        set("milliseconds", &attacked.milliseconds.into())?;
        Ok(object.into())
    }

    /// What the network is given of an input, as a picture; null where it is none.
    #[wasm_bindgen(unchecked_return_type = "PixelPicture | null")]
    pub fn picture(&self, #[wasm_bindgen(unchecked_param_type = "WasmInput")] input: JsValue) -> JsResult {
        let input = OwnedInput::from_js(&input)?;
        self.shown(&self.explainer.prepare(&input.borrow()).map_err(js_error)?.0)
    }

    /// The classes that the network finds in what a map leaves of its input.
    #[wasm_bindgen(unchecked_return_type = "Retrieval")]
    pub async fn retrieve(
        &self,
        #[wasm_bindgen(unchecked_param_type = "WasmInput")] input: JsValue,
        #[wasm_bindgen(unchecked_param_type = "TensorData")] map: JsValue,
        #[wasm_bindgen(unchecked_param_type = "MaskRule")] mask: JsValue,
        top: usize,
    ) -> JsResult {
        let (input, map) = (OwnedInput::from_js(&input)?, tensor_from_js(&map)?);
        let mask: Mask = optional(mask)?;
        let control = control(&JsValue::UNDEFINED)?;
        let run = async {
            let (bound, input, _) = self.explainer.locate(&input.borrow()).await?;
            let explainer = bound.as_ref().unwrap_or(&self.explainer);
            // Which class the map explains is of no account here.
            let aimed = Aimed { explainer: explainer.clone(), class: Some(0), aim: None, notes: Vec::new() };
            let judged = Judged { target: Target::Class(0), explained: None, seed: None };
            let found = metric::retrieve(&judged.assessment(&aimed, &input, &map, &control)?, mask).await?;
            Ok((explainer.ranked(&found.logits, top), found.masked))
        };
        let (classes, masked) = run.await.map_err(js_error)?;
        let object = Object::new();
        Reflect::set(&object, &"top".into(), &to_js(&classes)?)?;
        Reflect::set(&object, &"picture".into(), &self.shown(&masked)?)?;
        Ok(object.into())
    }
}

impl Model {
    async fn measured(
        &self,
        randomised: Option<&Explainer>,
        input: JsValue,
        map: JsValue,
        options: JsValue,
        hooks: JsValue,
    ) -> JsResult {
        let (input, map) = (OwnedInput::from_js(&input)?, tensor_from_js(&map)?);
        let judged: Judged = from_js(options.clone())?;
        let Measured { metrics, chance } = from_js(options.clone())?;
        let reference = field(&options, "reference")?.map(|map| tensor_from_js(&map)).transpose()?;
        let segments = field(&options, "segments")?.map(|segments| segmentation(&segments)).transpose()?;
        let object: Option<Vec<bool>> = field(&options, "object")?
            .map(|object| js_sys::Uint8Array::new(&object).to_vec().iter().map(|&byte| byte != 0).collect());
        let control = control(&hooks)?;
        let run = async {
            let (bound, input, region) = self.explainer.locate(&input.borrow()).await?;
            let explainer = bound.as_ref().unwrap_or(&self.explainer);
            let aimed = judged.aimed(explainer, &input, region).await?;
            let mut assessment = judged.assessment(&aimed, &input, &map, &control)?;
            if let Some(reference) = &reference {
                assessment = assessment.with_reference(reference)?;
            }
            if let Some(object) = &object {
                assessment = assessment.with_object(object)?;
            }
            if let Some(segments) = &segments {
                assessment = assessment.with_segments(segments);
            }
            if let Some(randomised) = randomised {
                assessment = assessment.with_randomised(randomised);
            }
            assessment = assessment.with_chance(chance.unwrap_or(0))?;
            let mut found = Vec::with_capacity(metrics.len());
            for MetricRequest { name, params } in &metrics {
                found.push(metric::measure(&assessment, name, params).await?);
            }
            Ok(found)
        };
        to_js(&run.await.map_err(js_error)?)
    }

    /// A network's input as a picture; null where it is none.
    fn shown(&self, tensor: &HostTensor) -> JsResult {
        picture_to_js(self.as_picture(tensor).and_then(|(known, tensor)| known.picture(&tensor)))
    }

    /// A network's input with its channels first, whatever the model's own order, and its preprocessing.
    fn as_picture(&self, tensor: &HostTensor) -> Option<(&Preprocessing, HostTensor)> {
        let places = self.explainer.model().places().ok()?;
        let shape = vec![1, places.channels, places.height, places.width];
        let fits = places.layout.is_picture() && tensor.data.len() == shape.iter().product::<usize>();
        let data = fits.then(|| places.planes(&tensor.data).into_owned())?;
        Some((self.explainer.preprocessing()?, HostTensor { data, shape }))
    }
}

fn picture_to_js(picture: Option<Picture>) -> JsResult {
    let Some(picture) = picture else { return Ok(JsValue::NULL) };
    let object = Object::new();
    let set = |name: &str, value: &JsValue| Reflect::set(&object, &name.into(), value);
    set("pixels", &Uint8ClampedArray::from(picture.rgba.as_slice()))?;
    set("width", &picture.width.into())?;
    set("height", &picture.height.into())?;
    Ok(object.into())
}

pub(super) fn segmentation(segments: &JsValue) -> JsResult<Segmentation> {
    let numbers = |name: &str| {
        let array = field(segments, name)?.unwrap_or_default();
        Ok::<_, JsValue>(Uint32Array::new(&array).to_vec())
    };
    let values = field(segments, "values")?.unwrap_or_default();
    Ok(Segmentation {
        labels: numbers("labels")?,
        values: js_sys::Float32Array::new(&values).to_vec(),
        chosen: numbers("chosen")?,
    })
}

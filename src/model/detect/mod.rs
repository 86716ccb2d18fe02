//! Detectors: what their outputs mean, and the boxes that they find.
//!
//! `recognise` finds the head in the file (or takes it from a small JSON, [`DetectorOptions`]), `head` reads boxes and scores out of the
//! network's output on its device, so that both can be differentiated, and `boxes` sorts out on the host which of them are kept.

pub mod boxes;
mod head;
mod recognise;

use serde::{Deserialize, Serialize};

pub use boxes::Edges;
pub(crate) use head::{BoxView, Head, SAME};
pub(crate) use recognise::{Draft, Plan, arrange, looks_like_one};

/// How a detector's outputs are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum HeadStyle {
    /// One output of rows of four coordinates and the classes' scores, `[N, 4 + C, rows]` or `[N, rows, 4 + C]`: YOLOv8 and later.
    Yolov8,
    /// The same with an objectness behind the coordinates, `[N, rows, 5 + C]`: YOLOv5, v7, YOLOX.
    Yolov5,
    /// Grids of raw numbers, `[N, anchors * (5 + C), height, width]`, one output for each size of cell: YOLOv3, YOLOv4, tiny ones too. It
    /// needs `anchors`.
    Yolov3,
    /// Boxes `[N, rows, 4]` and scores `[N, rows, C]` apart: SSD, RetinaNet, what stands before a NonMaxSuppression node.
    Boxes,
    /// Boxes `pred_boxes` and scores `logits` of queries: DETR, YOLOS, RT-DETR.
    Detr,
    /// A map of the centres of each class `[N, C, height, width]`, and beside it widths and heights and what is left of the centres'
    /// coordinates, `[N, 2, height, width]` each.
    Centernet,
}

/// What the four coordinates of a box are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum BoxFormat {
    /// Centre, width and height.
    Cxcywh,
    /// Left, top, right, bottom.
    Xyxy,
    /// Two opposite corners, each with y first.
    Yxyx,
    /// Left, top, width and height.
    Xywh,
}

/// What coordinates are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum BoxUnit {
    /// Pixels of the network's input.
    Pixels,
    /// Parts of its width and height.
    Share,
}

/// What a class's number in the output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum Scoring {
    /// A probability of each class for itself.
    Probabilities,
    /// Probabilities of all classes that add up to 1.
    Shares,
    /// A logit of each class for itself.
    Sigmoid,
    /// A logit; a softmax makes probabilities of all of them.
    Softmax,
}

/// Where the class of nothing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum Background {
    /// Before all others.
    First,
    /// Behind them.
    Last,
    /// There is none.
    None,
}

/// What a caller knows of a detector: each part that is left out is found in the file or by the numbers. As JSON this is what
/// `--detector` and the package's `detector` take.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct DetectorOptions {
    /// How its outputs are arranged.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "HeadStyle | null"))]
    pub style: Option<HeadStyle>,
    /// The values that hold them, by name, outputs or values inside of the graph: one of `yolov8` and `yolov5`; the grids of `yolov3` in the
    /// order of `anchors`; boxes and scores of `boxes` and `detr`; centres, sizes and offsets of `centernet`.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "string[] | null"))]
    pub outputs: Option<Vec<String>>,
    /// What the four coordinates are.
    #[serde(rename = "box")]
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "BoxFormat | null"))]
    pub format: Option<BoxFormat>,
    /// What they are counted in.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "BoxUnit | null"))]
    pub unit: Option<BoxUnit>,
    /// What a class's number is.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "Scoring | null"))]
    pub scores: Option<Scoring>,
    /// Where the class of nothing stands.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "Background | null"))]
    pub background: Option<Background>,
    /// Of `yolov3`: width and height of each anchor in pixels, for each output.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "[number, number][][] | null"))]
    pub anchors: Option<Vec<Vec<[f32; 2]>>>,
    /// The least score of a box found, 0 to 1; 0.25 where it is left out.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "number | null"))]
    pub threshold: Option<f32>,
    /// The largest overlap of two boxes of one class, 0 to 1, where the weaker one is left out above it: 0.5 where this is left out, and 1 (all
    /// are kept) for `detr` and `centernet` and where the network has done it.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "number | null"))]
    pub overlap: Option<f32>,
}

impl DetectorOptions {
    /// From the JSON of a file.
    ///
    /// # Errors
    /// [`crate::Error::DetectorUnknown`] where it is none.
    pub fn from_json(text: &str) -> crate::Result<Self> {
        serde_json::from_str(text)
            .map_err(|error| crate::Error::DetectorUnknown(format!("the JSON cannot be read: {error}")))
    }
}

/// What is known of a detector's head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct DetectorInfo {
    /// How its outputs are arranged.
    pub style: HeadStyle,
    /// The values that hold them.
    pub outputs: Vec<String>,
    /// Rows of its output: the boxes before any is left out.
    pub rows: usize,
    /// Classes, without that of nothing.
    pub classes: usize,
    /// Whether it tells beside the classes how sure it is that there is something.
    pub objectness: bool,
}

/// Which boxes are told.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct DetectOptions {
    /// The least score, 0 to 1; the detector's where it is left out.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "number | null"))]
    pub threshold: Option<f32>,
    /// The largest overlap of two boxes of one class; the detector's where it is left out.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "number | null"))]
    pub overlap: Option<f32>,
    /// The most boxes; 300 where it is left out.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "number | null"))]
    pub most: Option<usize>,
}

/// Where a box lies on a picture, in words, by the third in which its middle lies.
pub(crate) fn place_of([left, top, right, bottom]: Edges, [height, width]: [f32; 2]) -> String {
    let third = |middle: f32, size: f32| match 3.0 * middle / size.max(1.0) {
        part if part < 1.0 => 0,
        part if part <= 2.0 => 1,
        _ => 2,
    };
    let (left, right) = (left.clamp(0.0, width), right.clamp(0.0, width));
    let (top, bottom) = (top.clamp(0.0, height), bottom.clamp(0.0, height));
    let whole = (right - left) * (bottom - top) > 0.6 * width * height;
    match (third((top + bottom) / 2.0, height), third((left + right) / 2.0, width)) {
        _ if whole => "over most of the picture",
        (0, 0) => "at the upper left",
        (0, 1) => "at the top",
        (0, _) => "at the upper right",
        (1, 0) => "at the left",
        (1, 1) => "in the middle",
        (1, _) => "at the right",
        (_, 0) => "at the lower left",
        (_, 1) => "at the bottom",
        _ => "at the lower right",
    }
    .to_owned()
}

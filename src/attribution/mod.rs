//! Attribution methods: how much did each input value count for the score of a class?
//!
//! A method is one file: a `Config` whose `Default` is the paper's setting, and an `attribute` that reads like
//! the paper's formula. It works on a [`Subject`], which holds the explained input as a row of features and
//! gives gradients in batches; chunking, progress, cancelling and the mapping to pixels are the subject's
//! concern. One line in `methods` makes a method known to the API, the command line, the page and the docs.

pub mod anytime;
mod baseline;
mod batches;
mod cam;
pub mod display;
mod hidden;
pub mod method;
mod methods;
pub(crate) mod params;
pub mod partition;
pub mod registry;
mod regression;
mod remarks;
mod subject;
mod tabled;
mod tokens;
mod upsample;
mod written;

use std::{cell::RefCell, collections::BTreeMap};

use burn::tensor::{Float, Tensor, TensorData, Transaction};
use serde::{Deserialize, Serialize};
use web_time::Instant;

pub(crate) use crate::model::read;
pub use baseline::Baseline;
pub use batches::Batches;
pub(crate) use methods::rt_sal::Masker;
pub use methods::*;
pub(crate) use subject::gradients;
pub use subject::{Control, Gradients, Progress, Subject};
pub(crate) use tabled::Tabled;
pub(crate) use written::Written;

use anytime::{Stop, Stopped};
use method::End;
use registry::{Entry, Need};
use subject::Kept;

use crate::{
    Aim, Aimed, BoxTarget, DeviceKind, Error, Explainer, Follow, Memory, Result, Target,
    input::{
        HostTensor,
        image::Region,
        layout::Places,
        parts::{Joined, Part},
        table::{SeriesView, TableKind, TableView},
        text::AskedToken,
    },
    model::{OutputKind, Score, floats, lost, value::Ranked},
    narrate,
};

/// What a method leaves on the device.
pub struct Attribution {
    /// The attribution of every feature, `[1, features]`, or of every place, `[1, height * width]`.
    map: Tensor<2>,
    /// For methods that promise completeness.
    completeness: Option<Completeness>,
    /// The false classes that the target was told apart from.
    against: Vec<usize>,
    /// What tells the target from each class of `against`, in its order and together as many rows, `[N, features]`;
    /// nothing where nobody asked.
    individual: Vec<Tensor<2>>,
    /// Points at which the method looked at the model.
    steps: usize,
    /// The segments that the method worked on.
    segments: Option<Segmentation>,
}

/// How far attributions add up to what they account for.
struct Completeness {
    /// Their sum minus `change`, `[1]`.
    gap: Tensor<1>,
    /// The change of the score that they account for, `[1]`.
    change: Tensor<1>,
    /// Where the path starts that they are added up along, `[1, features]`, and which score is followed.
    start: Option<(Tensor<2>, Score)>,
}

impl Attribution {
    /// A map, `[1, features]` or `[1, height * width]`, from `steps` points at which the method looked at the model.
    pub fn new(map: Tensor<2>, steps: usize) -> Self {
        let (against, individual) = (Vec::new(), Vec::new());
        Self { map, completeness: None, against, individual, steps, segments: None }
    }

    /// A map that should add up to `change`, `[1]`, of the score.
    pub fn complete(map: Tensor<2>, steps: usize, change: Tensor<1>) -> Self {
        let gap = map.clone().sum() - change.clone();
        Self { completeness: Some(Completeness { gap, change, start: None }), ..Self::new(map, steps) }
    }

    /// The same where it is added up along a path from `baseline`, `[1, features]`, on which `score` is followed.
    pub fn along(mut self, baseline: Tensor<2>, score: Score) -> Self {
        if let Some(completeness) = &mut self.completeness {
            completeness.start = Some((baseline, score));
        }
        self
    }
}

/// A partition of the pixels (samples, tokens, features), and what each part counted for.
#[derive(Debug, Clone, PartialEq)]
pub struct Segmentation {
    /// The segment of every pixel, row by row, of every sample, token or feature in their order; numbered from 0 without
    /// a gap.
    pub labels: Vec<u32>,
    /// The attribution of each segment.
    pub values: Vec<f32>,
    /// The segments that make up the explanation, the most important first.
    pub chosen: Vec<u32>,
}

/// A class with its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct ClassScore {
    /// The class's number.
    pub index: usize,
    /// Its name, or its number where no names are known.
    pub label: String,
    /// Softmax probability, 0 to 1.
    pub probability: f32,
    /// The network's output before softmax.
    pub logit: f32,
}

/// What to explain, and how.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct ExplainOptions {
    /// Name of a registered method.
    pub method: String,
    /// What is explained: a class by its number, or a box, a region, a token, a comparison, a likeness. The predicted class, of a detector the
    /// best box, where it is left out.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "number | Target | null"))]
    pub target: Option<Target>,
    /// Values for the method's parameters; the rest keep their defaults.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "Record<string, unknown>"))]
    pub params: serde_json::Map<String, serde_json::Value>,
    /// Seed of everything random.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub seed: u32,
    /// Tensors that stand in for what a method would draw or compute: its noise, masks, samples, segments or
    /// background. Each method documents the names that it knows.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "Record<string, TensorData>"))]
    pub given: BTreeMap<String, HostTensor>,
    /// When to end before the last step, for methods whose map settles; the paper's full count where it is left out.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "Stop | null"))]
    pub stop: Option<Stop>,
}

/// How an explanation came about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
#[cfg_attr(target_family = "wasm", tsify(missing_as_null))]
pub struct ExplanationInfo {
    /// Name of the method.
    pub method: String,
    /// All parameters in force.
    #[cfg_attr(target_family = "wasm", tsify(type = "Record<string, unknown>"))]
    pub params: serde_json::Map<String, serde_json::Value>,
    /// The explained class, of a box its class; what one number is called where that is explained.
    pub target: ClassScore,
    /// What was explained where that is more than a class; `null` for a class.
    pub aim: Option<Aim>,
    /// The token whose class it is; `null` where the network has one answer for the whole input.
    pub token: Option<AskedToken>,
    /// The device that computed.
    pub device: DeviceKind,
    /// Points at which the method looked at the model.
    pub steps: usize,
    /// Samples that went through the network, the input itself among them.
    pub forward_passes: usize,
    /// Samples that a gradient was taken of.
    pub backward_passes: usize,
    /// The memory that it took.
    pub memory: Memory,
    /// Wall time, from the request to the finished map.
    pub milliseconds: f64,
    /// Seed of everything random.
    pub seed: u32,
    /// Sum of the attributions minus the change of the score that they should add up to; `null` for methods
    /// that promise no such thing.
    pub completeness_gap: Option<f32>,
    /// What stood for nothing: where paths started, or what hidden parts showed; `null` for methods without.
    pub baseline: Option<String>,
    /// That the network is not sure of its answer, in a sentence; `null` where it is ([`narrate::doubt`] has the rule). A map
    /// of such an answer is no evidence of anything.
    pub doubt: Option<String>,
    /// What else is to be told, in sentences: parts that miss their sum, a map of zeros, a single segment.
    pub notes: Vec<String>,
    /// The false classes that the target was told apart from (AGI).
    pub against: Vec<ClassScore>,
    /// How the method came to end before its last step; `null` where it did not.
    pub stopped: Option<Stopped>,
}

/// An explanation of one input.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The raw values of the method, in the shape of the input.
    pub attribution: HostTensor,
    /// Where several inputs are explained at once, what belongs to each of them, by name and in its shape.
    pub inputs: Vec<(String, HostTensor)>,
    /// The same, made for the eye.
    pub heatmap: display::Heatmap,
    /// What tells the target from each false class alone, in the order of `info.against`, where that was asked for
    /// (AGI's `individual`).
    pub individual: Vec<HostTensor>,
    /// The segments that the method worked on, for methods that use them.
    pub segments: Option<Segmentation>,
    /// The words of a text, each with what it counted for, and then what the network is given beside them; the steps and bands of a
    /// sound; empty for what has no parts that a person knows.
    pub parts: Vec<Part>,
    /// The texts that the parts are of.
    pub texts: Vec<String>,
    /// The row of a table that was explained.
    pub table: Option<TableView>,
    /// The series that was explained.
    pub series: Option<SeriesView>,
    /// How it came about.
    pub info: ExplanationInfo,
    /// One or two sentences.
    pub words: Vec<String>,
}

/// Explains one input, `[1, …]` in model space, by a method.
///
/// # Errors
/// Those of the input, of the parameters, and [`Error::Cancelled`].
pub(crate) async fn explain(
    explainer: &Explainer,
    entry: &Entry,
    input: &HostTensor,
    region: Option<Region>,
    options: &ExplainOptions,
    control: &Control<'_>,
) -> Result<Explanation> {
    let started = Instant::now();
    let model = explainer.model();
    model.check_shape(&input.shape)?;
    if input.shape[0] != 1 {
        return Err(Error::InputInvalid(format!(
            "One input is explained at a time, but the batch holds {}.",
            input.shape[0]
        )));
    }
    entry.check_given(options.given.keys())?;
    // Paths and rules follow one row of a detector, whose score changes steadily; what hides parts of the picture follows the object.
    let steady = entry.needs().iter().any(|need| matches!(need, Need::Gradient | Need::BackwardRule));
    let follow = if steady { Follow::Place } else { Follow::Overlap };
    let best_box = Target::Box(BoxTarget::default());
    let asked = match &options.target {
        None if model.is_detector() && model.view().is_none() => Some(&best_box),
        Some(Target::Token { class, .. }) if explainer.written().is_some() => {
            return explain_class(explainer, entry, input, (*class, None, &[]), options, control, started)
                .await;
        }
        asked => asked.as_ref(),
    };
    let Some(asked) = asked else {
        return explain_class(explainer, entry, input, (None, None, &[]), options, control, started).await;
    };
    let Aimed { explainer, class, aim, notes } = explainer.aimed(asked, input, region, follow).await?;
    explain_class(&explainer, entry, input, (class, aim, &notes), options, control, started).await
}

/// Explains a class of a network that is what the target asks for.
async fn explain_class(
    explainer: &Explainer,
    entry: &Entry,
    input: &HostTensor,
    (class, aim, guesses): (Option<usize>, Option<Aim>, &[String]),
    options: &ExplainOptions,
    control: &Control<'_>,
    started: Instant,
) -> Result<Explanation> {
    let model = explainer.model();
    if let Some(class) = class {
        model.check_target(class)?;
    }
    if let Some(stop) = &options.stop {
        stop.check(entry.name(), entry.anytime())?;
    }
    let first = entry.first_gradient(model, &options.params).filter(|_| model.is_differentiable());
    let kept = first.and_then(|end| {
        let input = explainer.upload(input).ok()?;
        let pass = match &end {
            End::Input => model.pass(input),
            End::Node(node) => model.pass_at(node, input),
        };
        // What speaks against it is told by the method, which tries the same.
        Some((end, pass.ok()?))
    });
    let clean = match &kept {
        Some((_, pass)) => pass.logits(),
        None => model.logits(explainer.upload(input)?)?,
    };
    let kept: Kept<'_> = RefCell::new(kept);
    let (target, clean, known) = match class {
        Some(target) => (target, clean, None),
        None => {
            let logits = read(clean.clone().reshape([model.classes()])).await?;
            (model.predicted(&logits), clean, Some(logits))
        }
    };
    let subject = Subject::new(explainer, entry, input, (clean.clone(), &kept), target, options, control)?;
    guesses.iter().for_each(|note| subject.note(note.clone()));
    if let Some(written) = explainer.written() {
        written.reading.tokens.notes.iter().for_each(|note| subject.note(note.clone()));
    }
    if let Some(tabled) = explainer.tabled() {
        tabled.notes.iter().for_each(|note| subject.note(note.clone()));
        if tabled.kind == TableKind::Row && entry.joined() == Joined::Magnitudes {
            subject.note(
                "This method compares the columns by one unit of each, as the network takes them: one whose numbers are small seems to count more."
                    .into(),
            );
        }
    }
    let (attribution, params) = entry.run(&subject, &options.params).await?;

    let mut transaction = Transaction::default().register(attribution.map).register(clean);
    let (promises_completeness, parts) = (attribution.completeness.is_some(), attribution.individual.len());
    let mut start = None;
    if let Some(Completeness { gap, change, start: from }) = attribution.completeness {
        start = from;
        transaction = transaction.register(Tensor::cat(vec![gap, change], 0));
    }
    for rows in attribution.individual {
        transaction = transaction.register(rows);
    }
    let mut read = transaction.execute_async().await.map_err(lost)?.into_iter();
    let mut next =
        || read.next().map(floats).unwrap_or_else(|| Err(Error::Internal("a result is missing".into())));
    let data = next()?;
    let logits = match known {
        Some(logits) => {
            next()?;
            logits
        }
        None => next()?,
    };
    let completeness = if promises_completeness { next()? } else { Vec::new() };
    let places = subject.places();
    let mut individual = Vec::new();
    for _ in 0..parts {
        for row in next()?.chunks_exact(input.data.len()) {
            individual.push(in_order(places, &input.shape, row.to_vec())?);
        }
    }
    let map = in_order(places, &input.shape, data)?;
    if let Some(index) = map.data.iter().position(|value| !value.is_finite()) {
        return Err(subject.unsuited(&format!(
            "its map holds no finite number at value {index}: at some point that it looked at, the score has no slope, as a \
             square root or a logarithm of 0 has none; another baseline or input avoids it"
        )));
    }

    let size = |values: &[f32]| values.iter().map(|value| value.abs()).sum::<f32>();
    if let &[gap, change] = completeness.as_slice() {
        // A segment's value is painted on each of its places.
        let parts = attribution.segments.as_ref().map_or(map.data.as_slice(), |cut| &cut.values);
        let size = size(parts);
        let jump = match start.filter(|_| remarks::is_missed(gap, change, size)) {
            Some((baseline, score)) => Some(jump(&subject, baseline, score).await?),
            None => None,
        };
        remarks::missed_sum(entry, gap, change, size, jump).into_iter().for_each(|note| subject.note(note));
    }
    if map.data.iter().all(|&value| value == 0.0) {
        subject.note(remarks::nothing_found(entry, &subject, &params));
    }
    for name in subject.unused() {
        subject.note(format!("The given \u{201c}{name}\u{201d} was not needed."));
    }

    let probabilities = model.probabilities(&logits);
    let score = |class: usize| explainer.class_score(class, &logits, &probabilities);
    let info = ExplanationInfo {
        method: entry.name().to_owned(),
        params,
        target: score(target),
        aim,
        token: explainer.written().and_then(|written| written.asked.clone()),
        device: model.device().kind(),
        steps: attribution.steps,
        forward_passes: subject.forward_passes(),
        backward_passes: subject.backward_passes(),
        memory: subject.memory(),
        milliseconds: started.elapsed().as_secs_f64() * 1e3,
        seed: options.seed,
        completeness_gap: completeness.first().copied(),
        baseline: subject.baseline(),
        doubt: match model.info().output_kind {
            // A box is one of several things that a picture may show.
            OutputKind::Classes if model.view().is_none() => {
                narrate::doubt(model.info().activation, &explainer.ranked(&logits, 2), model.classes())
            }
            _ => None,
        },
        notes: subject.notes(),
        against: attribution.against.iter().map(|&class| score(class)).collect(),
        stopped: subject.stopped(),
    };
    let heatmap = display::heatmap(&map, places, entry.display());
    let predicted = score(model.predicted(&logits));
    let values = display::aggregate(&map, places, entry.display().channels);
    let (parts, texts) = match explainer.written() {
        Some(written) => (
            written.parts(&map, places, attribution.segments.as_ref(), entry.joined()),
            written.reading.tokens.texts.clone(),
        ),
        None => match explainer.tabled() {
            Some(tabled) => {
                let parts = tabled.parts(&map, places, attribution.segments.as_ref(), entry.joined());
                (parts, Vec::new())
            }
            None => (Vec::new(), Vec::new()),
        },
    };
    let tabled = explainer.tabled();
    let (table, series) =
        (tabled.and_then(Tabled::table_view), tabled.and_then(|tabled| tabled.series_view(&map, places)));
    let found = narrate::Evidence {
        heatmap: &heatmap,
        values: &values,
        parts: &parts,
        is_signed: entry.joined().is_signed(),
    };
    let words = narrate::explanation(&info, model.info(), &predicted, &found, subject.names());
    let segments = attribution.segments;
    Ok(Explanation {
        attribution: map,
        inputs: Vec::new(),
        heatmap,
        individual,
        segments,
        parts,
        texts,
        table,
        series,
        info,
        words,
    })
}

/// Passes that [`jump`] takes at most.
const JUMP_PASSES: usize = 2;

/// How much the score has changed a thousandth of the way from a baseline to the input.
async fn jump(subject: &Subject<'_>, baseline: Tensor<2>, score: Score) -> Result<f32> {
    let near = baseline.clone() + (subject.input() - baseline.clone()) * remarks::NEAR;
    let logits = subject.logits(Tensor::cat(vec![baseline, near], 0))?;
    let scores = read(subject.scores(logits, score)).await?;
    Ok(scores.get(1).copied().unwrap_or(0.0) - scores.first().copied().unwrap_or(0.0))
}

/// A map as a method leaves it, channel after channel or one value a place, in the order and shape of the input.
fn in_order(places: &Places, input: &[usize], planes: Vec<f32>) -> Result<HostTensor> {
    match planes.len() {
        count if count == input.iter().product::<usize>() => {
            Ok(HostTensor { data: places.in_order(&planes).into_owned(), shape: input.to_vec() })
        }
        count if count == places.count() => Ok(HostTensor { data: planes, shape: places.map_shape(input) }),
        count => Err(Error::Internal(format!("a map of {count} values for an input of shape {input:?}"))),
    }
}

/// The paper's number of pixels along a side, on a picture whose shorter side has `side` pixels: the same from 224 pixels
/// on, and in proportion below, at least 1.
fn scaled(paper: usize, side: usize) -> usize {
    ((paper * side.min(224)) as f64 / 224.0).round().max(1.0) as usize
}

/// 1 in each row where `class` has the highest logit, else 0, `[N, 1]`.
fn predicts(logits: Tensor<2>, class: &[usize]) -> Tensor<2> {
    let device = logits.device();
    let classes: Vec<i64> = class.iter().map(|&class| class as i64).collect();
    let rows = classes.len();
    let wanted = Tensor::<2, burn::tensor::Int>::from_data(TensorData::new(classes, [rows, 1]), &device);
    logits.argmax(1).equal(wanted).float()
}

/// Rows of features as a tensor in the model's shape, and back.
pub(crate) fn rows_to(rows: Tensor<2>, sample: &[usize]) -> Result<Ranked<Float>> {
    let dims: Vec<usize> = std::iter::once(rows.dims()[0]).chain(sample.iter().copied()).collect();
    Ranked::D2(rows).reshape(&dims).ok_or_else(|| Error::Internal("features do not fill a sample".into()))
}

pub(crate) fn to_rows(tensor: Ranked<Float>) -> Result<Tensor<2>> {
    let dims = tensor.dims();
    let rows = [dims[0], dims[1..].iter().product()];
    tensor
        .reshape(&rows)
        .and_then(|tensor| tensor.get())
        .ok_or_else(|| Error::Internal("a sample does not flatten".into()))
}

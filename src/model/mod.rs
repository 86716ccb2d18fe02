//! The model runtime: ONNX bytes in, logits and input gradients out, on any device.
//!
//! `graph` reads and checks a file, `operators` turns each node into a kernel over Burn tensors, `passes` bring the graph into
//! the form that runs, and `exec` runs it: one loop forward, one walk back. Each node is lowered by itself to a kernel of the
//! engine's own (`cpu`, `gpu`) or left to Burn. A gradient is with respect to the input or to the output of any node; weights
//! are constants, so no gradient of a weight can ever be computed.

mod axes;
pub(crate) mod backward;
mod behind;
mod bodies;
mod cpu;
pub mod detect;
mod element;
mod embedding;
mod exec;
mod file;
pub(crate) mod front_end;
mod functions;
#[cfg(feature = "webgpu")]
mod gpu;
mod graph;
mod host;
mod info;
mod inputs;
mod joint;
mod layers;
mod load;
mod node;
pub(crate) mod operators;
mod pass;
mod passes;
mod readback;
mod relevance;
mod report;
mod runner;
mod score;
pub mod target;
mod token_axes;
mod transformer;
pub mod value;
mod view;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use burn::tensor::{Float, Tensor};

pub use element::External;
pub use embedding::TokensInfo;
#[cfg(feature = "webgpu")]
pub(crate) use exec::{Finish, joined_dims};
pub(crate) use file::FileParts;
pub use file::ModelFile;
pub use front_end::FrontEnd;
pub use host::HostValue;
pub use info::{Activation, GraphInfo, Layer, ModelOptions, NodeInfo, OperatorCount, OutputKind, ValueInfo};
pub(crate) use pass::Pass;
pub(crate) use readback::{floats, lost, read};
pub(crate) use relevance::{Share, ratio};
pub use report::{ModelReport, OperatorSupport, inspect};
pub use runner::Runner;
pub use score::Score;
pub use target::{BoxScore, BoxTarget, Follow, RegionTarget, Target};
pub(crate) use transformer::{Attended, TokenAxis, Weighing};
pub(crate) use view::{Seen, View};

use crate::{
    Device, Error, Result,
    device::DeviceKind,
    input::{
        HostTensor,
        layout::{Layout, Places, last_are_channels},
    },
};
use backward::{Rule, Site};
use exec::{ByBurn, Keep, Program, Rules};
use graph::{Graph, Slot};
use inputs::{Fed, check_dims, misshapen, named, open_size};
use layers::MapLayer;
use load::{Given, rows_of, scores_of};
use passes::Groups;
use value::{Ranked, Value};

/// The ONNX operators that the engine runs, those outside ONNX's own domain with it.
pub fn supported_operators() -> &'static [&'static str] {
    operators::SUPPORTED
}

/// A gradient and what was computed on the way to it.
#[derive(Debug, Clone)]
pub struct Gradient {
    /// The logits, `[N, classes]`.
    pub logits: Tensor<2>,
    /// The value that was differentiated against: the input, or a node's output.
    pub value: Ranked<Float>,
    /// The gradient of each sample's score, in the shape of `value`.
    pub gradient: Ranked<Float>,
}

/// What a walk back starts from at the explained class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seed {
    /// 1, as a gradient does.
    One,
    /// The logit, which is then distributed.
    Score,
}

/// What a walk back found.
pub(crate) struct Walked {
    /// The logits, `[N, classes]`.
    pub logits: Tensor<2>,
    /// The logits of the reference, where there is one.
    pub reference_logits: Option<Tensor<2>>,
    /// What arrived at the input, in its shape.
    pub arrived: Ranked<Float>,
}

/// More samples at once keep no GPU busier, but let progress, maps on the way and cancelling wait.
const WORTHWHILE_BATCH: usize = 128;

/// An input that takes pictures.
pub(crate) struct PictureInput<'a> {
    pub name: &'a str,
    pub channels: usize,
    pub height: Option<usize>,
    pub width: Option<usize>,
    pub channels_last: bool,
}

/// A graph lowered for its device.
enum Prepared {
    Cpu(Program<cpu::Operation>),
    #[cfg(feature = "webgpu")]
    Gpu(Program<gpu::Operation>),
}

impl Prepared {
    fn new(graph: &Graph, kind: DeviceKind) -> Self {
        match kind {
            DeviceKind::Cpu => Self::Cpu(Program::new(graph)),
            #[cfg(feature = "webgpu")]
            DeviceKind::WebGpu => Self::Gpu(Program::new(graph)),
            #[cfg(not(feature = "webgpu"))]
            DeviceKind::WebGpu => Self::Cpu(Program::by_burn()),
        }
    }
}

/// Runs an expression with the program of whichever device it is for.
macro_rules! with_program {
    ($prepared:expr, $program:pat => $body:expr) => {
        match $prepared {
            Prepared::Cpu($program) => $body,
            #[cfg(feature = "webgpu")]
            Prepared::Gpu($program) => $body,
        }
    };
}

use with_program;

/// A network on a device. Cloning is cheap.
#[derive(Clone)]
pub struct Model {
    graph: Arc<Graph>,
    /// The graph lowered for its device, at the first run.
    program: Arc<OnceLock<Prepared>>,
    /// Computes the explained value from the inputs, where that is the output of a node.
    before: Option<Arc<Graph>>,
    device: Device,
    /// The explained value.
    source: Slot,
    output: Slot,
    /// Values of the inputs that are not explained.
    fed: Vec<Fed>,
    /// Inputs by name, with their declared form.
    inputs: Vec<(Slot, ValueInfo)>,
    /// The inputs that are explained at once, where there are several.
    joint: Option<joint::Joint>,
    /// The explained input, the samples in front.
    input: ValueInfo,
    batch: Batch,
    /// The classes of one sample's scores.
    groups: Groups,
    maps: Vec<MapLayer>,
    /// Its blocks of attention; where there are none, why.
    transformer: Arc<Result<transformer::Transformer, String>>,
    /// Whether the explained input holds integers that the graph does not make real numbers of: no gradient passes.
    holds_integers: bool,
    info: GraphInfo,
    /// What is kept to take texts of other lengths, where it reads text.
    text: Option<Arc<embedding::TextNetwork>>,
    /// The shape of what one text is looked up as, where it reads text.
    rehearsed_rows: Option<Vec<usize>>,
    /// The shape of the output for blank samples.
    rehearsed_output: Vec<usize>,
    /// The token whose scores are asked about, where it gives scores to each.
    labelled: Option<Labelled>,
    /// What of the output is explained, where that is not the output itself.
    view: Option<Arc<View>>,
    /// Its head, where it is a detector; where it is none, why.
    detector: Arc<Result<detect::Draft, String>>,
}

/// Scores of each token, of which those of one are explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Labelled {
    /// How many tokens have scores.
    tokens: usize,
    /// The one that is asked about.
    at: usize,
}

/// How a file arranges samples.
#[derive(Debug, Clone, Copy)]
struct Batch {
    /// The axis of the input, as the file has it, that holds them; none where it takes one sample without such an axis.
    axis: Option<usize>,
    /// As many as the graph takes at once, where it takes no other number.
    fixed: Option<usize>,
    /// More at once do not work.
    largest: usize,
    /// Whether a sample's result depends on the others: what is given together is run together, and a method's samples by
    /// themselves.
    mixes: bool,
}

impl Model {
    /// The explained value and the other inputs, these repeated to the batch.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where an input that the scores depend on has no value.
    fn given(&self, input: Ranked<Float>) -> Result<Given> {
        self.check_fed()?;
        self.given_or_blank(input)
    }

    fn check_fed(&self) -> Result<()> {
        let missing: Vec<&str> =
            self.fed.iter().filter(|fed| fed.is_missing).map(|fed| fed.name.as_str()).collect();
        match missing.as_slice() {
            [] => Ok(()),
            names => Err(Error::InputInvalid(format!(
                "The answer also depends on {}, which has no value. Give one: `--also {}=file.npy` on the command line, \
                 `withInputs` or `inputs` in the package.",
                names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", "),
                names[0]
            ))),
        }
    }

    /// The same with zeros for what has no value.
    fn given_or_blank(&self, input: Ranked<Float>) -> Result<Given> {
        let rows = input.dims().first().copied().unwrap_or(1);
        self.given_rows(input, rows)
    }

    /// The same where the samples are not known to lie in front.
    fn given_rows(&self, input: Ranked<Float>, batch: usize) -> Result<Given> {
        let mut given = Vec::with_capacity(self.fed.len() + 1);
        for Fed { slot, value, .. } in &self.fed {
            let value = match value.dims().first() {
                Some(1) if batch > 1 => {
                    let mut dims = value.dims();
                    dims[0] = batch;
                    value::map_value!(value.clone(), ranked => ranked
                        .expand(&dims)
                        .ok_or_else(|| Error::Internal("an input could not be repeated".into()))?)
                }
                _ => value.clone(),
            };
            given.push((*slot, value));
        }
        given.push((
            self.source,
            match self.holds_integers {
                true => Value::Int(self.as_integers(input)?),
                false => input.into(),
            },
        ));
        Ok(given)
    }

    /// Token numbers and the like, which travel as real numbers everywhere else.
    fn as_integers(&self, input: Ranked<Float>) -> Result<Ranked<burn::tensor::Int>> {
        let host = burn::tensor::Device::flex();
        if input.device() != host {
            return Err(Error::InputInvalid(
                "The explained input holds integers, which decide what is computed; run this model on the CPU.".into(),
            ));
        }
        Ok(input.round().int())
    }

    /// The model with values for its other inputs; those that are not named keep theirs.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] for a name that is no input, [`Error::InputShape`].
    pub fn with_inputs(&self, values: BTreeMap<String, HostValue>) -> Result<Self> {
        let mut model = self.clone();
        for (name, value) in values {
            let (slot, info) = named(&self.inputs, &name)?;
            let is_joined = self.joint.as_ref().is_some_and(|joint| joint.contains(*slot));
            if *slot == self.source || info.name == self.info.input.name || is_joined {
                return Err(Error::InputInvalid(format!("Input \"{name}\" is the explained one.")));
            }
            let fed = self.fed_with(*slot, info, value)?;
            match model.fed.iter_mut().find(|old| old.slot == *slot) {
                Some(old) => {
                    model.info.notes.retain(|note| Some(note) != old.note.as_ref());
                    *old = fed;
                }
                None => model.fed.push(fed),
            }
        }
        Ok(model)
    }

    /// An input with a value of the caller's.
    fn fed_with(&self, slot: Slot, info: &ValueInfo, value: HostValue) -> Result<Fed> {
        let value = value.for_input(info)?;
        check_dims(value.shape(), info)?;
        let value = value.upload(&info.name, self.device.burn())?;
        Ok(Fed { slot, name: info.name.clone(), value, is_missing: false, note: None })
    }

    /// An input as the file has it, with the samples in front as everything inside has them.
    ///
    /// # Errors
    /// [`Error::InputShape`].
    pub(crate) fn samples_first(&self, tensor: HostTensor) -> Result<HostTensor> {
        match self.batch.axis {
            Some(0) => Ok(tensor),
            None if tensor.shape.len() + 1 == self.input.shape.len() => {
                let shape = std::iter::once(1).chain(tensor.shape).collect();
                Ok(HostTensor { data: tensor.data, shape })
            }
            Some(axis) if tensor.shape.len() == self.input.shape.len() => Ok(tensor.moved_axis(axis, 0)),
            _ => Err(misshapen(&tensor.shape, &self.info.input)),
        }
    }

    /// Whether a tensor of this shape is one of the input as the file has it, where that has another order than everything
    /// inside.
    pub(crate) fn has_files_order(&self, shape: &[usize]) -> bool {
        let declared = &self.info.input.shape;
        self.batch.axis != Some(0)
            && shape.len() == declared.len()
            && shape.iter().zip(declared).all(|(size, declared)| declared.is_none_or(|want| want == *size))
    }

    /// The way back: a map or gradient in the file's order of axes.
    pub(crate) fn as_in_file(&self, mut tensor: HostTensor) -> HostTensor {
        match self.batch.axis {
            None if tensor.shape.first() == Some(&1) => {
                tensor.shape.remove(0);
                tensor
            }
            Some(axis) if axis > 0 => tensor.moved_axis(0, axis),
            _ => tensor,
        }
    }

    /// The map that the output of a layer holds, as `[channels, height, width]`.
    pub(crate) fn map_view(&self, layer: &str) -> Option<&axes::MapView> {
        self.maps.iter().find(|map| map.layer.name == layer).map(|map| &map.view)
    }

    /// The inputs that are explained at once, where there are several.
    pub(crate) fn joint(&self) -> Option<&joint::Joint> {
        self.joint.as_ref()
    }

    /// Whether the explained value is the output of a node, computed from the inputs.
    pub fn explains_a_node(&self) -> bool {
        self.before.is_some()
    }

    /// The value of the explained node for the inputs that [`Model::with_inputs`] has set.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where an input is explained, [`Error::DeviceLost`].
    pub async fn source(&self) -> Result<crate::HostTensor> {
        let before = self
            .before
            .as_ref()
            .ok_or_else(|| Error::invalid_model("an input is explained, not the output of a node"))?;
        let at = &self.info.input.name;
        let slot = before.output_of(at).ok_or(Error::Internal("a node was lost".into()))?;
        self.check_fed()?;
        let fed = self.fed.iter().map(|fed| (fed.slot, fed.value.clone()));
        let value = before.run(fed, &[slot])?.remove(0);
        match HostValue::read(value).await? {
            HostValue::Float { data, shape } => crate::HostTensor::new(data, shape),
            _ => Err(Error::invalid_model("the explained node holds no real numbers")),
        }
    }

    /// The device that holds the weights.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What the model is made of.
    pub fn info(&self) -> &GraphInfo {
        &self.info
    }

    /// The input that takes a picture: the explained one, or the only real one before the explained node.
    pub(crate) fn picture_input(&self) -> Option<PictureInput<'_>> {
        if self.before.is_none()
            && let (Layout::Picture, &[_, height, width]) = (self.info.layout, &self.input.shape[..])
        {
            let name = &self.input.name;
            return Some(PictureInput { name, channels: 1, height, width, channels_last: false });
        }
        let (info, channels_last) = if self.before.is_none() {
            (&self.input, self.info.layout == Layout::PictureChannelsLast)
        } else {
            let mut real = self.info.inputs.iter().filter(|info| info.element_type.contains("float"));
            let info = real.next().filter(|_| real.next().is_none())?;
            (info, matches!(info.shape[..], [_, first, _, last] if last_are_channels(first, last)))
        };
        let (channels, height, width) = match info.shape[..] {
            [_, height, width, Some(channels)] if channels_last => (channels, height, width),
            [_, Some(channels), height, width] if !channels_last => (channels, height, width),
            _ => return None,
        };
        Some(PictureInput { name: &info.name, channels, height, width, channels_last })
    }

    /// The places of one sample of the explained value.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the file leaves a size open.
    pub(crate) fn places(&self) -> Result<Places> {
        Ok(Places::new(self.info.layout, &self.sample_shape()?))
    }

    /// Whether a gradient passes from the explained value to the scores.
    pub fn is_differentiable(&self) -> bool {
        !self.holds_integers && (self.source == self.output || self.way().next().is_some())
    }

    /// Why no gradient can be taken, as the end of a sentence; nothing where one can.
    pub(crate) fn lacks_gradient(&self) -> Option<&'static str> {
        if self.holds_integers {
            return Some(
                "its input holds whole numbers, through which no gradient passes; where they stand for words, give the text with its \
                 tokenizer, or name the value to explain (the option `at`), an embedding above all",
            );
        }
        (!self.is_differentiable()).then_some("no gradient passes from the explained value to the scores")
    }

    /// The nodes between the explained value and the scores through which a gradient passes, in their order.
    pub(crate) fn way(&self) -> impl Iterator<Item = Site> {
        let way = match self.holds_integers {
            true => Vec::new(),
            false => backward::way(&self.graph, self.source, self.output),
        };
        way.into_iter().flatten()
    }

    /// The nodes that run, in their order.
    pub fn nodes(&self) -> Vec<NodeInfo> {
        self.graph.nodes()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.info.classes
    }

    /// The shape of one sample: the input's shape without the batch.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the file leaves a size open.
    pub fn sample_shape(&self) -> Result<Vec<usize>> {
        let input = &self.input;
        input.shape.iter().skip(1).copied().collect::<Option<Vec<_>>>().ok_or_else(|| open_size(input))
    }

    /// How many samples to work on at once: those that fit the memory budget of a gradient, 128 at most and 1 at least.
    pub fn batch_limit(&self) -> usize {
        let most = if self.batch.mixes { 1 } else { self.batch.largest.min(WORTHWHILE_BATCH) };
        (self.device.batch_budget() / self.info.bytes_per_sample.max(1)).clamp(1, most)
    }

    /// Checks a shape against the model's input; any batch is accepted.
    ///
    /// # Errors
    /// [`Error::InputShape`].
    pub fn check_shape(&self, shape: &[usize]) -> Result<()> {
        let input = &self.input;
        if shape.first().is_none_or(|&batch| batch == 0) {
            return Err(misshapen(shape, input));
        }
        check_dims(shape, input)
    }

    /// The logits `[N, classes]` of a batch.
    ///
    /// # Errors
    /// [`Error::InputShape`].
    pub fn logits(&self, input: Ranked<Float>) -> Result<Tensor<2>> {
        self.check_shape(&input.dims())?;
        let mut logits = Vec::new();
        for part in self.parts(input)? {
            let rows = part.dims()[0];
            let given = self.given(self.filled_up(part))?;
            let output = with_program!(self.program(), program => {
                program.forward(&self.graph, given, &[self.output], Keep::Nothing)?.wanted.remove(0)
            });
            let all = self.batch.fixed.unwrap_or(rows);
            let found = self.logits_of(output, all)?;
            logits.push(if rows == all { found } else { found.slice_dim(0, 0..rows as i64) });
        }
        Ok(if logits.len() == 1 { logits.remove(0) } else { Tensor::cat(logits, 0) })
    }

    /// A batch in parts that fit the memory budget. Those of the processor's kernels are smaller: their values fit its
    /// caches and the memory that is used again, and a large batch gains nothing there.
    fn parts(&self, input: Ranked<Float>) -> Result<Vec<Ranked<Float>>> {
        if self.batch.mixes {
            return Ok(vec![input]);
        }
        let sample = self.info.bytes_per_sample / (3 * size_of::<f32>());
        let limit = self.batch_limit();
        let size = match self.program() {
            Prepared::Cpu(program) if program.has_kernels() && self.batch.fixed.is_none() => {
                cpu::at_once(sample, limit)
            }
            _ => limit,
        };
        let batch = input.dims()[0];
        if batch <= size {
            return Ok(vec![input]);
        }
        let part = |start: usize| {
            let range = start as i64..(start + size).min(batch) as i64;
            value::map_ranked!(input.clone(), x => x.slice_dim(0, range))
        };
        Ok((0..batch).step_by(size).map(part).collect())
    }

    /// A batch with copies of its last sample, where the file takes one number of samples alone.
    fn filled_up(&self, part: Ranked<Float>) -> Ranked<Float> {
        let rows = part.dims()[0];
        let Some(missing) =
            self.batch.fixed.and_then(|fixed| fixed.checked_sub(rows)).filter(|&more| more > 0)
        else {
            return part;
        };
        value::map_ranked!(part, x => {
            let last = x.clone().slice_dim(0, rows as i64 - 1..rows as i64);
            Tensor::cat(vec![x, last.repeat_dim(0, missing)], 0)
        })
    }

    /// The gradient of each sample's score of its class in `targets`, with respect to the input.
    ///
    /// # Errors
    /// [`Error::InputShape`], [`Error::TargetOutOfRange`].
    pub fn gradient(&self, input: Ranked<Float>, targets: &[usize], score: Score) -> Result<Gradient> {
        self.check_shape(&input.dims())?;
        let mut parts: Vec<Gradient> = Vec::new();
        let mut start = 0;
        for part in self.parts(input.clone())? {
            let rows = start..start + part.dims()[0];
            start = rows.end;
            let targets = targets.get(rows).unwrap_or(targets);
            parts.push(Pass::new(self, self.source, part)?.gradient(targets, score)?);
        }
        joined(parts, input)
    }

    /// Runs the network on a batch of at most [`Self::batch_limit`] samples, for gradients with respect to the input.
    ///
    /// # Errors
    /// [`Error::InputShape`].
    pub(crate) fn pass(&self, input: Ranked<Float>) -> Result<Pass<'_>> {
        self.check_shape(&input.dims())?;
        Pass::new(self, self.source, input)
    }

    /// The gradient with respect to the output of the node called `node` (its name in the file, or the name of
    /// its output).
    ///
    /// # Errors
    /// [`Error::InputShape`], [`Error::TargetOutOfRange`], and [`Error::ModelInvalid`] where there is no such
    /// node, or the logits do not depend on it.
    pub fn gradient_at(
        &self,
        node: &str,
        input: Ranked<Float>,
        targets: &[usize],
        score: Score,
    ) -> Result<Gradient> {
        self.pass_at(node, input)?.gradient(targets, score)
    }

    /// Runs the network on a batch of at most [`Self::batch_limit`] samples, for gradients with respect to the output of the node
    /// called `node`.
    ///
    /// # Errors
    /// Those of [`Self::gradient_at`].
    pub(crate) fn pass_at(&self, node: &str, input: Ranked<Float>) -> Result<Pass<'_>> {
        self.check_shape(&input.dims())?;
        Pass::new(self, self.slot_of(node)?, input)
    }

    /// The gradient of each sample's score with respect to its logits.
    fn seed(&self, logits: Tensor<2>, targets: &[usize], score: Score) -> Result<Tensor<2>> {
        let chosen = self.one_hot(targets, logits.dims()[0])?;
        if score == Score::Logit {
            return Ok(chosen);
        }
        let leaf = logits.inner().autodiff().require_grad();
        let mut gradients = (self.scored(leaf.clone(), score) * chosen).sum().backward();
        leaf.grad_remove(&mut gradients)
            .ok_or_else(|| Error::Internal("the backward pass left no gradient".into()))
    }

    /// Walks back from each sample's score of its class in `targets` to the input, with `rule` at the nodes. A rule that
    /// compares with a reference input, of the same shape, finds its values at every node.
    ///
    /// # Errors
    /// [`Error::InputShape`], [`Error::TargetOutOfRange`], and those of the rule.
    pub(crate) fn walk(
        &self,
        input: Ranked<Float>,
        reference: Option<Ranked<Float>>,
        targets: &[usize],
        seed: Seed,
        rule: &Rule<'_>,
    ) -> Result<Walked> {
        self.check_shape(&input.dims())?;
        let way = backward::way(&self.graph, self.source, self.output);
        let program = ByBurn::by_burn();
        let forward = |input: Ranked<Float>| -> Result<_> {
            let given = self.given(self.filled_up(input))?;
            let mut passed = program.forward(&self.graph, given, &[self.output], Keep::Values(&way))?;
            Ok((passed.tape, passed.wanted.remove(0)))
        };
        let rows = input.dims()[0];
        let all = self.batch.fixed.map_or(rows, |fixed| fixed.max(rows));
        let (mut here, output) = forward(input)?;
        let given_out = output.clone();
        let (reference, reference_logits) = match reference {
            Some(reference) => {
                self.check_shape(&reference.dims())?;
                let (there, output) = forward(reference)?;
                (Some(there), Some(self.logits_of(output, all)?))
            }
            None => (None, None),
        };
        let logits = self.logits_of(output, all)?;
        let mut targets = targets.to_vec();
        targets.resize(all, targets.last().copied().unwrap_or(0));
        let chosen = self.one_hot(&targets, all)?;
        let seed = match (seed, &self.view) {
            (Seed::One, _) => self.as_output(chosen, &given_out, all)?,
            (Seed::Score, None) => self.as_output(chosen * logits.clone(), &given_out, all)?,
            // What each value of the output gave to the score, as the rule for products and sums has it.
            (Seed::Score, Some(view)) => {
                let raw = as_logits(given_out.clone(), all)?;
                let shares = view.back(raw.clone(), chosen.clone())? * raw;
                // A score that is no sum of its values is distributed in proportion.
                let sum = shares.clone().sum_dim(1);
                let none = sum.clone().abs().lower_elem(1e-12);
                let score = (chosen * logits.clone()).sum_dim(1);
                let factor = (score / sum.mask_fill(none.clone(), 1.0)).mask_fill(none, 0.0);
                self.in_shape(shares * factor, &given_out.dims())?
            }
        };
        let ends = (self.source, self.output);
        let rules = Some(Rules { rule, reference });
        let arrived = program.backward(&self.graph, &way, &mut here, ends, seed, rules)?;
        let cut = |logits: Tensor<2>| match rows == all {
            true => logits,
            false => logits.slice_dim(0, 0..rows as i64),
        };
        Ok(Walked {
            logits: cut(logits),
            reference_logits: reference_logits.map(cut),
            arrived: if rows == all { arrived } else { rows_of(&arrived, 0..rows) },
        })
    }

    /// Rows of zeros with a one at each sample's class. A product with it selects the score; a gather would
    /// need a scatter on the way back.
    fn one_hot(&self, targets: &[usize], batch: usize) -> Result<Tensor<2>> {
        let classes = self.classes();
        if targets.len() != batch {
            return Err(Error::Internal(format!("{} targets for a batch of {batch}", targets.len())));
        }
        let mut rows = vec![0.0f32; batch * classes];
        for (row, &target) in rows.chunks_exact_mut(classes).zip(targets) {
            self.check_target(target)?;
            row[target] = 1.0;
        }
        Ok(Tensor::from_data(burn::tensor::TensorData::new(rows, [batch, classes]), self.device.burn()))
    }

    /// Checks that `target` is one of the model's classes.
    ///
    /// # Errors
    /// [`Error::TargetOutOfRange`].
    pub fn check_target(&self, target: usize) -> Result<()> {
        let classes = self.classes();
        if target < classes {
            Ok(())
        } else {
            Err(Error::TargetOutOfRange { target: target as i64, classes })
        }
    }
}

impl Model {
    /// The scores that are explained of the graph's output for so many samples, `[N, classes]`.
    fn logits_of(&self, output: Value, rows: usize) -> Result<Tensor<2>> {
        let all = as_logits(output, rows)?;
        let all = match &self.view {
            Some(view) => return view.scores(all),
            None => all,
        };
        Ok(match self.labelled {
            Some(Labelled { tokens, at }) => {
                let classes = all.dims()[1] / tokens.max(1);
                all.slice_dim(1, (at * classes) as i64..((at + 1) * classes) as i64)
            }
            None => all,
        })
    }

    /// The way back: values of the scores that are explained, in the shape of the graph's output, and zeros for all others.
    fn as_output(&self, scores: Tensor<2>, output: &Value, rows: usize) -> Result<Ranked<Float>> {
        if self.view.is_some() {
            return self.in_shape(view::back(self.view(), output, rows, scores)?, &output.dims());
        }
        let scores = match self.labelled {
            Some(Labelled { tokens, at }) if tokens > 1 => {
                let ([rows, classes], device) = (scores.dims(), scores.device());
                let zeros = |tokens: usize| Tensor::<2>::zeros([rows, tokens * classes], &device);
                let mut parts = vec![scores];
                if at > 0 {
                    parts.insert(0, zeros(at));
                }
                if at + 1 < tokens {
                    parts.push(zeros(tokens - 1 - at));
                }
                Tensor::cat(parts, 1)
            }
            _ => scores,
        };
        self.in_shape(scores, &output.dims())
    }

    fn in_shape(&self, scores: Tensor<2>, dims: &[usize]) -> Result<Ranked<Float>> {
        Ranked::from(scores)
            .reshape(dims)
            .ok_or_else(|| Error::Internal("logits could not be reshaped".into()))
    }
}

/// The graph's output for so many samples as `[N, scores]`.
fn as_logits(output: Value, rows: usize) -> Result<Tensor<2>> {
    let dims = output.dims();
    let Value::Float(output) = output else {
        return Err(Error::invalid_model("its output does not hold floating-point numbers"));
    };
    let Some(scores) = scores_of(&dims, rows) else {
        return Err(Error::invalid_model(format!(
            "its output of shape {dims:?} has no row of scores for each of {rows} samples"
        )));
    };
    let flat = output.reshape(&[rows, scores]).and_then(|flat| flat.get());
    flat.ok_or_else(|| Error::Internal("logits could not be reshaped".into()))
}

/// The inputs of a file that have no value in it.
///
/// # Errors
/// [`Error::ModelMalformed`] for bytes that are not an ONNX model.
pub fn file_inputs(onnx: &[u8]) -> Result<Vec<ValueInfo>> {
    let parsed = file::Parsed::read(onnx)?;
    Ok(parsed.inputs().map(file::value_info).collect())
}

/// The version of ONNX's operator set that a file is written for.
pub(crate) fn opset(model: &onnx_ir::ModelProto) -> i64 {
    let own = model.opset_import.iter().filter(|set| node::is_default_domain(&set.domain));
    own.map(|set| set.version).max().unwrap_or(1)
}

/// The inputs of a node that are learned, where its operator has some.
pub(crate) fn learned_inputs(proto: &onnx_ir::NodeProto, opset: i64) -> std::ops::Range<usize> {
    let types = vec![None; proto.input.len()];
    let planned = operators::plan(&node::operator_of(proto), &node::Node { proto, opset, types });
    planned.map_or(0..0, |operator| operator.properties.weights)
}

/// The gradients of the parts of a batch, `input`, as one.
fn joined(mut parts: Vec<Gradient>, input: Ranked<Float>) -> Result<Gradient> {
    if parts.len() == 1 {
        return Ok(parts.remove(0));
    }
    let (logits, rows) = parts.into_iter().map(|part| (part.logits, part.gradient.flat())).unzip();
    let gradient = Ranked::D1(Tensor::cat(rows, 0)).reshape(&input.dims());
    let gradient = gradient.ok_or_else(|| Error::Internal("parts of a batch do not fit together".into()))?;
    Ok(Gradient { logits: Tensor::cat(logits, 0), value: input, gradient })
}

/// Counts of equal names, by name.
fn count_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<OperatorCount> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name.to_owned()).or_insert(0) += 1;
    }
    counts.into_iter().map(|(name, count)| OperatorCount { name, count }).collect()
}

#[cfg(test)]
mod tests;

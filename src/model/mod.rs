//! The model runtime: ONNX bytes in, logits and input gradients out, on any device.
//!
//! [`graph`] reads and checks a file, [`operators`] turns each node into a kernel over Burn tensors, and
//! [`Model`] runs the kernels in the file's order. Burn's autodiff differentiates the run with respect to the
//! input or to the output of any node; constants have no part in autodiff, so no gradient of a weight can ever
//! be computed.

pub(crate) mod backward;
mod bodies;
mod cpu;
mod element;
mod file;
mod functions;
#[cfg(feature = "webgpu")]
mod gpu;
mod graph;
mod host;
mod node;
pub(crate) mod operators;
mod pass;
mod prepare;
mod program;
mod report;
mod runner;
pub mod value;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, OnceLock},
};

use burn::tensor::{Float, Tensor, activation};
use serde::{Deserialize, Serialize};

pub use element::External;
pub use file::ModelFile;
pub use host::HostValue;
pub(crate) use pass::Pass;
#[cfg(feature = "webgpu")]
pub(crate) use program::{Finish, joined_dims};
pub use report::{ModelReport, OperatorSupport, inspect};
pub use runner::Runner;

use crate::{
    Device, Error, Result,
    device::DeviceKind,
    input::layout::{Layout, Places, last_are_channels},
};
use backward::{Rule, Site, Walk};
use file::Parsed;
use graph::{Graph, Slot};
use prepare::LastActivation;
use program::Program;
use value::{Ranked, Value};

/// The ONNX operators that the engine runs, those outside ONNX's own domain with it.
pub fn supported_operators() -> &'static [&'static str] {
    operators::SUPPORTED
}

/// The name, shape and type of a model's input or output; `null` where any size is accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
#[cfg_attr(target_family = "wasm", tsify(missing_as_null))]
pub struct ValueInfo {
    /// The name in the file.
    pub name: String,
    /// Sizes of the dimensions; the first is the batch.
    pub shape: Vec<Option<usize>>,
    /// The names that the file gives to dimensions, in the places of `shape`: "batch", "height".
    pub symbols: Vec<Option<String>>,
    /// The type of the elements, as ONNX calls it.
    pub element_type: String,
}

/// How a model's scores become probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum Activation {
    /// One class of several.
    Softmax,
    /// Each class for itself (multi-label).
    Sigmoid,
    /// The scores are what they are.
    None,
}

/// What a caller may know about a file beyond what it says itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelOptions {
    /// The explained input, where there are several.
    pub input: Option<String>,
    /// The explained output, where there are several.
    pub output: Option<String>,
    /// Explain the output of this node instead of an input: an embedding, above all.
    pub at: Option<String>,
    /// Sizes of open dimensions, by the symbolic name in the file or as `input:axis`.
    pub sizes: BTreeMap<String, usize>,
    /// How scores become probabilities; found in the graph where it is left out, and softmax where the graph has
    /// nothing to say.
    pub activation: Option<Activation>,
    /// What the axes of the explained value mean; found by its shape and its readers where it is left out.
    pub layout: Option<Layout>,
}

/// How often an operator occurs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct OperatorCount {
    /// The operator's ONNX name.
    pub name: String,
    /// Number of nodes.
    pub count: usize,
}

/// A node of the graph, in the order in which the nodes run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// The name in the file, or that of its first output.
    pub name: String,
    /// The operator's ONNX name.
    pub operator: String,
}

/// A node whose output can be looked at: feature maps on the way from the input to the scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Layer {
    /// The name in the file, or that of its first output.
    pub name: String,
    /// The operator's ONNX name.
    pub operator: String,
    /// Channels, height and width of its output.
    pub shape: [usize; 3],
}

/// What a model is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct GraphInfo {
    /// The input that is explained.
    pub input: ValueInfo,
    /// What its axes mean.
    pub layout: Layout,
    /// The logits.
    pub output: ValueInfo,
    /// All inputs that have no value in the file.
    pub inputs: Vec<ValueInfo>,
    /// All outputs.
    pub outputs: Vec<ValueInfo>,
    /// Number of scores of one sample.
    pub classes: usize,
    /// How scores become probabilities.
    pub activation: Activation,
    /// Number of weights.
    pub parameters: usize,
    /// Memory that the weights take on the device.
    pub weight_bytes: usize,
    /// Memory that one sample of a gradient takes.
    pub bytes_per_sample: usize,
    /// Number of nodes that run.
    pub nodes: usize,
    /// The operators of the file, by name.
    pub operators: Vec<OperatorCount>,
    /// The nodes that methods of activations can look at, in the order in which they run: their outputs are maps of more
    /// than one position on the way to the scores.
    pub layers: Vec<Layer>,
    /// The one of `layers` that they look at where none is named: the last convolution, behind what follows it value by
    /// value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layer: Option<String>,
}

/// The quantity of one sample that is differentiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// The logit `z_t`.
    #[default]
    Logit,
    /// The softmax probability `p_t`.
    Probability,
    /// Its logarithm, `ln p_t`: minus the cross-entropy with the class. Finite where `p_t` rounds to zero.
    LogProbability,
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

/// Operators that keep each value of a feature map in its place.
const POINTWISE: &[&str] = &[
    "Add",
    "BatchNormalization",
    "Celu",
    "Clip",
    "Elu",
    "Erf",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Mish",
    "Mul",
    "PRelu",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Tanh",
];

fn is_convolution(operator: &str) -> bool {
    matches!(operator, "Conv" | "ConvTranspose" | "ConvInteger" | "QLinearConv")
}

/// An input that takes pictures.
pub(crate) struct PictureInput<'a> {
    pub name: &'a str,
    pub channels: usize,
    pub height: Option<usize>,
    pub width: Option<usize>,
    pub channels_last: bool,
}

/// A graph prepared for the kernels of its device.
enum Prepared {
    Cpu(Program<cpu::Operation>),
    #[cfg(feature = "webgpu")]
    Gpu(Program<gpu::Operation>),
}

impl Prepared {
    fn new(graph: &Graph, kind: DeviceKind) -> Option<Self> {
        match kind {
            DeviceKind::Cpu => Program::new(graph).map(Self::Cpu),
            #[cfg(feature = "webgpu")]
            DeviceKind::WebGpu => Program::new(graph).map(Self::Gpu),
            #[cfg(not(feature = "webgpu"))]
            DeviceKind::WebGpu => None,
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
    /// The graph prepared for kernels of the engine's own, at the first run.
    program: Arc<OnceLock<Option<Prepared>>>,
    /// Computes the explained value from the inputs, where that is the output of a node.
    before: Option<Arc<Graph>>,
    device: Device,
    /// The explained value.
    source: Slot,
    output: Slot,
    /// Values of the inputs that are not explained.
    fed: Vec<(Slot, Value)>,
    /// Inputs by name, with their declared form.
    inputs: Vec<(Slot, ValueInfo)>,
    /// Batches larger than this do not work.
    largest_batch: usize,
    info: GraphInfo,
}

impl Model {
    /// Reads an ONNX file and puts its weights on `device`.
    ///
    /// # Errors
    /// [`Error::ModelMalformed`] for bytes that are not an ONNX model, [`Error::UnsupportedOperator`] for an
    /// operator that the engine lacks, [`Error::ModelInvalid`] for a graph that contradicts itself or whose
    /// output is not at least two scores a sample, [`Error::ModelTooLarge`] for weights that the device cannot bind.
    pub fn load(onnx: &[u8], device: &Device) -> Result<Self> {
        Self::load_with(&onnx.into(), &ModelOptions::default(), device)
    }

    /// Like [`Model::load`], with what the caller knows about the file.
    ///
    /// # Errors
    /// Those of [`Model::load`], and [`Error::ModelInvalid`] for names that the file does not have.
    pub fn load_with(file: &ModelFile<'_>, options: &ModelOptions, device: &Device) -> Result<Self> {
        let parsed = Parsed::read(file.bytes)?;
        let mut graph = Graph::read(file, &parsed, device)?;
        let inputs = inputs(&parsed, &mut graph, options)?;
        let outputs: Vec<ValueInfo> = parsed.graph().output.iter().map(file::value_info).collect();

        let head = choose("output", &outputs, options.output.as_deref(), |_| true)?;
        let output = graph.slot(&head.name);
        let mut before = None;
        let (source, input) = match &options.at {
            None => {
                let input = choose("input", &infos(&inputs), options.input.as_deref(), |info| {
                    info.element_type.contains("float")
                })?;
                (graph.slot(&input.name), input)
            }
            Some(at) => {
                let slot = graph.output_of(at).filter(|&slot| graph.constants[slot].value.is_none());
                let slot = slot.ok_or_else(|| {
                    Error::invalid_model(format!("it has no node called \"{at}\" that depends on an input"))
                })?;
                let mut first = Graph::read(file, &parsed, device)?;
                let same = first.output_of(at).ok_or(Error::Internal("a node was lost".into()))?;
                first.keep_only(&[same], &[]);
                first.upload();
                before = Some((first, same));
                let info = ValueInfo {
                    name: at.clone(),
                    shape: Vec::new(),
                    symbols: Vec::new(),
                    element_type: "float32".into(),
                };
                (slot, info)
            }
        };
        graph.keep_only(&[output], &[source]);
        if !graph.steps.iter().any(|step| step.inputs.contains(&Some(source))) && output != source {
            return Err(Error::invalid_model(format!("its output does not depend on \"{}\"", input.name)));
        }
        if let Some(limit) = device.binding_limit() {
            prepare::split_weights(&mut graph, limit)?;
            graph.keep_only(&[output], &[source]);
        }
        graph.upload();
        let last = prepare::last_activation(&graph, output);
        let (parameters, weight_bytes) = parsed.weights();
        let mut model = Self {
            source,
            output,
            before: None,
            device: device.clone(),
            fed: Vec::new(),
            largest_batch: usize::MAX,
            info: GraphInfo {
                layout: Layout::Values,
                input,
                output: head,
                inputs: infos(&inputs),
                outputs,
                classes: 0,
                activation: options.activation.unwrap_or(Activation::Softmax),
                parameters,
                weight_bytes,
                bytes_per_sample: 0,
                nodes: graph.steps.len(),
                operators: count_names(parsed.nodes.iter().map(|node| node.op_type.as_str())),
                layers: Vec::new(),
                layer: None,
            },
            inputs,
            graph: Arc::new(graph),
            program: Arc::default(),
        };
        if let Some((first, slot)) = before {
            model.before = Some(Arc::new(first));
            model.rehearse_source(slot)?;
        }
        model.info.layout = model.find_layout(options.layout)?;
        model.rehearse(last, options.activation)?;
        Ok(model)
    }

    /// What the axes of the explained value mean.
    fn find_layout(&self, declared: Option<Layout>) -> Result<Layout> {
        let sample = self.sample_shape()?;
        match declared {
            Some(layout) if layout.fits(&sample) => Ok(layout),
            Some(layout) => Err(Error::invalid_model(format!(
                "its input \"{}\" of {} cannot have the layout {layout:?}",
                self.info.input.name,
                written_shape(&self.info.input)
            ))),
            None => Ok(Layout::guess(&sample, self.is_convolved(sample.len()))),
        }
    }

    /// Whether a convolution reads the explained value as it is, or after what leaves the axes in their order.
    fn is_convolved(&self, axes: usize) -> bool {
        const KEEP: [&str; 10] = [
            "Add",
            "BatchNormalization",
            "Cast",
            "DequantizeLinear",
            "Div",
            "DynamicQuantizeLinear",
            "Identity",
            "Mul",
            "QuantizeLinear",
            "Sub",
        ];
        let mut same = HashSet::from([self.source]);
        for step in &self.graph.steps {
            if !step.inputs.first().copied().flatten().is_some_and(|slot| same.contains(&slot)) {
                continue;
            }
            if is_convolution(&step.operator) {
                return true;
            }
            // A signal without channels gets its one.
            let widens = axes == 1 && matches!(step.operator.as_str(), "Unsqueeze" | "Reshape");
            if widens || KEEP.contains(&step.operator.as_str()) {
                same.extend(step.outputs.iter().flatten());
            }
        }
        false
    }

    /// Finds the shape of the explained node's output by a run on blank inputs.
    fn rehearse_source(&mut self, slot: Slot) -> Result<()> {
        let Some(before) = &self.before else { return Ok(()) };
        let mut given = Vec::new();
        for (slot, info) in &self.inputs {
            given.push((*slot, blank(info)?.upload(&info.name, self.device.burn())?));
        }
        let found = before.run(given, &[slot], |_, _| ())?.remove(0);
        let Value::Float(found) = found else {
            return Err(Error::invalid_model("the explained node holds no real numbers"));
        };
        let mut shape: Vec<Option<usize>> = found.dims().into_iter().map(Some).collect();
        if shape.is_empty() {
            return Err(Error::invalid_model("the explained node holds one number, without a batch"));
        }
        shape[0] = None;
        self.info.input.symbols = vec![None; shape.len()];
        self.info.input.shape = shape;
        Ok(())
    }

    /// Passes blank samples through the graph, so that what does not fit is said at load time, so that the memory of a
    /// sample is known, and so that a batch that does not work is never tried.
    fn rehearse(&mut self, last: Option<LastActivation>, declared: Option<Activation>) -> Result<()> {
        let sample = self.sample_shape()?;
        for (slot, info) in &self.inputs {
            if *slot != self.source {
                self.fed.push((*slot, blank(info)?.upload(&info.name, self.device.burn())?));
            }
        }
        let last_step = last.as_ref().and_then(LastActivation::step);
        let mut end = Vec::new();
        let mut maps: BTreeMap<usize, [usize; 3]> = BTreeMap::new();
        let mut run = |batch: usize, elements: &mut usize| -> Result<Value> {
            let dims: Vec<usize> = std::iter::once(batch).chain(sample.iter().copied()).collect();
            let count = dims.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
            if count.is_none_or(|count| count > 1 << 28) {
                return Err(Error::invalid_model(format!("its input of shape {dims:?} is too large")));
            }
            let blank = HostValue::blank(true, dims).upload(&self.info.input.name, self.device.burn())?;
            let Value::Float(blank) = blank else { return Err(Error::Internal("a blank input".into())) };
            let mut index = 0;
            let mut visit = |shapes: &[Vec<usize>], real: bool| {
                *elements += shapes.iter().map(|dims| dims.iter().product::<usize>()).sum::<usize>();
                if Some(index) == last_step {
                    end = shapes.first().cloned().unwrap_or_default();
                }
                if let Some(&[1, channels, height, width]) = shapes.first().map(Vec::as_slice)
                    && real
                    && height * width > 1
                {
                    maps.insert(index, [channels, height, width]);
                }
                index += 1;
            };
            let Some(program) = self.program() else {
                return self.run(blank, |values| {
                    let real = matches!(values.first(), Some(Value::Float(_)));
                    visit(&values.iter().map(Value::dims).collect::<Vec<_>>(), real);
                });
            };
            let given = self.given(blank)?;
            with_program!(program, program => {
                // A GPU compiles here what is to run there.
                if self.device.kind() == DeviceKind::Cpu {
                    return program.rehearse(&self.graph, given, self.output, visit);
                }
                let mut passed = program.forward(&self.graph, given, &[self.output], None)?;
                for step in &self.graph.steps {
                    let shapes = step.outputs.iter().flatten().map(|&slot| passed.dims(slot).to_vec());
                    visit(&shapes.collect::<Vec<_>>(), true);
                }
                Ok(passed.wanted.remove(0))
            })
        };
        let mut elements = 0;
        let one = as_logits(run(1, &mut elements)?)?.dims();
        if one[0] != 1 || one[1] < 2 {
            return Err(Error::invalid_model(format!(
                "its output has shape {one:?} for one sample, and at least two scores are needed"
            )));
        }
        // Some exporters write the batch into the graph: the declared form tells, and a second run makes sure.
        let mut largest_batch = usize::MAX;
        if self.fixed_batch() {
            let two = run(2, &mut 0).and_then(as_logits).map(|logits| logits.dims());
            if two != Ok([2, one[1]]) {
                largest_batch = 1;
            }
        }
        self.largest_batch = largest_batch;
        self.info.layers = self.layers(&maps);
        if let Some(last) = last.filter(|last| last.step().is_none() || last.fits(&end)) {
            self.info.activation = declared.unwrap_or(last.kind);
            if let Some(graph) = Arc::get_mut(&mut self.graph) {
                last.take_off(graph);
            }
            let program = Arc::get_mut(&mut self.program).and_then(OnceLock::get_mut);
            if let (Some(Some(program)), Some(step)) = (program, last.step()) {
                with_program!(program, program => program.pass_on(step, self.device.burn()));
            }
        }
        elements += sample.iter().product::<usize>();
        self.info.layer = self.default_layer();
        self.info.classes = one[1];
        // Forward values, their gradients, and as much again for what kernels need while they run.
        self.info.bytes_per_sample = 3 * elements * size_of::<f32>();
        // What fails here fails again, and is told, when it is asked for.
        let _ = self.warm_up(sample);
        Ok(())
    }

    /// Has a GPU compile what a gradient needs, so that the first explanation does not wait for it.
    fn warm_up(&self, sample: Vec<usize>) -> Result<()> {
        if self.device.kind() == DeviceKind::WebGpu && self.is_differentiable() {
            let dims: Vec<usize> = std::iter::once(1).chain(sample).collect();
            let blank = HostValue::blank(true, dims).upload(&self.info.input.name, self.device.burn())?;
            let Value::Float(blank) = blank else { return Err(Error::Internal("a blank input".into())) };
            self.gradient(blank, &[0], Score::Logit)?;
        }
        Ok(())
    }

    /// The nodes through which a gradient passes and whose outputs are `maps`, by the number of the step.
    fn layers(&self, maps: &BTreeMap<usize, [usize; 3]>) -> Vec<Layer> {
        let sites = backward::way(&self.graph, self.source, self.output);
        let layer = |(index, &shape): (&usize, &[usize; 3])| {
            let site = sites.get(*index)?.as_ref()?;
            Some(Layer { name: site.name.clone(), operator: site.operator.clone(), shape })
        };
        maps.iter().filter_map(layer).collect()
    }

    /// The last convolution of more than one position, behind what follows it value by value: normalisation, activation,
    /// the sum with a shortcut. Some networks gate channels or classify with convolutions of a single position.
    fn default_layer(&self) -> Option<String> {
        let steps = &self.graph.steps;
        let convolutions = (0..steps.len()).rev().filter(|&index| is_convolution(&steps[index].operator));
        let behind = |index: usize| {
            let pointwise = |step: &&graph::Step| POINTWISE.contains(&step.operator.as_str());
            steps[index + 1..].iter().take_while(pointwise).last().unwrap_or(&steps[index])
        };
        let mut names = convolutions.map(|index| behind(index).names[0].clone());
        names.find(|name| self.info.layers.iter().any(|layer| layer.name == *name))
    }

    /// Whether the file fixes the batch of its explained input.
    fn fixed_batch(&self) -> bool {
        let declared = self.inputs.iter().find(|(slot, _)| *slot == self.source);
        declared.is_none_or(|(_, info)| info.shape.first().is_none_or(Option::is_some))
    }

    /// The graph's output for a batch of the explained value.
    fn run(&self, input: Ranked<Float>, mut visit: impl FnMut(&[Value])) -> Result<Value> {
        let given = self.given(input)?;
        Ok(self.graph.run(given, &[self.output], |_, values| visit(values))?.remove(0))
    }

    /// The explained value and the other inputs, these repeated to the batch.
    fn given(&self, input: Ranked<Float>) -> Result<Vec<(Slot, Value)>> {
        let batch = input.dims().first().copied().unwrap_or(1);
        let mut given = Vec::with_capacity(self.fed.len() + 1);
        for (slot, value) in &self.fed {
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
        given.push((self.source, input.into()));
        Ok(given)
    }

    /// The model with values for its other inputs; those that are not named keep their zeros.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] for a name that is no input, [`Error::InputShape`].
    pub fn with_inputs(&self, values: BTreeMap<String, HostValue>) -> Result<Self> {
        let mut model = self.clone();
        for (name, value) in values {
            let (slot, info) = named(&self.inputs, &name)?;
            if *slot == self.source {
                return Err(Error::InputInvalid(format!("Input \"{name}\" is the explained one.")));
            }
            check_dims(value.shape(), info)?;
            let value = value.upload(&name, self.device.burn())?;
            match model.fed.iter_mut().find(|(fed, _)| fed == slot) {
                Some((_, old)) => *old = value,
                None => model.fed.push((*slot, value)),
            }
        }
        Ok(model)
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
        let value = before.run(self.fed.iter().cloned(), &[slot], |_, _| ())?.remove(0);
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
        let (info, channels_last) = if self.before.is_none() {
            (&self.info.input, self.info.layout == Layout::PictureChannelsLast)
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
        self.source == self.output || self.way().next().is_some()
    }

    /// The nodes between the explained value and the scores through which a gradient passes, in their order.
    pub(crate) fn way(&self) -> impl Iterator<Item = Site> {
        backward::way(&self.graph, self.source, self.output).into_iter().flatten()
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
        let input = &self.info.input;
        input.shape.iter().skip(1).copied().collect::<Option<Vec<_>>>().ok_or_else(|| open_size(input))
    }

    /// How many samples to work on at once: those that fit the memory budget of a gradient, 128 at most and 1 at least.
    pub fn batch_limit(&self) -> usize {
        let most = self.largest_batch.min(WORTHWHILE_BATCH);
        (self.device.batch_budget() / self.info.bytes_per_sample.max(1)).clamp(1, most)
    }

    /// Checks a shape against the model's input; any batch is accepted.
    ///
    /// # Errors
    /// [`Error::InputShape`].
    pub fn check_shape(&self, shape: &[usize]) -> Result<()> {
        let input = &self.info.input;
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
            let given = self.given(part)?;
            let output = match self.program() {
                Some(program) => with_program!(program, program => {
                    program.forward(&self.graph, given, &[self.output], None)?.wanted.remove(0)
                }),
                None => self.graph.run(given, &[self.output], |_, _| ())?.remove(0),
            };
            logits.push(as_logits(output)?);
        }
        Ok(if logits.len() == 1 { logits.remove(0) } else { Tensor::cat(logits, 0) })
    }

    /// A batch in parts that fit the memory budget. Those of the processor's kernels are smaller: their values fit its
    /// caches and the memory that is used again, and a large batch gains nothing there.
    fn parts(&self, input: Ranked<Float>) -> Result<Vec<Ranked<Float>>> {
        let sample = self.info.bytes_per_sample / (3 * size_of::<f32>());
        let limit = self.batch_limit();
        let size = match self.program() {
            Some(Prepared::Cpu(_)) => cpu::at_once(sample, limit),
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
        self.check_shape(&input.dims())?;
        let slot = self.graph.output_of(node).filter(|&slot| self.graph.constants[slot].value.is_none());
        let slot = slot.ok_or_else(|| {
            Error::invalid_model(format!("it has no node called \"{node}\" that depends on the input"))
        })?;
        Pass::new(self, slot, input)?.gradient(targets, score)
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

    /// The graph for the engine's own kernels, where it is for them.
    fn program(&self) -> Option<&Prepared> {
        self.program.get_or_init(|| Prepared::new(&self.graph, self.device.kind())).as_ref()
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
        let walk = Walk::new(&self.graph, self.source, self.output);
        let (here, output) = walk.forward(self.given(input.clone())?)?;
        let (there, reference_logits) = match reference {
            Some(reference) => {
                self.check_shape(&reference.dims())?;
                let (there, output) = walk.forward(self.given(reference)?)?;
                (Some(there), Some(as_logits(output)?))
            }
            None => (None, None),
        };
        let dims = output.dims();
        let logits = as_logits(output)?;
        let chosen = self.one_hot(targets, logits.dims()[0])?;
        let seed = match seed {
            Seed::One => chosen,
            Seed::Score => chosen * logits.clone(),
        };
        let seed = Ranked::from(seed).reshape(&dims);
        let seed = seed.ok_or_else(|| Error::Internal("logits could not be reshaped".into()))?;
        Ok(Walked { logits, reference_logits, arrived: walk.backward(here, there, seed, rule)? })
    }

    /// The output as a function of the value at `wrt`, which becomes a leaf of autodiff.
    fn run_from(&self, wrt: Slot, input: Ranked<Float>) -> Result<(Value, Ranked<Float>)> {
        if wrt == self.source {
            let watched = graph::leaf(input);
            return Ok((self.run(watched.clone(), |_| ())?, watched));
        }
        // First what leads to the value, then what follows from it.
        let middle = self.graph.run(self.given(input.clone())?, &[wrt], |_, _| ());
        let value = match middle {
            Ok(mut values) => values.remove(0),
            Err(error) => return Err(error),
        };
        let Value::Float(value) = value else {
            return Err(Error::invalid_model("the watched node holds no real numbers"));
        };
        let watched = graph::leaf(value);
        let mut given = self.given(input)?;
        given.push((wrt, watched.clone().into()));
        Ok((self.graph.run(given, &[self.output], |_, _| ())?.remove(0), watched))
    }

    /// The scores of all classes that a [`Score`] names, `[N, classes]`, from the logits.
    pub(crate) fn scored(&self, logits: Tensor<2>, score: Score) -> Tensor<2> {
        match (score, self.info.activation) {
            (Score::Logit, _) | (Score::Probability, Activation::None) => logits,
            (Score::Probability, Activation::Softmax) => activation::softmax(logits, 1),
            (Score::Probability, Activation::Sigmoid) => activation::sigmoid(logits),
            (Score::LogProbability, Activation::Softmax) => activation::log_softmax(logits, 1),
            (Score::LogProbability, Activation::Sigmoid) => activation::log_sigmoid(logits),
            // Scores that are probabilities already, or no probabilities at all; the logarithm is kept finite.
            (Score::LogProbability, Activation::None) => logits.clamp_min(1e-12).log(),
        }
    }

    /// The score of `class` of each row of logits, `[N]`.
    pub(crate) fn class_score(&self, logits: Tensor<2>, class: usize, score: Score) -> Tensor<1> {
        let scored = self.scored(logits, score);
        let rows = scored.dims()[0];
        scored.slice([0..rows, class..class + 1]).reshape([rows])
    }

    /// What one sample's scores say of the classes, on the host.
    pub(crate) fn probabilities(&self, logits: &[f32]) -> Vec<f32> {
        match self.info.activation {
            Activation::Softmax => softmax(logits),
            Activation::Sigmoid => logits.iter().map(|logit| (1.0 + (-logit).exp()).recip()).collect(),
            Activation::None => logits.to_vec(),
        }
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

/// The graph's output as `[N, classes]`; the dimensions after the batch are one row of scores.
fn as_logits(output: Value) -> Result<Tensor<2>> {
    let dims = output.dims();
    let Value::Float(output) = output else {
        return Err(Error::invalid_model("its output does not hold floating-point numbers"));
    };
    let [batch, scores @ ..] = dims.as_slice() else {
        return Err(Error::invalid_model("its output is one number, without a batch"));
    };
    let flat = [*batch, scores.iter().product()];
    let flat = output.reshape(&flat).and_then(|flat| flat.get());
    flat.ok_or_else(|| Error::Internal("logits could not be reshaped".into()))
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

fn infos(inputs: &[(Slot, ValueInfo)]) -> Vec<ValueInfo> {
    inputs.iter().map(|(_, info)| info.clone()).collect()
}

/// The input called `name`.
fn named<'i>(inputs: &'i [(Slot, ValueInfo)], name: &str) -> Result<&'i (Slot, ValueInfo)> {
    inputs.iter().find(|(_, info)| info.name == name).ok_or_else(|| {
        let known: Vec<&str> = inputs.iter().map(|(_, info)| info.name.as_str()).collect();
        Error::InputInvalid(format!("There is no input \"{name}\"; the model has {}.", known.join(", ")))
    })
}

/// The inputs that have no value in the file, with the sizes that the caller gives them.
fn inputs(parsed: &Parsed, graph: &mut Graph, options: &ModelOptions) -> Result<Vec<(Slot, ValueInfo)>> {
    let mut inputs = Vec::new();
    for proto in parsed.inputs() {
        let mut info = file::value_info(proto);
        for (axis, (size, symbol)) in info.shape.iter_mut().zip(&info.symbols).enumerate() {
            let placed = options.sizes.get(&format!("{}:{axis}", info.name));
            let named = symbol.as_ref().and_then(|name| options.sizes.get(name));
            if let Some(&given) = placed.or(named) {
                *size = Some(given);
            }
        }
        inputs.push((graph.slot(&info.name), info));
    }
    if inputs.is_empty() {
        return Err(Error::invalid_model("it has no input"));
    }
    Ok(inputs)
}

/// The input or output that is meant: the one that is named, or the only one that will do.
fn choose(
    what: &str,
    infos: &[ValueInfo],
    named: Option<&str>,
    fits: impl Fn(&ValueInfo) -> bool,
) -> Result<ValueInfo> {
    let names = || infos.iter().map(|info| info.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(name) = named {
        let found = infos.iter().find(|info| info.name == name).cloned();
        return found
            .ok_or_else(|| Error::invalid_model(format!("it has no {what} \"{name}\", but {}", names())));
    }
    let fitting: Vec<&ValueInfo> = infos.iter().filter(|info| fits(info)).collect();
    match fitting.as_slice() {
        [one] => Ok((*one).clone()),
        // The first head is the network's main one in every known exporter.
        [first, ..] if what == "output" => Ok((*first).clone()),
        [] => Err(Error::invalid_model(format!(
            "none of its {what}s ({}) holds real numbers; name a node to explain instead, an embedding",
            names()
        ))),
        _ => Err(Error::invalid_model(format!(
            "it has several {what}s ({}); name the one to explain",
            names()
        ))),
    }
}

/// A blank value of an input's declared form; open sizes other than the batch are errors.
fn blank(info: &ValueInfo) -> Result<HostValue> {
    let mut shape = Vec::with_capacity(info.shape.len());
    for (axis, size) in info.shape.iter().enumerate() {
        shape.push(match size {
            Some(size) => *size,
            None if axis == 0 => 1,
            None => return Err(open_size(info)),
        });
    }
    let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
    if count.is_none_or(|count| count > 1 << 28) {
        return Err(Error::invalid_model(format!(
            "its input \"{}\" of shape {shape:?} is too large",
            info.name
        )));
    }
    Ok(match info.element_type.as_str() {
        "bool" => HostValue::Bool { data: vec![false; shape.iter().product()], shape },
        name => HostValue::blank(name.contains("float"), shape),
    })
}

fn open_size(info: &ValueInfo) -> Error {
    Error::invalid_model(format!(
        "its input \"{}\" leaves a size other than the batch open; give it (sizes)",
        info.name
    ))
}

/// Checks a shape against an input's declared form; any batch is accepted.
fn check_dims(shape: &[usize], info: &ValueInfo) -> Result<()> {
    let fits = shape.len() == info.shape.len()
        && shape.iter().zip(&info.shape).skip(1).all(|(&size, want)| want.is_none_or(|want| want == size));
    if fits { Ok(()) } else { Err(misshapen(shape, info)) }
}

fn misshapen(shape: &[usize], info: &ValueInfo) -> Error {
    Error::InputShape { input: info.name.clone(), expected: written_shape(info), actual: shape.to_vec() }
}

fn written_shape(info: &ValueInfo) -> String {
    let open = |symbol: &Option<String>| symbol.clone().unwrap_or_else(|| "any".into());
    let sizes = info.shape.iter().zip(&info.symbols).skip(1);
    let sizes = sizes.map(|(size, symbol)| size.map_or_else(|| open(symbol), |size| size.to_string()));
    let shape = std::iter::once("batch".to_owned()).chain(sizes).collect::<Vec<_>>().join(", ");
    format!("[{shape}]")
}

/// Softmax on the host.
fn softmax(logits: &[f32]) -> Vec<f32> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|logit| f64::from(logit - highest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| (power / sum) as f32).collect()
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

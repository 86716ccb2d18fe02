//! The model runtime: ONNX bytes in, logits and input gradients out, on any device.
//!
//! [`graph`] reads and checks a file, [`operators`] turns each node into a kernel over Burn tensors, and
//! [`Model`] runs the kernels in the file's order. Burn's autodiff differentiates the run with respect to the
//! input or to the output of any node; constants have no part in autodiff, so no gradient of a weight can ever
//! be computed.

mod graph;
mod names;
pub(crate) mod operators;
pub mod value;

use std::collections::BTreeMap;

use burn::tensor::{Float, Tensor, activation};
use serde::{Deserialize, Serialize};

use crate::{Device, Error, Result};
use graph::{Graph, Slot};
use value::{Ranked, Value};

/// The name and shape of a model's input or output; `null` where any size is accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
#[cfg_attr(target_family = "wasm", tsify(missing_as_null))]
pub struct ValueInfo {
    /// The name in the file.
    pub name: String,
    /// Sizes of the dimensions; the first is the batch.
    pub shape: Vec<Option<usize>>,
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

/// What a model is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct GraphInfo {
    /// The input that is explained.
    pub input: ValueInfo,
    /// The logits.
    pub output: ValueInfo,
    /// Number of classes.
    pub classes: usize,
    /// Number of weights.
    pub parameters: usize,
    /// Number of nodes that run.
    pub nodes: usize,
    /// The operators of the file, by name.
    pub operators: Vec<OperatorCount>,
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

/// A network on a device.
pub struct Model {
    graph: Graph,
    device: Device,
    bytes_per_sample: usize,
}

impl Model {
    /// Reads an ONNX file and puts its weights on `device`.
    ///
    /// # Errors
    /// [`Error::ModelMalformed`] for bytes that are not an ONNX model, [`Error::UnsupportedOperator`] for an
    /// operator that the engine lacks, [`Error::ModelInvalid`] for a graph that contradicts itself or whose
    /// output is not one score per class.
    pub fn load(onnx: &[u8], device: &Device) -> Result<Self> {
        let graph = Graph::load(onnx, device)?;
        let mut model = Self { graph, device: device.clone(), bytes_per_sample: 0 };
        model.rehearse()?;
        Ok(model)
    }

    /// Runs the graph on one blank sample, so that what does not fit is said at load time, and so that the
    /// memory of a sample is known.
    fn rehearse(&mut self) -> Result<()> {
        let dims = self.sample_shape()?;
        let dims: Vec<usize> = std::iter::once(1).chain(dims).collect();
        let blank = Tensor::<1>::zeros([dims.iter().product::<usize>()], self.device.burn());
        let blank = Ranked::<Float>::D1(blank).reshape(&dims).ok_or_else(|| {
            Error::invalid_model(format!("its input has {} dimensions, more than are supported", dims.len()))
        })?;
        let mut elements = blank.dims().iter().product::<usize>();
        let output = self.graph.run(blank.into(), |value| elements += value.len())?;
        let logits = as_logits(output)?;
        let [batch, classes] = logits.dims();
        if batch != 1 || classes < 2 {
            return Err(Error::invalid_model(format!(
                "its output has shape {:?} for one sample, and one score for each of at least two classes is \
                 needed",
                logits.dims()
            )));
        }
        self.graph.info.classes = classes;
        // Forward values, their gradients, and as much again for what kernels need while they run.
        self.bytes_per_sample = 3 * elements * size_of::<f32>();
        Ok(())
    }

    /// The device that holds the weights.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What the model is made of.
    pub fn info(&self) -> &GraphInfo {
        &self.graph.info
    }

    /// The nodes that run, in their order.
    pub fn nodes(&self) -> Vec<NodeInfo> {
        self.graph.nodes()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.graph.info.classes
    }

    /// The shape of one sample: the input's shape without the batch.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the file leaves a size open.
    pub fn sample_shape(&self) -> Result<Vec<usize>> {
        let input = &self.graph.info.input;
        input.shape.iter().skip(1).copied().collect::<Option<Vec<_>>>().ok_or_else(|| {
            Error::invalid_model(format!(
                "its input \"{}\" leaves a size other than the batch open",
                input.name
            ))
        })
    }

    /// How many samples fit the memory budget of a gradient at once; at least 1.
    pub fn batch_limit(&self) -> usize {
        (self.device.batch_budget() / self.bytes_per_sample.max(1)).max(1)
    }

    /// Checks a shape against the model's input; any batch is accepted.
    ///
    /// # Errors
    /// [`Error::InputShape`].
    pub fn check_shape(&self, shape: &[usize]) -> Result<()> {
        let input = &self.graph.info.input;
        let fits = shape.len() == input.shape.len()
            && shape.first().is_some_and(|&batch| batch > 0)
            && shape
                .iter()
                .zip(&input.shape)
                .skip(1)
                .all(|(&size, want)| want.is_none_or(|want| want == size));
        if fits {
            return Ok(());
        }
        let sizes = input.shape.iter().skip(1).map(|size| size.map_or("any".into(), |size| size.to_string()));
        let expected = std::iter::once("batch".to_owned()).chain(sizes).collect::<Vec<_>>().join(", ");
        Err(Error::InputShape {
            input: input.name.clone(),
            expected: format!("[{expected}]"),
            actual: shape.to_vec(),
        })
    }

    /// The logits `[N, classes]` of a batch.
    ///
    /// # Errors
    /// [`Error::InputShape`].
    pub fn logits(&self, input: Ranked<Float>) -> Result<Tensor<2>> {
        self.check_shape(&input.dims())?;
        as_logits(self.graph.run(input.into(), |_| ())?)
    }

    /// The gradient of each sample's score of its class in `targets`, with respect to the input.
    ///
    /// # Errors
    /// [`Error::InputShape`], [`Error::TargetOutOfRange`].
    pub fn gradient(&self, input: Ranked<Float>, targets: &[usize], score: Score) -> Result<Gradient> {
        self.check_shape(&input.dims())?;
        self.differentiate(self.graph.input, input, targets, score)
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
        let slot = self.graph.output_of(node)?;
        self.differentiate(slot, input, targets, score)
    }

    fn differentiate(
        &self,
        wrt: Slot,
        input: Ranked<Float>,
        targets: &[usize],
        score: Score,
    ) -> Result<Gradient> {
        let batch = input.dims()[0];
        let (output, leaf) = self.graph.run_from(wrt, input, |_| ())?;
        let logits = as_logits(output)?;
        let chosen = self.one_hot(targets, batch)?;
        let scored = match score {
            Score::Logit => logits.clone(),
            Score::Probability => activation::softmax(logits.clone(), 1),
            Score::LogProbability => activation::log_softmax(logits.clone(), 1),
        };
        if !logits.is_tracked() {
            return Err(Error::invalid_model("its logits do not depend on the value that is differentiated"));
        }
        // Samples of a batch are independent, so the gradient of the sum holds each sample's own.
        let mut gradients = (scored * chosen).sum().backward();
        let gradient = value::map_ranked!(&leaf, leaf => leaf
            .grad_remove(&mut gradients)
            .ok_or_else(|| Error::Internal("the backward pass left no gradient".into()))?);
        Ok(Gradient {
            logits: logits.inner(),
            value: value::map_ranked!(leaf, leaf => leaf.inner()),
            gradient,
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

/// The graph's output as `[N, classes]`; trailing dimensions of size 1 are dropped.
fn as_logits(output: Value) -> Result<Tensor<2>> {
    let dims = output.dims();
    let Value::Float(output) = output else {
        return Err(Error::invalid_model("its output does not hold floating-point numbers"));
    };
    let flat = match dims.as_slice() {
        [batch, classes, rest @ ..] if rest.iter().all(|&size| size == 1) => [*batch, *classes],
        _ => {
            return Err(Error::invalid_model(format!(
                "its output has shape {dims:?}, and one score per class, [batch, classes], is needed"
            )));
        }
    };
    let flat = if output.rank() == 2 { Some(output) } else { output.reshape(&flat) };
    flat.and_then(|flat| flat.get()).ok_or_else(|| Error::Internal("logits could not be reshaped".into()))
}

/// Counts of equal names, by name.
fn count_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<OperatorCount> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name.to_owned()).or_insert(0) += 1;
    }
    counts.into_iter().map(|(name, count)| OperatorCount { name, count }).collect()
}

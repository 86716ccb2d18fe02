//! What is done to a graph once, before its first run.

use std::collections::{HashMap, HashSet};

use burn::tensor::Tensor;

use super::{
    Activation,
    graph::{Graph, Slot, Step},
    operators::{self, Kernel},
    value::{Ranked, Value},
};
use crate::{Error, Result};

/// How often each value is read, the graph's ends counted as a reader.
fn readers(graph: &Graph, ends: &HashSet<Slot>) -> HashMap<Slot, usize> {
    let mut readers: HashMap<Slot, usize> = ends.iter().map(|&slot| (slot, 1)).collect();
    for slot in graph.steps.iter().flat_map(|step| step.inputs.iter().flatten()) {
        *readers.entry(*slot).or_default() += 1;
    }
    readers
}

fn constant(graph: &Graph, slot: Option<&Option<Slot>>) -> Option<Ranked<burn::tensor::Float>> {
    match graph.constants[(*slot?)?].value.as_ref()? {
        Value::Float(value) => Some(value.clone()),
        _ => None,
    }
}

/// A batch normalisation after a convolution is part of its weights: `(w x + b) s + t = (s w) x + (s b + t)`. Networks
/// whose shapes do not allow it are left as they are.
pub(super) fn fold_batch_normalization(graph: &mut Graph, ends: &HashSet<Slot>) {
    let readers = readers(graph, ends);
    let maker: HashMap<Slot, usize> = graph
        .steps
        .iter()
        .enumerate()
        .flat_map(|(index, step)| step.outputs.iter().flatten().map(move |&slot| (slot, index)))
        .collect();
    let mut gone = HashSet::new();
    for index in 0..graph.steps.len() {
        let step = &graph.steps[index];
        if step.operator != "BatchNormalization" || step.outputs.iter().skip(1).any(Option::is_some) {
            continue;
        }
        let Some(&Some(x)) = step.inputs.first() else { continue };
        let Some(&before) = maker.get(&x).filter(|_| readers.get(&x) == Some(&1)) else { continue };
        if graph.steps[before].operator != "Conv" || gone.contains(&before) {
            continue;
        }
        if let Some((weight, bias)) = folded(graph, before, index) {
            let name = graph.steps[index].names.clone();
            let output = graph.steps[index].outputs.clone();
            let (weight_slot, bias_slot) = (graph.fresh(), graph.fresh());
            graph.constants[weight_slot] = Value::Float(weight).into();
            graph.constants[bias_slot] = Value::Float(bias).into();
            let conv = &mut graph.steps[before];
            conv.names.extend(name);
            conv.inputs = vec![conv.inputs[0], Some(weight_slot), Some(bias_slot)];
            conv.outputs = vec![output.first().copied().flatten()];
            gone.insert(index);
        }
    }
    let mut index = 0;
    graph.steps.retain(|_| {
        index += 1;
        !gone.contains(&(index - 1))
    });
}

/// The weights and bias of a convolution with the normalisation in them.
fn folded(
    graph: &Graph,
    conv: usize,
    normalization: usize,
) -> Option<(Ranked<burn::tensor::Float>, Ranked<burn::tensor::Float>)> {
    let (conv, normalization) = (&graph.steps[conv], &graph.steps[normalization]);
    let weight = constant(graph, conv.inputs.get(1))?;
    let dims = weight.dims();
    let filters = *dims.first()?;
    let row = |slot: Option<&Option<Slot>>| -> Option<Tensor<1>> {
        constant(graph, slot).filter(|values| values.len() == filters).map(Ranked::flat)
    };
    let bias = match conv.inputs.get(2).copied().flatten() {
        Some(_) => row(conv.inputs.get(2))?,
        None => Tensor::zeros([filters], &burn::tensor::Device::flex()),
    };
    let (scale, shift) = (row(normalization.inputs.get(1))?, row(normalization.inputs.get(2))?);
    let (mean, variance) = (row(normalization.inputs.get(3))?, row(normalization.inputs.get(4))?);
    // The kernel knows its own epsilon: zeros through it give the shift, ones the scale beside it.
    let through = |rows: &[f32]| -> Option<Tensor<2>> {
        let row = |&value: &f32| Tensor::<2>::full([1, filters], value, &burn::tensor::Device::flex());
        let x = Tensor::cat(rows.iter().map(row).collect(), 0);
        let inputs: Vec<Value> = vec![
            x.into(),
            Value::from(scale.clone()),
            Value::from(shift.clone()),
            Value::from(mean.clone()),
            Value::from(variance.clone()),
        ];
        let inputs: Vec<Option<&Value>> = inputs.iter().map(Some).collect();
        let device = burn::tensor::Device::flex();
        let mut outputs = (normalization.kernel)(&operators::Inputs::new(&inputs, &[], &device)).ok()?;
        match outputs.drain(..).next()? {
            Value::Float(y) => y.get(),
            _ => None,
        }
    };
    let both = through(&[0.0, 1.0])?;
    // In training mode a row depends on the others, and nothing can be folded.
    let same = (through(&[0.0])? - both.clone().slice_dim(0, 0..1)).abs().max().into_scalar::<f32>() == 0.0;
    let row = |at: i64| both.clone().slice_dim(0, at..at + 1).reshape([filters]);
    let offset: Tensor<1> = row(0);
    let factor = row(1) - offset.clone();
    if !same {
        return None;
    }
    let wide: Vec<usize> = std::iter::once(filters).chain(std::iter::repeat_n(1, dims.len() - 1)).collect();
    let spread = Ranked::D1(factor.clone()).reshape(&wide)?.expand(&dims)?;
    Some((weight * spread, Ranked::D1(bias * factor + offset)))
}

/// Operators that hand every element on as it is.
pub(super) const MOVES_ONLY: [&str; 7] =
    ["Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout"];

/// A softmax or sigmoid at the end of a graph.
pub(super) struct LastActivation {
    pub kind: Activation,
    /// The step that it is, unless the graph's output are logits in spite of it: logarithms of probabilities are, their
    /// softmax gives the probabilities back.
    step: Option<usize>,
    /// The axis that a softmax is over.
    axis: i64,
}

/// Finds the activation that the graph ends with, behind operators that only move elements.
pub(super) fn last_activation(graph: &Graph, output: Slot) -> Option<LastActivation> {
    let mut at = output;
    loop {
        let index = graph.steps.iter().position(|step| step.outputs.first() == Some(&Some(at)))?;
        let step = &graph.steps[index];
        let given = step.proto.attribute.iter().find(|attribute| attribute.name == "axis").map(|axis| axis.i);
        let axis = given.unwrap_or(-1);
        return match step.operator.as_str() {
            "Softmax" => Some(LastActivation { kind: Activation::Softmax, step: Some(index), axis }),
            "Sigmoid" => Some(LastActivation { kind: Activation::Sigmoid, step: Some(index), axis }),
            "LogSoftmax" => Some(LastActivation { kind: Activation::Softmax, step: None, axis }),
            operator if MOVES_ONLY.contains(&operator) => {
                at = step.inputs.first().copied().flatten()?;
                continue;
            }
            _ => None,
        };
    }
}

impl LastActivation {
    /// Whether it makes the scores of one sample probabilities, all of them together: `dims` is the shape of its
    /// result for a batch.
    pub fn fits(&self, dims: &[usize]) -> bool {
        let axis = if self.axis < 0 { self.axis + dims.len() as i64 } else { self.axis };
        match self.kind {
            Activation::Softmax => usize::try_from(axis)
                .ok()
                .and_then(|axis| dims.get(axis))
                .is_some_and(|&size| axis > 0 && dims[1..].iter().product::<usize>() == size),
            _ => true,
        }
    }

    /// Takes it off: what is left are the logits.
    pub fn take_off(&self, graph: &mut Graph) {
        if let Some(index) = self.step {
            let identity: Kernel = Box::new(|inputs| Ok(vec![inputs.raw(0)?.clone()]));
            let step = &mut graph.steps[index];
            step.kernel = identity;
            step.operator = "Identity".into();
        }
    }

    /// Its place among the steps.
    pub fn step(&self) -> Option<usize> {
        self.step
    }
}

/// Splits the products whose weights exceed what one binding of the device holds: by columns, joined again after.
///
/// # Errors
/// [`Error::ModelTooLarge`] for any other weight that is too large.
pub(super) fn split_weights(graph: &mut Graph, limit: usize) -> Result<()> {
    let bytes = |value: &Value| value.len() * size_of::<f32>();
    let large: HashSet<Slot> = graph
        .constants
        .iter()
        .enumerate()
        .filter(|(_, constant)| constant.value.as_ref().is_some_and(|value| bytes(value) > limit))
        .map(|(slot, _)| slot)
        .collect();
    if large.is_empty() {
        return Ok(());
    }
    let mut steps = Vec::with_capacity(graph.steps.len());
    for step in std::mem::take(&mut graph.steps) {
        let Some(&weight) = step.inputs.iter().flatten().find(|slot| large.contains(slot)) else {
            steps.push(step);
            continue;
        };
        let parts = split(graph, step, weight, limit)?;
        steps.extend(parts);
    }
    graph.steps = steps;
    for slot in large {
        graph.constants[slot] = Default::default();
    }
    Ok(())
}

fn split(graph: &mut Graph, step: Step, weight: Slot, limit: usize) -> Result<Vec<Step>> {
    let too_large = |size: usize| Error::ModelTooLarge {
        node: step.names[0].clone(),
        bytes: size * size_of::<f32>(),
        limit,
    };
    let Some(Value::Float(values)) = graph.constants[weight].value.clone() else {
        return Err(too_large(0));
    };
    let count = values.len();
    let splits =
        matches!(step.operator.as_str(), "Gemm" | "MatMul") && step.inputs.get(1) == Some(&Some(weight));
    let Some(matrix) = values.get::<2>().filter(|_| splits && values.rank() == 2) else {
        return Err(too_large(count));
    };
    let [rows, columns] = matrix.dims();
    let bias = step.inputs.get(2).copied().flatten();
    let turned = step.proto.attribute.iter().any(|attribute| attribute.name == "transB" && attribute.i != 0);
    let outputs = if turned { rows } else { columns };
    let each = (limit / size_of::<f32>() / (count / outputs)).max(1);
    if (count / outputs) * size_of::<f32>() > limit {
        return Err(too_large(count));
    }
    let axis = usize::from(!turned);
    let kernel = std::sync::Arc::new(step.kernel);
    let mut made = Vec::new();
    let mut joined = Vec::new();
    for start in (0..outputs).step_by(each) {
        let end = (start + each).min(outputs);
        let range = start as i64..end as i64;
        let mut inputs = vec![step.inputs[0], Some(graph.fresh())];
        if let Some(slot) = inputs[1] {
            graph.constants[slot] = Value::from(matrix.clone().slice_dim(axis, range.clone())).into();
        }
        if let Some(bias) = bias {
            let part = match &graph.constants[bias].value {
                Some(Value::Float(values)) if values.dims().last() == Some(&outputs) => {
                    let last = values.rank() - 1;
                    let part =
                        super::value::map_ranked!(values.clone(), x => x.slice_dim(last, range.clone()));
                    let slot = graph.fresh();
                    graph.constants[slot] = Value::Float(part).into();
                    slot
                }
                _ => return Err(too_large(count)),
            };
            inputs.push(Some(part));
        }
        let output = graph.fresh();
        joined.push(Some(output));
        let kernel = kernel.clone();
        made.push(Step {
            names: vec![format!("{}[{start}..{end}]", step.names[0])],
            operator: step.operator.clone(),
            proto: step.proto.clone(),
            kernel: Box::new(move |inputs| kernel(inputs)),
            inputs,
            outputs: vec![Some(output)],
            dead_after: Vec::new(),
        });
    }
    made.push(Step {
        names: step.names,
        operator: "Concat".into(),
        proto: Default::default(),
        kernel: operators::joined_last(),
        inputs: joined,
        outputs: step.outputs,
        dead_after: Vec::new(),
    });
    Ok(made)
}

#[cfg(test)]
mod tests {
    use onnx_ir::{AttributeProto, Message, ModelProto, NodeProto, TensorProto};

    use super::*;
    use crate::{Device, model::file::Parsed};

    fn weight(name: &str, dims: &[i64]) -> TensorProto {
        let count: i64 = dims.iter().product();
        TensorProto {
            name: name.into(),
            data_type: 1,
            dims: dims.to_vec(),
            float_data: (0..count).map(|at| ((at * 37) % 19) as f32 / 19.0 - 0.5).collect(),
            ..Default::default()
        }
    }

    fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            name: format!("{operator} of {}", inputs[1]),
            op_type: operator.into(),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.into()],
            ..Default::default()
        }
    }

    /// `x -> x W -> V (x W) + b`, the second product with its weights turned.
    fn graph() -> (Graph, Slot, Slot) {
        let mut model = ModelProto::new();
        model.opset_import.push(Default::default());
        model.opset_import[0].version = 13;
        let mut gemm = node("Gemm", &["h", "v", "b"], "y");
        gemm.attribute.push(AttributeProto { name: "transB".into(), i: 1, ..Default::default() });
        let file = model.graph.mut_or_insert_default();
        file.node = vec![node("MatMul", &["x", "w"], "h"), gemm];
        file.initializer = vec![weight("w", &[8, 10]), weight("v", &[6, 10]), weight("b", &[6])];
        for (names, ends) in [("x", &mut file.input), ("y", &mut file.output)] {
            ends.push(Default::default());
            ends[0].name = names.into();
        }
        let bytes = model.write_to_bytes().unwrap();
        let parsed = Parsed::read(&bytes).unwrap();
        let mut graph = Graph::read(&bytes[..].into(), &parsed, &Device::cpu("test")).unwrap();
        let (x, y) = (graph.slot("x"), graph.slot("y"));
        (graph, x, y)
    }

    fn run(graph: &Graph, x: Slot, y: Slot) -> Vec<f32> {
        let rows = Tensor::<2>::from_data([[1.0, -2.0, 0.5, 3.0, 0.0, 1.5, -1.0, 2.0]], &graph.device);
        match graph.run([(x, Value::from(rows))], &[y], |_, _| ()).unwrap().remove(0) {
            Value::Float(y) => y.flat().into_data().try_into_vec().unwrap(),
            _ => panic!("the output is real"),
        }
    }

    #[test]
    fn a_product_in_parts_is_the_product() {
        let (whole, x, y) = graph();
        let (mut split, ..) = graph();
        // Three columns of W and two rows of V at a time.
        split_weights(&mut split, 100).unwrap();
        assert_eq!(split.steps.len(), 4 + 1 + 3 + 1);
        let largest =
            split.constants.iter().filter_map(|constant| constant.value.as_ref()).map(Value::len).max();
        assert!(largest.is_some_and(|count| count * size_of::<f32>() <= 100));
        let (expected, ours) = (run(&whole, x, y), run(&split, x, y));
        assert!(
            expected.iter().zip(&ours).all(|(a, b)| (a - b).abs() < 1e-6),
            "{ours:?} instead of {expected:?}"
        );
    }

    #[test]
    fn weights_that_cannot_be_split_are_refused_by_the_nodes_name() {
        let (mut graph, ..) = graph();
        // Not even one row of V fits.
        let error = split_weights(&mut graph, 30).unwrap_err();
        assert_eq!((error.code(), error.node()), ("model_too_large", Some("MatMul of w")));
    }
}

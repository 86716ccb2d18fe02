//! Reading an ONNX file, checking it, and running it.

use std::collections::{HashMap, HashSet};

use burn::tensor::Float;
use onnx_ir::{ArgType, Argument, Message, ModelProto, Node, OnnxGraphBuilder, ValueSource};

use super::{
    GraphInfo, NodeInfo, ValueInfo, count_names, names,
    operators::{self, Inputs, Kernel},
    value::{Ranked, Value, map_ranked},
};
use crate::{Device, Error, Result};

/// Where a value lives during a run.
pub(super) type Slot = usize;

/// One node, ready to run.
struct Step {
    /// The name in the file.
    name: String,
    operator: String,
    kernel: Kernel,
    inputs: Vec<Option<Slot>>,
    outputs: Vec<Slot>,
    /// Values that no later step reads.
    dead_after: Vec<Slot>,
}

/// A checked graph whose constants are on a device.
pub(super) struct Graph {
    pub input: Slot,
    output: Slot,
    steps: Vec<Step>,
    /// Indexed by slot; the weights and whatever follows from them alone.
    constants: Vec<Option<Value>>,
    pub info: GraphInfo,
}

impl Graph {
    pub fn load(onnx: &[u8], device: &Device) -> Result<Self> {
        let file = parse(onnx)?;
        check(&file)?;
        let names = names::of_nodes(&file.graph);
        let operators = count_names(file.graph.node.iter().map(|node| node.op_type.as_str()));
        let ir = to_ir(onnx)?;
        let (input, output) = ends(&ir, &file)?;

        let mut slots = Slots::default();
        let input_slot = slots.named(&ir.inputs[0].name);
        let mut steps = Vec::with_capacity(ir.nodes.len());
        let mut names = names::Aligner::new(names);
        let mut parameters = 0;
        for node in &ir.nodes {
            // A constant's value is read where it is used.
            if matches!(node, Node::Constant(_)) {
                continue;
            }
            let name = names.next(node);
            let kernel = operators::plan(node)
                .unwrap_or_else(|| Err("it is not implemented".into()))
                .map_err(|reason| unsupported(&name, &node.node_type().to_string(), reason))?;
            let mut inputs = Vec::with_capacity(node.inputs().len());
            for argument in node.inputs() {
                let constants_before = slots.count;
                let slot = slots.of(argument, device).map_err(|reason| Error::invalid_node(&name, reason))?;
                if slots.count > constants_before
                    && let Some(Some(value)) = slot.map(|slot| &slots.constants[slot])
                {
                    parameters += value.len();
                }
                inputs.push(slot);
            }
            let outputs = node.outputs().iter().map(|argument| slots.named(&argument.name)).collect();
            let operator = node.node_type().to_string();
            steps.push(Step { name, operator, kernel, inputs, outputs, dead_after: Vec::new() });
        }
        let output_slot = slots.named(&ir.outputs[0].name);
        let mut graph = Self {
            input: input_slot,
            output: output_slot,
            steps,
            constants: slots.constants,
            info: GraphInfo { input, output, classes: 0, parameters, nodes: 0, operators },
        };
        graph.fold_constants()?;
        graph.drop_unused();
        graph.info.nodes = graph.steps.len();
        Ok(graph)
    }

    /// Computes once what follows from constants alone: casts of f16 weights, above all.
    fn fold_constants(&mut self) -> Result<()> {
        let mut kept = Vec::with_capacity(self.steps.len());
        for step in std::mem::take(&mut self.steps) {
            let known = |slot: &Option<Slot>| slot.is_none_or(|slot| self.constants[slot].is_some());
            if !step.inputs.is_empty() && step.inputs.iter().all(known) {
                let values = step.run(&self.constants)?;
                for (&slot, value) in step.outputs.iter().zip(values) {
                    self.constants[slot] = Some(value);
                }
            } else {
                kept.push(step);
            }
        }
        self.steps = kept;
        Ok(())
    }

    /// Drops steps whose outputs nobody reads and constants that no remaining step needs, and notes after which
    /// step each value dies.
    fn drop_unused(&mut self) {
        let mut needed = HashSet::from([self.output]);
        let mut kept = Vec::with_capacity(self.steps.len());
        for mut step in std::mem::take(&mut self.steps).into_iter().rev() {
            if !step.outputs.iter().any(|slot| needed.contains(slot)) {
                continue;
            }
            let mut reads: Vec<Slot> = step.inputs.iter().flatten().copied().collect();
            reads.sort_unstable();
            reads.dedup();
            step.dead_after = reads.into_iter().filter(|&slot| needed.insert(slot)).collect();
            step.dead_after.extend(step.outputs.iter().copied().filter(|slot| !needed.contains(slot)));
            kept.push(step);
        }
        kept.reverse();
        self.steps = kept;
        for (slot, constant) in self.constants.iter_mut().enumerate() {
            if !needed.contains(&slot) {
                *constant = None;
            }
        }
    }

    /// Runs the whole graph; `visit` sees every value that is computed.
    pub fn run(&self, input: Value, mut visit: impl FnMut(&Value)) -> Result<Value> {
        let mut values = self.constants.clone();
        values[self.input] = Some(input);
        for step in &self.steps {
            step.advance(&mut values, &mut visit)?;
        }
        self.take_output(values)
    }

    /// Runs the graph so that its output can be differentiated with respect to the value at `leaf`; returns the
    /// output and that value as a leaf of autodiff.
    pub fn run_from(
        &self,
        leaf: Slot,
        input: Ranked<Float>,
        mut visit: impl FnMut(&Value),
    ) -> Result<(Value, Ranked<Float>)> {
        let watch = |value: Ranked<Float>| map_ranked!(value, x => x.inner().autodiff().require_grad());
        let mut values = self.constants.clone();
        let mut watched = None;
        if leaf == self.input {
            let input = watch(input);
            watched = Some(input.clone());
            values[self.input] = Some(input.into());
        } else {
            values[self.input] = Some(input.into());
        }
        for step in &self.steps {
            step.advance(&mut values, &mut visit)?;
            if step.outputs.contains(&leaf)
                && let Some(Value::Float(value)) = values[leaf].take()
            {
                let value = watch(value);
                watched = Some(value.clone());
                values[leaf] = Some(value.into());
            }
        }
        let watched =
            watched.ok_or_else(|| Error::invalid_model("the watched node holds no real numbers"))?;
        Ok((self.take_output(values)?, watched))
    }

    fn take_output(&self, mut values: Vec<Option<Value>>) -> Result<Value> {
        values[self.output].take().ok_or_else(|| Error::invalid_model("no node computes its output"))
    }

    pub fn nodes(&self) -> Vec<NodeInfo> {
        let info = |step: &Step| NodeInfo { name: step.name.clone(), operator: step.operator.clone() };
        self.steps.iter().map(info).collect()
    }

    /// The slot of the first output of the node called `name`.
    pub fn output_of(&self, name: &str) -> Result<Slot> {
        self.steps.iter().find(|step| step.name == name).map(|step| step.outputs[0]).ok_or_else(|| {
            Error::invalid_model(format!("it has no node called \"{name}\" that depends on the input"))
        })
    }
}

impl Step {
    fn run(&self, values: &[Option<Value>]) -> Result<Vec<Value>> {
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for slot in &self.inputs {
            inputs.push(match slot {
                Some(slot) => Some(values[*slot].as_ref().ok_or_else(|| {
                    Error::invalid_node(&self.name, "one of its inputs is computed by no node before it")
                })?),
                None => None,
            });
        }
        (self.kernel)(&Inputs(&inputs)).map_err(|reason| Error::invalid_node(&self.name, reason))
    }

    fn advance(&self, values: &mut [Option<Value>], visit: &mut impl FnMut(&Value)) -> Result<()> {
        let outputs = self.run(values)?;
        for (&slot, value) in self.outputs.iter().zip(outputs) {
            visit(&value);
            values[slot] = Some(value);
        }
        for &slot in &self.dead_after {
            values[slot] = None;
        }
        Ok(())
    }
}

/// Numbers the values of a graph.
#[derive(Default)]
struct Slots {
    by_name: HashMap<String, Slot>,
    constants: Vec<Option<Value>>,
    count: usize,
}

impl Slots {
    fn fresh(&mut self, value: Option<Value>) -> Slot {
        self.constants.push(value);
        self.count += 1;
        self.count - 1
    }

    fn named(&mut self, name: &str) -> Slot {
        if let Some(&slot) = self.by_name.get(name) {
            return slot;
        }
        let slot = self.fresh(None);
        self.by_name.insert(name.to_owned(), slot);
        slot
    }

    /// The slot of a node's input; constants are read here.
    fn of(&mut self, argument: &Argument, device: &Device) -> Result<Option<Slot>, String> {
        match argument.value_source {
            ValueSource::Optional => Ok(None),
            ValueSource::Dynamic => Ok(Some(self.named(&argument.name))),
            ValueSource::Constant if self.by_name.contains_key(&argument.name) => {
                Ok(self.by_name.get(&argument.name).copied())
            }
            ValueSource::Constant | ValueSource::Static(_) => {
                let data = argument.value().ok_or("the data of one of its constants is missing")?;
                let value = Value::from_constant(data, device)
                    .ok_or("one of its constants has a type or a rank that is not supported")?;
                let slot = self.fresh(Some(value));
                if !argument.name.is_empty() {
                    self.by_name.insert(argument.name.clone(), slot);
                }
                Ok(Some(slot))
            }
        }
    }
}

fn parse(onnx: &[u8]) -> Result<ModelProto> {
    let malformed = |reason: &str| Error::ModelMalformed(reason.to_owned());
    if onnx.is_empty() {
        return Err(malformed("the file is empty"));
    }
    let model = ModelProto::parse_from_bytes(onnx).map_err(|error| {
        Error::ModelMalformed(format!("it is damaged or cut off, or not an ONNX file at all ({error})"))
    })?;
    if model.graph.node.is_empty() {
        return Err(malformed("it holds no graph"));
    }
    Ok(model)
}

/// Finds what later phases would stumble over without being able to name it.
fn check(model: &ModelProto) -> Result<()> {
    let graph = &model.graph;
    let mut defined: HashSet<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
    defined.insert("");
    for tensor in &graph.initializer {
        let user = graph.node.iter().find(|node| node.input.contains(&tensor.name)).map(names::of_node);
        check_initializer(tensor).map_err(|reason| Error::ModelInvalid {
            node: user,
            reason: format!("its weight \"{}\" {reason}", tensor.name),
        })?;
        defined.insert(&tensor.name);
    }
    for node in &graph.node {
        let name = names::of_node(node);
        let own = matches!(node.domain.as_str(), "" | "ai.onnx");
        if !own {
            let operator = format!("{}::{}", node.domain, node.op_type);
            return Err(unsupported(&name, &operator, "it is outside ONNX's own operator set".into()));
        }
        if node.op_type != "Constant" && !operators::SUPPORTED.contains(&node.op_type.as_str()) {
            return Err(unsupported(&name, &node.op_type, "it is not implemented".into()));
        }
        if let Some(missing) = node.input.iter().find(|input| !defined.contains(input.as_str())) {
            let later = graph.node.iter().any(|other| other.output.contains(missing));
            let why = if later { "comes only after it" } else { "is nowhere defined" };
            return Err(Error::invalid_node(&name, format!("its input \"{missing}\" {why}")));
        }
        defined.extend(node.output.iter().map(String::as_str));
    }
    match graph.output.iter().find(|output| !defined.contains(output.name.as_str())) {
        Some(output) => Err(Error::invalid_model(format!("no node computes its output \"{}\"", output.name))),
        None => Ok(()),
    }
}

/// Compares the size that a weight claims with the data that the file holds, before anything is allocated.
fn check_initializer(tensor: &onnx_ir::TensorProto) -> Result<(), String> {
    if !tensor.external_data.is_empty() {
        return Err("lies in another file; save the model as one file".into());
    }
    let count = tensor
        .dims
        .iter()
        .try_fold(1usize, |count, &dim| usize::try_from(dim).ok().and_then(|dim| count.checked_mul(dim)))
        .ok_or_else(|| format!("claims the impossible shape {:?}", tensor.dims))?;
    // ONNX's TensorProto.DataType.
    let bytes_each = match tensor.data_type {
        2 | 3 | 9 => 1,
        4 | 5 | 10 | 16 => 2,
        1 | 6 | 12 => 4,
        7 | 11 | 13 => 8,
        other => return Err(format!("has the element type {other}, which is not supported")),
    };
    let held = if tensor.raw_data.is_empty() {
        tensor.float_data.len()
            + tensor.int32_data.len()
            + tensor.int64_data.len()
            + tensor.double_data.len()
            + tensor.uint64_data.len()
    } else if tensor.raw_data.len().is_multiple_of(bytes_each) {
        tensor.raw_data.len() / bytes_each
    } else {
        return Err("holds a broken number of bytes".into());
    };
    if held == count { Ok(()) } else { Err(format!("claims {count} values and holds {held}")) }
}

/// onnx-ir's typed graph. Its own failures are panics here and there; they are caught where panics can be.
fn to_ir(onnx: &[u8]) -> Result<onnx_ir::OnnxGraph> {
    // Simplification would drop nodes that a caller may want to look at by name.
    let parse = || OnnxGraphBuilder::new().simplify(false).parse_bytes(onnx);
    #[cfg(not(target_family = "wasm"))]
    let parsed = std::panic::catch_unwind(parse)
        .map_err(|_| Error::ModelMalformed("its nodes contradict each other".into()))?;
    #[cfg(target_family = "wasm")]
    let parsed = parse();
    parsed.map_err(|error| match error {
        onnx_ir::Error::InvalidFormat { error, .. } => Error::ModelMalformed(error),
        other => Error::invalid_model(other),
    })
}

/// The one input to explain and the one output to explain it by.
fn ends(ir: &onnx_ir::OnnxGraph, file: &ModelProto) -> Result<(ValueInfo, ValueInfo)> {
    let one = |what: &str, names: Vec<String>| match names.as_slice() {
        [_] => Ok(()),
        [] => Err(Error::invalid_model(format!("it has no {what}"))),
        _ => Err(Error::invalid_model(format!(
            "it has {} {what}s ({}), and one is supported",
            names.len(),
            names.join(", ")
        ))),
    };
    let weights: HashSet<&str> = file.graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let real: Vec<String> = file
        .graph
        .input
        .iter()
        .map(|input| input.name.clone())
        .filter(|name| !weights.contains(name.as_str()))
        .collect();
    one("input", real.clone())?;
    one("output", file.graph.output.iter().map(|output| output.name.clone()).collect())?;
    let input = ir.inputs.first().ok_or_else(|| Error::invalid_model("it has no input"))?;
    let output = ir.outputs.first().ok_or_else(|| Error::invalid_model("it has no output"))?;
    let shape = match &input.ty {
        ArgType::Tensor(tensor) if tensor.dtype.is_float() => {
            tensor.static_shape.clone().unwrap_or_else(|| vec![None; tensor.rank])
        }
        other => {
            return Err(Error::invalid_model(format!(
                "its input \"{}\" is {other}, and a tensor of real numbers is needed",
                real[0]
            )));
        }
    };
    // Whatever batch the file fixes, its nodes decide whether another works.
    let free_batch = |shape: Vec<Option<usize>>| {
        shape.into_iter().enumerate().map(|(i, size)| if i == 0 { None } else { size }).collect()
    };
    let output_shape = output.ty.static_shape().cloned().unwrap_or_else(|| vec![None; output.ty.rank()]);
    Ok((
        ValueInfo { name: real[0].clone(), shape: free_batch(shape) },
        ValueInfo { name: file.graph.output[0].name.clone(), shape: free_batch(output_shape) },
    ))
}

fn unsupported(node: &str, operator: &str, reason: String) -> Error {
    Error::UnsupportedOperator {
        node: node.to_owned(),
        operator: operator.to_owned(),
        reason,
        supported: operators::SUPPORTED.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::value::with_ranked;

    const TINY: &[u8] = include_bytes!("../../tests/fixtures/tiny.onnx");

    /// The backward pass visits what is tracked; weights are not, so that no weight's gradient is computed.
    #[test]
    fn only_what_follows_from_the_input_is_tracked() {
        let device = Device::cpu("test");
        let graph = Graph::load(TINY, &device).unwrap();
        let constants = graph.constants.iter().flatten();
        let weights = constants.filter(|constant| match constant {
            Value::Float(weight) => {
                with_ranked!(weight, weight => !weight.is_autodiff() && !weight.is_tracked())
            }
            _ => true,
        });
        assert_eq!(weights.count(), graph.constants.iter().flatten().count());

        let tracked = |leaf| {
            let mut count = 0;
            let input = burn::tensor::Tensor::<4>::zeros([1, 3, 32, 32], device.burn());
            graph
                .run_from(leaf, input.into(), |value| {
                    if let Value::Float(value) = value {
                        count += usize::from(with_ranked!(value, value => value.is_tracked()));
                    }
                })
                .unwrap();
            count
        };
        // Every one of the file's 25 nodes depends on the input; one, the last, on the features before it.
        assert_eq!(tracked(graph.input), 25);
        assert_eq!(tracked(graph.output_of("flatten_23").unwrap()), 1);
    }

    #[test]
    fn nodes_keep_the_files_names() {
        let graph = Graph::load(TINY, &Device::cpu("test")).unwrap();
        let names: Vec<&str> = graph.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names.len(), 25);
        assert_eq!((names[0], names[8], names[24]), ("conv_0", "concat_8", "gemm_24"));
    }

    #[test]
    fn values_die_after_their_last_use() {
        let graph = Graph::load(TINY, &Device::cpu("test")).unwrap();
        let mut alive = HashSet::from([graph.input]);
        let mut most = 0;
        for step in &graph.steps {
            alive.extend(step.outputs.iter().copied());
            most = most.max(alive.iter().filter(|&&slot| graph.constants[slot].is_none()).count());
            for slot in &step.dead_after {
                alive.remove(slot);
            }
        }
        // A branch keeps one value besides the input and output of the node that runs.
        assert!(most <= 4, "{most} values alive at once");
        assert!(alive.contains(&graph.output));
    }
}

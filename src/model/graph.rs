//! A checked graph on a device, and its run.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use burn::tensor::Float;
use onnx_ir::NodeProto;

use super::{
    NodeInfo, bodies,
    element::{self, Element},
    exec::{ByBurn, Keep},
    file::{self, ModelFile, Parsed},
    node::{self, Node},
    operators::{self, Inputs, Kind, Operator},
    passes,
    value::{Ranked, Value, map_ranked},
};
use crate::{Device, Error, Result};

/// Where a value lives during a run.
pub(super) type Slot = usize;

/// One node, ready to run.
pub(super) struct Step {
    /// The names in the file of the node, and of those that were folded into it.
    pub names: Vec<String>,
    /// The operator's ONNX name, for people.
    pub op_type: String,
    pub operator: Arc<Operator>,
    pub inputs: Vec<Option<Slot>>,
    /// A node may leave out outputs that it could give.
    pub outputs: Vec<Option<Slot>>,
    /// Values that no later step reads.
    pub dead_after: Vec<Slot>,
}

/// A value of the file that is known before the run.
#[derive(Default)]
pub(super) struct Constant {
    pub value: Option<Value>,
    /// A copy on the model's device of a constant that stays on the host.
    copy: OnceLock<Option<Value>>,
}

impl From<Value> for Constant {
    fn from(value: Value) -> Self {
        Self { value: Some(value), copy: OnceLock::new() }
    }
}

/// A checked graph whose constants are on a device.
pub(super) struct Graph {
    pub device: burn::tensor::Device,
    pub steps: Vec<Step>,
    /// Indexed by slot; the weights and whatever follows from them alone.
    pub constants: Vec<Constant>,
    pub slots: HashMap<String, Slot>,
}

impl Graph {
    /// A graph without nodes.
    pub fn empty(device: &burn::tensor::Device) -> Self {
        Self { device: device.clone(), steps: Vec::new(), constants: Vec::new(), slots: HashMap::new() }
    }

    /// Reads the file's nodes and weights, those that the outputs `wanted` need; all where none are named. Constants are
    /// folded, batch normalisation is folded into convolutions, and clamps are brought to one form. Everything lies on the
    /// host.
    pub fn read(
        file: &ModelFile<'_>,
        parsed: &Parsed,
        wanted: Option<&[String]>,
        device: &Device,
    ) -> Result<Self> {
        parsed.check_order()?;
        let (nodes, needed) = parsed.needed(wanted);
        check_operators(&nodes)?;
        let host = burn::tensor::Device::flex();
        let mut graph = Self::empty(device.burn());
        for tensor in parsed.graph().initializer.iter().filter(|tensor| needed(&tensor.name)) {
            let fault = |reason: String| parsed.weight_error(tensor, reason);
            let data = element::read(tensor, file.external).map_err(fault)?;
            let value =
                Value::from_data(data, &host).ok_or_else(|| fault("has too many dimensions".into()))?;
            let slot = graph.slot(&tensor.name);
            graph.constants[slot] = value.into();
        }
        graph.add(&nodes, parsed.opset, parsed.types())?;
        let ends: HashSet<Slot> = parsed
            .graph()
            .output
            .iter()
            .filter_map(|output| graph.slots.get(&output.name).copied())
            .collect();
        passes::write_out(&mut graph);
        passes::write_clamps_alike(&mut graph);
        passes::fold_batch_normalization(&mut graph, &ends);
        Ok(graph)
    }

    /// Adds nodes in their order, with the element types of the values that they read as far as they are known, and
    /// computes what follows from constants alone.
    pub fn add(
        &mut self,
        nodes: &[NodeProto],
        opset: i64,
        mut types: HashMap<String, Element>,
    ) -> Result<()> {
        for proto in nodes {
            let name = node::name_of(proto);
            let operator = node::operator_of(proto);
            let types_of = proto.input.iter().map(|input| types.get(input).copied()).collect();
            let node = Node { proto, opset, types: types_of };
            let planned =
                operators::plan(&operator, &node).map_err(|reason| unsupported(&name, &operator, reason))?;
            infer_types(&node, &planned, &mut types);
            let mut slots = |names: &[String]| {
                names.iter().map(|name| (!name.is_empty()).then(|| self.slot(name))).collect()
            };
            let (inputs, outputs) = (slots(&proto.input), slots(&proto.output));
            self.steps.push(Step {
                names: vec![name],
                op_type: operator,
                operator: Arc::new(planned),
                inputs,
                outputs,
                dead_after: Vec::new(),
            });
        }
        passes::fold_constants(self)
    }

    /// The slot of the value called `name`.
    pub fn slot(&mut self, name: &str) -> Slot {
        if let Some(&slot) = self.slots.get(name) {
            return slot;
        }
        let slot = self.fresh();
        self.slots.insert(name.to_owned(), slot);
        slot
    }

    /// A slot without a name.
    pub fn fresh(&mut self) -> Slot {
        self.constants.push(Constant::default());
        self.constants.len() - 1
    }

    /// Whether the graph makes real numbers of the integers that it takes here, and only moves them before.
    pub fn reads_as_real(&self, slot: Slot) -> bool {
        let mut same = HashSet::from([slot]);
        for step in &self.steps {
            let reads = step.inputs.first().copied().flatten().is_some_and(|input| same.contains(&input));
            let kind = step.operator.properties.kind;
            if reads && matches!(kind, Kind::Reshape | Kind::Quantization) {
                if step.operator.element.flatten().is_some_and(Element::is_float) {
                    return true;
                }
                // Cut to integers again, no gradient would pass.
                if step.operator.element.is_none() {
                    same.extend(step.outputs.iter().flatten());
                }
            } else if reads && kind == Kind::Move {
                same.extend(step.outputs.iter().flatten());
            }
        }
        false
    }

    /// Puts a step before all others.
    pub fn prepend(&mut self, name: &str, operator: Operator, input: Slot, output: Slot) {
        self.steps.insert(0, Step::new(name, operator, input, output));
    }

    /// Puts a step after all others.
    pub fn append(&mut self, name: &str, operator: Operator, input: Slot, output: Slot) {
        self.steps.push(Step::new(name, operator, input, output));
    }

    /// Puts the weights on the model's device. Whole numbers and a few real ones stay on the host, where sizes are
    /// computed, and are copied when a kernel wants them.
    pub fn upload(&mut self) {
        const STAY: usize = 64;
        if self.device == burn::tensor::Device::flex() {
            return;
        }
        for constant in &mut self.constants {
            if let Some(Value::Float(value)) = &constant.value
                && value.len() > STAY
                && let Some(there) = Value::Float(value.clone()).uploaded(&self.device)
            {
                *constant = there.into();
            }
        }
    }

    /// Runs the graph by Burn's kernels on the values in `given`. Returns the values at `wanted`.
    pub fn run(&self, given: impl IntoIterator<Item = (Slot, Value)>, wanted: &[Slot]) -> Result<Vec<Value>> {
        self.run_on(&self.device, given, wanted)
    }

    /// Like [`Graph::run`] on another device, where the graph is a part of one that runs there.
    pub fn run_on(
        &self,
        device: &burn::tensor::Device,
        given: impl IntoIterator<Item = (Slot, Value)>,
        wanted: &[Slot],
    ) -> Result<Vec<Value>> {
        let steps = 0..self.steps.len();
        Ok(ByBurn::by_burn().forward_on(device, self, steps, given, wanted, Keep::Nothing)?.wanted)
    }

    /// One step by Burn's kernels, on the inputs that it has in a run.
    pub fn advance(
        &self,
        device: &burn::tensor::Device,
        step: &Step,
        inputs: &[Option<Value>],
    ) -> Result<Vec<Value>> {
        let host = burn::tensor::Device::flex();
        let there = |value: &Value| value.device() != host;
        // Copies are made only for a step that runs on a GPU.
        let copies: Vec<Option<&Value>> = match *device != host && inputs.iter().flatten().any(there) {
            true => step.inputs.iter().map(|slot| slot.and_then(|slot| self.copy(slot, device))).collect(),
            false => Vec::new(),
        };
        let inputs: Vec<Option<&Value>> = inputs.iter().map(Option::as_ref).collect();
        step.compute(&inputs, &copies, device)
    }

    /// One step by Burn's kernels on inputs of the caller's, one for each of the step's own.
    pub fn apply(&self, step: &Step, inputs: &[Option<Value>]) -> Result<Vec<Value>> {
        let inputs: Vec<Option<&Value>> = inputs.iter().map(Option::as_ref).collect();
        step.compute(&inputs, &[], &self.device)
    }

    /// The same with what normalises held on the way back ([`Operator::is_held`]).
    pub fn apply_held(&self, step: &Step, inputs: &[Option<Value>]) -> Result<Vec<Value>> {
        let inputs: Vec<Option<&Value>> = inputs.iter().map(Option::as_ref).collect();
        step.operator
            .forward_held(&Inputs::new(&inputs, &[], &self.device))
            .map_err(|reason| Error::invalid_node(&step.names[0], reason))
    }

    /// The axes of a reduction that the file fixes: an attribute, or input 1 where that is there.
    pub fn reduced_axes(&self, step: &Step) -> Option<Vec<i64>> {
        match step.inputs.get(1).copied().flatten() {
            None => step.operator.properties.axes.clone(),
            Some(slot) => match self.constant(slot)? {
                Value::Int(axes) => axes.clone().flat().into_data().convert::<i64>().try_into_vec().ok(),
                _ => None,
            },
        }
    }

    /// What is known of a slot before the run.
    pub fn constant(&self, slot: Slot) -> Option<&Value> {
        self.constants[slot].value.as_ref()
    }

    /// The copy of a constant on the device that the graph runs on, which is the same on every run.
    fn copy(&self, slot: Slot, device: &burn::tensor::Device) -> Option<&Value> {
        let constant = &self.constants[slot];
        constant.copy.get_or_init(|| constant.value.as_ref()?.uploaded(device)).as_ref()
    }

    pub fn nodes(&self) -> Vec<NodeInfo> {
        let info = |step: &Step| NodeInfo { name: step.names[0].clone(), operator: step.op_type.clone() };
        self.steps.iter().map(info).collect()
    }

    /// The slot of the first output of the node called `name`, or of the value of that name.
    pub fn output_of(&self, name: &str) -> Option<Slot> {
        let step = self.steps.iter().find(|step| step.names.iter().any(|own| own == name));
        step.and_then(|step| step.outputs.iter().flatten().next().copied())
            .or_else(|| self.slots.get(name).copied())
    }
}

impl Step {
    /// A step that the file does not have.
    fn new(name: &str, operator: Operator, input: Slot, output: Slot) -> Self {
        Self {
            names: vec![name.to_owned()],
            op_type: "Transpose".into(),
            operator: Arc::new(operator),
            inputs: vec![Some(input)],
            outputs: vec![Some(output)],
            dead_after: Vec::new(),
        }
    }

    /// The outputs on these inputs; `copies` are those of constants on a device.
    pub fn compute(
        &self,
        inputs: &[Option<&Value>],
        copies: &[Option<&Value>],
        device: &burn::tensor::Device,
    ) -> Result<Vec<Value>> {
        self.operator
            .forward(&Inputs::new(inputs, copies, device))
            .map_err(|reason| Error::invalid_node(&self.names[0], reason))
    }
}

/// Makes a value the leaf of an autodiff graph of its own.
pub(super) fn leaf(value: Ranked<Float>) -> Ranked<Float> {
    map_ranked!(value, x => x.inner().autodiff().require_grad())
}

pub(super) fn check_operators(nodes: &[NodeProto]) -> Result<()> {
    for proto in nodes {
        let operator = node::operator_of(proto);
        if operators::SUPPORTED.contains(&operator.as_str()) {
            continue;
        }
        let own = node::is_default_domain(&proto.domain);
        let reason = if own { "it is not implemented" } else { "it is outside ONNX's own operator set" };
        return Err(unsupported(&node::name_of(proto), &operator, reason.into()));
    }
    Ok(())
}

/// Element types that follow from a node, where they matter: narrow whole numbers.
fn infer_types(node: &Node, operator: &Operator, types: &mut HashMap<String, Element>) {
    if let Some(branch) = bodies::graph(node.proto, "then_branch") {
        let known = file::declared_types(branch);
        let ends = node.proto.output.iter().zip(&branch.output);
        for (output, inner) in ends {
            if let Some(&element) = known.get(&inner.name) {
                types.entry(output.clone()).or_insert(element);
            }
        }
        return;
    }
    let first = operator.element.unwrap_or_else(|| node.element(0));
    if let (Some(output), Some(element)) = (node.proto.output.first(), first) {
        types.entry(output.clone()).or_insert(element);
    }
}

pub(super) fn unsupported(node: &str, operator: &str, reason: String) -> Error {
    Error::UnsupportedOperator {
        node: node.to_owned(),
        operator: operator.to_owned(),
        reason,
        advice: advice(operator),
    }
}

/// What to do about an operator that cannot run.
fn advice(operator: &str) -> String {
    let (domain, name) = operator.split_once("::").unwrap_or(("", operator));
    let known = operators::SUPPORTED.contains(&operator);
    let first = match domain {
        "com.microsoft" | "com.microsoft.nchwc" => {
            "It was written by onnxruntime's tools: export the network without their optimisations, or quantise it with \
             QuantFormat.QDQ"
        }
        "ai.onnx.ml" => "Export the part of the network after it, which computes with numbers only",
        "" if known => {
            "Export the network again with operator set 17, or simplify the file (`onnxsim in.onnx out.onnx`)"
        }
        "" if name.starts_with("Random") || ["Bernoulli", "Multinomial"].contains(&name) => {
            "Its result is random: export the network for inference (PyTorch: `model.eval()`)"
        }
        "" if name.contains("Sequence") || name.contains("Optional") => {
            "Simplify the file (`onnxsim in.onnx out.onnx`), which removes most lists of tensors"
        }
        "" => "Simplify the file (`onnxsim in.onnx out.onnx`), or export the network without it",
        _ => "Export the network with operators of ONNX's own only",
    };
    format!("{first}; or ask for it at {}/issues.", env!("CARGO_PKG_REPOSITORY"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::value::with_ranked;

    const TINY: &[u8] = include_bytes!("../../tests/fixtures/tiny.onnx");

    fn tiny() -> (Graph, Slot, Slot) {
        let parsed = Parsed::read(TINY).unwrap();
        let mut graph = Graph::read(&TINY.into(), &parsed, None, &Device::cpu("test")).unwrap();
        let input = graph.slot(&parsed.graph().input[0].name);
        let output = graph.slot(&parsed.graph().output[0].name);
        passes::keep_only(&mut graph, &[output], &[input]);
        (graph, input, output)
    }

    /// The backward pass visits what is tracked; weights are not, so that no weight's gradient is computed.
    #[test]
    fn only_what_follows_from_the_input_is_tracked() {
        let (graph, input, _) = tiny();
        for constant in graph.constants.iter().filter_map(|constant| constant.value.as_ref()) {
            if let Value::Float(weight) = constant {
                assert!(with_ranked!(weight, weight => !weight.is_autodiff() && !weight.is_tracked()));
            }
        }
        let slots: Vec<Slot> =
            graph.steps.iter().flat_map(|step| step.outputs.iter().flatten().copied()).collect();
        let tracked = |from: Slot, value: Ranked<Float>| {
            let blank = burn::tensor::Tensor::<4>::zeros([1, 3, 32, 32], &graph.device);
            let given = [(input, Value::from(blank)), (from, leaf(value).into())];
            let values = graph.run(given, &slots).unwrap();
            let follows = |(slot, value): (&Slot, &Value)| {
                let Value::Float(value) = value else { return false };
                *slot != from && with_ranked!(value, value => value.is_tracked())
            };
            slots.iter().zip(&values).filter(|&(slot, value)| follows((slot, value))).count()
        };
        let blank = burn::tensor::Tensor::<4>::zeros([1, 3, 32, 32], &graph.device);
        // Every one of the file's 25 nodes depends on the input; one, the last, on the features before it.
        assert_eq!(tracked(input, blank.clone().into()), 25);
        let features = graph.output_of("flatten_23").unwrap();
        let Value::Float(value) = graph.run([(input, blank.into())], &[features]).unwrap().remove(0) else {
            panic!("features are real");
        };
        assert_eq!(tracked(features, value), 1);
    }

    #[test]
    fn nodes_keep_the_files_names() {
        let names: Vec<String> = tiny().0.nodes().into_iter().map(|node| node.name).collect();
        assert_eq!(names.len(), 25);
        assert_eq!((&*names[0], &*names[8], &*names[24]), ("conv_0", "concat_8", "gemm_24"));
    }

    /// A message is about one operator: it names it, its node and what to do.
    #[test]
    fn an_unsupported_operator_is_named_with_what_to_do() {
        for (operator, advised) in [
            ("com.microsoft::QMoE", "onnxruntime"),
            ("ai.onnx.ml::TfIdf", "numbers only"),
            ("RandomNormal", "for inference"),
            ("SequenceAt", "onnxsim"),
            ("Resize", "operator set 17"),
            ("example::Own", "ONNX's own"),
        ] {
            let told = unsupported("here", operator, "it is not implemented".into()).to_string();
            assert!(told.contains("\"here\"") && told.contains(operator) && told.contains(advised), "{told}");
            assert!(told.len() < 400 && !told.contains("GlobalAveragePool"), "{told}");
        }
    }
}

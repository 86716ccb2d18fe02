//! What a file holds, said before it is loaded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Activation, ValueInfo, element,
    file::{self, ModelFile, Parsed},
    graph::Graph,
    inputs,
    node::{self, Node},
    operators,
    passes::{self, Found},
};
use crate::{Device, Result};

/// An operator of a file, and whether the engine runs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct OperatorSupport {
    /// The operator's name, with its domain where that is not ONNX's own.
    pub name: String,
    /// Number of nodes.
    pub count: usize,
    /// Whether all of them can run.
    pub supported: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Up to three of the nodes that cannot run.
    pub nodes: Vec<String>,
}

/// What an ONNX file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
#[cfg_attr(target_family = "wasm", tsify(missing_as_null))]
pub struct ModelReport {
    /// The program that wrote the file.
    pub producer: String,
    /// The version of ONNX's operator set.
    pub opset: i64,
    /// The version of the file format.
    pub ir_version: i64,
    /// The inputs that have no value in the file.
    pub inputs: Vec<ValueInfo>,
    /// The outputs.
    pub outputs: Vec<ValueInfo>,
    /// The operators by name.
    pub operators: Vec<OperatorSupport>,
    /// Number of nodes.
    pub nodes: usize,
    /// Number of weights.
    pub parameters: usize,
    /// Memory that the weights take on a device.
    pub weight_bytes: usize,
    /// Files beside the model that weights lie in.
    pub external: Vec<String>,
    /// How the graph's outputs become probabilities: a softmax or sigmoid at its end, none where they lie between 0 and 1 as
    /// they are, nothing where the graph does not say.
    pub activation: Option<Activation>,
    /// What stands in the way of loading it, in sentences.
    pub problems: Vec<String>,
}

/// Reads a file without putting anything on a device.
///
/// # Errors
/// [`crate::Error::ModelMalformed`] for bytes that are not an ONNX model; everything else is told in the report.
pub fn inspect(onnx: &[u8]) -> Result<ModelReport> {
    let parsed = Parsed::read(onnx)?;
    let mut problems = Vec::new();
    if let Err(error) = parsed.check_order() {
        problems.push(error.to_string());
    }
    for tensor in &parsed.graph().initializer {
        // What lies elsewhere cannot be checked without its file.
        let placed = element::elsewhere(tensor);
        if !matches!(placed, Ok(Some(_)))
            && let Err(reason) = element::read(tensor, None)
        {
            problems.push(parsed.weight_error(tensor, reason).to_string());
        }
    }
    let types = parsed.types();
    let mut operators: BTreeMap<String, OperatorSupport> = BTreeMap::new();
    for proto in &parsed.nodes {
        let name = node::operator_of(proto);
        let entry = operators.entry(name.clone()).or_insert_with(|| OperatorSupport {
            name: name.clone(),
            count: 0,
            supported: true,
            reason: None,
            nodes: Vec::new(),
        });
        entry.count += 1;
        let types = proto.input.iter().map(|input| types.get(input).copied()).collect();
        if let Err(reason) = operators::plan(&name, &Node { proto, opset: parsed.opset, types }) {
            entry.supported = false;
            entry.reason.get_or_insert(reason);
            if entry.nodes.len() < 3 {
                entry.nodes.push(node::name_of(proto));
            }
        }
    }
    for operator in operators.values().filter(|operator| !operator.supported) {
        let reason = operator.reason.as_deref().unwrap_or_default();
        problems.push(format!("The operator {} is not supported: {reason}.", operator.name));
    }
    let (parameters, weight_bytes) = parsed.weights();
    Ok(ModelReport {
        producer: [&parsed.proto.producer_name, &parsed.proto.producer_version]
            .into_iter()
            .filter(|text| !text.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join(" "),
        opset: parsed.opset,
        ir_version: parsed.proto.ir_version,
        inputs: parsed.inputs().map(file::value_info).collect(),
        outputs: parsed.graph().output.iter().map(file::value_info).collect(),
        operators: operators.into_values().collect(),
        nodes: parsed.nodes.len(),
        parameters,
        weight_bytes,
        external: parsed.locations(),
        activation: last_activation(onnx, &parsed),
        problems,
    })
}

/// Bytes of a weight in another file for which zeros are made.
const MOST_ABSENT: usize = 1 << 26;

/// The activation that the main output is made by, as loading finds it; nothing where a large weight lies in another file.
fn last_activation(onnx: &[u8], parsed: &Parsed) -> Option<Activation> {
    let outputs: Vec<ValueInfo> = parsed.graph().output.iter().map(file::value_info).collect();
    let output = inputs::choose_output(&outputs, None).ok()?.name;
    let wanted = Some(std::slice::from_ref(&output));
    // What lies in other files are weights, on which the form of the graph does not depend: zeros stand for them.
    let absent =
        |_: &str, _: u64, length: Option<u64>| match length.and_then(|length| usize::try_from(length).ok()) {
            Some(length) if length <= MOST_ABSENT => Ok(vec![0; length]),
            _ => Err("lies beside the model".to_owned()),
        };
    let file = ModelFile { bytes: onnx, external: Some(&absent) };
    let mut graph = Graph::read(&file, parsed, wanted, &Device::cpu("inspection")).ok()?;
    let slot = graph.slot(&output);
    match passes::final_activation(&graph, slot) {
        Found::Ends(last) => Some(last.kind),
        Found::Probabilities => Some(Activation::None),
        Found::Nothing => None,
    }
}

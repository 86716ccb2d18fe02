//! Forgetting what a network learned: an ONNX file with random weights, for the sanity checks of Adebayo et al. (2018).
//!
//! [`layers`] lists a file's layers from the output to the input. [`randomise`] replaces the weights of some of them:
//! `&layers[..n]` is the paper's cascading randomisation, `&layers[n..=n]` the independent one.

use std::collections::HashMap;

use half::f16;
use onnx_ir::{GraphProto, Message, ModelProto, TensorProto};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::{Error, Result};

/// A node with weights of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The node's name in the file, or that of its first output.
    pub name: String,
    /// The node's operator.
    pub operator: String,
    /// The names of its weight and its bias.
    weights: Vec<String>,
    /// Where the layer stands, from the output; its random numbers follow from it and from the seed alone.
    number: u64,
}

/// The layers of an ONNX file with weights, from the output to the input.
///
/// # Errors
/// [`Error::ModelMalformed`] for bytes that are not an ONNX model.
pub fn layers(onnx: &[u8]) -> Result<Vec<Layer>> {
    let model = parse(onnx)?;
    let opset = crate::model::opset(&model);
    let stored = Stored::of(&model.graph);
    let mut layers = Vec::new();
    // ONNX lists a node after those whose outputs it reads.
    for node in model.graph.node.iter().rev() {
        let inputs = crate::model::learned_inputs(node, opset);
        let inputs = node.input.get(inputs.start..inputs.end.min(node.input.len())).unwrap_or_default();
        let weights: Vec<String> = inputs.iter().filter_map(|name| stored.origin(name)).collect();
        if weights.is_empty() {
            continue;
        }
        let first_output = || node.output.first().cloned().unwrap_or_default();
        let name = if node.name.is_empty() { first_output() } else { node.name.clone() };
        let number = layers.len() as u64;
        layers.push(Layer { name, operator: node.op_type.clone(), weights, number });
    }
    Ok(layers)
}

/// The file with the weights of `layers` replaced by normal ones of the same mean and standard deviation, tensor by
/// tensor. A layer gets the same weights whichever others are replaced with it.
///
/// # Errors
/// [`Error::ModelMalformed`] for bytes that are not an ONNX model or whose weights lie in another file.
pub fn randomise(onnx: &[u8], layers: &[Layer], seed: u32) -> Result<Vec<u8>> {
    let mut model = parse(onnx)?;
    let graph = model.graph.mut_or_insert_default();
    let wanted: HashMap<&str, (u64, usize)> = layers
        .iter()
        .flat_map(|layer| {
            layer.weights.iter().enumerate().map(|(i, name)| (name.as_str(), (layer.number, i)))
        })
        .collect();
    let replace = |name: &str, tensor: &mut TensorProto| match wanted.get(name) {
        None => Ok(()),
        Some(&(layer, weight)) => {
            let mut random = ChaCha8Rng::seed_from_u64(u64::from(seed));
            random.set_stream(16 * layer + weight as u64);
            forget(tensor, &mut random)
        }
    };
    for tensor in &mut graph.initializer {
        let name = tensor.name.clone();
        replace(&name, tensor)?;
    }
    for node in graph.node.iter_mut().filter(|node| node.op_type == "Constant") {
        let name = node.output.first().cloned().unwrap_or_default();
        for attribute in node.attribute.iter_mut().filter(|attribute| attribute.name == "value") {
            replace(&name, attribute.t.mut_or_insert_default())?;
        }
    }
    model.write_to_bytes().map_err(|error| Error::Internal(format!("the model cannot be written: {error}")))
}

fn parse(onnx: &[u8]) -> Result<ModelProto> {
    ModelProto::parse_from_bytes(onnx).map_err(|error| Error::ModelMalformed(error.to_string()))
}

/// Which values of a graph are stored in the file, and which follow from a stored one by a change of type or shape.
struct Stored<'a> {
    tensors: HashMap<&'a str, bool>,
    follows: HashMap<&'a str, &'a str>,
}

impl<'a> Stored<'a> {
    fn of(graph: &'a GraphProto) -> Self {
        let real = |tensor: &TensorProto| matches!(tensor.data_type, FLOAT | FLOAT16 | DOUBLE);
        let mut tensors: HashMap<&str, bool> =
            graph.initializer.iter().map(|tensor| (tensor.name.as_str(), real(tensor))).collect();
        let mut follows = HashMap::new();
        for node in &graph.node {
            let (Some(output), attribute) = (node.output.first(), node.attribute.first()) else { continue };
            match node.op_type.as_str() {
                "Constant" => {
                    let tensor =
                        attribute.filter(|attribute| attribute.name == "value").map(|value| &value.t);
                    tensors.insert(output, tensor.is_some_and(|tensor| real(tensor)));
                }
                "Cast" | "Identity" | "Transpose" | "Reshape" | "Unsqueeze" | "Squeeze" => {
                    if let Some(input) = node.input.first() {
                        follows.insert(output.as_str(), input.as_str());
                    }
                }
                _ => (),
            }
        }
        Self { tensors, follows }
    }

    /// The stored real tensor that the value called `name` is, or is made of.
    fn origin(&self, name: &str) -> Option<String> {
        let mut name = name;
        while let Some(before) = self.follows.get(name) {
            name = before;
        }
        self.tensors.get(name).copied().unwrap_or(false).then(|| name.to_owned())
    }
}

const FLOAT: i32 = 1;
const FLOAT16: i32 = 10;
const DOUBLE: i32 = 11;

/// Replaces a tensor's values by normal ones of the same mean and standard deviation.
fn forget(tensor: &mut TensorProto, random: &mut ChaCha8Rng) -> Result<()> {
    if !tensor.external_data.is_empty() {
        return Err(Error::ModelMalformed(format!("the weights \"{}\" lie in another file", tensor.name)));
    }
    let raw = &tensor.raw_data;
    let values: Vec<f64> = match tensor.data_type {
        FLOAT if raw.is_empty() => tensor.float_data.iter().map(|&x| f64::from(x)).collect(),
        FLOAT => raw.as_chunks().0.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes))).collect(),
        FLOAT16 if raw.is_empty() => {
            tensor.int32_data.iter().map(|&bits| f16::from_bits(bits as u16).to_f64()).collect()
        }
        FLOAT16 => raw.as_chunks().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f64()).collect(),
        DOUBLE if raw.is_empty() => tensor.double_data.clone(),
        _ => raw.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect(),
    };
    if values.is_empty() {
        return Ok(());
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    let drawn = StandardNormal.sample_iter(random).take(values.len()).map(|z: f64| mean + deviation * z);
    let bytes: Vec<u8> = match tensor.data_type {
        FLOAT => drawn.flat_map(|x| (x as f32).to_le_bytes()).collect(),
        FLOAT16 => drawn.flat_map(|x| f16::from_f64(x).to_le_bytes()).collect(),
        _ => drawn.flat_map(f64::to_le_bytes).collect(),
    };
    tensor.float_data.clear();
    tensor.int32_data.clear();
    tensor.double_data.clear();
    tensor.raw_data = bytes.into();
    Ok(())
}

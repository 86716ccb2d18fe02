//! Writes a network as ONNX, and reads weights back from such a file.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use onnx_ir::{AttributeProto, AttributeType, Message, ModelProto, NodeProto, TensorProto, ValueInfoProto};

use super::network::{Network, Operator};

const OPSET: i64 = 13;
const FLOAT: i32 = 1;
const INT64: i32 = 7;

/// The bytes of a network's ONNX file, with an open batch.
pub fn write(network: &Network, about: &str) -> Result<Vec<u8>, String> {
    let mut model = ModelProto { ir_version: 7, producer_name: "adversight".into(), ..Default::default() };
    model.doc_string = about.to_owned();
    model.opset_import.push(Default::default());
    model.opset_import[0].version = OPSET;
    let mut graph = Graph { nodes: Vec::new(), weights: Vec::new(), last: network.nodes.len() };
    for weight in &network.weights {
        let values = weight.values.to_data().try_into_vec::<f32>().map_err(|error| format!("{error:?}"))?;
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        graph.weights.push(tensor(&weight.name, FLOAT, &weight.shape, bytes));
    }
    for number in 0..network.nodes.len() {
        graph.write(network, number);
    }
    let proto = model.graph.mut_or_insert_default();
    proto.name = network.output.clone();
    proto.node = graph.nodes;
    proto.initializer = graph.weights;
    for (name, [channels, height, width]) in &network.inputs {
        let shape = [*channels, *height, *width];
        // A row of numbers, one a class, is no picture.
        proto.input.push(value_info(name, if shape[1..] == [1, 1] { &shape[..1] } else { &shape }));
    }
    let output: &[usize] = match network.nodes.last().map(|node| node.operator) {
        Some(Operator::Dense { weight, .. }) => &[network.weights[weight].shape[0]],
        _ => &[1, super::data::SIDE, super::data::SIDE],
    };
    proto.output.push(value_info(&network.output, output));
    model.write_to_bytes().map_err(|error| error.to_string())
}

/// Sets the network's weights to those of the same name in an ONNX file; others keep their values.
pub fn read_weights(network: &mut Network, path: &Path) -> Result<(), String> {
    let fault = |reason: String| format!("{}: {reason}.", path.display());
    let bytes = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
    let model = ModelProto::parse_from_bytes(&bytes).map_err(|error| fault(error.to_string()))?;
    for weight in &mut network.weights {
        let Some(stored) = model.graph.initializer.iter().find(|stored| stored.name == weight.name) else {
            continue;
        };
        let values: Vec<f32> =
            stored.raw_data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        if values.len() != weight.shape.iter().product::<usize>() {
            return Err(fault(format!("its weight \"{}\" has another size", weight.name)));
        }
        let count = values.len();
        weight.values = Tensor::from_data(TensorData::new(values, [count]), &network.device);
    }
    Ok(())
}

struct Graph {
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
    /// The number of the network's last node, counted from 1.
    last: usize,
}

impl Graph {
    /// Writes a node of the list as one or several of ONNX's.
    fn write(&mut self, network: &Network, number: usize) {
        let node = &network.nodes[number];
        let inputs = network.inputs.len();
        let value = |index: usize| match network.inputs.get(index) {
            Some((name, _)) => name.clone(),
            None => format!("v{}", index - inputs + 1),
        };
        let read: Vec<String> = node.inputs.iter().map(|&index| value(index)).collect();
        let weight = |index: usize| network.weights[index].name.clone();
        let output = if number + 1 == self.last { network.output.clone() } else { value(inputs + number) };
        let part = |name: &str| format!("{output}_{name}");
        match node.operator {
            Operator::Conv { weight: w, bias } => {
                let kernel = network.weights[w].shape[2] as i64;
                let attributes = vec![ints("kernel_shape", &[kernel; 2]), ints("pads", &[kernel / 2; 4])];
                self.node("Conv", vec![read[0].clone(), weight(w), weight(bias)], output, attributes);
            }
            Operator::Relu => self.node("Relu", read, output, vec![]),
            Operator::MaxPool => {
                let attributes = vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
                self.node("MaxPool", read, output, attributes);
            }
            Operator::Dense { weight: w, bias } => {
                self.node("Flatten", read, part("flat"), vec![int("axis", 1)]);
                let inputs = vec![part("flat"), weight(w), weight(bias)];
                self.node("Gemm", inputs, output, vec![int("transB", 1)]);
            }
            Operator::Match { embedding } => {
                let channels = network.weights[embedding].shape[1] as i64;
                self.integers(&part("shape"), &[-1, channels, 1, 1]);
                self.integers(&part("axes"), &[1]);
                self.node("MatMul", vec![read[1].clone(), weight(embedding)], part("row"), vec![]);
                self.node("Reshape", vec![part("row"), part("shape")], part("wanted"), vec![]);
                self.node("Mul", vec![read[0].clone(), part("wanted")], part("products"), vec![]);
                let inputs = vec![part("products"), part("axes")];
                self.node("ReduceSum", inputs, output, vec![int("keepdims", 1)]);
            }
            Operator::Gate => {
                self.node("Sigmoid", vec![read[1].clone()], part("open"), vec![]);
                self.node("Mul", vec![read[0].clone(), part("open")], output, vec![]);
            }
            Operator::Upsample => {
                let scales: Vec<u8> =
                    [1.0f32, 1.0, 2.0, 2.0].iter().flat_map(|scale| scale.to_le_bytes()).collect();
                self.weights.push(tensor(&part("scales"), FLOAT, &[4], scales));
                let attributes = vec![
                    text("mode", "nearest"),
                    text("coordinate_transformation_mode", "asymmetric"),
                    text("nearest_mode", "floor"),
                ];
                let inputs = vec![read[0].clone(), String::new(), part("scales")];
                self.node("Resize", inputs, output, attributes);
            }
            Operator::Concat => self.node("Concat", read, output, vec![int("axis", 1)]),
            Operator::Sigmoid => self.node("Sigmoid", read, output, vec![]),
        }
    }

    fn node(&mut self, operator: &str, input: Vec<String>, output: String, attribute: Vec<AttributeProto>) {
        let name = format!("{}_{}", operator.to_lowercase(), self.nodes.len() + 1);
        let op_type = operator.to_owned();
        self.nodes.push(NodeProto {
            name,
            op_type,
            input,
            output: vec![output],
            attribute,
            ..Default::default()
        });
    }

    fn integers(&mut self, name: &str, values: &[i64]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.weights.push(tensor(name, INT64, &[values.len()], bytes));
    }
}

fn tensor(name: &str, data_type: i32, shape: &[usize], bytes: Vec<u8>) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        data_type,
        dims: shape.iter().map(|&size| size as i64).collect(),
        raw_data: bytes.into(),
        ..Default::default()
    }
}

fn value_info(name: &str, sample: &[usize]) -> ValueInfoProto {
    let mut info = ValueInfoProto { name: name.to_owned(), ..Default::default() };
    let tensor = info.type_.mut_or_insert_default().mut_tensor_type();
    tensor.elem_type = FLOAT;
    let dims = &mut tensor.shape.mut_or_insert_default().dim;
    dims.push(Default::default());
    dims[0].set_dim_param("N".into());
    for &size in sample {
        dims.push(Default::default());
        if let Some(dim) = dims.last_mut() {
            dim.set_dim_value(size as i64);
        }
    }
    info
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), type_: AttributeType::INT.into(), i, ..Default::default() }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    let ints = values.to_vec();
    AttributeProto { name: name.into(), type_: AttributeType::INTS.into(), ints, ..Default::default() }
}

fn text(name: &str, value: &str) -> AttributeProto {
    let s = value.as_bytes().to_vec().into();
    AttributeProto { name: name.into(), type_: AttributeType::STRING.into(), s, ..Default::default() }
}

//! Random convolutional networks, small enough to be asked thousands of times.

use adversight::{Device, Explainer, HostTensor, Preprocessing};
use onnx_ir::{AttributeProto, NodeProto, TensorProto};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use serde_json::json;

use super::operators::{Draw, FLOAT, declared, initializer, int, ints, model, reals};

pub const SIDE: usize = 16;
pub const CLASSES: usize = 5;

/// Adds a node with one output, named after its operator and its number. Returns the name of both.
pub fn grow(
    nodes: &mut Vec<NodeProto>,
    operator: &str,
    inputs: &[&str],
    attributes: Vec<AttributeProto>,
) -> String {
    let name = format!("{}_{}", operator.to_lowercase(), nodes.len());
    nodes.push(NodeProto {
        name: name.clone(),
        op_type: operator.into(),
        input: inputs.iter().map(|&input| input.to_owned()).collect(),
        output: vec![name.clone()],
        attribute: attributes,
        ..Default::default()
    });
    name
}

/// A graph that grows at its end.
struct Builder {
    draw: Draw,
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
}

impl Builder {
    fn node(&mut self, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        grow(&mut self.nodes, operator, inputs, attributes)
    }

    fn weight(&mut self, deviation: f32, shape: &[usize]) -> String {
        let name = format!("weight_{}", self.weights.len());
        let values = (0..shape.iter().product()).map(|_| {
            deviation * <StandardNormal as Distribution<f32>>::sample(&StandardNormal, &mut self.draw.0)
        });
        self.weights.push(initializer(&name, &reals(values.collect(), shape)));
        name
    }

    /// A convolution that keeps the picture's size, with He's weights.
    fn convolution(&mut self, x: &str, from: usize, to: usize, kernel: usize) -> String {
        let deviation = (2.0 / (from * kernel * kernel) as f32).sqrt();
        let (weight, bias) = (self.weight(deviation, &[to, from, kernel, kernel]), self.weight(0.1, &[to]));
        let pads = ints("pads", &[kernel as i64 / 2; 4]);
        self.node("Conv", &[x, &weight, &bias], vec![pads])
    }

    /// A block: an activation, and at random a branch that is added or put beside it, and a pooling.
    fn block(&mut self, x: &str, from: usize) -> (String, usize) {
        let mut channels = self.draw.size(4, 8);
        let kernel = self.draw.of(&[1, 3, 5]);
        let mut x = self.convolution(x, from, channels, kernel);
        x = self.node("Relu", &[&x], vec![]);
        match self.draw.size(0, 2) {
            0 => {
                let branch = self.convolution(&x, channels, channels, 3);
                x = self.node("Add", &[&x, &branch], vec![]);
                x = self.node("Relu", &[&x], vec![]);
            }
            1 => {
                let branch = self.convolution(&x, channels, 4, 1);
                let branch = self.node("Relu", &[&branch], vec![]);
                x = self.node("Concat", &[&x, &branch], vec![int("axis", 1)]);
                channels += 4;
            }
            _ => {}
        }
        if self.draw.coin() {
            let pooling = self.draw.of(&["MaxPool", "AveragePool"]);
            let size = self.draw.of(&[2, 3]);
            x = self.node(
                pooling,
                &[&x],
                vec![ints("kernel_shape", &[size, size]), ints("strides", &[2, 2])],
            );
        }
        (x, channels)
    }
}

/// A network from a seed: pictures of 16 by 16 pixels in, five logits out.
pub fn random(seed: u64, device: &Device) -> Explainer {
    let mut builder = Builder { draw: Draw::seeded(seed), nodes: Vec::new(), weights: Vec::new() };
    let (mut x, mut channels) = ("input".to_owned(), 3);
    for _ in 0..builder.draw.size(2, 3) {
        (x, channels) = builder.block(&x, channels);
    }
    x = builder.convolution(&x, channels, 8, 3);
    x = builder.node("Relu", &[&x], vec![]);
    x = builder.node("GlobalAveragePool", &[&x], vec![]);
    x = builder.node("Flatten", &[&x], vec![]);
    let (weight, bias) = (builder.weight(1.5, &[CLASSES, 8]), builder.weight(0.1, &[CLASSES]));
    x = builder.node("Gemm", &[&x, &weight, &bias], vec![int("transB", 1)]);
    let onnx = model(
        13,
        builder.nodes,
        builder.weights,
        vec![declared("input", FLOAT, Some(&[1, 3, SIDE, SIDE]))],
        vec![declared(&x, FLOAT, Some(&[1, CLASSES]))],
    );
    let declared = json!({ "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25] });
    Explainer::load(&onnx, device)
        .unwrap()
        .with_preprocessing(Preprocessing::from_json(&declared.to_string()).unwrap())
        .unwrap()
}

/// A random picture of coloured blocks with some noise, in model space.
pub fn picture(seed: u64) -> HostTensor {
    let mut draw = Draw::seeded(seed ^ 0x5eed);
    let blocks: Vec<f32> = (0..3 * 16).map(|_| draw.0.random_range(-1.5..1.5)).collect();
    let data = (0..3 * SIDE * SIDE).map(|i| {
        let (channel, y, x) = (i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
        blocks[channel * 16 + y / 4 * 4 + x / 4] + draw.0.random_range(-0.4..0.4)
    });
    HostTensor::new(data.collect(), vec![1, 3, SIDE, SIDE]).unwrap()
}

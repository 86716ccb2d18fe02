//! Networks as lists of nodes: Burn runs a list here, and `onnx` writes the same list to a file.

use burn::tensor::{
    Device, Tensor, TensorData, activation,
    module::{conv2d, interpolate, max_pool2d},
    ops::{ConvOptions, InterpolateMode, InterpolateOptions},
};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// What a node computes; numbers are those of weights.
#[derive(Debug, Clone, Copy)]
pub enum Operator {
    /// A convolution that keeps height and width.
    Conv {
        weight: usize,
        bias: usize,
    },
    Relu,
    /// The largest of 2 x 2 values.
    MaxPool,
    /// A row of scores, `[N, outputs, 1, 1]`, of all values of a sample.
    Dense {
        weight: usize,
        bias: usize,
    },
    /// How well each place's features fit the class that the second input names: `[N, 1, H, W]`.
    Match {
        embedding: usize,
    },
    /// The features times the sigmoid of how well they fit.
    Gate,
    /// Each value as 2 x 2 equal ones.
    Upsample,
    Concat,
    Sigmoid,
}

pub struct Node {
    pub operator: Operator,
    /// The values that it reads: the network's inputs come first, then the nodes' outputs.
    pub inputs: Vec<usize>,
}

pub struct Weight {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Tensor<1>,
    /// Whether training changes it.
    pub learns: bool,
}

pub struct Network {
    /// Name and channels, height, width of each input.
    pub inputs: Vec<(String, [usize; 3])>,
    pub output: String,
    pub weights: Vec<Weight>,
    pub nodes: Vec<Node>,
    pub device: Device,
}

impl Network {
    pub fn new(inputs: &[(&str, [usize; 3])], output: &str, device: &Device) -> Self {
        Self {
            inputs: inputs.iter().map(|&(name, shape)| (name.to_owned(), shape)).collect(),
            output: output.to_owned(),
            weights: Vec::new(),
            nodes: Vec::new(),
            device: device.clone(),
        }
    }

    /// Adds a node; returns the number of its output among the values.
    pub fn add(&mut self, operator: Operator, inputs: &[usize]) -> usize {
        self.nodes.push(Node { operator, inputs: inputs.to_vec() });
        self.inputs.len() + self.nodes.len() - 1
    }

    /// Adds a weight of normal numbers with the given deviation.
    pub fn weight(&mut self, name: &str, shape: &[usize], deviation: f32, random: &mut ChaCha8Rng) -> usize {
        let count = shape.iter().product();
        let drawn = StandardNormal.sample_iter(random).take(count).map(|z: f32| z * deviation);
        let values = TensorData::new(drawn.collect::<Vec<f32>>(), [count]);
        self.weights.push(Weight {
            name: name.to_owned(),
            shape: shape.to_vec(),
            values: Tensor::from_data(values, &self.device),
            learns: true,
        });
        self.weights.len() - 1
    }

    /// A convolution with He's initialisation.
    pub fn conv(
        &mut self,
        name: &str,
        [from, to, kernel]: [usize; 3],
        input: usize,
        random: &mut ChaCha8Rng,
    ) -> usize {
        let deviation = (2.0 / (from * kernel * kernel) as f32).sqrt();
        let weight = self.weight(&format!("{name}.weight"), &[to, from, kernel, kernel], deviation, random);
        let bias = self.weight(&format!("{name}.bias"), &[to], 0.0, random);
        self.add(Operator::Conv { weight, bias }, &[input])
    }

    /// A dense layer with He's initialisation.
    pub fn dense(
        &mut self,
        name: &str,
        [from, to]: [usize; 2],
        input: usize,
        random: &mut ChaCha8Rng,
    ) -> usize {
        let weight = self.weight(&format!("{name}.weight"), &[to, from], (2.0 / from as f32).sqrt(), random);
        let bias = self.weight(&format!("{name}.bias"), &[to], 0.0, random);
        self.add(Operator::Dense { weight, bias }, &[input])
    }

    /// The weights as they are.
    pub fn fixed(&self) -> Vec<Tensor<1>> {
        self.weights.iter().map(|weight| weight.values.clone()).collect()
    }

    /// The weights, those that learn as leaves of autodiff.
    pub fn watched(&self) -> Vec<Tensor<1>> {
        let watched = |weight: &Weight| match weight.learns {
            true => weight.values.clone().autodiff().require_grad(),
            false => weight.values.clone(),
        };
        self.weights.iter().map(watched).collect()
    }

    pub fn parameters(&self) -> usize {
        self.weights.iter().map(|weight| weight.shape.iter().product::<usize>()).sum()
    }

    /// The last value, a row a sample.
    pub fn output(&self, weights: &[Tensor<1>], inputs: Vec<Tensor<4>>) -> Tensor<2> {
        let last = self.inputs.len() + self.nodes.len() - 1;
        let output = self.value(last, weights, inputs);
        let [rows, channels, height, width] = output.dims();
        output.reshape([rows, channels * height * width])
    }

    /// The value called `wanted`, with the nodes before it run and no more.
    pub fn value(&self, wanted: usize, weights: &[Tensor<1>], inputs: Vec<Tensor<4>>) -> Tensor<4> {
        let mut values = inputs;
        for node in self.nodes.iter().take(wanted + 1 - self.inputs.len()) {
            let x = |index: usize| values[node.inputs[index]].clone();
            let shaped = |weight: usize| {
                let shape: [usize; 4] =
                    std::array::from_fn(|axis| self.weights[weight].shape.get(axis).copied().unwrap_or(1));
                weights[weight].clone().reshape(shape)
            };
            let value = match node.operator {
                Operator::Conv { weight, bias } => {
                    let edge = self.weights[weight].shape[2] / 2;
                    let options = ConvOptions::new([1, 1], [edge, edge], [1, 1], 1);
                    conv2d(x(0), shaped(weight), Some(weights[bias].clone()), options)
                }
                Operator::Relu => activation::relu(x(0)),
                Operator::MaxPool => max_pool2d(
                    x(0),
                    burn::tensor::ops::MaxPoolOptions {
                        kernel_size: [2, 2],
                        stride: [2, 2],
                        padding: [(0, 0); 2],
                        dilation: [1, 1],
                        ceil_mode: false,
                    },
                ),
                Operator::Dense { weight, bias } => {
                    let (rows, shape) = (x(0).dims()[0], &self.weights[weight].shape);
                    let matrix = weights[weight].clone().reshape([shape[0], shape[1]]).transpose();
                    let bias = weights[bias].clone().reshape([1, shape[0]]);
                    let scores = x(0).reshape([rows, shape[1]]).matmul(matrix) + bias;
                    scores.reshape([rows, shape[0], 1, 1])
                }
                Operator::Match { embedding } => {
                    let (rows, shape) = (x(1).dims()[0], &self.weights[embedding].shape);
                    let embeddings = weights[embedding].clone().reshape([shape[0], shape[1]]);
                    let wanted = x(1).reshape([rows, shape[0]]).matmul(embeddings);
                    (x(0) * wanted.reshape([rows, shape[1], 1, 1])).sum_dim(1)
                }
                Operator::Gate => x(0) * activation::sigmoid(x(1)),
                Operator::Upsample => {
                    let [.., height, width] = x(0).dims();
                    let options = InterpolateOptions::new(InterpolateMode::Nearest)
                        .with_output_size([2 * height, 2 * width]);
                    interpolate(x(0), options)
                }
                Operator::Concat => Tensor::cat(vec![x(0), x(1)], 1),
                Operator::Sigmoid => activation::sigmoid(x(0)),
            };
            values.push(value);
        }
        values.swap_remove(wanted)
    }
}

/// Rows of pixels as pictures.
pub fn pictures(rows: Tensor<2>) -> Tensor<4> {
    let count = rows.dims()[0];
    rows.reshape([count, 1, super::data::SIDE, super::data::SIDE])
}

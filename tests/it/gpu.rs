//! The engine's own kernels for GPUs beside the CPU: every operator in odd shapes, whole networks, and QuickShift.

use crate::common::{
    self, draws,
    networks::{self, grow},
    operators::{FLOAT, declared, float, initializer, int, ints, model, reals},
};
use adversight::{
    Device, Model, Photograph, Preprocessing, Score,
    segment::{self, Picture},
};
use burn::tensor::{Tensor, TensorData};
use onnx_ir::{AttributeProto, NodeProto, TensorProto};
use serde_json::json;

/// A graph from `[1, channels, height, width]` to three scores, and how many samples it is asked for at once.
struct Net {
    input: [usize; 3],
    samples: usize,
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
}

impl Net {
    fn new(samples: usize, input: [usize; 3]) -> Self {
        Self { input, samples, nodes: Vec::new(), weights: Vec::new() }
    }

    fn weight(&mut self, shape: &[usize]) -> String {
        let name = format!("weight_{}", self.weights.len());
        let values = common::normal(shape.iter().product(), self.weights.len() as u32);
        self.weights.push(initializer(&name, &reals(values.iter().map(|v| v / 2.0).collect(), shape)));
        name
    }

    fn node(&mut self, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        grow(&mut self.nodes, operator, inputs, attributes)
    }

    fn conv(&mut self, x: &str, shape: [usize; 4], attributes: Vec<AttributeProto>) -> String {
        let (weight, bias) = (self.weight(&shape), self.weight(&shape[..1]));
        self.node("Conv", &[x, &weight, &bias], attributes)
    }

    /// Three scores of `features` values, without which the file is not a classifier.
    fn scored(mut self, x: &str, features: usize) -> Self {
        let flat = self.node("Flatten", &[x], vec![int("axis", 1)]);
        let matrix = self.weight(&[features, 3]);
        self.node("MatMul", &[&flat, &matrix], vec![]);
        self
    }

    fn onnx(&self) -> Vec<u8> {
        let [channels, height, width] = self.input;
        let last = &self.nodes.last().unwrap().output[0];
        model(
            13,
            self.nodes.clone(),
            self.weights.clone(),
            vec![declared("x", FLOAT, Some(&[1, channels, height, width]))],
            vec![declared(last, FLOAT, Some(&[1, 3]))],
        )
    }

    /// Logits and gradients, or the gradients at a node.
    fn run(&self, device: &Device, at: Option<&str>) -> [Vec<f32>; 2] {
        let model = Model::load(&self.onnx(), device).unwrap();
        let [channels, height, width] = self.input;
        let dims = [self.samples, channels, height, width];
        let data = TensorData::new(common::normal(dims.iter().product(), 77), dims);
        let x = Tensor::<4>::from_data(data, device.burn()).into();
        let targets: Vec<usize> = (0..self.samples).map(|sample| sample % 3).collect();
        let found = match at {
            Some(node) => model.gradient_at(node, x, &targets, Score::Logit).unwrap(),
            None => model.gradient(x, &targets, Score::Logit).unwrap(),
        };
        let count = found.gradient.dims().iter().product();
        let gradient = found.gradient.reshape(&[count]).unwrap().get::<1>().unwrap();
        let floats = |data: TensorData| data.try_into_vec().unwrap();
        [floats(found.logits.into_data()), floats(gradient.into_data())]
    }

    fn agrees(&self, gpu: &Device, what: &str, at: Option<&str>) {
        let (there, here) = (self.run(gpu, at), self.run(&common::cpu(), at));
        for (there, here) in there.iter().zip(&here) {
            assert!(here.iter().any(|&value| value != 0.0), "{what}: nothing to compare");
            let agreement = common::compare(there, here);
            assert!(agreement.relative_max < 2e-5, "{what}: {agreement:?}");
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Window {
    kernel: [usize; 2],
    strides: [usize; 2],
    dilations: [usize; 2],
    before: [usize; 2],
    after: [usize; 2],
    input: [usize; 2],
}

const PLAIN: Window = Window {
    kernel: [3, 3],
    strides: [1, 1],
    dilations: [1, 1],
    before: [1, 1],
    after: [1, 1],
    input: [6, 17],
};

impl Window {
    fn attributes(&self) -> Vec<AttributeProto> {
        let pair = |name, [a, b]: [usize; 2]| ints(name, &[a as i64, b as i64]);
        let pads = [self.before, self.after].concat().into_iter().map(|pad| pad as i64).collect::<Vec<_>>();
        vec![
            pair("kernel_shape", self.kernel),
            pair("strides", self.strides),
            pair("dilations", self.dilations),
            ints("pads", &pads),
        ]
    }

    fn outputs(&self) -> usize {
        let size = |i: usize| {
            let reach = (self.kernel[i] - 1) * self.dilations[i] + 1;
            (self.before[i] + self.input[i] + self.after[i] - reach) / self.strides[i] + 1
        };
        size(0) * size(1)
    }
}

fn windows() -> Vec<Window> {
    let none = Window { before: [0; 2], after: [0; 2], ..PLAIN };
    vec![
        PLAIN,
        Window { kernel: [1, 1], ..none },
        Window { kernel: [1, 1], strides: [2, 2], ..none },
        Window { input: [70, 65], ..PLAIN },
        Window { strides: [2, 2], input: [15, 16], ..PLAIN },
        Window { strides: [2, 2], input: [16, 16], ..none },
        Window { kernel: [5, 3], strides: [1, 2], before: [2, 0], ..PLAIN },
        Window { dilations: [2, 3], before: [2, 3], after: [2, 3], ..PLAIN },
        Window { kernel: [7, 7], strides: [4, 4], before: [3, 3], after: [3, 3], input: [30, 27], ..PLAIN },
        // Windows that leave pixels out, and pixels that no window reaches at the end.
        Window { kernel: [2, 2], strides: [3, 3], ..none },
        Window { kernel: [2, 2], strides: [3, 2], dilations: [1, 2], before: [1, 1], ..none },
    ]
}

#[test]
fn convolutions_agree_with_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    for window in windows() {
        let forms = [(1, 3, 5), (2, 5, 13), (1, 10, 64), (4, 8, 12), (6, 6, 6), (3, 3, 6)];
        for (number, (groups, channels, filters)) in forms.into_iter().enumerate() {
            let [height, width] = window.input;
            let channels = if channels % groups == 0 { channels } else { groups * channels };
            let filters = filters / groups * groups;
            let mut net = Net::new(1 + number % 3, [channels, height, width]);
            let mut attributes = window.attributes();
            attributes.push(int("group", groups as i64));
            let [kh, kw] = window.kernel;
            let mut x = net.conv("x", [filters, channels / groups, kh, kw], attributes);
            match number % 3 {
                0 => x = net.node("Relu", &[&x], vec![]),
                1 => {
                    net.weights.push(initializer("low", &reals(vec![-0.4], &[])));
                    net.weights.push(initializer("high", &reals(vec![0.7], &[])));
                    x = net.node("Clip", &[&x, "low", "high"], vec![]);
                }
                _ => {}
            }
            let net = net.scored(&x, filters * window.outputs());
            net.agrees(&gpu, &format!("{window:?}, {groups} groups, {channels} to {filters}"), None);
        }
    }
}

#[test]
fn poolings_agree_with_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    for window in windows().into_iter().filter(|window| window.kernel != [1, 1]) {
        let wide = (0..2).any(|i| window.before[i].max(window.after[i]) >= window.kernel[i]);
        if wide {
            continue;
        }
        for operator in ["MaxPool", "AveragePool"] {
            let mut attributes = window.attributes();
            if operator == "AveragePool" {
                attributes.retain(|attribute| attribute.name != "dilations");
                attributes.push(int("count_include_pad", 1));
            }
            let plain = if operator == "AveragePool" { [1, 1] } else { window.dilations };
            let window = Window { dilations: plain, ..window };
            let [height, width] = window.input;
            let mut net = Net::new(2, [3, height, width]);
            // Behind a rectifier many values of a window are equal.
            let x = net.conv("x", [4, 3, 1, 1], vec![]);
            let x = net.node("Relu", &[&x], vec![]);
            let x = net.node(operator, &[&x], attributes);
            net.scored(&x, 4 * window.outputs()).agrees(&gpu, &format!("{operator} {window:?}"), None);
        }
    }
    let mut net = Net::new(3, [3, 19, 23]);
    let x = net.conv("x", [5, 3, 3, 3], vec![]);
    let x = net.node("Relu", &[&x], vec![]);
    let x = net.node("GlobalAveragePool", &[&x], vec![]);
    net.scored(&x, 5).agrees(&gpu, "GlobalAveragePool", None);
}

#[test]
fn what_branches_and_joins_agrees_with_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    for parts in [2, 3, 5] {
        let mut net = Net::new(2, [3, 7, 5]);
        let x = net.conv("x", [6, 3, 3, 3], vec![ints("pads", &[1; 4])]);
        let x = net.node("Relu", &[&x], vec![]);
        let branches: Vec<String> = (0..parts)
            .map(|part| {
                let branch = net.conv(&x, [4 + part, 6, 1, 1], vec![]);
                if part == 1 { branch } else { net.node("Relu", &[&branch], vec![]) }
            })
            .collect();
        let names: Vec<&str> = branches.iter().map(String::as_str).collect();
        let x = net.node("Concat", &names, vec![int("axis", 1)]);
        let channels: usize = (0..parts).map(|part| 4 + part).sum();
        let again = net.conv(&x, [channels, channels, 1, 1], vec![]);
        let sum = net.node("Add", &[&x, &again], vec![]);
        let x = net.node("Relu", &[&sum], vec![]);
        let net = net.scored(&x, channels * 35);
        net.agrees(&gpu, &format!("{parts} parts"), None);
        // What is differentiated is itself bounded, or read by several.
        for at in ["relu_1", "conv_2", names[0], &sum] {
            net.agrees(&gpu, &format!("{parts} parts at {at}"), Some(at));
        }
    }
}

#[test]
fn linear_layers_agree_with_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    for (samples, turned, hidden) in [(1, true, 70), (5, true, 33), (9, false, 130)] {
        let mut net = Net::new(samples, [2, 5, 7]);
        let x = net.node("Flatten", &["x"], vec![int("axis", 1)]);
        let shape = if turned { [hidden, 70] } else { [70, hidden] };
        let (weight, bias) = (net.weight(&shape), net.weight(&[hidden]));
        let attributes = vec![int("transB", i64::from(turned)), float("alpha", 0.5)];
        let x = net.node("Gemm", &[&x, &weight, &bias], attributes);
        let x = net.node("Relu", &[&x], vec![]);
        net.scored(&x, hidden).agrees(&gpu, &format!("{hidden} hidden, turned {turned}"), None);
    }
}

#[test]
fn random_networks_agree_with_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    for seed in 0..8 {
        let input = networks::picture(seed);
        let [there, here] = [&gpu, &common::cpu()].map(|device| {
            let explainer = networks::random(seed, device);
            pollster::block_on(explainer.input_gradient(&input, 2, Score::Logit)).unwrap().data
        });
        let agreement = common::compare(&there, &here);
        assert!(agreement.relative_max < 1e-4, "network {seed}: {agreement:?}");
    }
}

fn picture(path: &str) -> Picture {
    let photograph = Photograph::decode(&common::read(&format!("tests/fixtures/{path}"))).unwrap();
    let plain = json!({ "do_rescale": false, "do_resize": false, "do_center_crop": false });
    let tensor = photograph.prepare(&Preprocessing::from_json(&plain.to_string()).unwrap(), None).unwrap().0;
    let pixels = tensor.shape[2] * tensor.shape[3];
    let data = (0..3 * pixels).map(|i| f64::from(tensor.data[i % 3 * pixels + i / 3]) / 255.0).collect();
    Picture { data, height: tensor.shape[2], width: tensor.shape[3], channels: 3 }
}

/// The host compares distances in 64 bits and a GPU in 32, so that of two pixels that are equally near within a rounding it
/// may take the other one. In the pictures here that happens nowhere.
#[test]
fn quickshift_cuts_as_on_the_host() {
    let Some(gpu) = common::gpu() else { return };
    let index = common::json("tests/fixtures/segments/index.json");
    let cases = index["cases"].as_array().unwrap().iter().filter(|case| case["algorithm"] == "quickshift");
    let mut count = 0;
    for case in cases {
        let picture = picture(case["image"].as_str().unwrap());
        let (settings, noise) = draws::quickshift(&case["params"], picture.height * picture.width);
        let here = segment::quickshift(&picture, settings, Some(&noise));
        let there = segment::quickshift_on(&gpu, &picture, settings, Some(&noise));
        let there = pollster::block_on(there).unwrap();
        let other = here.labels.iter().zip(&there.labels).filter(|(a, b)| a != b).count();
        println!(
            "{}: {} segments, {other} of {} pixels differ",
            case["file"],
            there.count,
            here.labels.len()
        );
        assert_eq!(there, here, "{case}");
        count += 1;
    }
    assert!(count >= 10, "{count} cases");
}

//! The processor's own kernels beside Burn's.

use std::{path::Path, time::Instant};

use burn::tensor::TensorData;
use onnx_ir::{AttributeProto, Message, ModelProto, NodeProto, TensorProto};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const NETWORKS: [&str; 4] = [
    "tests/fixtures/tiny.onnx",
    "tests/fixtures/zoo/mobilenet_v3_small.onnx",
    "www/public/models/squeezenet1_1.onnx",
    "www/public/models/efficientnet_lite0.onnx",
];

fn load(path: &str) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let generated = |_: &str, _: u64, length: Option<u64>| {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let count = length.ok_or("no length")? / 4;
        Ok((0..count).flat_map(|_| random.random_range(-0.1f32..0.1).to_le_bytes()).collect())
    };
    let file = ModelFile { bytes: &bytes, external: Some(&generated) };
    Model::load_with(&file, &ModelOptions::default(), &Device::cpu("test")).unwrap()
}

fn noise(model: &Model, batch: usize) -> Ranked<Float> {
    let dims = [&[batch], &model.sample_shape().unwrap()[..]].concat();
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let data: Vec<f32> = (0..dims.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
    Ranked::from_data(TensorData::new(data, dims), model.device().burn()).unwrap()
}

/// The logits by Burn's kernels alone.
fn by_burn(model: &Model, input: Ranked<Float>) -> Tensor<2> {
    let rows = input.dims()[0];
    let given = model.given(input).unwrap();
    let output = model.graph.run(given, &[model.output]).unwrap().remove(0);
    as_logits(output, rows).unwrap()
}

fn read(value: Ranked<Float>) -> Vec<f32> {
    value.flat().into_data().try_into_vec().unwrap()
}

/// The norm of the difference over the norm; the norm of the difference where there is nothing else.
fn apart(ours: Ranked<Float>, expected: Ranked<Float>) -> f64 {
    assert_eq!(ours.dims(), expected.dims());
    let (ours, expected) = (read(ours), read(expected));
    let norm =
        |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let size = norm(&mut expected.iter().copied());
    let apart = norm(&mut ours.iter().zip(&expected).map(|(a, b)| a - b));
    if size > 0.0 { apart / size } else { apart }
}

/// Compares logits and gradients of the processor's kernels with Burn's. A gradient jumps where the input of a rectifier lies
/// within rounding of zero, as one of a large network's may.
fn compare(model: &Model, batch: usize, name: &str, within: f64) {
    assert!(with_program!(model.program(), program => program.has_kernels()), "{name} is left to Burn");
    let burn = ByBurn::by_burn();
    let x = noise(model, batch);
    let by_burn = by_burn(model, x.clone());
    let distance = apart(model.logits(x.clone()).unwrap().into(), by_burn.into());
    assert!(distance < 1e-5, "{name}: logits {distance}");
    let first: Vec<usize> = (0..batch).map(|row| row % model.classes()).collect();
    let second: Vec<usize> = (0..batch).map(|row| (row + 1) % model.classes()).collect();
    for score in [Score::Logit, Score::Probability] {
        let mut pass = model.pass(x.clone()).unwrap();
        let mut by_burn = Pass::by(&burn, model, model.source, x.clone()).unwrap();
        for targets in [&first, &second] {
            let found = pass.gradient(targets, score).unwrap();
            let by_burn = by_burn.gradient(targets, score).unwrap();
            let distance = apart(found.gradient, by_burn.gradient);
            assert!(distance < within, "{name}: gradient of the {score:?} {distance}");
            assert!(apart(found.value, by_burn.value) == 0.0);
        }
        // Kernels are walked back again and again; Burn's graph serves only one walk.
        assert!(!pass.is_used_up() && by_burn.is_used_up());
    }
}

#[test]
fn the_processors_kernels_agree_with_burns() {
    for path in NETWORKS {
        compare(&load(path), 3, path, 1e-3);
    }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), ints: values.to_vec(), ..Default::default() }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i: value, ..Default::default() }
}

fn node(operator: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.into()],
        attribute: attributes,
        ..Default::default()
    }
}

fn weight(name: &str, dims: &[i64]) -> TensorProto {
    let mut random = ChaCha8Rng::seed_from_u64(dims.iter().sum::<i64>() as u64);
    let count: i64 = dims.iter().product();
    TensorProto {
        name: name.into(),
        data_type: 1,
        dims: dims.to_vec(),
        float_data: (0..count).map(|_| random.random_range(-1.0..1.0)).collect(),
        ..Default::default()
    }
}

/// A network from `x`, of the shape `input` without the batch, to `y`.
fn network(input: &[i64], nodes: Vec<NodeProto>, weights: Vec<TensorProto>) -> Model {
    let mut model = ModelProto::new();
    model.opset_import.push(Default::default());
    model.opset_import[0].version = 13;
    let graph = model.graph.mut_or_insert_default();
    graph.node = nodes;
    graph.initializer = weights;
    for (name, ends) in [("x", &mut graph.input), ("y", &mut graph.output)] {
        ends.push(Default::default());
        ends[0].name = name.into();
    }
    let kind = graph.input[0].type_.mut_or_insert_default().mut_tensor_type();
    kind.elem_type = 1;
    let shape = kind.shape.mut_or_insert_default();
    for size in std::iter::once(&-1).chain(input) {
        shape.dim.push(Default::default());
        if let (Some(dim), true) = (shape.dim.last_mut(), *size > 0) {
            dim.set_dim_value(*size);
        }
    }
    Model::load(&model.write_to_bytes().unwrap(), &Device::cpu("test")).unwrap()
}

/// Kernels, strides, dilations, padding, groups, channels, filters and sizes of convolutions.
#[test]
fn convolutions_of_every_shape_agree_with_burns() {
    type Case = ([i64; 2], [i64; 2], [i64; 2], [i64; 4], i64, i64, [i64; 3]);
    let cases: [Case; 15] = [
        ([1, 1], [1, 1], [1, 1], [0, 0, 0, 0], 1, 7, [9, 13, 11]),
        ([3, 3], [1, 1], [1, 1], [1, 1, 1, 1], 1, 13, [8, 6, 17]),
        ([3, 3], [2, 2], [1, 1], [1, 1, 1, 1], 1, 5, [3, 15, 16]),
        ([3, 3], [2, 2], [1, 1], [0, 0, 1, 1], 1, 20, [12, 16, 16]),
        ([5, 3], [1, 2], [1, 1], [2, 0, 1, 1], 1, 6, [7, 12, 10]),
        ([3, 3], [1, 1], [2, 3], [2, 3, 2, 3], 1, 9, [6, 14, 12]),
        ([7, 7], [4, 4], [1, 1], [3, 3, 3, 3], 1, 8, [3, 30, 27]),
        ([1, 1], [2, 2], [1, 1], [0, 0, 0, 0], 1, 10, [7, 9, 8]),
        ([3, 3], [1, 1], [1, 1], [3, 3, 3, 3], 1, 8, [8, 6, 5]),
        ([3, 3], [1, 1], [1, 1], [1, 1, 1, 1], 4, 12, [8, 7, 9]),
        ([3, 3], [1, 1], [1, 1], [1, 1, 1, 1], 12, 12, [12, 10, 9]),
        ([5, 5], [2, 2], [1, 1], [2, 2, 2, 2], 6, 6, [6, 15, 14]),
        ([3, 3], [1, 2], [2, 1], [1, 2, 3, 0], 5, 5, [5, 13, 12]),
        ([3, 3], [3, 3], [1, 1], [0, 0, 0, 0], 3, 6, [3, 16, 14]),
        ([1, 1], [1, 1], [1, 1], [0, 0, 0, 0], 1, 8, [600, 5, 5]),
    ];
    for (kernel, strides, dilations, pads, groups, filters, input) in cases {
        let conv = vec![
            ints("strides", &strides),
            ints("dilations", &dilations),
            ints("pads", &pads),
            int("group", groups),
        ];
        let name = format!("{kernel:?} {strides:?} {dilations:?} {pads:?} {groups} {filters} {input:?}");
        let weights = || {
            vec![weight("w", &[filters, input[0] / groups, kernel[0], kernel[1]]), weight("b", &[filters])]
        };
        let nodes = vec![node("Conv", &["x", "w", "b"], "y", conv.clone())];
        compare(&network(&input, nodes, weights()), 3, &name, 1e-5);
        let nodes = vec![node("Conv", &["x", "w", "b"], "h", conv), node("Relu", &["h"], "y", vec![])];
        compare(&network(&input, nodes, weights()), 2, &format!("{name}, rectified"), 1e-5);
    }
}

#[test]
fn what_follows_a_convolution_agrees_with_burns() {
    let pool = |kernel: i64, stride: i64, pads: [i64; 4], ceil: i64| {
        vec![
            ints("kernel_shape", &[kernel, kernel]),
            ints("strides", &[stride, stride]),
            ints("pads", &pads),
            int("ceil_mode", ceil),
        ]
    };
    let counted = |mut attributes: Vec<AttributeProto>| {
        attributes.push(int("count_include_pad", 1));
        attributes
    };
    let after: [(&str, Vec<NodeProto>); 13] = [
        ("max", vec![node("MaxPool", &["h"], "y", pool(3, 2, [0; 4], 0))]),
        ("max, up", vec![node("MaxPool", &["h"], "y", pool(3, 2, [0; 4], 1))]),
        ("max, padded", vec![node("MaxPool", &["h"], "y", pool(3, 1, [1; 4], 0))]),
        ("mean", vec![node("AveragePool", &["h"], "y", pool(2, 2, [0; 4], 0))]),
        ("mean, padded", vec![node("AveragePool", &["h"], "y", pool(3, 2, [1; 4], 0))]),
        ("mean, padding counted", vec![node("AveragePool", &["h"], "y", counted(pool(3, 2, [1; 4], 0)))]),
        ("mean of all", vec![node("GlobalAveragePool", &["h"], "y", vec![])]),
        ("clip", vec![node("Clip", &["h", "low", "high"], "y", vec![])]),
        (
            "clip of what is read twice",
            vec![node("Clip", &["h", "low", "high"], "c", vec![]), node("Add", &["c", "h"], "y", vec![])],
        ),
        (
            "sum of branches",
            vec![
                node("Relu", &["h"], "r", vec![]),
                node("Sigmoid", &["h"], "s", vec![]),
                node("Add", &["r", "s"], "y", vec![]),
            ],
        ),
        ("twice the same", vec![node("Add", &["h", "h"], "y", vec![])]),
        (
            "joined",
            vec![
                node("Relu", &["h"], "r", vec![]),
                node("Concat", &["r", "h", "r"], "y", vec![int("axis", 1)]),
            ],
        ),
        (
            "product",
            vec![
                node("Flatten", &["h"], "f", vec![]),
                node("Gemm", &["f", "m"], "y", vec![int("transB", 1)]),
            ],
        ),
    ];
    for (name, after) in after {
        let mut nodes = vec![node("Conv", &["x", "w"], "h", vec![ints("pads", &[1; 4])])];
        nodes.extend(after);
        let mut bounds = [weight("low", &[]), weight("high", &[])];
        bounds[0].float_data = vec![-0.5];
        bounds[1].float_data = vec![0.7];
        let mut weights = vec![weight("w", &[5, 3, 3, 3]), weight("m", &[4, 5 * 9 * 8])];
        weights.extend(bounds);
        let used = |weight: &TensorProto| nodes.iter().any(|node| node.input.contains(&weight.name));
        let weights = weights.into_iter().filter(used).collect();
        compare(&network(&[3, 9, 8], nodes, weights), 3, name, 1e-5);
    }
}

#[test]
fn windows_of_one_dimension_agree_with_burns() {
    // Kernel, stride, dilation, padding before and after, groups, filters, channels and length.
    let cases = [
        (1, 1, 1, [0, 0], 1, 7, [9, 11]),
        (3, 1, 1, [1, 1], 1, 9, [8, 17]),
        (10, 5, 1, [0, 0], 1, 12, [1, 64]),
        (4, 2, 3, [2, 5], 1, 8, [12, 30]),
        (5, 1, 1, [2, 2], 6, 6, [6, 15]),
        (4, 2, 1, [1, 0], 2, 6, [4, 16]),
    ];
    for (kernel, stride, dilation, pads, groups, filters, input) in cases {
        let window = || {
            let mut window = vec![ints("strides", &[stride]), ints("pads", &pads)];
            window.extend([int("group", groups), ints("dilations", &[dilation])]);
            window
        };
        let conv = window();
        let name = format!("{kernel} {stride} {dilation} {pads:?} {groups} {filters} {input:?}");
        let weights = || vec![weight("w", &[filters, input[0] / groups, kernel]), weight("b", &[filters])];
        let whole = node("Conv", &["x", "w", "b"], "y", conv.clone());
        compare(&network(&input, vec![whole], weights()), 3, &name, 1e-5);
        let pool = vec![ints("kernel_shape", &[2]), ints("strides", &[2])];
        for after in ["Relu", "MaxPool", "AveragePool", "GlobalAveragePool"] {
            let attributes =
                if after.ends_with("Pool") && !after.starts_with('G') { pool.clone() } else { vec![] };
            let nodes =
                vec![node("Conv", &["x", "w", "b"], "h", conv.clone()), node(after, &["h"], "y", attributes)];
            compare(&network(&input, nodes, weights()), 2, &format!("{name}, {after}"), 1e-5);
        }
    }
}

#[test]
fn recurrent_layers_agree_with_burns() {
    let text = |name: &str, value: &'static str| AttributeProto {
        name: name.into(),
        s: value.into(),
        ..Default::default()
    };
    let (inputs, hidden) = (5, 8);
    for (operator, gates, more) in [
        ("LSTM", 4, vec![]),
        ("GRU", 3, vec![]),
        ("GRU", 3, vec![int("linear_before_reset", 1)]),
        ("RNN", 1, vec![]),
    ] {
        for direction in ["forward", "reverse", "bidirectional"] {
            // What is read, and whether the file computes the state that it begins with, from the input's size.
            for (output, begins) in [("each", false), ("last", false), ("each", true)] {
                let directions = if direction == "bidirectional" { 2 } else { 1 };
                let mut attributes = vec![int("hidden_size", hidden), text("direction", direction)];
                attributes.extend(more.clone());
                let given: &[&str] = match (begins, operator) {
                    (false, _) => &["t", "w", "r", "b"],
                    (true, "LSTM") => &["t", "w", "r", "b", "", "zero", "zero"],
                    (true, _) => &["t", "w", "r", "b", "", "zero"],
                };
                let mut layer = node(operator, given, "h", attributes);
                if output == "last" {
                    layer.output = vec!["".into(), "h".into()];
                }
                let turn =
                    if output == "last" { ints("perm", &[1, 0, 2]) } else { ints("perm", &[2, 0, 1, 3]) };
                let mut nodes = vec![
                    node("Transpose", &["x"], "t", vec![ints("perm", &[1, 0, 2])]),
                    layer,
                    node("Transpose", &["h"], "s", vec![turn]),
                    node("Flatten", &["s"], "y", vec![]),
                ];
                let mut weights = vec![
                    weight("w", &[directions, gates * hidden, inputs]),
                    weight("r", &[directions, gates * hidden, hidden]),
                    weight("b", &[directions, 2 * gates * hidden]),
                ];
                if begins {
                    let number = |name: &str, value: i64| TensorProto {
                        data_type: 7,
                        float_data: Vec::new(),
                        int64_data: vec![value],
                        ..weight(name, &[1])
                    };
                    weights.extend([
                        number("first", 0),
                        number("directions", directions),
                        number("units", hidden),
                    ]);
                    let state = [
                        node("Shape", &["x"], "sizes", vec![]),
                        node("Gather", &["sizes", "first"], "samples", vec![]),
                        node("Concat", &["directions", "samples", "units"], "size", vec![int("axis", 0)]),
                        node("ConstantOfShape", &["size"], "zero", vec![]),
                    ];
                    nodes.splice(0..0, state);
                }
                let name = format!("{operator} {direction} {output} {begins}");
                compare(&network(&[7, inputs], nodes, weights), 3, &name, 1e-5);
            }
        }
    }
}

/// PyTorch lets no gradient of ReLU, ReLU6 and Hardtanh pass where the input is one of the bounds. Whether a kernel bounds what a
/// convolution writes, what it reads, or Burn does it, changes nothing.
#[test]
fn the_gradient_at_a_bound_is_the_same_however_it_is_computed() {
    let conv = |from: &str, to: &str| node("Conv", &[from, "w"], to, vec![]);
    let forms = [
        ("Relu", vec![], f32::INFINITY),
        ("Clip", vec!["low"], f32::INFINITY),
        ("Max", vec!["low"], f32::INFINITY),
        ("Clip", vec!["low", "high"], 0.5),
    ];
    for (operator, bounds, high) in forms {
        let clamp = |from: &str, to: &str| {
            let mut inputs = vec![from];
            inputs.extend(&bounds);
            node(operator, &inputs, to, vec![])
        };
        let ways = [
            ("behind", vec![conv("x", "h"), clamp("h", "y")], 0.0),
            ("before", vec![clamp("x", "h"), conv("h", "y")], 0.0),
            ("aside", vec![conv("x", "h"), clamp("h", "c"), node("Add", &["c", "h"], "y", vec![])], 1.0),
        ];
        for (way, nodes, more) in ways {
            let number =
                |name: &str, value: f32| TensorProto { float_data: vec![value], ..weight(name, &[]) };
            let unit = TensorProto { float_data: vec![1.0], ..weight("w", &[1, 1, 1, 1]) };
            let weights = [unit, number("low", 0.0), number("high", 0.5)];
            let used = |weight: &TensorProto| nodes.iter().any(|node| node.input.contains(&weight.name));
            let model = network(&[1, 1, 5], nodes.clone(), weights.into_iter().filter(used).collect());
            let row = [-1.0, 0.0, 0.25, 0.5, 2.0];
            let data = TensorData::new([row; 5].concat(), [5, 1, 1, 5]);
            let x = Ranked::from_data(data, model.device().burn()).unwrap();
            let inside = |x: f32| f32::from(0.0 < x && x < high) + more;
            let burn = ByBurn::by_burn();
            let passes = [model.pass(x.clone()).unwrap(), Pass::by(&burn, &model, model.source, x).unwrap()];
            for mut pass in passes {
                let found = read(pass.gradient(&[0, 1, 2, 3, 4], Score::Logit).unwrap().gradient);
                let ours: Vec<f32> = (0..5).map(|at| found[at * 5 + at]).collect();
                assert_eq!(ours, row.map(inside), "{operator} {way}");
            }
        }
    }
}

/// Milliseconds of both ways through a network, by turns: `cargo test --lib speed -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn speed() {
    for path in &NETWORKS[2..] {
        let model = load(path);
        for batch in [1, 8] {
            let x = noise(&model, batch);
            let targets = vec![3; batch];
            let burn = model.device().burn();
            let again = || Ranked::from_data(TensorData::new(read(x.clone()), x.dims()), burn).unwrap();
            let ways: [(&str, &dyn Fn()); 5] = [
                ("forward", &|| drop(read(model.logits(again()).unwrap().into()))),
                ("forward by Burn", &|| {
                    drop(read(by_burn(&model, again()).into()));
                }),
                ("gradient", &|| {
                    drop(read(model.gradient(again(), &targets, Score::Logit).unwrap().gradient));
                }),
                ("gradient by Burn", &|| {
                    let by_burn = ByBurn::by_burn();
                    let mut pass = Pass::by(&by_burn, &model, model.source, again()).unwrap();
                    drop(read(pass.gradient(&targets, Score::Logit).unwrap().gradient));
                }),
                ("two gradients", &|| {
                    let mut pass = model.pass(again()).unwrap();
                    for _ in 0..2 {
                        drop(read(pass.gradient(&targets, Score::Probability).unwrap().gradient));
                    }
                }),
            ];
            let mut times = vec![Vec::new(); ways.len()];
            for _ in 0..if batch == 1 { 15 } else { 5 } {
                for ((_, run), times) in ways.iter().zip(&mut times) {
                    let start = Instant::now();
                    run();
                    times.push(start.elapsed().as_secs_f64() * 1e3);
                }
            }
            for ((name, _), mut times) in ways.iter().zip(times) {
                times.sort_by(f64::total_cmp);
                println!("{path} {batch} {name}: {:.1} ({:.1} at best)", times[times.len() / 2], times[0]);
            }
        }
    }
}

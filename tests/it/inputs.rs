//! Inputs that are no photographs: sounds, spectrograms, tokens, tables and pictures with their channels last; and one
//! network of each family explained, whose figures tests/browser/families.test.mjs finds again in the browser.
//!
//! `UPDATE_FIXTURES=1 cargo test --test it inputs::` writes tests/fixtures/inputs/explained.json anew.

use std::{collections::BTreeMap, fs};

use crate::common::{
    self, compare,
    draws::Given,
    generated,
    linear::Linear,
    operators::{self, FLOAT, declared, initializer, ints, reals, whole},
};
use adversight::{
    Control, Error, ExplainOptions, Explainer, Explanation, HostTensor, Input, Photograph, Preprocessing,
    attack::Rows,
    attribution::registry::{self, ParamKind},
    input::layout::Layout,
    metric::{self, Assessment},
    model::{HostValue, ModelFile, ModelOptions},
};
use onnx_ir::{Message, ModelProto, NodeProto};
use serde_json::{Map, Value, json};

fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        name: format!("{operator}_{output}"),
        op_type: operator.into(),
        input: inputs.iter().map(|&input| input.into()).collect(),
        output: vec![output.into()],
        ..Default::default()
    }
}

fn noise(seed: u64, count: usize) -> Vec<f32> {
    generated::noise(seed, 1.0, 0.0).take(count).collect()
}

fn noise_of(seed: u64, scale: f32, offset: f32) -> Vec<f32> {
    generated::noise(seed, scale, offset).take(8).collect()
}

fn options(method: &str, params: Value, given: Given) -> ExplainOptions {
    let params = params.as_object().unwrap().clone();
    ExplainOptions { method: method.into(), target: Some(1.into()), params, given, seed: 3, stop: None }
}

fn explain(
    explainer: &Explainer,
    input: &Input,
    options: &ExplainOptions,
) -> adversight::Result<Explanation> {
    Ok(pollster::block_on(explainer.explain(input, options, &Control::default()))?.0)
}

/// Hiding with zeros is exact on a linear model: every method finds what each segment adds.
#[test]
fn segments_of_linear_models_get_what_they_add() {
    // A row of a table feature by feature, a sequence step by step, a sound in windows.
    for (shape, convolved, segments) in [
        (&[1, 9][..], false, 9),
        (&[1, 8, 5], false, 8),
        (&[1, 2, 60], true, 6),
        (&[1, 2, 2, 3, 2], false, 24),
    ] {
        let linear = Linear::new(shape, convolved);
        let places = if convolved { 60 } else { segments };
        let channels = linear.input.data.len() / places;
        let exact = |labels: &[u32]| {
            let mut sums = vec![0.0f32; segments];
            for (index, part) in linear.parts().into_iter().enumerate() {
                let place = if convolved { index % places } else { index / channels };
                sums[labels[place] as usize] += part;
            }
            sums
        };
        let hidden = json!({ "hidden": "training_mean", "score": "logit" });
        let cut = if convolved { json!({ "segments": segments }) } else { json!({}) };
        for (method, more) in [
            ("kernel_shap", json!({ "samples": 600 })),
            ("lime", json!({ "samples": 600, "ridge": 1e-4, "kernel_width": 50 })),
            ("occlusion", json!({})),
        ] {
            let mut params = hidden.clone();
            for extra in [&more, &cut] {
                params.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            }
            let mut given = Given::new();
            if method == "occlusion" {
                params.as_object_mut().unwrap().remove("segments");
                if convolved {
                    let windows = (0..places).map(|place| (place * segments / places) as f32).collect();
                    given.insert("segments".into(), HostTensor::new(windows, vec![1, 1, places]).unwrap());
                }
            }
            let found = linear.explain(method, params, given).unwrap();
            let cut = found.segments.as_ref().unwrap();
            assert_eq!((cut.values.len(), cut.labels.len()), (segments, places), "{method} {shape:?}");
            let agreement = compare(&cut.values, &exact(&cut.labels));
            assert!(agreement.relative_max < 1e-3, "{method} {shape:?}: {agreement:?}");
            assert_eq!(found.heatmap.shape, [1, places]);
            let mut one_a_place = shape.to_vec();
            match shape.len() {
                3 if convolved => one_a_place[1] = 1,
                3 => one_a_place[2] = 1,
                _ => (),
            }
            assert_eq!(found.attribution.shape, one_a_place, "{method}");
        }
    }
}

#[test]
fn every_method_of_segments_takes_every_input() {
    for (shape, convolved, layout, word) in [
        (&[1, 9][..], false, Layout::Table, "feature "),
        (&[1, 8, 5], false, Layout::Sequence, "step "),
        (&[1, 2, 600], true, Layout::Sound, "in the samples "),
        (&[1, 1, 40, 30], false, Layout::Picture, "of the input"),
        (&[1, 2, 2, 3, 2], false, Layout::Values, "value "),
    ] {
        let linear = Linear::new(shape, convolved);
        assert_eq!(linear.explainer.info().graph.layout, layout);
        let methods = ["axai", "xrai", "lime", "kernel_shap", "occlusion", "rise"];
        for support in linear.explainer.info().methods {
            assert!(support.applies || !methods.contains(&&*support.name), "{support:?}");
        }
        for method in methods {
            let params = match method {
                "axai" => json!({ "steps": 3, "k": 2 }),
                "xrai" => json!({ "steps": 3, "dilation": 0 }),
                "rise" => json!({ "samples": 40, "probability": 0.5 }),
                "occlusion" => json!({}),
                _ => json!({ "samples": 300 }),
            };
            let found = linear.explain(method, params.clone(), Given::new()).unwrap();
            let places = found.heatmap.data.len();
            assert!(found.attribution.data.iter().all(|value| value.is_finite()), "{method} {shape:?}");
            let words = found.words.join(" ");
            assert!(words.contains(word) && !words.contains("picture"), "{method} {shape:?}: {words}");
            if let Some(cut) = &found.segments {
                assert_eq!(cut.labels.len(), places, "{method} {shape:?}");
                assert!(cut.chosen.iter().all(|&segment| (segment as usize) < cut.values.len()));
                if method == "axai" {
                    assert!(cut.values.iter().all(|density| (0.0..=1.0).contains(density)));
                    assert!(cut.values.iter().any(|density| *density > 0.0));
                }
            }
            // The caller's own segments come before any rule.
            let halves = (0..places).map(|place| (2 * place / places) as f32).collect();
            let halves = HostTensor::new(halves, vec![1, places]).unwrap();
            let found = linear.explain(method, params, Given::from([("segments".into(), halves)])).unwrap();
            let map = &found.heatmap.data;
            if let Some(cut) = &found.segments {
                assert!(cut.values.len() <= 2, "{method} {shape:?}: {} segments", cut.values.len());
            }
            assert!(map[..places / 2].iter().all(|value| *value == map[0]), "{method} {shape:?}");
        }
    }
}

#[test]
fn the_default_segments_follow_the_kind_of_input() {
    let count = |linear: &Linear, params: Value| {
        let found = linear.explain("axai", params, Given::new()).unwrap();
        found.segments.unwrap().values.len()
    };
    // Windows of a sound, a grid of a spectrogram and of a small picture: about as many as `segments` says.
    assert_eq!(count(&Linear::new(&[1, 1, 2000], true), json!({ "steps": 1 })), 100);
    assert_eq!(count(&Linear::new(&[1, 1, 2000], true), json!({ "steps": 1, "segments": 20 })), 20);
    assert_eq!(count(&Linear::new(&[1, 1, 80, 80], false), json!({ "steps": 1 })), 100);
    assert_eq!(count(&Linear::new(&[1, 3, 32, 32], false), json!({ "steps": 1, "segments": 64 })), 64);
    // A small picture with the paper's small kernel, and a large one, by QuickShift.
    assert_ne!(count(&Linear::new(&[1, 3, 32, 32], false), json!({ "steps": 1, "kernel_size": 1 })), 100);
    assert_ne!(count(&Linear::new(&[1, 3, 72, 72], false), json!({ "steps": 1 })), 100);
    // Features one by one, where they are not too many.
    assert_eq!(count(&Linear::new(&[1, 1000], false), json!({ "steps": 1 })), 1000);
    assert_eq!(count(&Linear::new(&[1, 1001], false), json!({ "steps": 1 })), 100);
    assert_eq!(
        count(&Linear::new(&[1, 50], false), json!({ "steps": 1, "segmentation": "grid", "segments": 5 })),
        5
    );
}

#[test]
fn what_needs_a_picture_says_so() {
    let sound = Linear::new(&[1, 1, 200], true);
    for method in ["blur_ig", "mask", "grad_cam", "score_cam"] {
        let error = sound.explain(method, json!({}), Given::new()).unwrap_err();
        assert_eq!(error.code(), "method_unsuited", "{method}: {error}");
        let support = sound.explainer.info().methods.into_iter().find(|support| support.name == method);
        assert!(!support.unwrap().applies, "{method}");
    }
    for segmentation in ["quickshift", "slic"] {
        let error = sound.explain("lime", json!({ "segmentation": segmentation }), Given::new()).unwrap_err();
        assert_eq!(error.code(), "method_unsuited", "{error}");
    }
    let wrong = HostTensor::new(vec![0.0; 7], vec![7]).unwrap();
    let error = sound.explain("axai", json!({}), Given::from([("segments".into(), wrong)])).unwrap_err();
    assert!(error.to_string().contains("each of the 200 samples"), "{error}");
    let options = ModelOptions { layout: Some(Layout::Table), ..Default::default() };
    let tiny = common::read("tests/fixtures/tiny.onnx");
    let error = Explainer::load_with(&tiny.as_slice().into(), &options, &common::cpu()).err().unwrap();
    assert_eq!(error.code(), "model_invalid");
}

/// The tiny network behind a transposition, as tf2onnx writes networks of Keras.
fn channels_last() -> Explainer {
    let mut model = ModelProto::parse_from_bytes(&common::read("tests/fixtures/tiny.onnx")).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let input = graph.input[0].name.clone();
    graph.input[0] = declared("picture", FLOAT, Some(&[1, 32, 32, 3]));
    let turned =
        NodeProto { attribute: vec![ints("perm", &[0, 3, 1, 2])], ..node("Transpose", &["picture"], &input) };
    graph.node.insert(0, turned);
    let json = common::json("tests/fixtures/tiny.json").to_string();
    let explainer = Explainer::load(&model.write_to_bytes().unwrap(), &common::cpu()).unwrap();
    explainer.with_preprocessing(Preprocessing::from_json(&json).unwrap()).unwrap()
}

/// The same values in the order [N, H, W, C] as in [N, C, H, W].
fn turned(tensor: &HostTensor) -> HostTensor {
    let &[batch, channels, height, width] = tensor.shape.as_slice() else { panic!("a picture") };
    let pixels = height * width;
    let values = tensor
        .data
        .chunks(channels * pixels)
        .flat_map(|planes| (0..channels * pixels).map(|i| planes[i % channels * pixels + i / channels]));
    HostTensor::new(values.collect(), vec![batch, height, width, channels]).unwrap()
}

fn quick(method: &str) -> Value {
    match method {
        "agi" => json!({ "samples": 2, "steps": 3, "individual": true }),
        "axai" => json!({ "steps": 3, "kernel_size": 1, "max_dist": 5 }),
        "blur_ig" | "guided_ig" | "idgi" | "integrated_gradients" | "mfaba" | "xrai" => json!({ "steps": 4 }),
        "expected_gradients" | "smoothgrad" | "vargrad" => json!({ "samples": 3 }),
        "kernel_shap" | "lime" | "partition_shap" | "permutation_shap" => {
            json!({ "samples": 50, "segments": 16 })
        }
        "hsic" => json!({ "samples": 20, "grid": 3 }),
        "sobol" => json!({ "designs": 3, "grid": 3 }),
        "mask" => json!({ "setting": "own", "iterations": 3, "mask_size": 8 }),
        "relex" => json!({ "iterations": 3, "samples": 2 }),
        "rise" => json!({ "samples": 20 }),
        "score_cam" => json!({ "channels": 8 }),
        _ => json!({}),
    }
}

#[test]
fn pictures_with_their_channels_last_are_explained_as_their_twins() {
    let (first, last) = (common::tiny(&common::cpu()), channels_last());
    assert_eq!(last.info().graph.layout, Layout::PictureChannelsLast);
    let png = Photograph::decode(&common::read("tests/fixtures/images/coffee_227.png")).unwrap();
    let (input, region) = first.prepare(&Input::Photograph(&png)).unwrap();
    let (other, same_region) = last.prepare(&Input::Photograph(&png)).unwrap();
    assert_eq!((&other, same_region), (&turned(&input), region));
    let apply = common::methods_for(&first);
    for method in registry::methods().into_iter().filter(|method| apply.contains(&method.name)) {
        let options = options(&method.name, quick(&method.name), Given::new());
        let ours = explain(&first, &Input::Tensor(&input), &options).unwrap();
        let theirs = explain(&last, &Input::Tensor(&other), &options).unwrap();
        // Behind the transposition lies the same network: only the order of sums may differ.
        let agreement = compare(&theirs.attribution.data, &turned(&ours.attribution).data);
        assert!(agreement.relative_l2 < 1e-4, "{}: {agreement:?}", method.name);
        assert_eq!(theirs.attribution.shape, turned(&ours.attribution).shape, "{}", method.name);
        assert_eq!(theirs.heatmap.shape, [32, 32]);
        assert_eq!(
            theirs.segments.map(|cut| cut.labels),
            ours.segments.map(|cut| cut.labels),
            "{}",
            method.name
        );
        assert_eq!(theirs.individual.len(), ours.individual.len());
        for (theirs, ours) in theirs.individual.iter().zip(&ours.individual) {
            assert!(compare(&theirs.data, &turned(ours).data).relative_l2 < 1e-4);
        }
    }
    // Metrics and attacks that work on pictures.
    let axai = options("axai", quick("axai"), Given::new());
    let (ours, theirs) = (
        explain(&first, &Input::Tensor(&input), &axai).unwrap(),
        explain(&last, &Input::Tensor(&other), &axai).unwrap(),
    );
    let control = Control::default();
    let one = Assessment::of(&first, &input, &ours, &axai, &control).unwrap();
    let two = Assessment::of(&last, &other, &theirs, &axai, &control).unwrap();
    let mut measured = 0;
    for description in metric::registry::metrics() {
        let measure = |assessment| {
            pollster::block_on(metric::measure(assessment, &description.name, &Map::new()))
                .map(|found| found.finding.value)
        };
        match (measure(&one), measure(&two)) {
            (Ok(one), Ok(two)) => {
                measured += 1;
                assert!((one - two).abs() <= 1e-4 * one.abs().max(1.0), "{}: {one}, {two}", description.name);
            }
            (Err(one), Err(two)) => assert_eq!(one.code(), two.code(), "{}", description.name),
            (one, two) => panic!("{}: {one:?}, {two:?}", description.name),
        }
    }
    assert!(measured > 8, "{measured} metrics");
    let white = |explainer: &Explainer| {
        let rows = Rows::new(explainer.model(), &control).unwrap();
        let (_, white) = rows.valid_range(explainer.preprocessing().unwrap()).unwrap();
        white.into_data().try_into_vec::<f32>().unwrap()
    };
    let there = HostTensor::new(white(&first), vec![1, 3, 32, 32]).unwrap();
    assert_eq!(white(&last), turned(&there).data);
}

#[test]
fn every_listed_layer_can_be_chosen_and_the_default_is_one_of_them() {
    let tiny = common::tiny(&common::cpu());
    let graph = tiny.info().graph;
    assert!(graph.layers.len() > 10 && graph.layers.iter().any(|layer| layer.operator == "Conv"));
    let input = common::prepared(&tiny, "tiny/a.png");
    let run = |layer: &str| {
        let options = options("grad_cam", json!({ "layer": layer }), Given::new());
        explain(&tiny, &Input::Tensor(&input), &options).unwrap().attribution.data
    };
    for layer in &graph.layers {
        assert!(layer.shape[1] * layer.shape[2] > 1);
        assert_eq!(run(&layer.name).len(), 1024, "{}", layer.name);
    }
    assert_eq!(run(graph.layer.as_deref().unwrap()), run(""));
    let layer =
        registry::find("grad_cam").unwrap().describe().params.into_iter().find(|param| param.name == "layer");
    assert_eq!(layer.unwrap().kind, ParamKind::Layer);
}

/// A network of each family, by its file in tests/fixtures/families or, of torchvision's, in tests/fixtures/zoo.
const FAMILIES: [(&str, &str); 14] = [
    ("torchvision classifier", "mobilenet_v3_small"),
    ("BERT", "bert_sdpa"),
    ("DistilBERT", "distilbert"),
    ("MiniLM sentence encoder", "sentence_encoder"),
    ("1-d audio network", "sound"),
    ("Kim's sentence CNN", "sentence_cnn"),
    ("LSTM over words", "words_lstm"),
    ("LSTM over steps", "lstm_default"),
    ("GRU over steps", "gru_default"),
    ("YOLOv3-tiny", "yolo"),
    ("CenterNet", "centernet"),
    ("int8", "int8_qdq"),
    ("float16", "half"),
    ("Keras", "keras"),
];

/// Quick settings; the explained score is that of the families' own figures.
const METHODS: [(&str, &str); 5] = [
    ("saliency", "{}"),
    ("integrated_gradients", r#"{ "steps": 100 }"#),
    ("agi", r#"{ "samples": 2, "steps": 3 }"#),
    ("axai", r#"{ "steps": 2 }"#),
    ("relex", r#"{ "iterations": 3, "samples": 2 }"#),
];

/// A family's network with the first sample of its figures, and the explained class.
fn family(file: &str) -> (Explainer, Option<HostTensor>, Value) {
    let families = common::json("tests/fixtures/families/index.json");
    let zoo = common::json("tests/fixtures/zoo/index.json");
    let named = |list: &Value| list.as_array().unwrap().iter().find(|case| case["name"] == file).cloned();
    let sizes = |case: &Value| -> Vec<usize> { serde_json::from_value(case["shape"].clone()).unwrap() };
    let first = |tensor: HostTensor| {
        let features = tensor.data.len() / tensor.shape[0];
        let shape = std::iter::once(1).chain(tensor.shape[1..].iter().copied()).collect();
        HostTensor::new(tensor.data[..features].to_vec(), shape).unwrap()
    };
    let external =
        |location: &str, offset: u64, length: Option<u64>| generated::external(location, offset, length);
    let load = |folder: &str, options: &ModelOptions| {
        let bytes = common::read(&format!("tests/fixtures/{folder}/{file}.onnx"));
        let file = ModelFile { bytes: &bytes, external: Some(&external) };
        Explainer::load_with(&file, options, &common::cpu()).unwrap()
    };
    let Some(case) = named(&families["cases"]) else {
        let case = named(&zoo["networks"]).unwrap();
        let mut shape = sizes(&case);
        shape[0] = 1;
        let picture = generated::picture(case["pictures"][0].as_str().unwrap(), &shape);
        return (load("zoo", &ModelOptions::default()), Some(picture), case["targets"][0].clone());
    };
    let options: ModelOptions = serde_json::from_value(case["explained"]["options"].clone()).unwrap();
    let explainer = load("families", &options);
    let target = case["explained"]["targets"][0].clone();
    let inputs = case["inputs"].as_array().unwrap();
    if let Some(picture) = inputs[0]["picture"].as_str() {
        return (explainer, Some(first(generated::picture(picture, &sizes(&inputs[0])))), target);
    }
    let words = inputs.iter().map(|given| {
        let length = sizes(given)[1];
        let ints: Vec<i64> = serde_json::from_value(given["ints"].clone()).unwrap();
        (given["name"].as_str().unwrap().to_owned(), whole(&ints[..length], &[1, length]))
    });
    let words: BTreeMap<String, HostValue> = words.collect();
    (explainer.with_inputs(words).unwrap(), None, target)
}

#[test]
fn a_network_of_each_family_is_explained() {
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    let path = "tests/fixtures/inputs/explained.json";
    let known = if update { json!({}) } else { common::json(path) };
    let mut written = Vec::new();
    for (place, (title, file)) in FAMILIES.into_iter().enumerate() {
        let (explainer, input, target) = family(file);
        let mut maps = Vec::new();
        for (method, params) in METHODS {
            let params: Value = serde_json::from_str(params).unwrap();
            let mut options = options(method, params, Given::new());
            options.target = Some((target.as_u64().unwrap() as usize).into());
            let input = input.as_ref().map_or(Input::Bound, Input::Tensor);
            let found = explain(&explainer, &input, &options).unwrap();
            let data = &found.attribution.data;
            let norm = data.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            assert!(norm > 0.0 && norm.is_finite(), "{title}, {method}");
            assert!(data.iter().any(|value| *value != data[0]), "{title}, {method}: a constant map");
            let sample: Vec<f32> = (0..data.len().min(64)).map(|k| data[k * 7919 % data.len()]).collect();
            let segments = found.segments.as_ref().map(|cut| cut.values.len());
            let gap = found.info.completeness_gap;
            let (sum, size) =
                data.iter().fold((0.0, 0.0), |(sum, size), value| (sum + value, size + value.abs()));
            println!("{title}, {method}: gap {gap:?} of {sum}, sizes {size}; {}", found.words.join(" "));
            // Parts of both signs add up to little: what is missing is held against all of them.
            assert!(
                gap.is_none_or(|gap| gap.abs() < 5e-3 * size),
                "{title}, {method}: gap {gap:?} of {size}"
            );
            let map = json!({
                "method": method, "params": options.params, "shape": found.attribution.shape, "norm": norm,
                "sample": sample, "segments": segments, "words": found.words,
            });
            if !update {
                let before = &known["families"][place]["maps"][maps.len()];
                for same in ["method", "params", "shape", "segments", "words"] {
                    assert_eq!(map[same], before[same], "{title}, {method}");
                }
                let expected: Vec<f32> = serde_json::from_value(before["sample"].clone()).unwrap();
                let agreement = compare(&sample, &expected);
                assert!(agreement.relative_l2 < 1e-3, "{title}, {method}: {agreement:?}");
            }
            maps.push(map);
        }
        written.push(json!({ "title": title, "file": file, "target": target, "maps": maps }));
    }
    // What the JavaScript twin of the generator is held against.
    let values = noise_of(12_345, 0.3, 0.1);
    let picture = generated::picture("sound", &[1, 2, 50]).data;
    let picture: Vec<f32> = (0..8).map(|k| picture[k * 7919 % picture.len()]).collect();
    let generated = json!({
        "noise": { "seed": 12_345, "scale": 0.3, "offset": 0.1, "values": values },
        "picture": { "name": "sound", "shape": [1, 2, 50], "values": picture },
    });
    if !update {
        // Read back as the file was: the reader may be off by the last bit.
        let generated: Value = serde_json::from_str(&generated.to_string()).unwrap();
        assert_eq!(generated, known["generated"]);
    }
    if update {
        let lines: Vec<String> = written.iter().map(Value::to_string).collect();
        let text =
            format!("{{\"seed\":3,\"generated\":{generated},\"families\":[\n{}\n]}}\n", lines.join(",\n"));
        fs::create_dir_all(common::root().join("tests/fixtures/inputs")).unwrap();
        fs::write(common::root().join(path), text).unwrap();
    }
}

/// What a caller says of an input counts more than its shape.
#[test]
fn a_declared_layout_wins() -> Result<(), Error> {
    let onnx = operators::model(
        13,
        vec![node("Flatten", &["x"], "flat"), node("MatMul", &["flat", "weights"], "scores")],
        vec![initializer("weights", &reals(noise(1, 60), &[30, 2]))],
        vec![declared("x", FLOAT, Some(&[1, 3, 10]))],
        vec![declared("scores", FLOAT, Some(&[1, 2]))],
    );
    let layout = |layout| -> Result<Layout, Error> {
        let options = ModelOptions { layout, ..Default::default() };
        Ok(Explainer::load_with(&onnx.as_slice().into(), &options, &common::cpu())?.info().graph.layout)
    };
    assert_eq!(layout(None)?, Layout::Sequence);
    assert_eq!(layout(Some(Layout::Sound))?, Layout::Sound);
    assert_eq!(layout(Some(Layout::Values))?, Layout::Values);
    // Rows and columns without an axis of channels.
    assert_eq!(layout(Some(Layout::Picture))?, Layout::Picture);
    assert_eq!(layout(Some(Layout::PictureChannelsLast)).unwrap_err().code(), "model_invalid");
    Ok(())
}

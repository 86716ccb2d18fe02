//! What stands for nothing: black where pixels are known, zero elsewhere, or the caller's own; and what is told of a map
//! beside it. On networks whose right explanation is known from their weights.

use std::collections::BTreeMap;

use crate::common::{
    self, compare,
    draws::Given,
    linear::Linear,
    operators::{self, FLOAT, declared, initializer, reals},
};
use adversight::{
    Control, ExplainOptions, Explainer, Explanation, HostTensor, Input, Preprocessing,
    attribution::registry::methods,
    metric::{self, Assessment},
};
use serde_json::{Map, Value, json};

fn baseline(values: &[f32], shape: &[usize]) -> Given {
    Given::from([("baseline".into(), HostTensor::new(values.to_vec(), shape.to_vec()).unwrap())])
}

fn near(found: &[f32], exact: &[f32], limit: f64, what: &str) {
    let agreement = compare(found, exact);
    assert!(agreement.relative_max < limit, "{what}: {agreement:?}\n{found:?}\n{exact:?}");
}

/// Methods whose map of a linear network is `w (x - b)`, with parameters that make them exact.
fn exact() -> Vec<(&'static str, Value)> {
    vec![
        ("integrated_gradients", json!({ "steps": 5 })),
        ("guided_ig", json!({ "steps": 5 })),
        ("deep_lift", json!({})),
        ("kernel_shap", json!({ "samples": 600, "score": "logit" })),
        ("lime", json!({ "samples": 600, "score": "logit", "ridge": 1e-4, "kernel_width": 50 })),
        ("occlusion", json!({ "score": "logit" })),
    ]
}

/// Rows, sequences, sounds and other values: shape, whether a convolution reads it, and what zero is called.
const NO_PICTURES: [(&[usize], bool, &str); 4] = [
    (&[1, 9], false, "zeros"),
    (&[1, 8, 5], false, "zeros"),
    (&[1, 1, 60], true, "silence (zeros)"),
    (&[1, 2, 2, 3, 2], false, "zeros"),
];

/// One value a place: its channels together, and the mean of a sound's window spread over it.
fn over_places(linear: &Linear, found: &Explanation, parts: &[f32]) -> Vec<f32> {
    let Some(cut) = &found.segments else { return parts.to_vec() };
    let channels = parts.len() / cut.labels.len();
    // Sequences have a place's values side by side; one channel is one either way.
    assert!(channels == 1 || linear.input.shape.len() == 3);
    let mut sums = vec![0.0; cut.values.len()];
    for (index, part) in parts.iter().enumerate() {
        sums[cut.labels[index / channels] as usize] += part;
    }
    cut.labels.iter().map(|&label| sums[label as usize]).collect()
}

#[test]
fn what_is_no_picture_starts_from_zero() {
    for (shape, convolved, zero) in NO_PICTURES {
        let linear = Linear::new(shape, convolved);
        for (method, params) in exact() {
            let found = linear.explain(method, params, Given::new()).unwrap();
            let right = over_places(&linear, &found, &linear.parts());
            near(&found.attribution.data, &right, 1e-3, &format!("{method} {shape:?}"));
            let named = if found.info.params.contains_key("hidden") { "hidden" } else { "baseline" };
            assert_eq!(found.info.params[named], "zero", "{method} {shape:?}");
            assert_eq!(found.info.baseline.as_deref(), Some(zero), "{method}");
            assert!(found.words.contains(&format!("Baseline: {zero}.")), "{method}: {:?}", found.words);
        }
        // Expected gradients from the one background that is known; XRAI from the one baseline.
        let found = linear.explain("expected_gradients", json!({ "samples": 4 }), Given::new()).unwrap();
        near(&found.attribution.data, &linear.parts(), 1e-3, &format!("expected gradients {shape:?}"));
        let found = linear.explain("xrai", json!({ "steps": 3 }), Given::new()).unwrap();
        assert_eq!(found.info.baseline.as_deref(), Some(zero));
        assert_eq!((found.info.steps, found.info.forward_passes, found.info.backward_passes), (3, 1 + 3, 3));
    }
}

#[test]
fn a_baseline_of_ones_own_is_used_by_every_method_that_starts_or_hides() {
    for (shape, convolved, _) in NO_PICTURES {
        let linear = Linear::new(shape, convolved);
        let features = linear.input.data.len();
        let own: Vec<f32> = (0..features).map(|i| (i as f32 * 0.7).sin() * 0.5).collect();
        for (method, params) in exact() {
            let found = linear.explain(method, params, baseline(&own, shape)).unwrap();
            let right = over_places(&linear, &found, &linear.parts_from(&own));
            near(&found.attribution.data, &right, 1e-3, &format!("{method} {shape:?}"));
            let named = if found.info.params.contains_key("hidden") { "hidden" } else { "baseline" };
            assert_eq!(found.info.params[named], "given", "{method} {shape:?}");
            assert_eq!(found.info.baseline.as_deref(), Some("the given baseline"));
        }
        // XRAI ranks by the same attributions; of several baselines it takes the mean.
        let twice = [own.clone(), own.clone()].concat();
        for given in [&own, &twice] {
            let found =
                linear.explain("xrai", json!({ "steps": 3 }), baseline(given, &[given.len()])).unwrap();
            if shape == [1, 9] {
                near(&found.attribution.data, &linear.parts_from(&own), 1e-4, "xrai");
            }
            assert_eq!(found.info.steps, 3 * given.len() / features);
        }
    }
}

/// Whatever hides parts behind a baseline `b` of the network `f` does what it does behind zeros of `z -> f(z + b)` at `x - b`.
#[test]
fn hiding_behind_a_baseline_is_hiding_behind_zeros_elsewhere() {
    let shape = [1, 3, 12, 10];
    let linear = Linear::new(&shape, false);
    let own: Vec<f32> = (0..360).map(|i| (i as f32 * 0.37).cos() * 0.3).collect();
    let mut bias = [0.0f32; 2];
    for (b, w) in own.iter().zip(linear.weights.chunks(2)) {
        (0..2).for_each(|class| bias[class] += b * w[class]);
    }
    let moved = Linear::of(&shape, false, linear.weights.clone(), bias);
    let there = linear.input.data.iter().zip(&own).map(|(x, b)| x - b).collect();
    let there = HostTensor::new(there, shape.to_vec()).unwrap();
    let cells = HostTensor::new((0..120).map(|i| (i / 20) as f32).collect(), vec![1, 1, 12, 10]).unwrap();
    for (method, params, segments) in [
        ("rise", json!({ "samples": 60 }), false),
        ("rise", json!({ "samples": 60 }), true),
        ("relex", json!({ "iterations": 8, "samples": 1, "noise_level": 0.0 }), false),
        ("occlusion", json!({ "window": 4, "stride": 3, "hidden": "zero" }), false),
        ("occlusion", json!({ "hidden": "zero" }), true),
        ("lime", json!({ "samples": 100, "hidden": "zero" }), true),
        ("kernel_shap", json!({ "samples": 100, "hidden": "zero" }), true),
    ] {
        let mut here = baseline(&own, &shape);
        let mut elsewhere = Given::new();
        for given in [&mut here, &mut elsewhere].into_iter().filter(|_| segments) {
            given.insert("segments".into(), cells.clone());
        }
        let found = linear.explain(method, params.clone(), here).unwrap();
        let right = moved.explain_at(&there, method, params, elsewhere).unwrap();
        near(&found.attribution.data, &right.attribution.data, 2e-3, method);
        assert!(right.attribution.data.iter().any(|&value| value != right.attribution.data[0]), "{method}");
        assert_eq!(found.info.baseline.as_deref(), Some("the given baseline"), "{method}");
        assert_eq!(right.info.baseline.as_deref(), Some("zeros"), "{method}");
    }
}

/// Score-CAM of a network with a convolution, by the same covariance.
#[test]
fn score_cams_masks_show_the_baseline() {
    let tiny = common::tiny(&common::cpu());
    let input = common::npy("tests/fixtures/tiny/a.model.npy");
    let run = |given| {
        let options = ExplainOptions {
            method: "score_cam".into(),
            params: json!({ "channels": 5 }).as_object().unwrap().clone(),
            given,
            ..ExplainOptions::default()
        };
        common::explain(&tiny, &input, &options)
    };
    let zeros = vec![0.0; input.data.len()];
    let plain = run(Given::new());
    near(&run(baseline(&zeros, &input.shape)).attribution.data, &plain.attribution.data, 1e-4, "zeros given");
    // Where masks hide nothing, all of them score the same: every map weighs a fifth.
    let same = run(baseline(&input.data, &input.shape));
    let other = run(baseline(&vec![1.5; input.data.len()], &input.shape));
    assert!(compare(&same.attribution.data, &plain.attribution.data).relative_max > 1e-4);
    assert!(compare(&other.attribution.data, &plain.attribution.data).relative_max > 1e-4);
}

#[test]
fn mask_hides_behind_the_baseline_in_place_of_the_blur() {
    let shape = [1, 1, 8, 8];
    let mut weights = vec![0.0; 128];
    weights[2 * 27 + 1] = 3.0;
    let mut linear = Linear::of(&shape, false, weights, [0.0; 2]);
    linear.input.data = vec![1.0; 64];
    let params = json!({ "setting": "own", "iterations": 60, "l1": 0.001, "tv": 0.001 });
    let found = linear.explain("mask", params.clone(), baseline(&[0.0; 64], &shape)).unwrap();
    let map = &found.attribution.data;
    let peak = (0..64).max_by(|&a, &b| map[a].total_cmp(&map[b])).unwrap();
    assert!(peak == 27 && map[27] > 0.9, "{peak}: {map:?}");
    // The blur of an even picture is the picture, and hides nothing; that is told.
    let found = linear.explain("mask", params, Given::new()).unwrap();
    assert!(found.attribution.data.iter().all(|&value| value == 0.0));
    assert!(
        found.info.notes.iter().any(|note| note.contains("zero everywhere: the input is even")),
        "{:?}",
        found.info.notes
    );
}

#[test]
fn the_mean_of_a_given_background_is_a_baseline() {
    let linear = Linear::new(&[1, 4], false);
    let rows = [[1.0, 2.0, 3.0, 4.0], [3.0, 0.0, -1.0, 4.0]].concat();
    let background =
        || Given::from([("background".into(), HostTensor::new(rows.clone(), vec![2, 4]).unwrap())]);
    for method in ["integrated_gradients", "deep_lift", "guided_ig"] {
        let found = linear.explain(method, json!({ "baseline": "mean" }), background()).unwrap();
        near(&found.attribution.data, &linear.parts_from(&[2.0, 1.0, 1.0, 4.0]), 1e-4, method);
        assert_eq!(found.info.baseline.as_deref(), Some("the mean of the given background"));
        // Where another baseline is chosen, the background is told to be of no use.
        let found = linear.explain(method, json!({ "baseline": "zero" }), background()).unwrap();
        assert!(found.words.join(" ").contains("The given \u{201c}background\u{201d} was not needed."));
    }
}

fn refused(linear: &Linear, method: &str, params: Value, given: Given, words: &[&str]) {
    let error = linear.explain(method, params, given).err().unwrap_or_else(|| panic!("{method} {words:?}"));
    assert_eq!(error.code(), "parameter_invalid", "{error}");
    assert!(words.iter().all(|word| error.to_string().contains(word)), "{method}: {error}");
}

#[test]
fn what_a_method_cannot_use_is_refused() {
    let row = Linear::new(&[1, 4], false);
    let four = || HostTensor::new(vec![0.0; 4], vec![4]).unwrap();
    let given = |name: &str| Given::from([(name.to_owned(), four())]);
    for colour in ["black", "white"] {
        refused(
            &row,
            "integrated_gradients",
            json!({ "baseline": colour }),
            Given::new(),
            &["pictures alone", "zero"],
        );
        refused(&row, "kernel_shap", json!({ "hidden": colour }), Given::new(), &["pictures alone"]);
    }
    refused(&row, "deep_lift", json!({ "baseline": "given" }), Given::new(), &["none is given"]);
    refused(
        &row,
        "integrated_gradients",
        json!({ "baseline": "segment_mean" }),
        Given::new(),
        &["none of auto, zero"],
    );
    refused(&row, "lime", json!({ "hidden": "segment_mean" }), Given::new(), &["its own mean", "feature"]);
    // Each method names what it takes.
    refused(
        &row,
        "integrated_gradients",
        json!({}),
        given("basline"),
        &["given.basline", "baseline, background"],
    );
    refused(&row, "saliency", json!({}), given("baseline"), &["given.baseline", "takes no given tensor"]);
    refused(&row, "kernel_shap", json!({}), given("weights"), &["given.weights", "samples"]);
    let picture = Linear::new(&[1, 1, 8, 8], false);
    refused(&picture, "rise", json!({}), given("grids"), &["given.grids", "shifts"]);
    refused(&picture, "rise", json!({}), given("shifts"), &["given.shifts", "grids"]);
    // A baseline of another size, or that is no number.
    let error = row.explain("integrated_gradients", json!({}), baseline(&[0.0; 3], &[3])).unwrap_err();
    assert!(error.to_string().contains("\"baseline\" holds 3 values"), "{error}");
    let nan = HostTensor { data: vec![f32::NAN, 0.0, 0.0, 0.0], shape: vec![4] };
    let nan = row.explain("occlusion", json!({}), Given::from([("baseline".into(), nan)])).unwrap_err();
    assert_eq!(nan.code(), "input_not_finite");
}

/// No method that has a parameter for it, or hides parts, is left out, those to come included.
#[test]
fn every_method_with_a_baseline_takes_the_callers() {
    let named = |method: &adversight::attribution::registry::MethodDescription, name: &str| {
        method.params.iter().any(|param| param.name == name)
    };
    for method in methods() {
        let takes = method.given.iter().any(|given| given.name == "baseline");
        if named(&method, "baseline") || named(&method, "hidden") {
            assert!(takes, "{}", method.name);
            let param =
                method.params.iter().find(|param| ["baseline", "hidden"].contains(&&*param.name)).unwrap();
            assert_eq!(param.default, "auto", "{}", method.name);
            let choices = param.choices.as_ref().unwrap();
            assert!(
                ["auto", "zero", "black", "white", "given"]
                    .iter()
                    .all(|name| choices.iter().any(|c| c == name))
            );
        }
    }
    for name in ["rise", "relex", "mask", "score_cam", "xrai"] {
        let method = methods().into_iter().find(|method| method.name == name).unwrap();
        assert!(method.given.iter().any(|given| given.name == "baseline"), "{name}");
    }
}

#[test]
fn black_is_the_preprocessings_and_a_tensors_own() {
    let shape = [1, 3, 8, 8];
    let linear = Linear::new(&shape, false);
    let low = linear.input.data.iter().copied().fold(f32::INFINITY, f32::min);
    let found = linear.explain("integrated_gradients", json!({ "steps": 3 }), Given::new()).unwrap();
    near(&found.attribution.data, &linear.parts_from(&[low; 192]), 1e-3, "a picture's own black");
    assert_eq!(found.info.params["baseline"], "black");
    let declared = json!({ "image_mean": [0.5, 0.25, 0.75], "image_std": [0.5, 1.0, 2.0] }).to_string();
    let Linear { explainer, input, weights } = linear;
    let explainer = explainer.with_preprocessing(Preprocessing::from_json(&declared).unwrap()).unwrap();
    let linear = Linear { explainer, input, weights };
    let found = linear.explain("integrated_gradients", json!({ "steps": 3 }), Given::new()).unwrap();
    let black: Vec<f32> = (0..192).map(|i| [-1.0, -0.25, -0.375][i / 64]).collect();
    near(&found.attribution.data, &linear.parts_from(&black), 1e-3, "the preprocessing's black");
    let found = linear
        .explain("integrated_gradients", json!({ "steps": 3, "baseline": "mean" }), Given::new())
        .unwrap();
    near(&found.attribution.data, &linear.parts(), 1e-3, "the mean");
    assert_eq!(found.info.baseline.as_deref(), Some("the mean of the training data"));
    // What is usual for pictures goes without saying.
    assert!(!found.words.join(" ").contains("Baseline"), "{:?}", found.words);
}

#[test]
fn the_metric_of_completeness_takes_the_same_for_nothing() {
    let linear = Linear::new(&[1, 9], false);
    let options = ExplainOptions {
        method: "integrated_gradients".into(),
        target: Some(1.into()),
        params: json!({ "steps": 3 }).as_object().unwrap().clone(),
        ..ExplainOptions::default()
    };
    let control = Control::default();
    let found = common::explain(&linear.explainer, &linear.input, &options);
    let assessment = Assessment::of(&linear.explainer, &linear.input, &found, &options, &control).unwrap();
    let measure = |params: Map<String, Value>| {
        pollster::block_on(metric::measure(&assessment, "completeness", &params))
            .map(|found| found.finding.value)
    };
    assert!(measure(Map::new()).unwrap() < 1e-4);
    let black = json!({ "baseline": "black" }).as_object().unwrap().clone();
    assert_eq!(measure(black).unwrap_err().code(), "metric_unsuited");
}

/// A score that rises steeply somewhere: `10 relu(x0 - 0.9) + x1`, whose integrated gradients from zero are known.
fn steep() -> Explainer {
    let node = |operator: &str, inputs: [&str; 2], output: &str| operators::node(operator, inputs, output);
    let mut relu = node("Relu", ["shifted", "bias"], "steep");
    relu.input.truncate(1);
    let onnx = operators::model(
        13,
        vec![node("Add", ["x", "shift"], "shifted"), relu, node("MatMul", ["steep", "weights"], "scores")],
        vec![
            initializer("shift", &reals(vec![-0.9, 0.0], &[2])),
            initializer("weights", &reals(vec![0.0, 10.0, 0.0, 1.0], &[2, 2])),
        ],
        vec![declared("x", FLOAT, Some(&[1, 2]))],
        vec![declared("scores", FLOAT, Some(&[1, 2]))],
    );
    Explainer::load(&onnx, &common::cpu()).unwrap()
}

fn explain(explainer: &Explainer, values: &[f32], method: &str, params: Value) -> Explanation {
    let options = ExplainOptions {
        method: method.into(),
        target: Some(1.into()),
        params: params.as_object().unwrap().clone(),
        ..ExplainOptions::default()
    };
    let input = HostTensor::new(values.to_vec(), vec![1, values.len()]).unwrap();
    pollster::block_on(explainer.explain(&Input::Tensor(&input), &options, &Control::default())).unwrap().0
}

#[test]
fn a_sum_that_is_missed_is_told_with_the_reason() {
    let steep = steep();
    // The score changes by 10 * 0.1 + 1 = 2. Of three points, one lies beyond the bend of x0 and two beyond that of x1, which
    // is at 0: 10 / 3 + 2 / 3.
    let told = |found: &Explanation| {
        found.info.notes.iter().find(|note| note.starts_with("The parts add up to")).cloned()
    };
    let few = explain(&steep, &[1.0, 1.0], "integrated_gradients", json!({ "steps": 3 }));
    assert_eq!(
        told(&few).unwrap(),
        "The parts add up to 4.00, and the score changes by 2.00: they miss it by 100%. More steps come closer."
    );
    assert!(few.words.contains(&told(&few).unwrap()));
    assert_eq!(told(&explain(&steep, &[1.0, 1.0], "integrated_gradients", json!({ "steps": 1000 }))), None);
    assert_eq!(told(&explain(&steep, &[1.0, 1.0], "deep_lift", json!({}))), None);
    // LRP leaves the bias its share: of the logit of 2 with epsilon, x0's part is 10 * 0.1 * 1 / 0.1 = 10.
    let lrp = explain(&steep, &[1.0, 1.0], "lrp", json!({ "rule": "epsilon" }));
    let sum: f32 = lrp.attribution.data.iter().sum();
    assert_eq!(told(&lrp).is_some(), (sum - 2.0).abs() > 0.1, "{:?} of {sum}", lrp.info.notes);
}

#[test]
fn a_map_of_zeros_is_told_with_the_reason() {
    let row = Linear::new(&[1, 4], false);
    let zero = |found: &Explanation| {
        assert!(found.attribution.data.iter().all(|&value| value == 0.0));
        found.info.notes.iter().find(|note| note.starts_with("The map is zero everywhere")).unwrap().clone()
    };
    let same = row.explain("integrated_gradients", json!({}), baseline(&row.input.data, &[1, 4])).unwrap();
    assert!(zero(&same).contains("the given baseline itself"));
    // Below the bend nothing moves the score.
    let steep = steep();
    assert!(zero(&explain(&steep, &[0.5, -1.0], "saliency", json!({}))).contains("gradient is zero"));
    assert!(zero(&explain(&steep, &[0.5, -1.0], "occlusion", json!({}))).contains("whatever is hidden"));
    // Of a score of 100 against 0, the probability's gradient is lost in rounding.
    let sure = explain(&steep, &[1.0, 200.0], "saliency", json!({ "score": "probability" }));
    assert!(zero(&sure).contains("score=logit"));
    let moved = explain(&steep, &[1.0, 1.0], "saliency", json!({}));
    assert!(moved.info.notes.is_empty(), "{:?}", moved.info.notes);
}

#[test]
fn doubt_is_told() {
    let steep = steep();
    // Scores 0 and 0.1: 52 % of two.
    let unsure = explain(&steep, &[0.0, 0.1], "saliency", json!({}));
    let doubt = unsure.info.doubt.clone().unwrap();
    assert!(doubt.starts_with("The network is not sure") && doubt.contains("class 1"), "{doubt}");
    assert_eq!(unsure.words[0], doubt);
    let sure = explain(&steep, &[0.0, 3.0], "saliency", json!({}));
    assert_eq!(sure.info.doubt, None);
    assert!(sure.words[0].starts_with("The network says"));
}

/// A method of one's own runs as those of the registry do.
mod own {
    use super::*;
    use adversight::{
        Result, Score,
        attribution::{
            Attribution, Subject,
            display::{Channels, Display},
            registry::{Cost, Entry, Method, Need},
        },
    };
    use serde::{Deserialize, Serialize};

    struct Squared;

    #[derive(Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Config {
        /// The score whose gradient is squared.
        score: Score,
    }

    impl Method for Squared {
        type Config = Config;
        const NAME: &'static str = "squared";
        const TITLE: &'static str = "Squared gradient";
        const SUMMARY: &'static str = "The square of the gradient.";
        const PAPER: &'static str = "None";
        const NEEDS: &'static [Need] = &[Need::Gradient];
        const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };

        fn cost(_: &Config) -> Cost {
            Cost { forward: 1, backward: 1 }
        }

        async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
            let mut batches = subject.batches(1, "gradient");
            let mut map = subject.input().zeros_like();
            while batches.next().await?.is_some() {
                let found = subject.gradients(subject.input(), &[subject.target()], config.score)?;
                map = map + found.gradient.clone() * found.gradient;
            }
            Ok(Attribution::new(map, batches.done()))
        }
    }

    #[test]
    fn a_method_from_outside_explains() {
        let linear = Linear::new(&[1, 9], false);
        let squared = Entry::of::<Squared>();
        let options = ExplainOptions { target: Some(1.into()), ..ExplainOptions::default() };
        let run = |options: &ExplainOptions| {
            let (input, control) = (Input::Tensor(&linear.input), Control::default());
            pollster::block_on(linear.explainer.explain_by(&squared, &input, options, &control))
        };
        let found = run(&options).unwrap().0;
        let right: Vec<f32> = linear.weights.chunks(2).map(|pair| pair[1] * pair[1]).collect();
        near(&found.attribution.data, &right, 1e-5, "squared");
        assert_eq!((found.info.method.as_str(), &found.info.params["score"]), ("squared", &json!("logit")));
        assert_eq!(squared.describe().params.len(), 1);
        let given = BTreeMap::from([("noise".to_owned(), linear.input.clone())]);
        let options = ExplainOptions { given, ..options };
        assert_eq!(run(&options).unwrap_err().code(), "parameter_invalid");
    }
}

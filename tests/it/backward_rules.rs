//! Guided backprop, the deconvnet, DeepLIFT and LRP against Captum and zennit (tests/reference/rules.py), and what must
//! hold of them whatever the numbers.

use crate::common::{self, Case, Fixtures, compare};
use adversight::{Control, Device, Error, ExplainOptions, Explainer, HostTensor, Input};
use serde_json::{Value, json};

fn options(method: &str, params: Value) -> ExplainOptions {
    ExplainOptions {
        method: method.into(),
        params: params.as_object().unwrap().clone(),
        ..ExplainOptions::default()
    }
}

fn input() -> HostTensor {
    common::npy("tests/fixtures/tiny/a.model.npy")
}

fn check(device: &Device, name: &str, wanted: impl Fn(&Case) -> bool) -> usize {
    let fixtures = Fixtures::read("rules");
    let mut lines = Vec::new();
    for network in fixtures.networks.keys() {
        let explainer = fixtures.explainer(network, device);
        let cases = fixtures.cases.iter().filter(|case| case.model.as_deref() == Some(network));
        for case in cases.filter(|case| wanted(case)) {
            let explanation =
                common::explain(&explainer, &common::prepared(&explainer, &case.image), &case.options());
            let agreement = compare(&case.sample(&explanation.attribution), &fixtures.expected(case));
            lines.push(common::judge(case, name, agreement));
            if let (Some(change), Some(gap)) = (case.logit_difference, explanation.info.completeness_gap) {
                let sum: f64 = explanation.attribution.data.iter().map(|&value| f64::from(value)).sum();
                assert!(
                    (sum - f64::from(gap) - change).abs() < 1e-3 * change.abs(),
                    "{}: sum {sum}, gap {gap}, change {change}",
                    case.file
                );
            }
        }
    }
    common::publish("docs/accuracy.md", &format!("backward rules, {name}"), &lines);
    lines.len()
}

#[test]
fn methods_agree_on_the_cpu() {
    assert!(check(&common::cpu(), "CPU", |_| true) >= 54);
}

#[test]
fn methods_agree_on_the_gpu() {
    let Some(gpu) = common::gpu() else { return };
    assert!(check(&gpu, "GPU", |case| case.model.as_deref() == Some("tiny")) >= 20);
}

/// All parts of DeepLIFT's map together are the change of the logit from the baseline, up to rounding.
#[test]
fn deep_lift_is_complete() {
    let explainer = common::tiny(&common::cpu());
    for baseline in ["black", "white", "mean"] {
        for target in 0..10 {
            let options = ExplainOptions {
                target: Some(target.into()),
                ..options("deep_lift", json!({ "baseline": baseline }))
            };
            let explanation = common::explain(&explainer, &input(), &options);
            let all: f32 = explanation.attribution.data.iter().map(|value| value.abs()).sum();
            let gap = explanation.info.completeness_gap.unwrap().abs();
            assert!(gap < 1e-5 * all, "{baseline}, class {target}: gap {gap} of {all}");
        }
    }
}

#[test]
fn deep_lift_takes_a_baseline_of_the_callers() {
    let explainer = common::tiny(&common::cpu());
    let mut own = options("deep_lift", json!({ "baseline": "white" }));
    let zeros = HostTensor::new(vec![0.0; input().data.len()], input().shape).unwrap();
    own.given.insert("baseline".into(), zeros);
    let own = common::explain(&explainer, &input(), &own).attribution.data;
    let mean = options("deep_lift", json!({ "baseline": "mean" }));
    assert_eq!(own, common::explain(&explainer, &input(), &mean).attribution.data);
    // Against itself nothing differs, and nothing is left to divide by.
    let mut same = options("deep_lift", json!({}));
    same.given.insert("baseline".into(), input());
    assert!(common::explain(&explainer, &input(), &same).attribution.data.iter().all(|&value| value == 0.0));
}

fn unbiased() -> Explainer {
    common::load(
        "tests/fixtures/rules/unbiased.onnx",
        &common::json("tests/fixtures/tiny.json"),
        &common::cpu(),
    )
}

/// Where there are no biases, all relevance together is the logit.
#[test]
fn lrp_conserves_relevance() {
    let explainer = unbiased();
    for rule in ["epsilon", "gamma", "z_plus", "epsilon_plus"] {
        for target in 0..10 {
            let params = json!({ "rule": rule, "epsilon": 1e-9 });
            let options = ExplainOptions { target: Some(target.into()), ..options("lrp", params) };
            let explanation = common::explain(&explainer, &input(), &options);
            let relevance = &explanation.attribution.data;
            let (sum, all) = relevance
                .iter()
                .fold((0.0, 0.0), |(sum, all), &r| (sum + f64::from(r), all + f64::from(r.abs())));
            let logit = f64::from(explanation.info.target.logit);
            assert!(
                (sum - logit).abs() < 1e-4 * all,
                "{rule}, class {target}: {sum} of {logit}, in all {all}"
            );
        }
    }
}

#[test]
fn a_larger_epsilon_absorbs_relevance() {
    let explainer = unbiased();
    let total = |epsilon: f64| {
        let params = json!({ "rule": "epsilon", "epsilon": epsilon });
        let explanation = common::explain(&explainer, &input(), &options("lrp", params));
        explanation.attribution.data.iter().map(|value| value.abs()).sum::<f32>()
    };
    assert!(total(1.0) < 0.5 * total(1e-9));
}

/// A network without what a method needs is refused by name, and its description says so beforehand.
#[test]
fn networks_without_rules_are_refused() {
    let model = common::read("tests/fixtures/families/lstm.onnx");
    let external = common::generated::external;
    let file = adversight::model::ModelFile { bytes: &model, external: Some(&external) };
    let explainer = Explainer::load_with(&file, &Default::default(), &common::cpu()).unwrap();
    let sample = explainer.model().sample_shape().unwrap();
    let shape: Vec<usize> = std::iter::once(1).chain(sample).collect();
    let input = HostTensor::new(vec![0.5; shape.iter().product()], shape).unwrap();
    for (method, names) in [("lrp", "LSTM"), ("guided_backprop", "ReLU"), ("deconvnet", "ReLU")] {
        let options = options(method, json!({}));
        let (input, control) = (Input::Tensor(&input), Control::default());
        match pollster::block_on(explainer.explain(&input, &options, &control)).err().unwrap() {
            Error::MethodUnsuited { reason, .. } => assert!(reason.contains(names), "{method}: {reason}"),
            other => panic!("{method}: {other}"),
        }
        let support = explainer.info().methods.into_iter().find(|support| support.name == method).unwrap();
        assert!(!support.applies && support.reason.unwrap().contains(names), "{method}");
    }
    let support = common::tiny(&common::cpu()).info().methods;
    for method in ["lrp", "guided_backprop", "deconvnet", "deep_lift"] {
        assert!(support.iter().any(|support| support.name == method && support.applies), "{method}");
    }
}

/// Squeeze-and-excitation and hard swish multiply computed values; DeepLIFT stays complete there, and LRP takes the gate for
/// a constant.
#[test]
fn products_of_computed_values_are_followed() {
    let external = common::generated::external;
    for name in ["mobilenet_v3_small", "efficientnet_b0"] {
        let model = common::read(&format!("tests/fixtures/zoo/{name}.onnx"));
        let file = adversight::model::ModelFile { bytes: &model, external: Some(&external) };
        let explainer = Explainer::load_with(&file, &Default::default(), &common::cpu()).unwrap();
        let shape: Vec<usize> = std::iter::once(1).chain(explainer.model().sample_shape().unwrap()).collect();
        let input = common::generated::picture("rules", &shape);
        let explanation =
            common::explain(&explainer, &input, &options("deep_lift", json!({ "baseline": "mean" })));
        let all: f32 = explanation.attribution.data.iter().map(|value| value.abs()).sum();
        let gap = explanation.info.completeness_gap.unwrap();
        println!("{name}: gap {gap} of {all}");
        assert!(gap.abs() < 1e-4 * all, "{name}: gap {gap} of {all}");
        let support = explainer.info().methods.into_iter().find(|support| support.name == "lrp").unwrap();
        assert!(support.applies, "{name}: {support:?}");
        let relevance =
            common::explain(&explainer, &input, &options("lrp", json!({ "rule": "epsilon_plus" })));
        assert!(relevance.attribution.data.iter().any(|&value| value != 0.0), "{name}");
    }
}

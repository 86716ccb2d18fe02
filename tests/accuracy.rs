//! Logits, gradients and attributions against PyTorch, Captum and onnxruntime (tests/reference).

mod common;

use adversight::{Device, Explainer};
use common::{Case, Fixtures, compare};

/// Runs a case and checks the agreement that the project promises.
fn check(fixtures: &Fixtures, explainer: &Explainer, case: &Case, device: &str) -> String {
    let input = common::prepared(explainer, &case.image);
    let expected = fixtures.expected(case);
    let (ours, exact) = match case.method.as_str() {
        "logits" => (pollster::block_on(explainer.logits(&input)).unwrap(), true),
        "gradient" => {
            let target = case.target.unwrap();
            (pollster::block_on(explainer.input_gradient(&input, target)).unwrap(), true)
        }
        _ => {
            let explanation = common::explain(explainer, &input, &case.options());
            if let Some(difference) = case.logit_difference {
                let ours = f64::from(explanation.info.completeness_gap.unwrap());
                let expected = case.sum - difference;
                assert!((expected - ours).abs() < 2e-3 * difference.abs(), "gap {ours}, not {expected}");
            }
            (explanation.attribution, false)
        }
    };
    let agreement = compare(&case.sample(&ours), &expected);
    let line = format!(
        "| {} | {} | {} | {device} | {:.6} | {:.5} | {:.1e} |",
        case.network.as_deref().unwrap_or("tiny"),
        case.image,
        case.file.trim_end_matches(".npy"),
        agreement.cosine,
        agreement.rank_correlation,
        agreement.relative_max
    );
    println!("{line}");
    if exact {
        assert!(agreement.relative_max < 1e-3, "{line}");
    } else {
        assert!(agreement.cosine > 0.999 && agreement.rank_correlation > 0.99, "{line}");
    }
    line
}

fn tiny(device: &Device, name: &str) {
    let fixtures = Fixtures::read("tiny");
    let explainer = common::tiny(device);
    let deterministic = fixtures.cases.iter().filter(|case| case.method != "smoothgrad");
    let lines: Vec<String> = deterministic.map(|case| check(&fixtures, &explainer, case, name)).collect();
    assert!(lines.len() > 20);
}

#[test]
fn the_tiny_network_agrees_on_the_cpu() {
    tiny(&common::cpu(), "CPU");
}

#[test]
fn the_tiny_network_agrees_on_the_gpu() {
    if let Some(gpu) = common::gpu() {
        tiny(&gpu, "GPU");
    }
}

#[test]
fn f16_weights_are_read() {
    let wide = common::tiny(&common::cpu());
    let narrow =
        common::load("tests/fixtures/tiny_f16.onnx", &common::json("tests/fixtures/tiny.json"), &common::cpu());
    let input = common::prepared(&wide, "tiny/a.png");
    let logits = |explainer: &Explainer| pollster::block_on(explainer.logits(&input)).unwrap().data;
    let agreement = compare(&logits(&narrow), &logits(&wide));
    // Rounding the weights to 11 bits moves the logits a little, and by no more.
    assert!(agreement.relative_max > 0.0 && agreement.relative_max < 1e-2, "{agreement:?}");
    assert_eq!(narrow.info().graph.nodes, wide.info().graph.nodes, "the casts are folded at load time");
}

/// SmoothGrad draws its own noise, so its mean is compared with the oracle's mean of 4000 draws.
#[test]
fn smoothgrad_converges_to_the_oracles_mean() {
    let fixtures = Fixtures::read("tiny");
    let explainer = common::tiny(&common::cpu());
    for case in fixtures.cases.iter().filter(|case| case.method == "smoothgrad") {
        let input = common::prepared(&explainer, &case.image);
        let expected = fixtures.expected(case);
        let error = |samples: usize| {
            let mut options = case.options();
            options.params["samples"] = samples.into();
            let ours = common::explain(&explainer, &input, &options).attribution.data;
            ours.iter().zip(&expected).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
        };
        let (few, many) = (error(10), error(640));
        // 64 times the samples: an eighth of the error, give or take the luck of one draw.
        assert!(few / many > 5.0 && few / many < 12.0, "{}: {few} with 10, {many} with 640", case.image);
    }
}

#[test]
fn imagenet_networks_agree_on_the_cpu() {
    let fixtures = Fixtures::read("imagenet");
    for network in fixtures.networks.keys() {
        let explainer = fixtures.explainer(network, &common::cpu());
        let cases = fixtures.cases.iter().filter(|case| case.network.as_deref() == Some(network));
        let deterministic =
            cases.filter(|case| matches!(case.method.as_str(), "logits" | "gradient" | "saliency" | "integrated_gradients" | "agi"));
        let lines: Vec<String> = deterministic.map(|case| check(&fixtures, &explainer, case, "CPU")).collect();
        assert!(lines.len() > 10);
    }
}

#[test]
fn imagenet_networks_agree_on_the_gpu() {
    let Some(gpu) = common::gpu() else { return };
    let fixtures = Fixtures::read("imagenet");
    for network in fixtures.networks.keys() {
        let explainer = fixtures.explainer(network, &gpu);
        let wanted = |case: &&Case| {
            case.network.as_deref() == Some(network)
                && matches!(case.method.as_str(), "logits" | "gradient")
                && case.image.contains("chelsea")
        };
        let lines: Vec<String> =
            fixtures.cases.iter().filter(wanted).map(|case| check(&fixtures, &explainer, case, "GPU")).collect();
        assert!(lines.len() >= 2);
    }
}

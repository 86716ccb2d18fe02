//! Transformers of many kinds by both of PyTorch's exporters: what is found of their attention, and the methods for it beside the
//! papers' formulas in PyTorch (tests/reference/attention.py).

use std::collections::BTreeMap;

use crate::common::{self, cpu};
use adversight::{
    Control, ExplainOptions, Explainer, Explanation, HostTensor, Input, Tokens,
    input::text::Token,
    model::{ModelFile, ModelOptions},
};
use serde::Deserialize;

const FOLDER: &str = "tests/fixtures/transformers";

/// The oracles' methods under the engine's names.
const METHODS: [(&str, &str, f64); 5] = [
    ("rollout", "attention_rollout", 1e-3),
    ("generic_attention", "generic_attention", 1e-3),
    ("legrad", "legrad", 1e-3),
    ("attn_lrp", "attn_lrp", 1e-3),
    ("grad_cam", "grad_cam", 1e-4),
];

#[derive(Deserialize)]
struct Index {
    stride: usize,
    ids: Vec<i64>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    input: Vec<usize>,
    text: bool,
    target: usize,
    logits: Vec<f32>,
    /// Every value of a small map, some of a large one.
    expected: BTreeMap<String, Vec<f32>>,
    /// The maps' norms.
    sizes: BTreeMap<String, f64>,
}

fn index() -> Index {
    serde_json::from_value(common::json(&format!("{FOLDER}/index.json"))).unwrap()
}

fn explainer(case: &Case) -> Explainer {
    let bytes = common::read(&format!("{FOLDER}/{}.onnx", case.name));
    let options = ModelOptions { text: case.text, ..ModelOptions::default() };
    Explainer::load_with(&ModelFile::from(&bytes[..]), &options, &cpu()).unwrap()
}

/// Words that are tokens of these numbers.
fn tokens(ids: &[i64]) -> Tokens {
    let names: Vec<String> = ids.iter().map(|id| format!("w{id}")).collect();
    let mut start = 0;
    let token = |(word, name): (usize, &String)| {
        let range = [start, start + name.len()];
        start = range[1] + 1;
        Token { piece: name.clone(), text: 0, bytes: range, units: range, word: Some(word), special: false }
    };
    Tokens {
        texts: vec![names.join(" ")],
        ids: ids.to_vec(),
        type_ids: vec![0; ids.len()],
        attention_mask: vec![1; ids.len()],
        tokens: names.iter().enumerate().map(token).collect(),
        ..Tokens::default()
    }
}

/// The oracle's input.
fn waves(shape: &[usize]) -> HostTensor {
    let wave = |index: usize| ((0.37 * index as f64).sin() + (0.011 * index as f64 * 1.7).cos()) as f32;
    HostTensor::new((0..shape.iter().product()).map(wave).collect(), shape.to_vec()).unwrap()
}

fn explain(
    index: &Index,
    case: &Case,
    explainer: &Explainer,
    method: &str,
) -> adversight::Result<Explanation> {
    let options =
        ExplainOptions { method: method.into(), target: Some(case.target), ..ExplainOptions::default() };
    let (tokens, waves) = (tokens(&index.ids), waves(&case.input));
    let input = if case.text { Input::Tokens(&tokens) } else { Input::Tensor(&waves) };
    Ok(pollster::block_on(explainer.explain(&input, &options, &Control::default()))?.0)
}

#[test]
fn methods_agree_with_their_formulas() {
    let index = index();
    let (mut lines, mut far, mut whole) = (Vec::new(), Vec::new(), 0);
    for case in &index.cases {
        let explainer = explainer(case);
        let mut passed = 0;
        for (oracle, method, most) in METHODS {
            let Some(expected) = case.expected.get(oracle) else { continue };
            let found = match explain(&index, case, &explainer, method) {
                Ok(found) => found,
                Err(error) => {
                    far.push(format!("{} {method}: {error}", case.name));
                    continue;
                }
            };
            let ours = &found.attribution.data;
            let size = ours.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
            let stride = if ours.len() > 64 { index.stride } else { 1 };
            let sampled: Vec<f32> = ours.iter().step_by(stride).copied().collect();
            if sampled.len() != expected.len() {
                far.push(format!("{} {method}: {} values of {}", case.name, sampled.len(), expected.len()));
                continue;
            }
            let agreement = common::compare(&sampled, expected);
            let line = format!(
                "{} {method}: {:.1e} of the largest, size {size} of {}",
                case.name, agreement.relative_max, case.sizes[oracle]
            );
            println!("{line}");
            let same_size = (size - case.sizes[oracle]).abs() < most * case.sizes[oracle];
            if agreement.relative_max > most || !same_size {
                far.push(line.clone());
            } else if oracle != "grad_cam" {
                passed += 1;
            }
            assert!((found.info.target.logit - case.logits[case.target]).abs() < 1e-3, "{}", case.name);
            lines.push(format!(
                "| {} | {method} | {:.1e} | {:.6} |",
                case.name, agreement.relative_max, agreement.cosine
            ));
        }
        whole += usize::from(passed == 4);
    }
    common::publish_table(
        "docs/accuracy.md",
        "transformers",
        &["network", "method", "largest difference over the largest value", "cosine"],
        &lines,
    );
    assert!(far.is_empty(), "{} of {} are off:\n{}", far.len(), lines.len(), far.join("\n"));
    assert!(whole >= 18, "all four methods on {whole} networks");
}

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
    families: BTreeMap<String, Family>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    family: String,
}

/// What holds of a network whoever has exported it.
#[derive(Deserialize)]
struct Family {
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

fn explainer(case: &Case, text: bool) -> Explainer {
    let bytes = common::read(&format!("{FOLDER}/{}.onnx", case.name));
    let options = ModelOptions { text, ..ModelOptions::default() };
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
    case: &Family,
    explainer: &Explainer,
    method: &str,
) -> adversight::Result<Explanation> {
    let options = ExplainOptions {
        method: method.into(),
        target: Some(case.target.into()),
        ..ExplainOptions::default()
    };
    let (tokens, waves) = (tokens(&index.ids), waves(&case.input));
    let input = if case.text { Input::Tokens(&tokens) } else { Input::Tensor(&waves) };
    Ok(pollster::block_on(explainer.explain(&input, &options, &Control::default()))?.0)
}

#[test]
fn methods_agree_with_their_formulas() {
    let index = index();
    let (mut lines, mut far, mut whole) = (Vec::new(), Vec::new(), 0);
    for case in &index.cases {
        let family = &index.families[&case.family];
        let explainer = explainer(case, family.text);
        let mut passed = 0;
        for (oracle, method, most) in METHODS {
            let Some(expected) = family.expected.get(oracle) else { continue };
            let found = match explain(&index, family, &explainer, method) {
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
                case.name, agreement.relative_max, family.sizes[oracle]
            );
            println!("{line}");
            let same_size = (size - family.sizes[oracle]).abs() < most * family.sizes[oracle];
            if agreement.relative_max > most || !same_size {
                far.push(line.clone());
            } else if oracle != "grad_cam" {
                passed += 1;
            }
            assert!((found.info.target.logit - family.logits[family.target]).abs() < 1e-3, "{}", case.name);
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

/// Networks without attention, or with another kind than a method is for, are refused by what they lack.
#[test]
fn what_a_network_lacks_is_told_by_name() {
    let tiny = common::tiny(&cpu());
    let options = |method: &str| ExplainOptions { method: method.into(), ..ExplainOptions::default() };
    let refused = |explainer: &Explainer, input: &HostTensor, method: &str| {
        let found = pollster::block_on(explainer.explain(
            &Input::Tensor(input),
            &options(method),
            &Control::default(),
        ));
        let error = found.map(|_| ()).unwrap_err();
        assert_eq!(error.code(), "method_unsuited", "{method}: {error}");
        error.to_string()
    };
    let index = index();
    let swin = index.cases.iter().find(|case| case.name == "swin_dynamo").unwrap();
    let picture = waves(&index.families["swin"].input);
    for method in ["attention_rollout", "generic_attention", "legrad"] {
        let told = refused(&tiny, &common::npy("tests/fixtures/tiny/a.model.npy"), method);
        assert!(told.contains("has no attention:"), "{told}");
        let told = refused(&explainer(swin, false), &picture, method);
        assert!(told.contains("windows"), "{told}");
    }
    let supported = tiny.info().methods;
    let rollout = supported.iter().find(|method| method.name == "attention_rollout").unwrap();
    assert!(!rollout.applies && rollout.reason.as_ref().unwrap().contains("no attention"), "{rollout:?}");
}

/// Each word of a sentence gets what its token has.
#[test]
fn words_of_a_sentence_have_scores() {
    let index = index();
    let case = index.cases.iter().find(|case| case.name == "bert_dynamo").unwrap();
    let explainer = explainer(case, true);
    let family = &index.families["bert"];
    let found = explain(&index, family, &explainer, "generic_attention").unwrap();
    let scores: Vec<f32> = found.parts.iter().map(|part| part.score).collect();
    let agreement = common::compare(&scores, &family.expected["generic_attention"]);
    assert!(agreement.relative_max < 1e-3, "{scores:?}");
    assert_eq!(found.parts[1].name, format!("w{}", index.ids[1]));
}

//! Tokens that a network takes as `[tokens, texts]`, as PyTorch's recurrent layers do, beside onnxruntime (tests/reference/text_axes.py).

use crate::common::{self, cpu};
use adversight::{
    Control, ExplainOptions, Explainer, Explanation, Input, Tokens,
    model::{ModelFile, ModelOptions},
};
use adversight_text::{Options, Tokenizer};
use serde::Deserialize;
use serde_json::{Value, json};

const FOLDER: &str = "tests/fixtures/text_axes";

#[derive(Deserialize)]
struct Case {
    network: String,
    batch_axis: usize,
    text: String,
    ids: Vec<i64>,
    logits: Vec<f32>,
    target: usize,
    occlusion: Vec<f32>,
}

fn cases() -> Vec<Case> {
    serde_json::from_value(common::json(&format!("{FOLDER}/index.json"))).unwrap()
}

fn load(network: &str, batch_axis: Option<usize>) -> adversight::Result<Explainer> {
    let bytes = common::read(&format!("{FOLDER}/{network}.onnx"));
    let options = ModelOptions { text: true, batch_axis, ..ModelOptions::default() };
    Explainer::load_with(&ModelFile::from(&bytes[..]), &options, &cpu())
}

fn tokens(text: &str) -> Tokens {
    let words = common::read("tests/fixtures/text/vocabulary.txt");
    Tokenizer::read(&words, &Options::default()).unwrap().encode(text, None).unwrap().into()
}

fn explain(explainer: &Explainer, text: &str, method: &str, params: Value) -> Explanation {
    let Value::Object(params) = params else { panic!("no object") };
    let options = ExplainOptions { method: method.into(), params, ..Default::default() };
    let tokens = tokens(text);
    pollster::block_on(explainer.explain(&Input::Tokens(&tokens), &options, &Control::default())).unwrap().0
}

fn scores(explanation: &Explanation) -> Vec<f32> {
    explanation.parts.iter().filter(|part| !part.special).map(|part| part.score).collect()
}

#[test]
fn either_order_of_axes_is_found_and_read_right() {
    for case in cases() {
        let what = format!("{} of {}", case.network, case.text);
        let explainer = load(&case.network, None).unwrap_or_else(|error| panic!("{what}: {error}"));
        let info = explainer.info().graph.tokens.unwrap();
        assert_eq!(info.batch_axis, case.batch_axis, "{what}");
        let told = explainer.info().graph.notes.iter().any(|note| note.contains("[tokens, texts]"));
        assert_eq!(told, case.batch_axis == 1, "{what}");
        let text = tokens(&case.text);
        let count = text.len().min(case.ids.len());
        assert_eq!(text.ids[..count], case.ids[..count], "{what}");
        let found = pollster::block_on(explainer.classify(&Input::Tokens(&text), 3)).unwrap();
        assert_eq!(found.top.len(), 3, "{what}");
        for class in &found.top {
            assert!(
                (class.logit - case.logits[class.index]).abs() < 1e-4,
                "{what}: {class:?}, {:?}",
                case.logits
            );
        }
        assert_eq!(found.top[0].index, case.target, "{what}");
        let occlusion = explain(&explainer, &case.text, "occlusion", json!({ "hidden": "pad_token" }));
        let ours = scores(&occlusion);
        assert_eq!(ours.len(), case.occlusion.len(), "{what}");
        for (a, b) in ours.iter().zip(&case.occlusion) {
            assert!((a - b).abs() < 1e-5, "{what}: {ours:?}, {:?}", case.occlusion);
        }
        // What a gradient gives each word adds up to the change of the score.
        let path = explain(&explainer, &case.text, "integrated_gradients", json!({ "steps": 200 }));
        assert_eq!(scores(&path).len(), case.occlusion.len(), "{what}");
        let size: f32 = scores(&path).iter().map(|score| score.abs()).sum();
        assert!(path.info.completeness_gap.unwrap().abs() < 0.02 * size, "{what}: {:?}", path.info);
    }
}

#[test]
fn the_order_can_be_named() {
    for case in cases().iter().step_by(2) {
        let explainer = load(&case.network, Some(case.batch_axis)).unwrap();
        let text = tokens(&case.text);
        let found = pollster::block_on(explainer.classify(&Input::Tokens(&text), 1)).unwrap();
        assert!((found.top[0].logit - case.logits[case.target]).abs() < 1e-4, "{}", case.network);
        // What was said is no guess.
        assert!(!explainer.info().graph.notes.iter().any(|note| note.contains("[tokens, texts]")));
    }
    let error = load("lstm_time_first", Some(2)).err().unwrap().to_string();
    assert!(error.contains("two axes, 0 and 1"), "{error}");
}

#[test]
fn where_texts_change_each_other_in_either_order_the_option_is_named() {
    let error = load("mixed", None).err().unwrap().to_string();
    assert!(error.contains("--batch-axis"), "{error}");
    // Named, it is run as it is.
    load("mixed", Some(0)).unwrap();
}

//! A class for each token: the one that is asked about, beside Captum's LayerIntegratedGradients at its logit (tests/reference/token_labels.py).

use std::process::Command;

use crate::common::{self, cpu};
use adversight::{
    Control, ExplainOptions, Explainer, Explanation, Input, Tokens,
    input::{labels::Labels, text::Asked},
    model::{ModelFile, ModelOptions, OutputKind},
};
use adversight_text::{Options, Tokenizer};
use onnx_ir::{AttributeProto, AttributeType, Message, ModelProto, NodeProto, TensorProto};
use serde::Deserialize;
use serde_json::{Value, json};

const FOLDER: &str = "tests/fixtures/token_labels";

#[derive(Deserialize)]
struct Index {
    steps: usize,
    labels: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    word: String,
    token: usize,
    ids: Vec<i64>,
    /// The places of each word's pieces.
    words: Vec<Vec<usize>>,
    /// Of each token.
    logits: Vec<Vec<f32>>,
    target: usize,
    integrated_gradients: Vec<f32>,
}

fn index() -> Index {
    serde_json::from_value(common::json(&format!("{FOLDER}/index.json"))).unwrap()
}

fn explainer() -> Explainer {
    let bytes = common::read(&format!("{FOLDER}/model.onnx"));
    let options = ModelOptions { text: true, ..ModelOptions::default() };
    let labels = String::from_utf8(common::read(&format!("{FOLDER}/config.json"))).unwrap();
    Explainer::load_with(&ModelFile::from(&bytes[..]), &options, &cpu())
        .unwrap()
        .with_names(Labels::from_text(&labels).unwrap())
        .unwrap()
}

fn tokens(text: &str, token: Option<Asked>) -> Tokens {
    let words = common::read(&format!("{FOLDER}/tokenizer.json"));
    let found: Tokens =
        Tokenizer::read(&words, &Options::default()).unwrap().encode(text, None).unwrap().into();
    Tokens { token, ..found }
}

fn explain(explainer: &Explainer, tokens: &Tokens, method: &str, params: Value) -> Explanation {
    let Value::Object(params) = params else { panic!("no object") };
    let options = ExplainOptions { method: method.into(), params, ..Default::default() };
    pollster::block_on(explainer.explain(&Input::Tokens(tokens), &options, &Control::default())).unwrap().0
}

#[test]
fn the_token_that_is_asked_about_has_its_own_classes_and_words() {
    let (index, explainer) = (index(), explainer());
    let info = explainer.info().graph;
    assert!(info.tokens.unwrap().labels_tokens);
    assert_eq!((info.classes, info.output_kind), (5, OutputKind::Classes));
    for case in &index.cases {
        for asked in
            [Asked::Number(case.token), Asked::Word(case.word.clone()), Asked::Word(case.word.to_uppercase())]
        {
            let text = tokens(&case.text, Some(asked));
            assert_eq!(text.ids, case.ids);
            let found = pollster::block_on(explainer.classify(&Input::Tokens(&text), 5)).unwrap();
            assert_eq!(found.top[0].index, case.target, "{}", case.text);
            assert_eq!(found.top[0].label, index.labels[case.target]);
            let token = found.token.unwrap();
            assert_eq!(
                (token.number, token.name.as_str(), token.special),
                (case.token, case.word.as_str(), false)
            );
            let own = &case.logits[case.token];
            let sum: f32 = own.iter().map(|logit| (logit - own[case.target]).exp()).sum();
            assert!((found.top[0].probability - sum.recip()).abs() < 1e-4, "{}", case.text);
            for class in &found.top {
                assert!((class.logit - own[class.index]).abs() < 1e-4, "{}: {class:?}", case.text);
            }
        }
        let text = tokens(&case.text, Some(Asked::Word(case.word.clone())));
        let path = json!({ "steps": 5 * index.steps });
        let found = explain(&explainer, &text, "integrated_gradients", path);
        let parts: Vec<_> = found.parts.iter().filter(|part| !part.special).collect();
        assert_eq!(parts.iter().map(|part| part.places.clone()).collect::<Vec<_>>(), case.words);
        let scores: Vec<f32> = parts.iter().map(|part| part.score).collect();
        let agreement = common::compare(&scores, &case.integrated_gradients);
        assert!(
            agreement.relative_max < 1e-3,
            "{}: {agreement:?}\n{scores:?}\n{:?}",
            case.text,
            case.integrated_gradients
        );
        let begins =
            format!("Of the word \u{201c}{}\u{201d} (token {}), the network ", case.word, case.token);
        assert!(found.words[0].starts_with(&begins), "{:?}", found.words);
        assert_eq!(found.info.token.as_ref().unwrap().number, case.token);
        // Another token of the same text has another map.
        let other = tokens(&case.text, Some(Asked::Number(0)));
        let other = explain(&explainer, &other, "integrated_gradients", json!({}));
        assert!(
            other.words[0].starts_with("Of the token \u{201c}[CLS]\u{201d} (token 0), the network "),
            "{:?}",
            other.words
        );
        assert_ne!(other.attribution, found.attribution);
    }
}

#[test]
fn the_gradient_of_a_token_is_that_of_its_own_logit() {
    let (index, explainer) = (index(), explainer());
    // Hidden words change the token's own probability: what occlusion gives a word is what classify says without it.
    let case = &index.cases[0];
    let text = tokens(&case.text, Some(Asked::Number(case.token)));
    let whole = pollster::block_on(explainer.classify(&Input::Tokens(&text), 1)).unwrap().top[0].clone();
    let found = explain(&explainer, &text, "occlusion", json!({}));
    for (word, places) in case.words.iter().enumerate() {
        let mut hidden = text.clone();
        places.iter().for_each(|&place| hidden.ids[place] = 4);
        let left = pollster::block_on(explainer.classify(&Input::Tokens(&hidden), 5)).unwrap();
        let left = left.top.iter().find(|class| class.index == whole.index).unwrap().probability;
        assert!((found.parts[word].score - (whole.probability - left)).abs() < 1e-4, "{word}");
    }
    for method in ["saliency", "lrp", "deep_lift", "agi", "lime"] {
        let options = ExplainOptions { method: method.into(), ..Default::default() };
        match pollster::block_on(explainer.explain(&Input::Tokens(&text), &options, &Control::default())) {
            Ok((found, _)) => assert!(found.attribution.data.iter().any(|&value| value != 0.0), "{method}"),
            Err(error) => assert_eq!(error.code(), "method_unsuited", "{method}: {error}"),
        }
    }
}

#[test]
fn without_a_token_it_is_said_what_there_is() {
    let (index, explainer) = (index(), explainer());
    let case = &index.cases[1];
    let say = |token: Option<Asked>| {
        let text = tokens(&case.text, token);
        pollster::block_on(explainer.classify(&Input::Tokens(&text), 1)).unwrap_err().to_string()
    };
    let error = say(None);
    assert!(error.contains("`--token`") && error.contains("3 \u{201c}Anna\u{201d}"), "{error}");
    assert!(say(Some(Asked::Number(17))).contains("the tokens 0 to 16"));
    assert!(say(Some(Asked::Word("Rome".into()))).contains("no word \u{201c}Rome\u{201d}"));
    let labels = pollster::block_on(explainer.token_labels(&tokens(&case.text, None))).unwrap();
    assert_eq!(labels.len(), case.ids.len());
    for (label, logits) in labels.iter().zip(&case.logits) {
        let best = (0..5).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        assert_eq!(label.class.index, best, "{label:?}");
    }
    // A word that stands twice is told.
    let twice = tokens("Paris and Paris", Some(Asked::Word("Paris".into())));
    let found = pollster::block_on(explainer.classify(&Input::Tokens(&twice), 1)).unwrap();
    assert!(found.notes.iter().any(|note| note.contains("stands 2 times")), "{:?}", found.notes);
    assert_eq!(found.token.unwrap().number, 1);
}

#[test]
fn a_network_of_whole_texts_has_no_tokens_to_ask_about() {
    let bytes = common::read("tests/fixtures/text/transformer.onnx");
    let options = ModelOptions { text: true, ..ModelOptions::default() };
    let explainer = Explainer::load_with(&ModelFile::from(&bytes[..]), &options, &cpu()).unwrap();
    assert!(!explainer.info().graph.tokens.unwrap().labels_tokens);
    let words = common::read("tests/fixtures/text/tokenizer.json");
    let text: Tokens =
        Tokenizer::read(&words, &Options::default()).unwrap().encode("a film", None).unwrap().into();
    let text = Tokens { token: Some(Asked::Number(1)), ..text };
    let error = pollster::block_on(explainer.classify(&Input::Tokens(&text), 1)).unwrap_err().to_string();
    assert!(error.contains("one answer for the whole text"), "{error}");
}

#[test]
fn the_command_line_asks_about_a_word() {
    let run = |token: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_adversight"))
            .args(["classify", "--model", &format!("{FOLDER}/model.onnx")])
            .args(["--tokenizer", &format!("{FOLDER}/tokenizer.json")])
            .args(["--labels", &format!("{FOLDER}/config.json")])
            .args(["--input", "Anna lives in Paris."])
            .args(token)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let case = &index().cases[0];
    let label = &index().labels[case.target];
    let by_word = run(&["--token", "Paris"]);
    assert!(by_word.starts_with("of \u{201c}Paris\u{201d} (token 4):"), "{by_word}");
    assert!(by_word.lines().nth(1).unwrap().contains(label.as_str()), "{by_word}");
    assert_eq!(run(&["--token", "4"]), by_word);
    assert_eq!(run(&[]).lines().count(), case.ids.len());
}

/// The network with the scores of one token alone, picked in the file.
fn picked(token: usize) -> Explainer {
    let mut model = ModelProto::parse_from_bytes(&common::read(&format!("{FOLDER}/model.onnx"))).unwrap();
    let graph = model.graph.as_mut().unwrap();
    graph.initializer.push(TensorProto {
        name: "picked_at".into(),
        data_type: 7,
        int64_data: vec![token as i64],
        ..Default::default()
    });
    let output = graph.output[0].name.clone();
    graph.node.push(NodeProto {
        op_type: "Gather".into(),
        name: "picked".into(),
        input: vec![output, "picked_at".into()],
        output: vec!["picked".into()],
        attribute: vec![AttributeProto {
            name: "axis".into(),
            i: 1,
            type_: AttributeType::INT.into(),
            ..Default::default()
        }],
        ..Default::default()
    });
    graph.output[0] = onnx_ir::ValueInfoProto { name: "picked".into(), ..graph.output[0].clone() };
    graph.output[0].type_ = Default::default();
    let options = ModelOptions { text: true, ..ModelOptions::default() };
    Explainer::load_with(&ModelFile::from(&model.write_to_bytes().unwrap()[..]), &options, &cpu()).unwrap()
}

/// Whatever way a method goes back: the asked token's scores alone count.
#[test]
fn each_method_explains_the_asked_token_as_if_the_network_had_no_other() {
    let (index, explainer) = (index(), explainer());
    let case = &index.cases[0];
    let twin = picked(case.token);
    let asked = tokens(&case.text, Some(Asked::Number(case.token)));
    let plain = tokens(&case.text, None);
    for method in ["saliency", "attention_rollout", "generic_attention", "legrad", "attn_lrp"] {
        let ours = explain(&explainer, &asked, method, json!({}));
        let theirs = explain(&twin, &plain, method, json!({}));
        assert_eq!(ours.info.target.index, theirs.info.target.index, "{method}");
        let agreement = common::compare(&ours.attribution.data, &theirs.attribution.data);
        assert!(agreement.relative_l2 < 1e-5, "{method}: {:.1e}", agreement.relative_l2);
    }
}

//! Texts: tokens as Python's `tokenizers` makes them, networks that are asked about sentences, and each word's share beside programs
//! that we did not write (tests/reference/small_texts.py).

use std::{fs, process::Command};

use crate::common::{self, cpu};
use adversight::{
    Control, Error, ExplainOptions, Explainer, Explanation, HostTensor, Input, Tokens,
    attack::{self, AttackOptions, Norm},
    input::{labels::Labels, text::Token},
    metric::{self, Assessment, GameKind, GameOptions, Order},
    model::{ModelFile, ModelOptions},
};
use adversight_text::{Options, Tokenizer};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const FOLDER: &str = "tests/fixtures/text";

#[derive(Deserialize)]
struct Index {
    length: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    network: String,
    text: Value,
    ids: Vec<i64>,
    /// The places of each word's pieces.
    words: Vec<Vec<usize>>,
    special: Vec<u8>,
    logits: Vec<f32>,
    target: usize,
    integrated_gradients: Vec<f32>,
    occlusion: Vec<f32>,
    #[serde(default)]
    shapley: Vec<f32>,
}

fn index() -> Index {
    serde_json::from_value(common::json(&format!("{FOLDER}/index.json"))).unwrap()
}

fn tokenizer(network: &str) -> Tokenizer {
    let file = if network == "transformer" { "tokenizer.json" } else { "vocabulary.txt" };
    Tokenizer::read(&common::read(&format!("{FOLDER}/{file}")), &Options::default()).unwrap()
}

fn load(network: &str, options: ModelOptions) -> adversight::Result<Explainer> {
    let bytes = common::read(&format!("{FOLDER}/{network}.onnx"));
    let options = ModelOptions { text: true, ..options };
    Explainer::load_with(&ModelFile::from(&bytes[..]), &options, &cpu())
}

fn explainer(network: &str) -> Explainer {
    load(network, ModelOptions::default()).unwrap()
}

impl Case {
    fn tokens(&self) -> Tokens {
        let tokenizer = tokenizer(&self.network);
        let found = match &self.text {
            Value::Array(pair) => tokenizer.encode(pair[0].as_str().unwrap(), pair[1].as_str()),
            text => tokenizer.encode(text.as_str().unwrap(), None),
        };
        found.unwrap().into()
    }
}

fn explain(explainer: &Explainer, tokens: &Tokens, method: &str, params: Value) -> Explanation {
    try_explain(explainer, tokens, method, params).unwrap()
}

fn try_explain(
    explainer: &Explainer,
    tokens: &Tokens,
    method: &str,
    params: Value,
) -> adversight::Result<Explanation> {
    let Value::Object(params) = params else { panic!("no object") };
    let options = ExplainOptions { method: method.into(), params, ..Default::default() };
    Ok(pollster::block_on(explainer.explain(&Input::Tokens(tokens), &options, &Control::default()))?.0)
}

fn scores(explanation: &Explanation) -> Vec<f32> {
    explanation.parts.iter().filter(|part| !part.special).map(|part| part.score).collect()
}

fn close(ours: &[f32], theirs: &[f32], what: &str) {
    let agreement = common::compare(ours, theirs);
    assert!(agreement.relative_max < 1e-3, "{what}: {agreement:?}\n{ours:?}\n{theirs:?}");
}

#[test]
fn sentences_are_tokenised_and_answered_as_elsewhere() {
    let index = index();
    for case in &index.cases {
        let explainer = explainer(&case.network);
        let tokens = case.tokens();
        let count = tokens.len();
        assert_eq!(tokens.ids, case.ids[..count], "{}", case.text);
        assert!(case.ids[count..].iter().all(|&id| id == 0), "what follows is padding");
        let special: Vec<u8> = tokens.tokens.iter().map(|token| token.special.into()).collect();
        assert_eq!(special, case.special[..count]);
        let found = pollster::block_on(explainer.classify(&Input::Tokens(&tokens), 2)).unwrap();
        assert_eq!(found.top[0].index, case.target);
        for class in &found.top {
            assert!((class.logit - case.logits[class.index]).abs() < 1e-4, "{}: {class:?}", case.text);
        }
    }
    assert_eq!(index.cases.len(), 9);
}

#[test]
fn words_get_what_the_oracles_give_them() {
    for case in index().cases {
        let explainer = explainer(&case.network);
        let tokens = case.tokens();
        let what = |method: &str| format!("{method} of {} by {}", case.text, case.network);
        let found = explain(&explainer, &tokens, "integrated_gradients", json!({}));
        close(&scores(&found), &case.integrated_gradients, &what("integrated gradients"));
        // What stands for nothing holds what the tokenizer has added as it is.
        assert!(found.parts.iter().filter(|part| part.special).all(|part| part.score == 0.0));
        assert_eq!(found.info.baseline.as_deref(), Some("the padding token in place of each word"));
        let words: Vec<_> = found.parts.iter().filter(|part| !part.special).collect();
        let places: Vec<_> = words.iter().map(|part| part.places.clone()).collect();
        assert_eq!(places, case.words, "{}", case.text);
        // Each word's name is what stands in its range, in bytes as in JavaScript's units.
        for part in words {
            let text = &found.texts[part.source];
            let [start, end] = part.bytes.unwrap();
            assert_eq!(part.name, text[start..end]);
            let units: Vec<u16> = text.encode_utf16().collect();
            let range = part.start as usize..part.end as usize;
            assert_eq!(String::from_utf16(&units[range]).unwrap(), part.name);
        }
        let occlusion = explain(&explainer, &tokens, "occlusion", json!({}));
        close(&scores(&occlusion), &case.occlusion, &what("occlusion"));
        if !case.shapley.is_empty() {
            let shapley = explain(&explainer, &tokens, "kernel_shap", json!({ "samples": 10000 }));
            close(&scores(&shapley), &case.shapley, &what("Shapley values"));
        }
    }
}

#[test]
fn every_method_that_applies_to_words_names_words() {
    let case = &index().cases[0];
    let explainer = explainer("transformer");
    let tokens = case.tokens();
    let mut explained = 0;
    for method in explainer.info().methods.iter().filter(|method| method.applies) {
        let params = match method.name.as_str() {
            "lime" | "kernel_shap" | "rise" => json!({ "samples": 60 }),
            "relex" => json!({ "iterations": 5, "samples": 2 }),
            "expected_gradients" | "smoothgrad" | "vargrad" => json!({ "samples": 5 }),
            _ => json!({}),
        };
        let found = match try_explain(&explainer, &tokens, &method.name, params) {
            Ok(found) => found,
            // What only pictures have, and what this network's layers have no rule for.
            Err(Error::MethodUnsuited { .. }) => continue,
            Err(error) => panic!("{}: {error}", method.name),
        };
        assert_eq!(scores(&found).len(), case.words.len(), "{}", method.name);
        let strongest = found
            .parts
            .iter()
            .filter(|part| !part.special)
            .max_by(|a, b| a.score.total_cmp(&b.score))
            .unwrap();
        // A tenth of what speaks against it is not told.
        let largest = found.parts.iter().fold(0.0_f32, |most, part| most.max(part.score.abs()));
        assert!(
            strongest.score < 0.1 * largest
                || found.words[1].contains(&format!("\u{201c}{}\u{201d}", strongest.name)),
            "{}: {:?} of {:?}",
            method.name,
            found.words,
            scores(&found)
        );
        explained += 1;
    }
    assert!(explained >= 14, "{explained}");
}

#[test]
fn what_stands_in_place_of_words_can_be_chosen() {
    let case = &index().cases[1];
    let explainer = explainer("transformer");
    let tokens = case.tokens();
    let with = |baseline: &str| {
        explain(&explainer, &tokens, "integrated_gradients", json!({ "baseline": baseline, "steps": 20 }))
    };
    let maps: Vec<Vec<f32>> = ["pad_token", "mask_token", "mean"].map(|name| scores(&with(name))).into();
    assert!(maps[0] != maps[1] && maps[1] != maps[2]);
    // Of zeros, what the tokenizer adds has a share of its own.
    assert!(with("zero").parts.iter().any(|part| part.special && part.score != 0.0));
    assert!(with("mean").info.baseline.unwrap().starts_with("the mean row"));
    // A vocabulary without a mask token says so.
    let words = self::explainer("convolutions");
    let plain: Tokens = tokenizer("convolutions").encode("a warm film", None).unwrap().into();
    let error =
        try_explain(&words, &plain, "integrated_gradients", json!({ "baseline": "mask_token" })).unwrap_err();
    assert!(error.to_string().contains("names no token that hides a word"), "{error}");
    let picture = common::tiny(&cpu());
    let input = common::prepared(&picture, "images/astronaut_224.png");
    let options = ExplainOptions {
        method: "integrated_gradients".into(),
        params: json!({ "baseline": "pad_token" }).as_object().unwrap().clone(),
        ..Default::default()
    };
    let error = pollster::block_on(picture.explain(&Input::Tensor(&input), &options, &Control::default()));
    assert_eq!(error.unwrap_err().code(), "parameter_invalid");
}

#[test]
fn one_network_takes_texts_of_any_length_one_after_the_other() {
    let explainer = explainer("transformer");
    let cases: Vec<Case> = index().cases.into_iter().filter(|case| case.network == "transformer").collect();
    // There and back again, so that nothing of one text stays for the next.
    for case in cases.iter().chain(cases.iter().rev()) {
        let tokens = case.tokens();
        let found = pollster::block_on(explainer.classify(&Input::Tokens(&tokens), 1)).unwrap();
        assert!((found.top[0].logit - case.logits[case.target]).abs() < 1e-4, "{}", case.text);
    }
    let info = explainer.info().graph.tokens.unwrap();
    assert_eq!(
        (info.input.as_str(), info.rows, info.length, info.longest),
        ("input_ids", Some(61), None, 24)
    );
}

#[test]
fn long_texts_are_cut_and_told() {
    let index = index();
    for (network, most) in [("transformer", 24), ("convolutions", index.length)] {
        let explainer = explainer(network);
        let long = "a great film ".repeat(10_000);
        assert!(long.len() > 100_000);
        let tokens: Tokens = tokenizer(network).encode(&long, None).unwrap().into();
        let found = explain(&explainer, &tokens, "integrated_gradients", json!({ "steps": 3 }));
        let told = found.words.iter().any(|word| word.contains(&format!("the first {most}")));
        assert!(told, "{:?}", found.words);
        let places: usize = found.parts.iter().map(|part| part.places.len()).sum();
        assert_eq!(places, most);
        let answer = pollster::block_on(explainer.classify(&Input::Tokens(&tokens), 1)).unwrap();
        assert!(answer.notes.iter().any(|note| note.contains("tokens, and the network is given")));
    }
    // The last token that the tokenizer adds stays.
    let explainer = load("transformer", ModelOptions { longest: Some(5), ..Default::default() }).unwrap();
    let tokens: Tokens = tokenizer("transformer").encode("a great film and a story", None).unwrap().into();
    let found = explain(&explainer, &tokens, "occlusion", json!({}));
    let names: Vec<&str> = found.parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["a", "great", "film", "[CLS]", "[SEP]"]);
}

#[test]
fn mistakes_with_texts_have_sentences_of_their_own() {
    let words = explainer("convolutions");
    let say = |error: Error| error.to_string();
    // A tokenizer of another network.
    let foreign: Tokens = tokenizer("transformer").encode("people love", None).unwrap().into();
    let error = pollster::block_on(words.classify(&Input::Tokens(&foreign), 1)).unwrap_err();
    assert!(say(error.clone()).contains("the rows 0 to 53"), "{error}");
    assert!(say(error).contains("another network"));
    // A text to a network that takes pictures, and the other way round.
    let tiny = common::read("tests/fixtures/tiny.onnx");
    let options = ModelOptions { text: true, ..Default::default() };
    let error = Explainer::load_with(&ModelFile::from(&tiny[..]), &options, &cpu()).err().unwrap();
    assert!(say(error.clone()).contains("so it reads no text"), "{error}");
    let error = pollster::block_on(common::tiny(&cpu()).classify(&Input::Tokens(&foreign), 1)).unwrap_err();
    assert!(say(error.clone()).contains("load it with a tokenizer"), "{error}");
    // Nothing to read.
    let nothing = Tokens { ids: vec![2], type_ids: vec![0], attention_mask: vec![1], ..Tokens::default() };
    let added =
        Token { piece: "[CLS]".into(), text: 0, bytes: [0, 0], units: [0, 0], word: None, special: true };
    let nothing = Tokens { tokens: vec![added], ..nothing };
    let error = pollster::block_on(words.classify(&Input::Tokens(&nothing), 1)).unwrap_err();
    assert!(say(error.clone()).contains("The text is empty"), "{error}");
    // A network that takes vectors of words as they are.
    let bytes = common::read("tests/fixtures/sentences/cnn.onnx");
    let error = Explainer::load_with(&ModelFile::from(&bytes[..]), &options, &cpu()).err().unwrap();
    assert!(say(error.clone()).contains("needs its table inside"), "{error}");
}

#[test]
fn words_are_taken_out_and_put_back_whole() {
    let case = &index().cases[0];
    let explainer = explainer("transformer");
    let tokens = case.tokens();
    // The game is played on the network with the text in it, as the boundary to JavaScript does it.
    let options = ExplainOptions { method: "occlusion".into(), ..Default::default() };
    let (bound, input) = pollster::block_on(explainer.bound(&Input::Tokens(&tokens))).unwrap();
    let found = explain(&explainer, &tokens, "occlusion", json!({}));
    let control = Control::default();
    let assessment = Assessment::of(&bound, &input, &found, &options, &control).unwrap();
    let play = |kind, order| {
        let rules = GameOptions { kind, order, ..Default::default() };
        pollster::block_on(metric::game(&assessment, &rules)).unwrap()
    };
    let deletion = play(GameKind::Deletion, Order::Map);
    assert_eq!(deletion.step, 1);
    assert_eq!(deletion.curve.y.len(), case.words.len() + 1);
    // The pieces of a word have one turn, what the tokenizer adds has none.
    for places in &case.words {
        assert!(places.iter().all(|&place| deletion.ranks[place] == deletion.ranks[places[0]]));
    }
    assert_eq!(deletion.ranks[0] as usize, case.words.len());
    // The first step is what occlusion has measured: the whole without its most important word.
    let most = case.occlusion.iter().copied().fold(f32::MIN, f32::max);
    let drop = deletion.curve.y[0] - deletion.curve.y[1];
    assert!((drop - f64::from(most)).abs() < 1e-4, "{drop} in place of {most}");
    // Both games go between the text and the text without its words.
    let insertion = play(GameKind::Insertion, Order::Map);
    assert!((insertion.curve.y[0] - deletion.curve.y[case.words.len()]).abs() < 1e-6);
    assert!((insertion.curve.y[case.words.len()] - deletion.curve.y[0]).abs() < 1e-6);
    let random = play(GameKind::Deletion, Order::Random);
    assert_ne!(random.ranks, deletion.ranks);
    for name in ["deletion", "insertion", "preservation", "feature_relevance"] {
        let measured = pollster::block_on(metric::measure(&assessment, name, &Default::default())).unwrap();
        assert!((0.0..=1.0).contains(&measured.finding.value), "{name}: {measured:?}");
    }
    let measured = pollster::block_on(metric::measure(&assessment, "deletion", &Default::default())).unwrap();
    assert_eq!(measured.finding.value, deletion.area);
    // Without the segments at hand a word of several pieces counts no more than one of a single piece.
    let map = &found.attribution;
    let target = found.info.target.index;
    let bare = Assessment::new(&bound, &input, map, target, &control).unwrap().with_method(&options).unwrap();
    assert_eq!(
        pollster::block_on(metric::game(&bare, &GameOptions::default())).unwrap().ranks,
        deletion.ranks
    );
}

/// What Python's `tokenizers` says of one tokenizer (tests/reference/tokens.py).
#[derive(Deserialize)]
struct Expected {
    tokenizer: String,
    sentences: Vec<String>,
    pairs: Pairs,
    digest: Digest,
    #[serde(flatten)]
    found: Listed,
}

#[derive(Deserialize)]
struct Pairs {
    sentences: Vec<[String; 2]>,
    #[serde(flatten)]
    found: Listed,
}

#[derive(Deserialize)]
struct Digest {
    sentences: usize,
    sha256: String,
}

#[derive(Deserialize)]
struct Listed {
    ids: Vec<Vec<i64>>,
    type_ids: Vec<Vec<i64>>,
    attention_mask: Vec<Vec<i64>>,
    /// In characters, as Python counts.
    offsets: Vec<Vec<[usize; 2]>>,
    word_ids: Vec<Vec<Option<usize>>>,
}

/// The tokens of a text as the file has them that cuts and fills up: here the engine does that, for the network's length.
fn as_in_the_file(mut tokens: adversight_text::Tokens, filled: Option<usize>) -> adversight_text::Tokens {
    if let Some(longest) = tokens.longest {
        while tokens.ids.len() > longest {
            // The last of the longer text.
            let count = |text: usize| tokens.tokens.iter().filter(|t| !t.special && t.text == text).count();
            let longer = usize::from(count(1) >= count(0));
            let last =
                tokens.tokens.iter().rposition(|token| !token.special && token.text == longer).unwrap();
            tokens.ids.remove(last);
            tokens.type_ids.remove(last);
            tokens.attention_mask.remove(last);
            tokens.tokens.remove(last);
        }
    }
    if let Some(length) = filled {
        tokens.ids.resize(length, tokens.padding.unwrap());
        tokens.type_ids.resize(length, 0);
        tokens.attention_mask.resize(length, 0);
    }
    tokens
}

/// The offsets in characters; what the tokenizer has added has none.
fn offsets(tokens: &adversight_text::Tokens) -> Vec<[usize; 2]> {
    // Bytes within a character count as its start.
    let characters = |text: usize, at: usize| {
        tokens.texts[text].char_indices().take_while(|(start, _)| *start < at).count()
    };
    let added = tokens.ids.len() - tokens.tokens.len();
    let own = tokens.tokens.iter().map(|token| match token.special {
        true => [0, 0],
        false => token.bytes.map(|at| characters(token.text, at)),
    });
    own.chain(std::iter::repeat_n([0, 0], added)).collect()
}

/// The ids, offsets and words that Python's `tokenizers` gives, for every tokenizer that lies there.
#[test]
fn tokens_equal_those_of_python() {
    let folder = common::root().join("tests/fixtures/tokenizers");
    let lines = fs::read_to_string(folder.join("sentences.txt")).unwrap();
    let reviews: Vec<&str> = lines.trim_end_matches('\n').split('\n').collect();
    let mut names = Vec::new();
    for folder in
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        let expected: Expected =
            serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let name = expected.tokenizer.as_str();
        let file = common::read(name);
        let tokenizer = Tokenizer::read(&file, &Options::default()).unwrap();
        let filled = serde_json::from_slice::<Value>(&file)
            .ok()
            .and_then(|file| file["padding"]["strategy"]["Fixed"].as_u64())
            .map(|length| length as usize);
        let check = |found: adversight_text::Result<adversight_text::Tokens>,
                     listed: &Listed,
                     at: usize,
                     text: &str| {
            let Ok(tokens) = found else {
                // What is empty, or nothing but spaces, is refused, and has no word there either.
                assert!(text.trim().is_empty(), "{name}: {text:?} is refused");
                return;
            };
            let tokens = as_in_the_file(tokens, filled);
            assert_eq!(tokens.ids, listed.ids[at], "{name}: {text:?}");
            assert_eq!(tokens.attention_mask, listed.attention_mask[at], "{name}: {text:?}");
            assert_eq!(offsets(&tokens), listed.offsets[at], "{name}: {text:?}");
            if !name.ends_with(".txt") {
                assert_eq!(tokens.type_ids, listed.type_ids[at], "{name}: {text:?}");
            }
            let words: Vec<Option<usize>> = tokens.tokens.iter().map(|token| token.word).collect();
            // Where nothing cuts before pieces are looked for, there is one word there, and spaces cut here.
            let theirs = &listed.word_ids[at][..words.len()];
            if theirs.iter().flatten().max() > Some(&0) {
                assert_eq!(words, theirs, "{name}: {text:?}");
            }
        };
        for (at, sentence) in expected.sentences.iter().enumerate() {
            check(tokenizer.encode(sentence, None), &expected.found, at, sentence);
        }
        for (at, [first, second]) in expected.pairs.sentences.iter().enumerate() {
            if name.ends_with(".txt") || first.is_empty() || second.is_empty() {
                continue;
            }
            check(tokenizer.encode(first, Some(second)), &expected.pairs.found, at, second);
        }
        assert_eq!(reviews.len(), expected.digest.sentences);
        let mut digest = Sha256::new();
        for review in &reviews {
            let tokens = as_in_the_file(tokenizer.encode(review, None).unwrap(), filled);
            let places: Vec<i64> = offsets(&tokens).iter().flatten().map(|&place| place as i64).collect();
            for number in [&[tokens.ids.len() as i64][..], &tokens.ids, &places].concat() {
                digest.update((number as u32).to_le_bytes());
            }
        }
        let found = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(found, expected.digest.sha256, "{name}");
        names.push(name.to_owned());
    }
    assert_eq!(names.len(), 5, "{names:?}");
}

/// The networks that the page comes with, on their examples: the answers of onnxruntime on the tokens of Python's packages, `magika`'s own
/// among them.
#[test]
fn the_pages_networks_read_their_examples_as_elsewhere() {
    for (name, file) in [
        ("kim_reviews", Some("vocabulary.txt")),
        ("minilm_reviews", Some("tokenizer.json")),
        ("magika", None),
    ] {
        let folder = format!("www/public/models/{name}");
        let onnx = common::read(&format!("{folder}/model.onnx"));
        let options = ModelOptions { text: true, ..Default::default() };
        let labels = String::from_utf8(common::read(&format!("{folder}/labels.json"))).unwrap();
        let explainer = Explainer::load_with(&ModelFile::from(&onnx[..]), &options, &cpu())
            .unwrap()
            .with_names(Labels::from_text(&labels).unwrap())
            .unwrap();
        let tokenizer = match file {
            Some(file) => {
                Tokenizer::read(&common::read(&format!("{folder}/{file}")), &Options::default()).unwrap()
            }
            None => Tokenizer::bytes(),
        };
        let examples = common::json(&format!("{folder}/examples.json"));
        // The larger one takes a while in a build without optimisation.
        for example in examples.as_array().unwrap().iter().take(6) {
            let tokens = match (example["text"].as_str(), example["file"].as_str()) {
                (Some(text), _) => tokenizer.encode(text, None),
                (_, Some(file)) => tokenizer.encode_bytes(&common::read(&format!("{folder}/{file}"))),
                _ => panic!("{example}"),
            };
            let tokens: Tokens = tokens.unwrap().into();
            let found = pollster::block_on(explainer.classify(&Input::Tokens(&tokens), 1)).unwrap();
            assert_eq!(found.top[0].label, example["label"], "{name}: {example}");
            let right = example["probability"].as_f64().unwrap();
            let ours = f64::from(found.top[0].probability);
            // Of weights in 8 bits onnxruntime itself gives 0.98240 with its optimisations and 0.98192 without, which is ours.
            assert!((ours - right).abs() < 1e-3, "{name}: {ours} for {example}");
        }
    }
}

#[test]
fn whole_numbers_are_explained_by_predictions_and_gradients_are_refused_with_what_helps() {
    let onnx = common::read("www/public/models/kim_reviews/model.onnx");
    let options = ModelOptions { sizes: [("length".to_owned(), 24)].into(), ..Default::default() };
    let explainer = Explainer::load_with(&ModelFile::from(&onnx[..]), &options, &cpu()).unwrap();
    let ids = HostTensor::new((0..24).map(|n| (5 + n * 7919 % 3000) as f32).collect(), vec![1, 24]).unwrap();
    let explain = |method: &str| {
        let options = ExplainOptions { method: method.into(), ..Default::default() };
        pollster::block_on(explainer.explain(&Input::Tensor(&ids), &options, &Control::default()))
    };
    assert!(explain("occlusion").is_ok());
    for method in ["saliency", "integrated_gradients", "lrp", "agi"] {
        let error = explain(method).unwrap_err();
        assert_eq!(error.code(), "method_unsuited", "{method}");
        let says = error.to_string();
        assert!(
            says.contains("whole numbers") && says.contains("`at`") && says.contains("tokenizer"),
            "{says}"
        );
    }
}

#[test]
fn a_sentence_on_the_command_line_is_explained_in_print_and_in_files() {
    let folder = std::env::temp_dir().join(format!("adversight-text-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_adversight"))
            .args(arguments)
            .current_dir(common::root())
            .output()
            .unwrap()
    };
    let (model, tokenizer) = (format!("{FOLDER}/transformer.onnx"), format!("{FOLDER}/tokenizer.json"));
    let case = &index().cases[0];
    let text = case.text.as_str().unwrap();
    let [html, svg, json, file] = ["why.html", "why.svg", "why.json", "notes.txt"].map(path);
    fs::write(&file, text).unwrap();
    let common = ["--model", &model, "--tokenizer", &tokenizer, "--method", "integrated_gradients"];
    let sentence =
        [&["explain"], &common[..], &["--input", text, "--html", &html, "--svg", &svg, "--json", &json]]
            .concat();
    let output = run(&sentence);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("\u{201c}glorified\u{201d} speaks most for it"), "{printed}");
    assert!(printed.contains("   0.15965  glorified"), "{printed}");
    // A file of the same text is the same.
    let of_file = run(&[&["explain"], &common[..], &["--input", &file]].concat());
    assert_eq!(String::from_utf8(of_file.stdout).unwrap(), printed);
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let scores: Vec<f32> = report["parts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|part| part["special"] == false)
        .map(|part| part["score"].as_f64().unwrap() as f32)
        .collect();
    close(&scores, &case.integrated_gradients, "the report");
    let page = fs::read_to_string(&html).unwrap();
    // It stands alone, and names the network and the text by their hashes.
    let hash =
        |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(page.contains(&hash(&common::read(&model))) && page.contains(&hash(text.as_bytes())));
    assert!(page.contains(">unfunny</span>") && page.contains("title=\"+0.1596\">glorified"), "{page}");
    assert!(!page.contains("http") && !page.contains("<script"), "{page}");
    assert!(fs::read_to_string(&svg).unwrap().contains(">unfunny</text>"));
    // What is missing is said.
    let [nothing, alone] = [
        run(&[&["explain"], &common[..], &["--input", ""]].concat()),
        run(&["classify", "--model", &model, "--input", "a film"]),
    ]
    .map(|output| String::from_utf8(output.stderr).unwrap());
    assert!(nothing.contains("The text is empty"), "{nothing}");
    assert!(alone.contains("give what makes tokens of it, too (--tokenizer)"), "{alone}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn attacked_words_are_told_as_what_they_are() {
    let case = &index().cases[0];
    let explainer = explainer("transformer");
    let (tokens, words) = (case.tokens(), tokenizer("transformer"));
    let (bound, input) = pollster::block_on(explainer.bound(&Input::Tokens(&tokens))).unwrap();
    let attack = |epsilon: f32, steps: usize| {
        let options = AttackOptions { epsilon, steps, norm: Norm::L2, ..Default::default() };
        pollster::block_on(attack::attack(&bound, &input, &options, 2, &Control::default())).unwrap()
    };
    // The rows of the table, as the network looks each token up by itself.
    let width = input.data.len() / tokens.len();
    let rows: Vec<Vec<f32>> = (0..61)
        .map(|id| {
            let one = Tokens { ids: vec![id; tokens.len()], ..tokens.clone() };
            pollster::block_on(explainer.bound(&Input::Tokens(&one))).unwrap().1.data[..width].to_vec()
        })
        .collect();
    let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt();
    for (epsilon, same) in [(0.05, true), (12.0, false)] {
        let found = attack(epsilon, 10);
        let text = found.text.as_ref().unwrap();
        assert!(!text.tokens.is_empty());
        for token in &text.tokens {
            let moved = &found.input.data[token.place * width..(token.place + 1) * width];
            let own = &rows[token.id as usize];
            assert!((token.moved - apart(moved, own)).abs() < 1e-4, "{token:?}");
            // What fills up, hides or is added is no word.
            let others = (5..61).filter(|&id| id as i64 != token.id);
            let nearest =
                others.min_by(|&a, &b| apart(moved, &rows[a]).total_cmp(&apart(moved, &rows[b]))).unwrap();
            assert_eq!(token.other, nearest as i64, "{token:?}");
            let closer = apart(moved, own) <= apart(moved, &rows[nearest]);
            assert_eq!(token.nearest, if closer { token.id } else { token.other });
        }
        assert_eq!(text.nearest.is_none(), same, "{text:?}");
        // The words that are named are read as a text of its own would be.
        let reread = text.nearest.as_ref().or(text.others.as_ref()).unwrap();
        let other = Tokens { ids: reread.ids.clone(), ..tokens.clone() };
        let answer = pollster::block_on(explainer.classify(&Input::Tokens(&other), 2)).unwrap();
        assert_eq!(answer.top, reread.top);
        assert_eq!(reread.turns, answer.top[0].index != case.target);
        let told = text.words(&|id| words.piece(id)).join(" ");
        assert!(told.contains("these numbers stand for no word"), "{told}");
        assert_eq!(told.contains("it is the same text"), same, "{told}");
        let verdict = if reread.turns {
            "these words turn the answer, too"
        } else {
            "these words do not turn the answer"
        };
        assert!(told.contains(verdict), "{told}");
    }
}

#[test]
fn what_remains_of_marked_words_is_measured_beside_random_ones() {
    let folder = std::env::temp_dir().join(format!("adversight-marked-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (sentences, json) = (folder.join("sentences.txt"), folder.join("found.json"));
    fs::write(&sentences, "A warm, lovely film!\tpositive\n\nthe story is dull and too long\tnegative\n")
        .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_adversight"))
        .args(["marked", "--model", &format!("{FOLDER}/transformer.onnx"), "--texts"])
        .arg(&sentences)
        .args([
            "--method",
            "occlusion",
            "--method",
            "integrated_gradients:steps=20",
            "--random",
            "5",
            "--json",
        ])
        .arg(&json)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.starts_with("2 sentences") && table.contains("| occlusion | "), "{table}");
    let found: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let found = found.as_array().unwrap();
    assert_eq!(found.len(), 4);
    // The words of the first sentence that occlusion marks, hidden by hand, are what is said to be gone.
    let explainer = explainer("transformer");
    let tokens: Tokens = tokenizer("transformer").encode("A warm, lovely film!", None).unwrap().into();
    let whole = pollster::block_on(explainer.classify(&Input::Tokens(&tokens), 1)).unwrap().top[0].clone();
    let map = explain(&explainer, &tokens, "occlusion", json!({}));
    let mut words: Vec<_> = map.parts.iter().filter(|part| !part.special).collect();
    words.sort_by(|a, b| b.score.total_cmp(&a.score));
    let marked = found[0]["marked"].as_u64().unwrap() as usize;
    let all: f32 = words.iter().map(|word| word.score.max(0.0)).sum();
    let held = |count: usize| words[..count].iter().map(|word| word.score).sum::<f32>();
    assert!(held(marked) >= all / 2.0 && held(marked - 1) < all / 2.0);
    let mut gone = tokens.clone();
    words[..marked].iter().flat_map(|word| &word.places).for_each(|&place| gone.ids[place] = 4);
    let left = pollster::block_on(explainer.classify(&Input::Tokens(&gone), 2)).unwrap();
    let left = left.top.iter().find(|class| class.index == whole.index).unwrap().probability;
    assert!((found[0]["whole"].as_f64().unwrap() - f64::from(whole.probability)).abs() < 1e-6);
    assert!((found[0]["found"]["gone"].as_f64().unwrap() - f64::from(left)).abs() < 1e-6, "{}", found[0]);
    let random = found[0]["random"]["only"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&random));
    fs::remove_dir_all(&folder).unwrap();
}

//! The networks of AXAI's appendix C, of sentences and of spoken words, on inputs that the authors of their data or a voice made
//! (tests/reference/sentences.py, words.py).

use crate::common;

use adversight::{ExplainOptions, Explainer, HostTensor, Input};

/// The 24 inputs and the logits of each by ONNX Runtime, with what the table says of it.
fn inputs(folder: &str, table: &str, list: &str) -> Vec<(HostTensor, Vec<f32>, serde_json::Value)> {
    let table = common::json(&format!("tests/fixtures/{folder}/{table}"));
    let entries = table[list].as_array().unwrap();
    assert_eq!(entries.len(), 24);
    let input = |(index, entry): (usize, &serde_json::Value)| {
        let logits = serde_json::from_value(entry["logits"].clone()).unwrap();
        (common::npy(&format!("tests/fixtures/{folder}/{index:02}.npy")), logits, entry.clone())
    };
    entries.iter().enumerate().map(input).collect()
}

fn explainer(model: &str) -> Explainer {
    Explainer::load(&common::read(&format!("tests/fixtures/{model}")), &common::cpu()).unwrap()
}

fn logits(explainer: &Explainer, input: &HostTensor) -> Vec<f32> {
    pollster::block_on(explainer.logits(input)).unwrap().data
}

#[test]
fn sentences_are_judged_as_onnx_runtime_does() {
    let explainer = explainer("sentences/cnn.onnx");
    let mut right = 0;
    for (sentence, theirs, entry) in inputs("sentences", "sentences.json", "kept") {
        let ours = logits(&explainer, &sentence);
        assert!(common::compare(&ours, &theirs).relative_max < 1e-5, "{entry}");
        right += usize::from((ours[1] > ours[0]) == (entry["label"] == "positive"));
    }
    // Of all sentences that it has not learned from it judges 72 % right.
    assert!((13..24).contains(&right), "{right}");
}

#[test]
fn spoken_words_are_heard_as_onnx_runtime_does() {
    const WORDS: [&str; 7] = ["left", "right", "up", "down", "stop", "go", "unknown"];
    let explainer = explainer("words/tenet.onnx");
    for (word, theirs, entry) in inputs("words", "words.json", "words") {
        let ours = logits(&explainer, &word);
        assert!(common::compare(&ours, &theirs).relative_max < 1e-5, "{entry}");
        let best = (0..WORDS.len()).max_by(|&a, &b| ours[a].total_cmp(&ours[b])).unwrap();
        assert_eq!(entry["word"], WORDS[best]);
    }
}

/// What the paper's figure 5 shows: when the word is spoken, and not when it is silent, the network listens.
#[test]
fn an_explanation_of_a_word_lies_where_it_is_spoken() {
    let explainer = explainer("words/tenet.onnx");
    let options = ExplainOptions { method: "integrated_gradients".into(), ..ExplainOptions::default() };
    let mut inside = 0;
    let words = inputs("words", "words.json", "words");
    for (word, _, _) in &words {
        let [_, _, frames, bands] = word.shape[..] else { panic!("no spectrogram") };
        let explained =
            pollster::block_on(explainer.explain(&Input::Tensor(word), &options, &Default::default()));
        let map = explained.unwrap().0.attribution;
        let sum = |row: usize| {
            map.data[row * bands..][..bands].iter().map(|value| f64::from(value.abs())).sum::<f64>()
        };
        // A second of sound; the word stands in its middle.
        let spoken: f64 = (frames / 6..frames - frames / 6).map(sum).sum();
        let all: f64 = (0..frames).map(sum).sum();
        inside += usize::from(spoken > 0.8 * all);
    }
    assert!(inside >= 20, "{inside} of {}", words.len());
}

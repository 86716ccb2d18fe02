//! Models beyond torchvision's: text, sound, sequences, detectors, several heads, quantised and unusual files,
//! against PyTorch and onnxruntime (tests/reference/families.py).

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::common::{self, compare, generated};
use adversight::{
    Explainer, HostTensor, Input, Model, Score, Tokens,
    input::text::Token,
    model::{HostValue, ModelFile, ModelOptions, Runner, inspect, value::Ranked},
};
use burn::tensor::{Float, Tensor, TensorData};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Index {
    sampling: Sampling,
    cases: Vec<Case>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Sampling {
    count: usize,
    stride: usize,
}

#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    file: String,
    /// The file with the weights, beside the model.
    external: Option<String>,
    inputs: Vec<Given>,
    outputs: Vec<Stored>,
    explained: Explained,
    /// The type that the file rounds to, "int8" or "float16".
    rounded: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Given {
    name: String,
    shape: Vec<usize>,
    ints: Option<Vec<i64>>,
    /// The generator's name for it.
    picture: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Stored {
    #[serde(default)]
    name: String,
    file: String,
    shape: Vec<usize>,
    norm: f64,
}

#[derive(Debug, Deserialize)]
struct Explained {
    options: Options,
    activation: String,
    /// The flat index of the explained score, sample by sample.
    targets: Vec<usize>,
    scores: Stored,
    gradient: Stored,
}

#[derive(Debug, Deserialize)]
struct Options {
    input: Option<String>,
    output: Option<String>,
    at: Option<String>,
    #[serde(default)]
    sizes: BTreeMap<String, usize>,
}

/// Reads weights: generated, or from a file beside the model.
fn external(location: &str, offset: u64, length: Option<u64>) -> Result<Vec<u8>, String> {
    if location.starts_with("generated:") {
        return generated::external(location, offset, length);
    }
    let whole = common::read(&format!("tests/fixtures/families/{location}"));
    let start = offset as usize;
    let end = length.map_or(whole.len(), |length| start + length as usize);
    whole.get(start..end).map(<[u8]>::to_vec).ok_or_else(|| format!("{location} is too short"))
}

impl Given {
    fn tensor(&self) -> HostTensor {
        generated::picture(self.picture.as_ref().unwrap(), &self.shape)
    }

    fn value(&self) -> HostValue {
        match &self.ints {
            Some(ints) => HostValue::Int { data: ints.clone(), shape: self.shape.clone() },
            None => HostValue::Float { data: self.tensor().data, shape: self.shape.clone() },
        }
    }
}

impl Stored {
    /// How far a tensor of ours agrees with the oracle's, of which some values may be kept.
    fn agreement(&self, sampling: Sampling, ours: &[f32]) -> common::Agreement {
        assert_eq!(ours.len(), self.shape.iter().product::<usize>(), "{}", self.file);
        let expected = common::npy(&format!("tests/fixtures/families/{}", self.file)).data;
        let count = ours.len();
        let kept: Vec<f32> = if count <= sampling.count {
            ours.to_vec()
        } else {
            (0..sampling.count).map(|k| ours[k * sampling.stride % count]).collect()
        };
        let norm = ours.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let mut agreement = compare(&kept, &expected);
        agreement.relative_l2 = agreement.relative_l2.max((norm / self.norm - 1.0).abs());
        agreement
    }
}

/// All outputs of the file, whatever they are.
fn check_outputs(case: &Case, sampling: Sampling, file: &ModelFile) -> Result<f64, String> {
    let runner = Runner::load(file, &common::cpu()).map_err(|error| error.to_string())?;
    let inputs = case.inputs.iter().map(|given| (given.name.clone(), given.value())).collect();
    let found = pollster::block_on(runner.run(inputs)).map_err(|error| error.to_string())?;
    let found: BTreeMap<String, HostValue> = found.into_iter().collect();
    let mut worst: f64 = 0.0;
    for stored in &case.outputs {
        let Some(HostValue::Float { data, shape }) = found.get(&stored.name) else {
            return Err(format!("no output \"{}\" of numbers in {:?}", stored.name, found.keys()));
        };
        if shape != &stored.shape {
            return Err(format!("{} has shape {shape:?}, not {:?}", stored.name, stored.shape));
        }
        let agreement = stored.agreement(sampling, data);
        if agreement.relative_max > limit(case) {
            return Err(format!("{}: {agreement:?}", stored.name));
        }
        worst = worst.max(agreement.relative_max);
    }
    Ok(worst)
}

fn options(case: &Case) -> ModelOptions {
    let Options { input, output, at, sizes } = &case.explained.options;
    ModelOptions {
        input: input.clone(),
        output: output.clone(),
        at: at.clone(),
        sizes: sizes.clone(),
        ..Default::default()
    }
}

/// How far scores may be from the oracle's, over the largest.
fn limit(case: &Case) -> f64 {
    // float16 weights are exact in float32; what an engine rounds in between is up to it.
    if case.rounded.as_deref() == Some("float16") { 5e-3 } else { 1e-3 }
}

/// Compares scores and gradients; returns the gradients' cosine.
fn judge(case: &Case, sampling: Sampling, scores: &[f32], gradient: &[f32]) -> Result<f64, String> {
    let agreement = case.explained.scores.agreement(sampling, scores);
    if agreement.relative_max > limit(case) {
        return Err(format!("scores: {agreement:?}"));
    }
    let agreement = case.explained.gradient.agreement(sampling, gradient);
    if 1.0 - agreement.cosine > 1e-4 || agreement.relative_l2 > 1e-2 {
        return Err(format!("gradient: {agreement:?}"));
    }
    Ok(agreement.cosine)
}

/// Scores and gradients of an input.
fn check_input(case: &Case, sampling: Sampling, file: &ModelFile) -> Result<f64, String> {
    let explainer =
        Explainer::load_with(file, &options(case), &common::cpu()).map_err(|error| error.to_string())?;
    let input = case.inputs[0].tensor();
    let scores = pollster::block_on(explainer.logits(&input)).map_err(|error| error.to_string())?;
    let (_, gradient) = gradient(explainer.model(), input, &case.explained.targets)?;
    judge(case, sampling, &scores.data, &gradient)
}

/// Scores and gradients of words, at the node that looks up their vectors.
fn check_words(case: &Case, sampling: Sampling, file: &ModelFile) -> Result<f64, String> {
    let fault = |error: adversight::Error| error.to_string();
    let model = Model::load_with(file, &options(case), &common::cpu()).map_err(fault)?;
    let words = case.inputs.iter().map(|given| (given.name.clone(), given.value())).collect();
    let model = model.with_inputs(words).map_err(fault)?;
    let vectors = pollster::block_on(model.source()).map_err(fault)?;
    let (scores, gradient) = gradient(&model, vectors, &case.explained.targets)?;
    judge(case, sampling, &scores, &gradient)
}

/// The same networks as networks of text: nobody says which node looks the words up, nor how long a sentence is.
fn check_text(case: &Case, sampling: Sampling, file: &ModelFile) -> Result<f64, String> {
    let fault = |error: adversight::Error| error.to_string();
    let options = ModelOptions { text: true, ..Default::default() };
    let explainer = Explainer::load_with(file, &options, &common::cpu()).map_err(fault)?;
    let [rows, length] = case.inputs[0].shape[..] else { return Err("no sentences".into()) };
    let row = |given: &Given, row: usize| given.ints.as_ref().unwrap()[row * length..][..length].to_vec();
    let (mut scores, mut gradients) = (Vec::new(), Vec::new());
    for at in 0..rows {
        let word = |word: usize| Token {
            piece: format!("word {word}"),
            text: 0,
            bytes: [word, word + 1],
            units: [word, word + 1],
            word: Some(word),
            special: false,
        };
        let tokens = Tokens {
            texts: vec!["x".repeat(length)],
            ids: row(&case.inputs[0], at),
            type_ids: vec![0; length],
            attention_mask: case.inputs.get(1).map_or_else(|| vec![1; length], |mask| row(mask, at)),
            tokens: (0..length).map(word).collect(),
            ..Tokens::default()
        };
        let (bound, vectors) = pollster::block_on(explainer.bound(&Input::Tokens(&tokens))).map_err(fault)?;
        scores.extend(pollster::block_on(bound.logits(&vectors)).map_err(fault)?.data);
        let target = case.explained.targets[at];
        let found = bound.input_gradient(&vectors, target, Score::Logit);
        gradients.extend(pollster::block_on(found).map_err(fault)?.data);
    }
    judge(case, sampling, &scores, &gradients)
}

/// Scores of a batch, and the gradient of each sample's own score.
fn gradient(model: &Model, input: HostTensor, targets: &[usize]) -> Result<(Vec<f32>, Vec<f32>), String> {
    let count = input.data.len();
    let flat = Tensor::<1>::from_data(TensorData::new(input.data, [count]), model.device().burn());
    let x = Ranked::<Float>::D1(flat).reshape(&input.shape).unwrap();
    let found = model.gradient(x, targets, Score::Logit).map_err(|error| error.to_string())?;
    let gradient = found.gradient.reshape(&[count]).unwrap().get::<1>().unwrap();
    let read = |data: TensorData| data.try_into_vec::<f32>().unwrap();
    Ok((read(found.logits.into_data()), read(gradient.into_data())))
}

fn every(check: impl Fn(&Case, Sampling, &ModelFile) -> Result<f64, String>, wanted: impl Fn(&Case) -> bool) {
    let index: Index = serde_json::from_value(common::json("tests/fixtures/families/index.json")).unwrap();
    let only = std::env::var("ADVERSIGHT_FAMILIES").unwrap_or_default();
    let mut failures = Vec::new();
    let cases = index.cases.iter().filter(|case| wanted(case) && case.name.starts_with(&only));
    let mut count = 0;
    for case in cases {
        count += 1;
        let bytes = common::read(&format!("tests/fixtures/families/{}", case.file));
        let file = ModelFile { bytes: &bytes, external: Some(&external) };
        let checked = catch_unwind(AssertUnwindSafe(|| check(case, index.sampling, &file)));
        match checked.unwrap_or_else(|_| Err("a panic".into())) {
            Ok(agreement) => println!("{}: {agreement:.2e}", case.name),
            Err(fault) => failures.push(format!("{}: {fault}", case.name)),
        }
    }
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
    assert!(count > 0);
}

#[test]
fn outputs_agree_with_the_oracles() {
    every(check_outputs, |_| true);
}

#[test]
fn scores_and_gradients_agree_with_pytorch() {
    every(check_input, |case| case.explained.options.at.is_none());
}

#[test]
fn gradients_at_the_words_vectors_agree_with_pytorch() {
    every(check_words, |case| case.explained.options.at.is_some());
}

#[test]
fn the_words_vectors_are_found_in_the_files_of_every_exporter() {
    every(check_text, |case| case.explained.options.at.is_some());
}

#[test]
fn the_report_finds_no_fault() {
    let check = |case: &Case, _, file: &ModelFile| {
        let report = inspect(file.bytes).map_err(|error| error.to_string())?;
        if !report.problems.is_empty() {
            return Err(report.problems.join(" "));
        }
        let activation = report.activation.map(|found| serde_json::to_value(found).unwrap());
        let expected = Some(case.explained.activation.as_str()).filter(|&name| name != "none");
        if activation.as_ref().and_then(|found| found.as_str()) != expected {
            return Err(format!("the activation is {activation:?}, not {expected:?}"));
        }
        let inputs: Vec<&str> = report.inputs.iter().map(|input| input.name.as_str()).collect();
        let outputs: Vec<&str> = report.outputs.iter().map(|output| output.name.as_str()).collect();
        if inputs != case.inputs.iter().map(|given| &given.name).collect::<Vec<_>>()
            || outputs != case.outputs.iter().map(|stored| &stored.name).collect::<Vec<_>>()
        {
            return Err(format!("from {inputs:?} to {outputs:?}"));
        }
        match &case.external {
            Some(location) if !report.external.contains(location) => {
                Err(format!("lies in {:?}", report.external))
            }
            _ => Ok(report.parameters as f64),
        }
    };
    every(check, |_| true);
}

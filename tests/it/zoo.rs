//! Every kind of torchvision classifier, exported at several opsets, against PyTorch (tests/reference/zoo.py).
//!
//! `ADVERSIGHT_ZOO=resnet cargo test --test it zoo::` checks the networks whose names begin so.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::common::{self, compare, generated};
use adversight::{
    Explainer, HostTensor, Score,
    model::{ModelFile, ModelOptions},
};
use burn::tensor::{Tensor, TensorData};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Index {
    sampling: Sampling,
    networks: Vec<Network>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Sampling {
    count: usize,
    stride: usize,
}

#[derive(Debug, Deserialize)]
struct Network {
    name: String,
    exporter: String,
    opset: usize,
    /// "plain": each layer as it is; "default": with the exporter's optimisations.
    form: String,
    nodes: usize,
    parameters: usize,
    shape: Vec<usize>,
    /// The generator's name of each sample.
    pictures: Vec<String>,
    /// The class of each sample.
    targets: Vec<usize>,
    /// The norm of each sample's gradient.
    norm: Vec<f64>,
    float32: Float32,
}

/// How far PyTorch's results in 32 bits agree with its results in 64, sample by sample.
#[derive(Debug, Deserialize)]
struct Float32 {
    cosine: Vec<f64>,
    relative_l2: Vec<f64>,
}

/// What the engine computes of a batch.
struct Computed {
    logits: HostTensor,
    gradient: Vec<f32>,
}

fn compute(explainer: &Explainer, input: &HostTensor, targets: &[usize]) -> Computed {
    let logits = pollster::block_on(explainer.logits(input)).unwrap();
    let dims: [usize; 4] = input.shape.clone().try_into().unwrap();
    let device = explainer.model().device().burn();
    let x = Tensor::<4>::from_data(TensorData::new(input.data.clone(), dims), device);
    let found = explainer.model().gradient(x.into(), targets, Score::Logit).unwrap();
    let flat = found.gradient.reshape(&[input.data.len()]).unwrap().get::<1>().unwrap();
    Computed { logits, gradient: flat.into_data().try_into_vec().unwrap() }
}

/// The worst agreement of the samples of a batch.
#[derive(Debug, Clone, Copy)]
struct Worst {
    logits: f64,
    cosine: f64,
    norm: f64,
}

/// Compares a batch, which is the beginning of the oracle's batch.
fn agree(network: &Network, sampling: Sampling, computed: &Computed) -> Result<Worst, String> {
    let read = |what: &str| common::npy(&format!("tests/fixtures/zoo/{}.{what}.npy", network.name)).data;
    let classes = computed.logits.shape[1];
    let logits = compare(&computed.logits.data, &read("logits")[..computed.logits.data.len()]);
    let mut worst = Worst { logits: logits.relative_max, cosine: 1.0, norm: 0.0 };
    let all: usize = network.shape.iter().product();
    let each = all / network.shape[0];
    let expected = read("gradient");
    for sample in 0..computed.logits.data.len() / classes {
        let kept = (0..sampling.count).map(|k| (k, k * sampling.stride % all));
        let (theirs, ours): (Vec<f32>, Vec<f32>) = kept
            .filter(|(_, index)| index / each == sample)
            .map(|(k, index)| (expected[k], computed.gradient[index]))
            .unzip();
        assert!(theirs.len() > 1000, "{}: {} values of sample {sample}", network.name, theirs.len());
        let found = compare(&ours, &theirs);
        let whole = &computed.gradient[sample * each..(sample + 1) * each];
        let norm = whole.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let norm = (norm / network.norm[sample] - 1.0).abs();
        // Where an activation lies within rounding of a kink of ReLU, PyTorch's own results in 32 and 64 bits
        // part: no more is asked of us than of it.
        let own = (1.0 - network.float32.cosine[sample], network.float32.relative_l2[sample]);
        if 1.0 - found.cosine > f64::max(1e-4, 3.0 * own.0)
            || f64::max(found.relative_l2, norm) > f64::max(1e-2, 3.0 * own.1)
        {
            return Err(format!(
                "gradient of sample {sample}: {found:?}, norm off by {norm:.1e}, PyTorch {own:?}"
            ));
        }
        worst.cosine = worst.cosine.min(found.cosine);
        worst.norm = worst.norm.max(norm);
    }
    if worst.logits > 1e-3 {
        return Err(format!("logits differ by {:.1e}", worst.logits));
    }
    Ok(worst)
}

/// A row of the table.
fn check(network: &Network, sampling: Sampling) -> Result<String, String> {
    let bytes = common::read(&format!("tests/fixtures/zoo/{}.onnx", network.name));
    let file = ModelFile { bytes: &bytes, external: Some(&generated::external) };
    let explainer = Explainer::load_with(&file, &ModelOptions::default(), &common::cpu())
        .map_err(|error| error.to_string())?;
    let mut shape = network.shape.clone();
    shape[0] = 1;
    let samples: Vec<HostTensor> =
        network.pictures.iter().map(|name| generated::picture(name, &shape)).collect();
    let one = &samples[0];
    let all = samples.iter().flat_map(|sample| sample.data.iter().copied()).collect();
    let three = HostTensor::new(all, network.shape.clone()).unwrap();

    let single = agree(network, sampling, &compute(&explainer, one, &network.targets[..1]))
        .map_err(|difference| format!("batch 1: {difference}"))?;
    let batch = agree(network, sampling, &compute(&explainer, &three, &network.targets))
        .map_err(|difference| format!("batch {}: {difference}", network.shape[0]))?;
    let own = network.float32.cosine.iter().fold(1.0, |worst: f64, &cosine| worst.min(cosine));
    Ok(format!(
        "| {} | {} {}, {} | {} | {:.1} M | {:.0e} | {:.0e} | {:.6} | {:.6} | {:.6} |",
        network.name.trim_end_matches("_dynamo"),
        network.exporter,
        network.opset,
        network.form,
        network.nodes,
        network.parameters as f64 / 1e6,
        single.logits,
        batch.logits,
        single.cosine,
        batch.cosine,
        own,
    ))
}

#[test]
fn every_torchvision_classifier_agrees_with_pytorch() {
    let index: Index = serde_json::from_value(common::json("tests/fixtures/zoo/index.json")).unwrap();
    let only = std::env::var("ADVERSIGHT_ZOO").unwrap_or_default();
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for network in index.networks.iter().filter(|network| network.name.starts_with(&only)) {
        let started = std::time::Instant::now();
        let checked = catch_unwind(AssertUnwindSafe(|| check(network, index.sampling)))
            .unwrap_or_else(|_| Err("a panic".into()));
        match checked {
            Ok(row) => {
                println!("{row} {:.1} s", started.elapsed().as_secs_f64());
                rows.push(row);
            }
            Err(difference) => {
                println!("{}: {difference}", network.name);
                failures.push(format!("{}: {difference}", network.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), index.networks.len(), failures.join("\n"));
    if only.is_empty() {
        assert!(rows.len() >= 28);
        let columns = [
            "network",
            "exporter, opset",
            "nodes",
            "parameters",
            "logits, batch 1",
            "logits, batch 3",
            "gradient, batch 1",
            "gradient, batch 3",
            "PyTorch's own",
        ];
        common::publish_table("docs/operators.md", "zoo", &columns, &rows);
    }
}

#[test]
fn generated_weights_are_those_of_python() {
    // noise(12345, 3, 0.25, 1.0), seed_of("a") and picture("a", (2, 3, 10, 9)) of tests/reference/generated.py.
    let values: Vec<f32> = generated::noise(12345, 0.25, 1.0).take(3).collect();
    assert_eq!(values, [0.999_442_93, 0.979_065_54, 1.019_163_4]);
    assert_eq!(generated::crc32("a"), 0xE8B7_BE43);
    let picture = generated::picture("a", &[2, 3, 10, 9]).data;
    assert_eq!([0, 77, 539].map(|index| picture[index]), [-1.444_323_7, -0.722_916_1, -0.098_692_48]);
}

//! Trains the networks of docs/models.md on Fashion-MNIST: a natural and a robust one, one on random labels, and a
//! masker for RT-Sal; writes them as ONNX and their accuracies as JSON.
//!
//! ```text
//! apt-get download dataset-fashion-mnist && dpkg -x dataset-fashion-mnist_*.deb data
//! gunzip data/usr/share/datasets/fashion-mnist/*.gz
//! cargo run --example train_fashion_mnist -- --data data/usr/share/datasets/fashion-mnist \
//!     --kind natural --out tests/fixtures/fashion_mnist
//! ```

mod adam;
mod classifier;
mod data;
mod masker;
mod network;
mod onnx;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use adversight::{
    Device, Model,
    attack::{Attack, Norm},
};
use clap::{Parser, ValueEnum};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use classifier::{Training, accuracy};
use data::{CLASSES, NAMES, PIXELS, Pictures, SIDE};
use network::{Network, pictures};

/// Trains a network on Fashion-MNIST and writes it as ONNX.
#[derive(Parser)]
struct Arguments {
    /// The folder of the four unpacked idx files.
    #[arg(long)]
    data: PathBuf,
    /// What to train.
    #[arg(long, value_enum)]
    kind: Kind,
    /// The folder of the ONNX files and of models.json, to which the measured accuracies are added.
    #[arg(long)]
    out: PathBuf,
    /// Seed of everything random.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// How many of the training pictures to use, from the first on [default: as in docs/models.md]; for samples, how many
    /// of each class [default: 1].
    #[arg(long)]
    images: Option<usize>,
    /// How often each of them is seen [default: as in docs/models.md].
    #[arg(long)]
    epochs: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// As usual.
    Natural,
    /// Against an adversary (Madry et al. 2017).
    Robust,
    /// On labels that have nothing to do with the pictures (Adebayo et al. 2018).
    RandomLabels,
    /// RT-Sal's masking network, for the natural classifier of the same folder (Dabkowski and Gal 2017).
    Masker,
    /// No network: the first test pictures of each class as PNG.
    Samples,
}

impl Kind {
    /// The name of its file and of its entry in the report.
    fn name(self) -> &'static str {
        match self {
            Self::Natural => "natural",
            Self::Robust => "robust",
            Self::RandomLabels => "random_labels",
            Self::Masker => "masker",
            Self::Samples => "samples",
        }
    }

    /// Pictures and epochs.
    fn extent(self) -> (usize, usize) {
        match self {
            Self::Natural => (60_000, 4),
            Self::Robust => (20_000, 5),
            Self::RandomLabels => (500, 120),
            Self::Masker | Self::Samples => (10_000, 4),
        }
    }
}

/// The attack of the reported accuracies; stronger than the one in training.
const JUDGE: Attack = Attack { norm: Norm::Linf, step: 0.01, epsilon: 0.1, steps: 20, targeted: false };
/// The test pictures that are attacked, from the first on.
const ATTACKED: usize = 1_000;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("train_fashion_mnist: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let test = Pictures::read(&arguments.data, "t10k")?;
    fs::create_dir_all(&arguments.out).map_err(|error| error.to_string())?;
    if arguments.kind == Kind::Samples {
        return samples(&test, arguments.images.unwrap_or(1), &arguments.out);
    }
    let (images, epochs) = arguments.kind.extent();
    let (images, epochs) = (arguments.images.unwrap_or(images), arguments.epochs.unwrap_or(epochs));
    let train = Pictures::read(&arguments.data, "train")?.first(images);
    let started = Instant::now();
    let (network, mut entry) = match arguments.kind {
        Kind::Masker => masker::trained(&arguments.out, &train, &test, epochs, arguments.seed)?,
        kind => classify(kind, train, &test, epochs, arguments.seed)?,
    };
    entry["seed"] = arguments.seed.into();
    entry["images"] = images.into();
    entry["parameters"] = network.parameters().into();
    eprintln!("{entry:#} in {:.0} s", started.elapsed().as_secs_f64());
    let about = format!(
        "Trained on Fashion-MNIST (Copyright (c) 2017 Zalando SE, MIT licence) by examples/train_fashion_mnist: {}.",
        arguments.kind.name()
    );
    let bytes = onnx::write(&network, &about)?;
    if arguments.kind != Kind::Masker {
        check(&network, &bytes, &test)?;
    }
    let path = arguments.out.join(format!("{}.onnx", arguments.kind.name()));
    fs::write(&path, bytes).map_err(|error| format!("{}: {error}.", path.display()))?;
    report(&arguments.out.join("models.json"), arguments.kind.name(), entry)
}

fn classify(
    kind: Kind,
    mut train: Pictures,
    test: &Pictures,
    epochs: usize,
    seed: u64,
) -> Result<(Network, Value), String> {
    let said = |error: adversight::Error| error.to_string();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut training = Training {
        epochs,
        batch: 100,
        learning_rate: 2e-3,
        epsilon: 0.0,
        attack_step: 0.025,
        attack_steps: 5,
    };
    match kind {
        Kind::Robust => training.epsilon = JUDGE.epsilon,
        Kind::RandomLabels => train = train.with_random_labels(&mut random),
        _ => (),
    }
    let mut network = classifier::classifier(Device::cpu("training").burn(), &mut random);
    let started = Instant::now();
    classifier::train(&mut network, &train, &training, &mut random, |epoch, loss| {
        eprintln!("epoch {}: loss {loss:.4}, {:.0} s", epoch + 1, started.elapsed().as_secs_f64());
    })
    .map_err(said)?;
    let first = Pictures { pixels: test.pixels.clone(), labels: test.labels.clone() }.first(ATTACKED);
    let on_train = accuracy(&network, &train, None, &mut random).map_err(said)?;
    let clean = accuracy(&network, test, None, &mut random).map_err(said)?;
    let clean_first = accuracy(&network, &first, None, &mut random).map_err(said)?;
    let attacked = accuracy(&network, &first, Some(&JUDGE), &mut random).map_err(said)?;
    let entry = json!({
        "training": training,
        "accuracy_on_training_labels": on_train,
        "accuracy": clean,
        "accuracy_first_1000": clean_first,
        "accuracy_first_1000_under_pgd": attacked,
        "pgd": { "norm": "linf", "epsilon": JUDGE.epsilon, "step": JUDGE.step, "steps": JUDGE.steps,
                 "start": "random" },
    });
    Ok((network, entry))
}

/// Makes sure that the engine computes of the file what the trained network computes.
fn check(network: &Network, onnx: &[u8], test: &Pictures) -> Result<(), String> {
    let device = Device::cpu("checking");
    let model = Model::load(onnx, &device).map_err(|error| error.to_string())?;
    let chosen: Vec<usize> = (0..20).collect();
    let (x, _) = test.batch(&chosen, &network.device);
    let ours = network.output(&network.fixed(), vec![pictures(x.clone())]);
    let engines = model.logits(pictures(x).into()).map_err(|error| error.to_string())?;
    let difference = (ours - engines).abs().max().into_scalar::<f32>();
    eprintln!("the engine's logits differ by at most {difference:.1e}");
    if difference > 1e-4 { Err("the file does not compute what was trained.".into()) } else { Ok(()) }
}

/// Adds an entry to the report.
fn report(path: &Path, name: &str, entry: Value) -> Result<(), String> {
    let mut report = match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string())?,
        Err(_) => json!({}),
    };
    report[name] = short(entry);
    let text = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())? + "\n";
    fs::write(path, text).map_err(|error| format!("{}: {error}.", path.display()))
}

/// Numbers that were 32-bit floats with the digits that these have: 0.1, not 0.10000000149011612.
fn short(value: Value) -> Value {
    match value {
        Value::Object(entries) => entries.into_iter().map(|(name, value)| (name, short(value))).collect(),
        Value::Array(values) => values.into_iter().map(short).collect(),
        Value::Number(number) if number.is_f64() => {
            let digits = number.as_f64().map(|number| (number as f32).to_string());
            digits.and_then(|digits| digits.parse::<f64>().ok()).map_or(Value::Null, Value::from)
        }
        value => value,
    }
}

/// Writes the first `count` test pictures of each class: `class.png`, `class_1.png` and so on.
fn samples(test: &Pictures, count: usize, out: &Path) -> Result<(), String> {
    for class in 0..CLASSES {
        let of_class = test.labels.iter().enumerate().filter(|(_, label)| **label == class);
        for (number, (index, _)) in of_class.take(count).enumerate() {
            let name = if number == 0 { format!("{class}.png") } else { format!("{class}_{number}.png") };
            let pixels = test.pixels[index * PIXELS..(index + 1) * PIXELS].to_vec();
            let picture = image::GrayImage::from_raw(SIDE as u32, SIDE as u32, pixels).ok_or("no picture")?;
            picture.save(out.join(name)).map_err(|error| error.to_string())?;
        }
    }
    let names = serde_json::to_string_pretty(&NAMES).map_err(|error| error.to_string())? + "\n";
    fs::write(out.join("labels.json"), names).map_err(|error| error.to_string())
}

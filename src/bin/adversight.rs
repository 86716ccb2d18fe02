//! The engine on a command line.

#[path = "adversight/evaluate.rs"]
mod evaluate;
#[path = "adversight/marked.rs"]
mod marked;
#[path = "adversight/page.rs"]
mod page;
#[path = "adversight/report.rs"]
mod report;
#[path = "adversight/reproduce/mod.rs"]
mod reproduce;
#[path = "adversight/rows.rs"]
mod rows;
#[path = "adversight/table.rs"]
mod table;

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Seek, SeekFrom, Write},
    path::{Component, Path, PathBuf},
    process::ExitCode,
};

use adversight::{
    BoxTarget, ClassScore, Control, DetectOptions, DetectorOptions, Device, DeviceChoice, Error,
    ExplainOptions, Explainer, Follow, HostTensor, Input, Photograph, Preprocessing, Score, SoundPreparation,
    SoundView, TableKind, TableRow, Target, TokenLabel, Tokens, Waveform,
    attack::{self, AttackOptions, Norm},
    attribution::registry::{self, ParamDescription},
    input::{
        image::Region,
        labels::Labels,
        layout::Layout,
        table::{Columns, Table},
    },
    metric::{self, randomise},
    model::{self, Activation, HostValue, ModelFile, ModelOptions, OutputKind},
    render::{ColourMap, overlay, spectrogram},
};
use adversight_text::Tokenizer;
use clap::builder::TypedValueParser as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use npyz::WriterBuilder;
use serde::de::DeserializeOwned;

/// Explains why an image classifier decided.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one is made, when the program starts")]
enum Command {
    /// Prints the most probable classes.
    Classify {
        #[command(flatten)]
        common: Common,
        /// How many classes to print.
        #[arg(long, default_value_t = 5)]
        top: usize,
    },
    /// Finds the boxes of a detector.
    Detect {
        #[command(flatten)]
        common: Common,
        /// The least score of a box, 0 to 1 [default: the detector's, 0.25].
        #[arg(long)]
        threshold: Option<f32>,
        /// The largest overlap of two boxes of one class, 0 to 1 [default: the detector's, 0.5].
        #[arg(long)]
        overlap: Option<f32>,
        /// The most boxes.
        #[arg(long)]
        most: Option<usize>,
        /// Writes the boxes and what the detector was taken for; to the standard output for "-".
        #[arg(long)]
        json: Option<PathBuf>,
        /// Writes the photograph with the boxes.
        #[arg(long)]
        png: Option<PathBuf>,
    },
    /// Attributes the decision to the input's values.
    Explain {
        #[command(flatten)]
        common: Common,
        /// The method; `adversight methods` lists them.
        #[arg(long)]
        method: String,
        /// What to explain: a class (3), one class against another (3-against-5), a box (box:0, box:0:left, box:0:objectness), the area of a class
        /// (region:3), what hangs together with a pixel (at:120,40), a token (token:4), or JSON [default: the predicted class, or the best
        /// box of a detector].
        #[arg(long)]
        target: Option<Target>,
        /// The box to explain, by its number in the list of `adversight detect`: short for --target box:N.
        #[arg(long = "box", value_name = "N", conflicts_with = "target")]
        object: Option<usize>,
        /// A parameter of the method, as name=value; may be repeated.
        #[arg(long = "param", value_name = "NAME=VALUE")]
        params: Vec<String>,
        /// Seed of everything random.
        #[arg(long, default_value_t = 0)]
        seed: u32,
        /// The ONNX masking network that was trained for the model, for RT-Sal.
        #[arg(long)]
        masker: Option<PathBuf>,
        /// A float32 .npy tensor in place of what the method would draw or compute, as name=file.npy; may be
        /// repeated.
        #[arg(long = "given", value_name = "NAME=FILE")]
        given_tensors: Vec<String>,
        /// Writes the raw attribution, in the shape of the input; of several inputs, that of each, as name.input.npy for
        /// name.npy.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Writes the photograph, or the spectrogram of a sound, with the heat map over it.
        #[arg(long)]
        png: Option<PathBuf>,
        /// Writes how the explanation came about, and its words; of a text each word with its score.
        #[arg(long)]
        json: Option<PathBuf>,
        /// Writes one page that stands alone: the input, the map over it, words, settings, and hashes of network and input.
        #[arg(long)]
        html: Option<PathBuf>,
        /// Writes the text with its words coloured, the row of a table as bars, or the series with its map.
        #[arg(long)]
        svg: Option<PathBuf>,
        /// Writes only what mattered of a sound, as loud as the sound.
        #[arg(long)]
        wav: Option<PathBuf>,
        /// Writes only what is left of a sound, as loud as the sound.
        #[arg(long)]
        left_wav: Option<PathBuf>,
    },
    /// Writes the logits [N, classes] of a batch.
    Logits {
        #[command(flatten)]
        common: Common,
        /// Where to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Writes the gradient of a class's score with respect to the input.
    Gradient {
        #[command(flatten)]
        common: Common,
        /// The class, or another target as `explain` takes it.
        #[arg(long)]
        target: Target,
        /// The score: logit, probability or log_probability.
        #[arg(long, value_parser = named::<Score>, default_value = "logit")]
        score: Score,
        /// Where to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Attacks an input, and tells what the network says before and after; of a text in words, too.
    Attack {
        #[command(flatten)]
        common: Common,
        /// The attack; `adversight attacks` lists them.
        #[arg(long, default_value = "pgd")]
        attack: String,
        /// A parameter of the attack, as name=value; may be repeated.
        #[arg(long = "param", value_name = "NAME=VALUE")]
        params: Vec<String>,
        /// The largest change in all: of a value, or by the norm l2.
        #[arg(long)]
        epsilon: Option<f32>,
        /// How the change is measured: linf or l2.
        #[arg(long, value_parser = named::<Norm>, default_value = "linf")]
        norm: Norm,
        /// Number of steps; 1 is the fast gradient method.
        #[arg(long, default_value_t = 10)]
        steps: usize,
        /// The class that the attack leads to [default: away from the predicted one].
        #[arg(long)]
        towards: Option<usize>,
        /// Seed of everything random.
        #[arg(long, default_value_t = 0)]
        seed: u32,
        /// What is attacked where that is more than a class: a box, a region, as `explain` takes it.
        #[arg(long)]
        target: Option<Target>,
        /// Writes the attacked input, in the network's own space.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Writes what happened.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Writes an ONNX file whose last layers have forgotten what they learned (Adebayo et al. 2018).
    Randomise {
        /// The ONNX model.
        #[arg(long)]
        model: PathBuf,
        /// How many layers with weights to randomise, from the output on, or "all".
        #[arg(long, default_value = "all")]
        layers: Extent,
        /// Only the last of these layers, with all others as they were (independent randomisation).
        #[arg(long)]
        alone: bool,
        /// Seed of the random weights.
        #[arg(long, default_value_t = 0)]
        seed: u32,
        /// Where to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Prints what an ONNX file holds, and whether it can be explained, as JSON.
    Inspect {
        /// The ONNX model.
        #[arg(long)]
        model: PathBuf,
    },
    /// Measures how good explanations are: images x models x methods x metrics.
    Evaluate(evaluate::EvaluateArgs),
    /// Measures what a network says when only the words or cells remain that explanations mark, and when they are gone.
    Marked(marked::MarkedArgs),
    /// Measures a paper's tables and figures as far as they can be, with the paper's numbers beside them.
    Reproduce(reproduce::ReproduceArgs),
    /// Prints the registry of methods as JSON.
    Methods,
    /// Prints the registry of metrics as JSON.
    Metrics,
    /// Prints the registry of attacks as JSON.
    Attacks,
    /// Prints the device that would be used, as JSON.
    Device {
        /// The device.
        #[arg(long, value_enum, default_value_t = On::Auto)]
        device: On,
    },
}

#[derive(Args)]
struct Common {
    /// The ONNX model.
    #[arg(long)]
    model: PathBuf,
    /// A photograph (JPEG, PNG, WebP, GIF, BMP or TIFF), a sound (WAV, FLAC, MP3 or Ogg Vorbis), or an .npy tensor
    /// [N, C, H, W] that goes into the network as it is. A table (CSV with a header), of which `--row` is explained. With a tokenizer: a sentence, or a
    /// file of text.
    #[arg(long, value_parser = clap::builder::OsStringValueParser::new().map(PathBuf::from))]
    input: PathBuf,
    /// The row of a table that is explained, from 0, the header left aside; of a series the first of its rows.
    #[arg(long, default_value_t = 0)]
    row: usize,
    /// A table with the rows to compare with [default: the other rows of the table]; for a series, series one after the other.
    #[arg(long, value_name = "FILE")]
    background: Option<PathBuf>,
    /// What the columns of a table are to the network: the JSON of docs/tables.md [default: guessed, and told].
    #[arg(long, value_name = "FILE")]
    columns: Option<PathBuf>,
    /// A cell of the row that holds something else, as column=value; may be repeated.
    #[arg(long = "set", value_name = "COLUMN=VALUE")]
    changes: Vec<String>,
    /// Whether a table is a row for each input or a series of rows [default: by the network].
    #[arg(long, value_parser = named::<TableKind>, value_name = "row|series")]
    kind: Option<TableKind>,
    /// What makes tokens of text: a tokenizer.json, a vocabulary of one word a line, or "bytes" for networks that read any
    /// file's bytes as magika does.
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// What the tokenizer's file does not say, as lowercase=true|false, split=words|marks|whitespace|characters, unknown=TOKEN,
    /// padding=TOKEN or mask=TOKEN; may be repeated.
    #[arg(long = "tokenizer-option", value_name = "NAME=VALUE", requires = "tokenizer")]
    tokenizer_options: Vec<String>,
    /// The second text, for networks that take a pair.
    #[arg(long, value_name = "TEXT", requires = "tokenizer")]
    pair: Option<String>,
    /// The most tokens of a text [default: as many as the network has places for].
    #[arg(long, value_name = "TOKENS", requires = "tokenizer")]
    longest: Option<usize>,
    /// The axis of the network's tokens that holds the texts: 0 for [texts, tokens], 1 for [tokens, texts] [default: found by
    /// trying both].
    #[arg(long, value_name = "AXIS", requires = "tokenizer")]
    batch_axis: Option<usize>,
    /// The token that is asked about, of networks that give each a class: its number, from 0 and with what the tokenizer adds, or
    /// the word that it is of.
    #[arg(long, value_name = "TOKEN", requires = "tokenizer")]
    token: Option<String>,
    /// A preprocessor_config.json, optionally with "channel_order": "BGR", or timm's config.json; for sounds that of a
    /// feature extractor, or the JSON of docs/sound.md.
    #[arg(long)]
    preprocessing: Option<PathBuf>,
    /// Samples a second that a network for sounds takes, where no preprocessing says so.
    #[arg(long)]
    rate: Option<u32>,
    /// What of a sound is explained: the cells of its short-time spectrum (time and frequency), or its samples (time).
    #[arg(long, value_parser = named::<SoundView>, default_value = "cells")]
    view: SoundView,
    /// The explained input, where the model has several; repeated, all of them are explained at once: `--input` is the
    /// value of the first, and `--also` has those of the others.
    #[arg(long = "input-name", value_name = "NAME")]
    input_names: Vec<String>,
    /// The value of another input, as name=number or name=file.npy; may be repeated.
    #[arg(long = "also", value_name = "NAME=VALUE")]
    also: Vec<String>,
    /// The explained output, where the model has several.
    #[arg(long, value_name = "NAME")]
    output_name: Option<String>,
    /// Explain the output of this node instead of an input.
    #[arg(long, value_name = "NODE")]
    at: Option<String>,
    /// The size of an open dimension, as symbol=size or input:axis=size; may be repeated.
    #[arg(long = "size", value_name = "DIM=SIZE")]
    sizes: Vec<String>,
    /// How scores become probabilities [default: found in the graph].
    #[arg(long, value_enum)]
    activation: Option<Scores>,
    /// What the axes of the explained value mean: picture, picture_channels_last, sound, sequence, table or values
    /// [default: found by its shape and the graph].
    #[arg(long, value_parser = named::<Layout>)]
    layout: Option<Layout>,
    /// How a detector's outputs are arranged, as the JSON of docs/detectors.md [default: found in the file].
    #[arg(long, value_name = "FILE")]
    detector: Option<PathBuf>,
    /// Class names: a JSON list or object, a config.json with id2label, or a text file with one name a line.
    #[arg(long)]
    labels: Option<PathBuf>,
    /// The device that computes.
    #[arg(long, value_enum, default_value_t = On::Cpu)]
    device: On,
}

/// What has this name in JSON.
fn named<T: DeserializeOwned>(name: &str) -> Result<T, String> {
    serde_json::from_value(name.into()).map_err(|error| error.to_string())
}

#[derive(Clone, Copy, ValueEnum)]
enum Scores {
    /// One class of several.
    Softmax,
    /// Each class for itself.
    Sigmoid,
    /// The scores are what they are.
    None,
}

#[derive(Clone, Copy, ValueEnum)]
enum On {
    /// The GPU if it works, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU through wgpu, in builds with the feature `webgpu`.
    Gpu,
}

/// A number of layers.
#[derive(Debug, Clone, Copy)]
struct Extent(Option<usize>);

impl std::str::FromStr for Extent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "all" => Ok(Self(None)),
            Ok(0) | Err(_) => Err("give a number from 1 on, or \"all\"".into()),
            Ok(count) => Ok(Self(Some(count))),
        }
    }
}

/// Prints a line; a reader that has seen enough (`| head`) ends the program quietly.
macro_rules! out {
    ($($format:tt)*) => {
        if let Err(error) = writeln!(std::io::stdout(), $($format)*) {
            match error.kind() {
                std::io::ErrorKind::BrokenPipe => std::process::exit(0),
                _ => return Err(format!("The output cannot be written: {error}.")),
            }
        }
    };
}

type CliResult<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    match pollster::block_on(run(Cli::parse())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("adversight: {message}");
            ExitCode::FAILURE
        }
    }
}

fn say(error: Error) -> String {
    format!("{error} [{}]", error.code())
}

async fn run(cli: Cli) -> CliResult {
    match cli.command {
        Command::Methods => {
            out!("{}", pretty(&registry::methods())?);
        }
        Command::Inspect { model } => {
            out!("{}", pretty(&model::inspect(&read(&model)?).map_err(say)?)?);
        }
        Command::Randomise { model, layers: Extent(count), alone, seed, out } => {
            let onnx = read(&model)?;
            let layers = randomise::layers(&onnx).map_err(say)?;
            let count = count.unwrap_or(layers.len());
            if layers.is_empty() || count > layers.len() {
                return Err(format!("{} has {} layers with weights.", model.display(), layers.len()));
            }
            let first = if alone { count - 1 } else { 0 };
            let chosen = &layers[first..count];
            write(&out, &randomise::randomise(&onnx, chosen, seed).map_err(say)?)?;
            for layer in chosen {
                out!("{}  ({})", layer.name, layer.operator);
            }
        }
        Command::Metrics => {
            out!("{}", pretty(&metric::registry::metrics())?);
        }
        Command::Attacks => {
            out!("{}", pretty(&attack::registry::attacks())?);
        }
        Command::Marked(args) => marked::marked(&args).await?,
        Command::Reproduce(args) => reproduce::reproduce(&args).await?,
        Command::Evaluate(args) => {
            evaluate::print(&evaluate::evaluate(&args).await?);
        }
        Command::Device { device } => {
            out!("{}", pretty(open(device).await?.report())?);
        }
        Command::Classify { common, top } => {
            let job = Job::new(&common).await?;
            if job.explainer.model().is_detector() {
                eprintln!(
                    "note: It is a detector, and these are single numbers of its output; `adversight detect` lists its boxes."
                );
            }
            let of_each = job.explainer.model().tokens().is_some_and(|info| info.labels_tokens);
            if let (Owned::Text(text), true, None) = (&job.input, of_each, &common.token) {
                for TokenLabel { token, class } in job.explainer.token_labels(text).await.map_err(say)? {
                    let name = if token.special { format!("({})", token.name) } else { token.name };
                    let ClassScore { index, label, probability, logit } = class;
                    out!(
                        "{:>4}  {name}  {label}  {:.2} %  (class {index}, logit {logit:.4})",
                        token.number,
                        probability * 100.0
                    );
                }
                return Ok(());
            }
            let found = job.explainer.classify(&job.input.borrow(), top).await.map_err(say)?;
            if let Some(token) = &found.token {
                out!("of \u{201c}{}\u{201d} (token {}):", token.name, token.number);
            }
            found.notes.iter().for_each(|note| eprintln!("note: {note}"));
            let info = job.explainer.model().info();
            let shares = found.top.iter().all(|class| (0.0..=1.0).contains(&class.probability));
            let shares = info.probabilities || (shares && info.output_kind != OutputKind::Single);
            for ClassScore { index, label, probability, logit } in found.top {
                if !shares {
                    out!("{logit}  {label}  (class {index})");
                    continue;
                }
                out!("{:6.2} %  {label}  (class {index}, logit {logit:.4})", probability * 100.0);
            }
        }
        Command::Detect { common, threshold, overlap, most, json, png } => {
            let job = Job::of(&common, true).await?;
            let options = DetectOptions { threshold, overlap, most };
            let found = job.explainer.detect(&job.input.borrow(), &options).await.map_err(say)?;
            found.notes.iter().for_each(|note| eprintln!("note: {note}"));
            match json.as_deref() {
                Some(path) if path == Path::new("-") => out!("{}", pretty(&found)?),
                json => {
                    for line in page::boxes(&found) {
                        out!("{line}");
                    }
                    if let Some(path) = json {
                        write(path, pretty(&found)?.as_bytes())?;
                    }
                }
            }
            if let Some(path) = png {
                let Owned::Photograph(photograph) = &job.input else {
                    return Err("--png draws on a photograph, and the input is none.".into());
                };
                let drawn = page::with_boxes(photograph.rgb(), &found.boxes);
                write(&path, &png_of(&drawn)?)?;
            }
        }
        Command::Logits { common, out } => {
            let job = Job::new(&common).await?;
            write_npy(&out, &job.explainer.logits(&job.tensor()?).await.map_err(say)?)?;
        }
        Command::Attack {
            common,
            attack,
            params,
            epsilon,
            norm,
            steps,
            towards,
            target,
            seed,
            out,
            json,
        } => {
            let known = attack::registry::find(&attack).map_err(say)?.describe().params;
            let params = parse_pairs(&attack, &known, &params)?;
            let job = Job::of(&common, matches!(target, Some(Target::Box(_)))).await?;
            let mut options =
                AttackOptions { attack, params, norm, steps, towards, seed, ..AttackOptions::default() };
            options.epsilon = epsilon.unwrap_or(options.epsilon);
            let (mut bound, input) = job.explainer.bound(&job.input.borrow()).await.map_err(say)?;
            if let Some(target) = &target {
                let region = job.region()?;
                let aimed = bound.aimed(target, &input, region, Follow::Place).await.map_err(say)?;
                aimed.notes.iter().for_each(|note| eprintln!("note: {note}"));
                if let Some(aim) = &aimed.aim {
                    out!("{}", aim.said);
                }
                bound = aimed.explainer;
            }
            let found =
                attack::attack(&bound, &input, &options, 5, &Control::default()).await.map_err(say)?;
            let line = |class: &ClassScore| {
                format!(
                    "{:6.2} %  {}  (class {}, logit {:.4})",
                    class.probability * 100.0,
                    class.label,
                    class.index,
                    class.logit
                )
            };
            for (name, classes) in [("before", &found.before), ("after", &found.after)] {
                out!("{name}:");
                for class in classes {
                    out!("{}", line(class));
                }
            }
            out!(
                "changed by {:.6} at most, of length {:.6}, in {}",
                found.linf,
                found.l2,
                match found.space {
                    attack::Space::Pixel => "pixels from 0 to 1",
                    attack::Space::Model => "the network's own space",
                }
            );
            let words = match (&found.text, &job.input) {
                (Some(text), _) => {
                    let tokenizer = common.tokenizer()?;
                    text.words(&|id| tokenizer.piece(id))
                }
                (None, Owned::Text(_)) => {
                    vec!["The attack has moved the numbers that the text\u{2019}s tokens are looked up as; which words lie near them is not \
                         known of this network."
                        .to_owned()]
                }
                _ => Vec::new(),
            };
            for sentence in &words {
                out!("{sentence}");
            }
            if let Some(out) = out {
                write_npy(&out, &found.input)?;
            }
            if let Some(json) = json {
                let report = serde_json::json!({
                    "before": found.before, "after": found.after, "original": found.original, "space": found.space,
                    "linf": found.linf, "l2": found.l2, "turned": found.turned, "attack": options.attack, "text": found.text, "words": words,
                });
                write(&json, pretty(&report)?.as_bytes())?;
            }
        }
        Command::Gradient { common, target, score, out } => {
            let job = Job::of(&common, matches!(target, Target::Box(_))).await?;
            let (tensor, region) = (job.tensor()?, job.region()?);
            let (explainer, class) = match target {
                Target::Class(class) => (job.explainer, class),
                target => {
                    let aimed =
                        job.explainer.aimed(&target, &tensor, region, Follow::Place).await.map_err(say)?;
                    (aimed.explainer, aimed.class.unwrap_or_default())
                }
            };
            let gradient = explainer.input_gradient(&tensor, class, score).await;
            write_npy(&out, &gradient.map_err(say)?)?;
        }
        Command::Explain {
            common,
            method,
            target,
            object,
            params,
            seed,
            masker,
            given_tensors,
            out,
            png,
            json,
            html,
            svg,
            wav,
            left_wav,
        } => {
            let params = parse_params(&method, &params)?;
            let of_a_box = object.is_some() || matches!(target, Some(Target::Box(_)));
            let mut job = Job::of(&common, of_a_box).await?;
            if let Some(path) = masker {
                let bytes = read(&path)?;
                job.explainer = job.explainer.with_masker(&bytes.as_slice().into()).map_err(say)?;
            }
            let target = object
                .map(|number| Target::Box(BoxTarget { number: Some(number), ..BoxTarget::default() }))
                .or(target);
            let options =
                ExplainOptions { method, target, params, seed, given: given(&given_tensors)?, stop: None };
            let control = Control {
                on_progress: Box::new(|progress| {
                    eprint!("\r{} {}/{}   ", progress.stage, progress.done, progress.total);
                }),
                ..Control::default()
            };
            let explained = job.explainer.explain(&job.input.borrow(), &options, &control).await;
            eprintln!();
            let (explanation, region) = explained.map_err(say)?;
            out!("{}", explanation.words.join(" "));
            for line in page::listed(&explanation) {
                out!("{line}");
            }
            if let Some(out) = out {
                match explanation.inputs.as_slice() {
                    [] => write_npy(&out, &explanation.attribution)?,
                    inputs => {
                        inputs.iter().try_for_each(|(name, map)| write_npy(&named_file(&out, name), map))?
                    }
                }
            }
            let scores: Vec<f32> = explanation.parts.iter().map(|part| part.score).collect();
            let heard = match &job.input {
                Owned::Sound(sound)
                    if [&wav, &left_wav, &png, &html].into_iter().any(|path| path.is_some()) =>
                {
                    Some(job.explainer.heard(sound, explanation.segments.as_ref(), &scores).map_err(say)?)
                }
                _ => None,
            };
            let drawn = match (&job.input, region, &heard) {
                (Owned::Photograph(photograph), Some(region), _) => {
                    Some(overlay(photograph.rgb(), &explanation.heatmap, region, ColourMap::Magma, 0.8))
                }
                (_, _, Some(heard)) => {
                    let samples = &heard.sound.channels()[0];
                    Some(spectrogram(
                        samples,
                        heard.sound.rate(),
                        &explanation.heatmap,
                        ColourMap::Magma,
                        0.8,
                    ))
                }
                _ => None,
            };
            if let Some(png) = png {
                let Some(drawn) = &drawn else {
                    let what = match &job.input {
                        Owned::Text(_) => "text",
                        Owned::Table(_) => "table",
                        _ => "tensor",
                    };
                    return Err(format!(
                        "--png draws on a photograph or a sound, and the input is a {what}."
                    ));
                };
                drawn.save(&png).map_err(|error| format!("{} cannot be written: {error}.", png.display()))?;
            }
            if wav.is_some() || left_wav.is_some() {
                let Some(heard) = &heard else {
                    return Err("--wav and --left-wav write parts of a sound, and the input is none.".into());
                };
                for (path, bytes) in [(wav, heard.only_wav()), (left_wav, heard.left_wav())] {
                    if let Some(path) = path {
                        write(&path, &bytes)?;
                    }
                }
            }
            if let Some(json) = json {
                let report = serde_json::json!({
                    "info": explanation.info,
                    "words": explanation.words,
                    "heatmap": { "shape": explanation.heatmap.shape, "rule": explanation.heatmap.rule },
                    "region": region,
                    "inputs": explanation.inputs.iter().map(|(name, map)| {
                        let sum = |value: fn(f32) -> f32| map.data.iter().map(|&x| f64::from(value(x))).sum::<f64>();
                        let (signed, size) = (sum(|x| x), sum(f32::abs));
                        (name.clone(), serde_json::json!({ "shape": map.shape, "sum": signed, "size": size }))
                    }).collect::<serde_json::Map<_, _>>(),
                    "parts": explanation.parts,
                    "texts": explanation.texts,
                    "table": explanation.table,
                    "series": explanation.series,
                    "model": job.explainer.info(),
                    "device": job.explainer.model().device().report(),
                });
                write(&json, pretty(&report)?.as_bytes())?;
            }
            if let Some(svg) = svg {
                let drawn = match (&explanation.table, &explanation.series, explanation.texts.is_empty()) {
                    (Some(_), ..) => rows::bars(&explanation),
                    (_, Some(_), _) => rows::lines(&explanation),
                    (.., false) => page::svg(&explanation, 80),
                    _ => {
                        return Err(
                            "--svg draws the words of a text or a table, and the input is none.".into()
                        );
                    }
                };
                write(&svg, drawn.as_bytes())?;
            }
            if let Some(html) = html {
                let words = explanation.words.join(" ");
                let mut figure = match &drawn {
                    Some(drawn) => page::picture(&png_of(drawn)?, &words),
                    None => String::new(),
                };
                match (&job.input, &heard) {
                    (Owned::Photograph(photograph), _) => {
                        figure += &page::picture(&png_of(photograph.rgb())?, "The input");
                    }
                    (Owned::Text(_), _) => figure += &page::coloured(&explanation),
                    (Owned::Table(_), _) => {
                        figure += &rows::bars(&explanation).repeat(usize::from(explanation.table.is_some()));
                        figure += &rows::lines(&explanation);
                        figure += &page::columns(&explanation);
                    }
                    (_, Some(heard)) => {
                        figure += &page::sound(&adversight_sound::wav(&heard.sound), "The sound");
                        figure += &page::sound(&heard.only_wav(), "Only what mattered");
                        figure += &page::sound(&heard.left_wav(), "Only what is left");
                    }
                    _ => (),
                }
                let asked = page::Asked {
                    model: &job.explainer.info().name,
                    model_hash: &job.hashes[0],
                    input_hash: &job.hashes[1],
                };
                write(&html, page::page(&explanation, &asked, &figure).as_bytes())?;
            }
        }
    }
    Ok(())
}

/// A picture as the bytes of a PNG file.
fn png_of(picture: &image::RgbImage) -> CliResult<Vec<u8>> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|error| format!("The picture cannot be written: {error}."))?;
    Ok(bytes.into_inner())
}

/// A model on a device, and its input.
struct Job {
    explainer: Explainer,
    input: Owned,
    /// SHA-256 of the model and of the input.
    hashes: [String; 2],
}

enum Owned {
    Photograph(Photograph),
    Sound(Waveform),
    Tensor(HostTensor),
    Named(BTreeMap<String, HostTensor>),
    Text(Box<Tokens>),
    Table(Box<TableRow>),
}

impl Owned {
    fn borrow(&self) -> Input<'_> {
        match self {
            Self::Photograph(photograph) => Input::Photograph(photograph),
            Self::Sound(sound) => Input::Sound(sound),
            Self::Tensor(tensor) => Input::Tensor(tensor),
            Self::Named(values) => Input::Named(values),
            Self::Text(tokens) => Input::Tokens(tokens),
            Self::Table(row) => Input::Table(row),
        }
    }
}

/// Whether a file is a table, by its ending.
fn is_table(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    matches!(ending.as_str(), "csv" | "tsv")
}

/// Whether a file is one of a sound, by its ending.
fn is_sound(path: &Path) -> bool {
    const SOUNDS: [&str; 12] =
        ["wav", "wave", "flac", "mp3", "ogg", "oga", "opus", "m4a", "aac", "mp4", "webm", "mkv"];
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    SOUNDS.contains(&ending.as_str())
}

impl Common {
    /// How sounds are prepared for the network.
    fn listening(&self) -> CliResult<SoundPreparation> {
        let declared = match &self.preprocessing {
            Some(path) => SoundPreparation::from_json(&text(path)?),
            None => SoundPreparation::of_samples(self.rate),
        };
        let mut declared = declared.map_err(say)?;
        match self.rate {
            Some(rate) if rate != declared.rate => Err(format!(
                "--rate says {rate} samples a second, and the preprocessing {}: leave one of them out.",
                declared.rate
            )),
            _ => {
                declared.view = self.view;
                Ok(declared)
            }
        }
    }

    fn options(&self) -> CliResult<ModelOptions> {
        let mut sizes = BTreeMap::new();
        for pair in &self.sizes {
            let size =
                pair.rsplit_once('=').and_then(|(name, size)| Some((name.to_owned(), size.parse().ok()?)));
            let (name, size) =
                size.ok_or_else(|| format!("--size {pair} is not of the form name=number."))?;
            sizes.insert(name, size);
        }
        Ok(ModelOptions {
            input: self.input_names.first().filter(|_| self.input_names.len() == 1).cloned(),
            joint: self.input_names.iter().filter(|_| self.input_names.len() > 1).cloned().collect(),
            output: self.output_name.clone(),
            at: self.at.clone(),
            sizes,
            layout: self.layout,
            explained_shape: None,
            text: self.tokenizer.is_some(),
            longest: self.longest,
            batch_axis: self.batch_axis,
            values: BTreeMap::new(),
            front_end: None,
            detector: match &self.detector {
                Some(path) => Some(DetectorOptions::from_json(&text(path)?).map_err(say)?),
                None => None,
            },
            activation: self.activation.map(|scores| match scores {
                Scores::Softmax => Activation::Softmax,
                Scores::Sigmoid => Activation::Sigmoid,
                Scores::None => Activation::None,
            }),
        })
    }
}

impl Common {
    /// What makes tokens of text.
    fn tokenizer(&self) -> CliResult<Tokenizer> {
        let mut options = serde_json::Map::new();
        for pair in &self.tokenizer_options {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("--tokenizer-option {pair} is not of the form name=value."))?;
            let value = match (name, value) {
                ("lowercase", "true") => true.into(),
                ("lowercase", "false") => false.into(),
                _ => value.into(),
            };
            options.insert(name.to_owned(), value);
        }
        let options: adversight_text::Options = serde_json::from_value(options.into())
            .map_err(|error| format!("--tokenizer-option: {error}."))?;
        let path = self.tokenizer.as_deref().unwrap_or(Path::new("bytes"));
        Ok(match path == Path::new("bytes") && !path.exists() {
            true => Tokenizer::bytes(),
            false => Tokenizer::read(&read(path)?, &options).map_err(text_fault)?,
        })
    }

    /// The row that is asked about, and the bytes of its table.
    fn table(&self) -> CliResult<(Owned, Vec<u8>)> {
        let bytes = read(&self.input)?;
        let table = |bytes: &[u8], path: &Path| {
            Table::from_csv(bytes).map_err(|error| format!("{}: {}", path.display(), say(error)))
        };
        let mut row = TableRow::new(table(&bytes, &self.input)?, self.row);
        row.kind = self.kind;
        if let Some(path) = &self.background {
            row.background = Some(table(&read(path)?, path)?);
        }
        if let Some(path) = &self.columns {
            row.columns = Some(Columns::from_json(&text(path)?).map_err(say)?);
        }
        for pair in &self.changes {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("--set {pair} is not of the form column=value."))?;
            row.changes.insert(name.to_owned(), value.to_owned());
        }
        Ok((Owned::Table(Box::new(row)), bytes))
    }

    /// The text as tokens, and its bytes.
    fn text(&self) -> CliResult<(Owned, Vec<u8>)> {
        let (tokenizer, fault) = (self.tokenizer()?, text_fault);
        let written = self.input.to_string_lossy();
        // A name that long is no file's, and asking for it would fail.
        let is_file = written.len() < 4096 && self.input.is_file();
        let names_a_file =
            self.input.extension().is_some_and(|end| end == "txt") && !written.contains(char::is_whitespace);
        let bytes = match is_file || names_a_file {
            true => read(&self.input)?,
            false => written.as_bytes().to_vec(),
        };
        let tokens = match &self.pair {
            None => tokenizer.encode_bytes(&bytes),
            Some(pair) => adversight_text::utf8(&bytes).and_then(|text| tokenizer.encode(text, Some(pair))),
        };
        let mut tokens: Tokens = tokens.map_err(fault)?.into();
        tokens.token = self.token.as_ref().and_then(|token| token.parse().ok());
        Ok((Owned::Text(Box::new(tokens)), bytes))
    }
}

fn text_fault(error: adversight_text::Error) -> String {
    format!("{error} [{}]", error.code())
}

/// A part of a file beside the model; names that lead elsewhere are refused.
fn part_of(folder: &Path, location: &str, offset: u64, length: Option<u64>) -> Result<Vec<u8>, String> {
    let outside = Path::new(location).components().any(|part| !matches!(part, Component::Normal(_)));
    if outside {
        return Err(format!("lies in \"{location}\", outside of the model's folder"));
    }
    let fault = |error: std::io::Error| format!("lies in \"{location}\", which cannot be read: {error}");
    let mut file = fs::File::open(folder.join(location)).map_err(fault)?;
    let size = file.metadata().map_err(fault)?.len();
    let length = length.unwrap_or(size.saturating_sub(offset));
    if offset.checked_add(length).is_none_or(|end| end > size) {
        return Err(format!("lies beyond the end of \"{location}\""));
    }
    file.seek(SeekFrom::Start(offset)).map_err(fault)?;
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes).map_err(fault)?;
    Ok(bytes)
}

impl Job {
    async fn new(common: &Common) -> CliResult<Self> {
        Self::of(common, false).await
    }

    /// The same where a box is asked about, or not.
    async fn of(common: &Common, of_a_box: bool) -> CliResult<Self> {
        let is_tensor = common.input.extension().is_some_and(|extension| extension == "npy");
        let (input, given) = match &common.tokenizer {
            Some(_) if !is_tensor => common.text()?,
            None if is_table(&common.input) => common.table()?,
            _ if is_tensor => (Owned::Tensor(read_npy(&common.input)?), read(&common.input)?),
            _ if !common.input.exists() && common.input.to_string_lossy().contains(char::is_whitespace) => {
                return Err(format!(
                    "\u{201c}{}\u{201d} is no file. To explain a sentence, give what makes tokens of it, too (--tokenizer).",
                    common.input.display()
                ));
            }
            _ => {
                let bytes = read(&common.input)?;
                let input = match is_sound(&common.input) {
                    true => {
                        Owned::Sound(adversight_sound::decode(&bytes).map_err(|error| say(error.into()))?)
                    }
                    false => Owned::Photograph(Photograph::decode(&bytes).map_err(say)?),
                };
                (input, bytes)
            }
        };
        let device = open(common.device).await?;
        let bytes = read(&common.model)?;
        let folder = common.model.parent().unwrap_or(Path::new("")).to_owned();
        let external =
            |location: &str, offset: u64, length: Option<u64>| part_of(&folder, location, offset, length);
        let file = ModelFile { bytes: &bytes, external: Some(&external) };
        let also = also(&common.also)?;
        let mut options = common.options()?;
        if of_a_box && options.detector.is_none() {
            // Found in the file, whatever its outputs are.
            options.detector = Some(DetectorOptions::default());
        }
        if let (Owned::Tensor(tensor), None) = (&input, &common.at) {
            // Sizes that the file leaves open are those of the input at hand.
            options.explained_shape = Some(tensor.shape.clone());
        }
        options.values = also;
        let input = match (input, options.joint.as_slice()) {
            (Owned::Tensor(tensor), [first, others @ ..]) if !others.is_empty() => {
                let mut values = BTreeMap::from([(first.clone(), tensor)]);
                for name in others {
                    let value = options.values.get(name).ok_or_else(|| {
                        format!("Give the value of the input \"{name}\": --also {name}=file.npy.")
                    })?;
                    values.insert(name.clone(), value.clone().into_real().map_err(say)?);
                }
                options
                    .values
                    .extend(values.iter().map(|(name, value)| (name.clone(), value.clone().into())));
                options.explained_shape = None;
                Owned::Named(values)
            }
            (Owned::Photograph(_) | Owned::Sound(_), [_, _, ..]) => {
                return Err("Several inputs are explained at once from .npy tensors or a table.".into());
            }
            (input, _) => input,
        };
        let loaded = match &input {
            Owned::Sound(sound) => {
                let preparation = common.listening()?;
                Explainer::load_for_sound(&file, &options, &preparation, sound, &device)
            }
            Owned::Table(row) => Explainer::load_for_table(&file, &options, row, &device),
            _ => Explainer::load_with(&file, &options, &device),
        };
        let mut explainer = loaded.map_err(say)?;
        if let Some(name) = common.model.file_stem() {
            explainer = explainer.with_name(name.to_string_lossy());
        }
        if let (Some(path), Owned::Photograph(_) | Owned::Tensor(_)) = (&common.preprocessing, &input) {
            let declared = Preprocessing::from_json(&text(path)?).map_err(say)?;
            explainer = explainer.with_preprocessing(declared).map_err(say)?;
        }
        if !matches!(input, Owned::Tensor(_) | Owned::Table(_)) {
            explainer.info().preprocessing_notes.iter().for_each(|note| eprintln!("note: {note}"));
        }
        if let Some(path) = &common.labels {
            explainer = Labels::from_text(&text(path)?)
                .and_then(|labels| explainer.with_names(labels))
                .map_err(say)?;
        }
        // What was guessed, with the option that changes it.
        for note in &explainer.info().graph.notes {
            eprintln!("note: {note}");
        }
        Ok(Self { explainer, input, hashes: [page::hash(&bytes), page::hash(&given)] })
    }

    /// The part of the photograph that the network sees, where the input is one.
    fn region(&self) -> CliResult<Option<Region>> {
        match &self.input {
            Owned::Photograph(_) => Ok(self.explainer.prepare(&self.input.borrow()).map_err(say)?.1),
            _ => Ok(None),
        }
    }

    fn tensor(&self) -> CliResult<HostTensor> {
        Ok(self.explainer.prepare(&self.input.borrow()).map_err(say)?.0)
    }
}

async fn open(on: On) -> CliResult<Device> {
    let choice = match on {
        On::Auto => DeviceChoice::Auto,
        On::Cpu => DeviceChoice::Cpu,
        On::Gpu => DeviceChoice::WebGpu,
    };
    Device::open(choice).await.map_err(say)
}

/// `name=value` pairs, each read by the kind that the method declares for it.
fn parse_params(method: &str, pairs: &[String]) -> CliResult<serde_json::Map<String, serde_json::Value>> {
    parse_pairs(method, &registry::find(method).map_err(say)?.describe().params, pairs)
}

/// `name=value` pairs of a method or a metric called `owner`, which declares the parameters `known`.
fn parse_pairs(
    owner: &str,
    known: &[ParamDescription],
    pairs: &[String],
) -> CliResult<serde_json::Map<String, serde_json::Value>> {
    pairs
        .iter()
        .map(|pair| {
            let (name, value) =
                pair.split_once('=').ok_or_else(|| format!("\"{pair}\" is not of the form name=value."))?;
            let fault = |reason: String| {
                say(Error::ParameterInvalid { method: owner.to_owned(), name: name.to_owned(), reason })
            };
            match known.iter().find(|param| param.name == name) {
                Some(param) => {
                    let value = param.parse(value).map_err(fault)?;
                    param.check(&value).map_err(fault)?;
                    Ok((name.to_owned(), value))
                }
                None => {
                    let names: Vec<&str> = known.iter().map(|param| param.name.as_str()).collect();
                    Err(fault(format!("it is unknown; there are {}", names.join(", "))))
                }
            }
        })
        .collect()
}

/// `name=file.npy` pairs.
fn given(pairs: &[String]) -> CliResult<BTreeMap<String, HostTensor>> {
    let read = |pair: &String| {
        let (name, file) = pair
            .split_once('=')
            .ok_or_else(|| format!("--given {pair} is not of the form name=file.npy."))?;
        Ok((name.to_owned(), read_npy(Path::new(file))?))
    };
    pairs.iter().map(read).collect()
}

/// The file for what belongs to one of several inputs: its name stands before the ending.
fn named_file(path: &Path, input: &str) -> PathBuf {
    let safe: String =
        input.chars().map(|c| if c.is_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect();
    path.with_extension(format!("{safe}.{}", path.extension().unwrap_or_default().to_string_lossy()))
}

fn pretty(value: &impl serde::Serialize) -> CliResult<String> {
    serde_json::to_string_pretty(value).map_err(|error| error.to_string())
}

fn read(path: &Path) -> CliResult<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{} cannot be read: {error}.", path.display()))
}

fn text(path: &Path) -> CliResult<String> {
    String::from_utf8(read(path)?).map_err(|_| format!("{} is no text file.", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> CliResult {
    fs::write(path, bytes).map_err(|error| format!("{} cannot be written: {error}.", path.display()))
}

/// `name=number` and `name=file.npy` pairs.
fn also(pairs: &[String]) -> CliResult<BTreeMap<String, HostValue>> {
    let read = |pair: &String| {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("--also {pair} is not of the form name=number or name=file.npy."))?;
        let value = match (value.parse::<i64>(), value.parse::<f32>()) {
            (Ok(number), _) => HostValue::Int { data: vec![number], shape: Vec::new() },
            (_, Ok(number)) => HostValue::Float { data: vec![number], shape: Vec::new() },
            _ => read_values(Path::new(value))?,
        };
        Ok((name.to_owned(), value))
    };
    pairs.iter().map(read).collect()
}

/// Reads an array in C order as real numbers.
fn read_npy(path: &Path) -> CliResult<HostTensor> {
    read_values(path)?.into_real().map_err(say)
}

/// Reads an array in C order, of any type that a network computes with.
fn read_values(path: &Path) -> CliResult<HostValue> {
    let fault = |reason: String| format!("{}: {reason}.", path.display());
    let bytes = read(path)?;
    let file = npyz::NpyFile::new(&bytes[..]).map_err(|error| fault(error.to_string()))?;
    if file.order() != npyz::Order::C {
        return Err(fault("save it in C order (numpy.ascontiguousarray)".into()));
    }
    let shape: Vec<usize> = file.shape().iter().map(|&size| size as usize).collect();
    let npyz::DType::Plain(kind) = file.dtype() else {
        return Err(fault("it holds records, and not one number after the other".into()));
    };
    /// All values, read as one type and converted to another.
    macro_rules! values {
        ($from:ty, $convert:expr) => {
            file.into_vec::<$from>()
                .map_err(|error| fault(error.to_string()))?
                .into_iter()
                .map($convert)
                .collect()
        };
    }
    let float = |data: Vec<f32>| HostValue::Float { data, shape: shape.clone() };
    let int = |data: Vec<i64>| HostValue::Int { data, shape: shape.clone() };
    Ok(match kind.to_string().trim_start_matches(['<', '>', '|', '=']) {
        "f4" => float(values!(f32, |value| value)),
        "f8" => float(values!(f64, |value| value as f32)),
        // The numbers are the end of the file.
        "f2" => {
            let count: usize = shape.iter().product();
            let start = bytes.len().checked_sub(2 * count).ok_or_else(|| fault("it is cut off".into()))?;
            let numbers = bytes[start..].as_chunks().0.iter();
            float(numbers.map(|&number| half::f16::from_le_bytes(number).to_f32()).collect())
        }
        "i1" => int(values!(i8, i64::from)),
        "u1" => int(values!(u8, i64::from)),
        "i2" => int(values!(i16, i64::from)),
        "u2" => int(values!(u16, i64::from)),
        "i4" => int(values!(i32, i64::from)),
        "u4" => int(values!(u32, i64::from)),
        "i8" => int(values!(i64, |value| value)),
        "u8" => int(values!(u64, |value| i64::try_from(value).unwrap_or(i64::MAX))),
        "b1" => HostValue::Bool { data: values!(bool, |value| value), shape: shape.clone() },
        other => {
            return Err(fault(format!(
                "its numbers are of type {other}; save float32, an integer type or bool"
            )));
        }
    })
}

fn write_npy(path: &Path, tensor: &HostTensor) -> CliResult {
    let mut bytes = Vec::new();
    let shape: Vec<u64> = tensor.shape.iter().map(|&size| size as u64).collect();
    let written =
        npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd().and_then(
            |mut writer| {
                writer.extend(tensor.data.iter())?;
                writer.finish()
            },
        );
    written.map_err(|error| error.to_string())?;
    write(path, &bytes)
}

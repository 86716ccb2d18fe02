//! What a network says when only the words or cells remain that an explanation marks, and when they are gone: average drop and average
//! increase (Chattopadhyay et al. 2018, as L-MAC's table has them), beside random choices of as many.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use adversight::{
    Control, ExplainOptions, Explainer, Explanation, Input, SoundPreparation, Tokens, Waveform,
    attribution::Segmentation,
    input::labels::Labels,
    model::{ModelFile, ModelOptions},
};
use adversight_text::Tokenizer;
use clap::Args;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::{CliResult, On, evaluate::Spec, open, pretty, read, say, text, text_fault, write};

/// What is taken out of what.
#[derive(Args)]
pub struct MarkedArgs {
    /// The ONNX model.
    #[arg(long)]
    model: PathBuf,
    /// A file of sentences, one a line; what follows a tab is left aside. The tokenizer is that beside the model, or `--tokenizer`.
    #[arg(long, conflicts_with = "sounds")]
    texts: Option<PathBuf>,
    /// A folder of sounds. The preprocessing is that beside the model, or `--preprocessing`.
    #[arg(long, required_unless_present = "texts")]
    sounds: Option<PathBuf>,
    /// What makes tokens of text [default: tokenizer.json or vocabulary.txt beside the model].
    #[arg(long)]
    tokenizer: Option<PathBuf>,
    /// How sounds are prepared [default: preprocessor_config.json beside the model].
    #[arg(long)]
    preprocessing: Option<PathBuf>,
    /// A method with its parameters, as name or name:parameter=value,parameter=value; may be repeated.
    #[arg(long = "method", required = true)]
    methods: Vec<String>,
    /// Random choices of as many words or cells, of which the median is told.
    #[arg(long, default_value_t = 9)]
    random: usize,
    /// At most so many sentences or sounds, the first ones.
    #[arg(long)]
    limit: Option<usize>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// The device that computes.
    #[arg(long, value_enum, default_value_t = On::Cpu)]
    device: On,
    /// Writes the table.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Writes every number.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// A sentence or a sound.
enum Item {
    Text(Box<Tokens>),
    Sound(Waveform),
}

impl Item {
    fn input(&self) -> Input<'_> {
        match self {
            Self::Text(tokens) => Input::Tokens(tokens),
            Self::Sound(sound) => Input::Sound(sound),
        }
    }
}

/// The probabilities of the answer when only the marked parts remain, and when they are gone.
#[derive(Debug, Clone, Copy, Serialize)]
struct Left {
    only: f64,
    gone: f64,
}

/// One method on one item.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    item: String,
    method: String,
    /// The probability of the answer.
    whole: f64,
    parts: usize,
    marked: usize,
    found: Left,
    /// The medians of random choices.
    random: Left,
}

/// Measures, and prints and writes the table.
pub async fn marked(args: &MarkedArgs) -> CliResult {
    let methods: Vec<Spec> =
        args.methods.iter().map(|written| Spec::method(written)).collect::<CliResult<_>>()?;
    let (explainer, items) = load(args).await?;
    let started = Instant::now();
    let mut findings: Vec<Finding> = Vec::new();
    for (name, item) in &items {
        let answer = explainer.classify(&item.input(), 1).await.map_err(say)?.top.remove(0);
        for method in &methods {
            eprintln!("{:>6.0} s  {}  {name}", started.elapsed().as_secs_f64(), method.written);
            let options = ExplainOptions {
                target: Some(answer.index.into()),
                ..method.options(answer.index, args.seed)
            };
            let (explanation, _) =
                explainer.explain(&item.input(), &options, &Control::default()).await.map_err(say)?;
            let of = Parts::new(&explainer, item, &explanation, answer.index);
            let chosen = Parts::marked(&explanation);
            let found = of.left(&chosen).await?;
            let mut random = ChaCha8Rng::seed_from_u64(u64::from(args.seed));
            let mut only = Vec::new();
            let mut gone = Vec::new();
            for _ in 0..args.random.max(1) {
                let mut order: Vec<usize> = (0..of.count).collect();
                order.shuffle(&mut random);
                order.truncate(chosen.len());
                let left = of.left(&order).await?;
                only.push(left.only);
                gone.push(left.gone);
            }
            findings.push(Finding {
                item: name.clone(),
                method: method.written.clone(),
                whole: answer.probability.into(),
                parts: of.count,
                marked: chosen.len(),
                found,
                random: Left { only: median(only), gone: median(gone) },
            });
        }
    }
    let table = table(args, &methods, &findings);
    print!("{table}");
    if let Some(out) = &args.out {
        write(out, table.as_bytes())?;
    }
    if let Some(json) = &args.json {
        write(json, pretty(&findings)?.as_bytes())?;
    }
    Ok(())
}

/// The network, and what it is asked about, by name.
async fn load(args: &MarkedArgs) -> CliResult<(Explainer, Vec<(String, Item)>)> {
    let device = open(args.device).await?;
    let bytes = read(&args.model)?;
    let file = ModelFile::from(&bytes[..]);
    let beside = |name: &str| args.model.with_file_name(name);
    let mut items = Vec::new();
    let explainer = match (&args.texts, &args.sounds) {
        (Some(sentences), _) => {
            let path = match &args.tokenizer {
                Some(path) => path.clone(),
                None => ["tokenizer.json", "vocabulary.txt"]
                    .map(beside)
                    .into_iter()
                    .find(|path| path.exists())
                    .ok_or("No tokenizer lies beside the model: name it (--tokenizer).")?,
            };
            let tokenizer = Tokenizer::read(&read(&path)?, &Default::default()).map_err(text_fault)?;
            let lines = text(sentences)?;
            for line in lines.lines().map(|line| line.split('\t').next().unwrap_or_default().trim()) {
                if !line.is_empty() {
                    let tokens: Tokens = tokenizer.encode(line, None).map_err(text_fault)?.into();
                    items.push((line.to_owned(), Item::Text(Box::new(tokens))));
                }
            }
            let options = ModelOptions { text: true, ..ModelOptions::default() };
            Explainer::load_with(&file, &options, &device).map_err(say)?
        }
        (None, Some(folder)) => {
            let declared = args.preprocessing.clone().unwrap_or_else(|| beside("preprocessor_config.json"));
            let preparation = SoundPreparation::from_json(&text(&declared)?).map_err(say)?;
            for path in sounds(folder)? {
                let sound = adversight_sound::decode(&read(&path)?).map_err(|error| say(error.into()))?;
                let name =
                    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                items.push((name, Item::Sound(sound)));
            }
            let options = ModelOptions::default();
            Explainer::load_to_hear(&file, &options, &preparation, None, &device).map_err(say)?
        }
        (None, None) => return Err("Give sentences (--texts) or sounds (--sounds).".into()),
    };
    items.truncate(args.limit.unwrap_or(usize::MAX));
    if items.is_empty() {
        return Err("There is nothing to be asked about.".into());
    }
    let labels = beside("labels.json");
    let explainer = match labels.exists() {
        true => {
            Labels::from_text(&text(&labels)?).and_then(|labels| explainer.with_names(labels)).map_err(say)?
        }
        false => explainer,
    };
    Ok((explainer, items))
}

/// The sounds of a folder, by name.
fn sounds(folder: &Path) -> CliResult<Vec<PathBuf>> {
    let fault = |error: std::io::Error| format!("{} cannot be read: {error}.", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if super::is_sound(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The words of a text or the parts of a sound, and the network's answer.
struct Parts<'a> {
    explainer: &'a Explainer,
    item: &'a Item,
    class: usize,
    /// How many there are.
    count: usize,
    /// The places of each word.
    places: Vec<Vec<usize>>,
    segments: Option<&'a Segmentation>,
}

impl<'a> Parts<'a> {
    fn new(explainer: &'a Explainer, item: &'a Item, explanation: &'a Explanation, class: usize) -> Self {
        let words = explanation.parts.iter().filter(|part| !part.special);
        let places: Vec<Vec<usize>> = words.map(|part| part.places.clone()).collect();
        Self { explainer, item, class, count: places.len(), places, segments: explanation.segments.as_ref() }
    }

    /// The parts that an explanation marks, by one rule for all methods: those that count most and together half as much as all that speak for
    /// the class; the first one where none does.
    fn marked(explanation: &Explanation) -> Vec<usize> {
        let scores: Vec<f64> =
            explanation.parts.iter().filter(|part| !part.special).map(|part| part.score.into()).collect();
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let half = scores.iter().map(|score| score.max(0.0)).sum::<f64>() / 2.0;
        let mut held = 0.0;
        let count = order
            .iter()
            .take_while(|&&part| {
                let more = held < half;
                held += scores[part].max(0.0);
                more
            })
            .count();
        order.truncate(count.max(1));
        order
    }

    /// What the network says when only these parts remain, and when they are gone.
    async fn left(&self, chosen: &[usize]) -> CliResult<Left> {
        match self.item {
            Item::Text(tokens) => {
                let hidden = tokens.mask.or(tokens.padding).or(tokens.unknown);
                let hidden = hidden.ok_or("The tokenizer names no token that hides a word.")?;
                let without = |keeps: bool| -> Tokens {
                    let mut ids = tokens.ids.clone();
                    for (word, places) in self.places.iter().enumerate() {
                        if chosen.contains(&word) != keeps {
                            for &at in places {
                                if let Some(id) = ids.get_mut(at) {
                                    *id = hidden;
                                }
                            }
                        }
                    }
                    Tokens { ids, ..(**tokens).clone() }
                };
                Ok(Left {
                    only: self.ask(&Input::Tokens(&without(true))).await?,
                    gone: self.ask(&Input::Tokens(&without(false))).await?,
                })
            }
            Item::Sound(sound) => {
                let heard = self.explainer.heard_of(sound, self.segments, chosen);
                let heard = heard.map_err(say)?;
                Ok(Left {
                    only: self.ask(&Input::Sound(&heard.only)).await?,
                    gone: self.ask(&Input::Sound(&heard.left)).await?,
                })
            }
        }
    }

    /// The probability of the answer.
    async fn ask(&self, input: &Input<'_>) -> CliResult<f64> {
        let found = self.explainer.classify(input, usize::MAX).await.map_err(say)?;
        let own = found.top.iter().find(|class| class.index == self.class);
        Ok(own.map_or(0.0, |class| class.probability.into()))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}

/// The table, a row for each method.
fn table(args: &MarkedArgs, methods: &[Spec], findings: &[Finding]) -> String {
    let mut table = String::new();
    let items = findings.len() / methods.len().max(1);
    let what = if args.texts.is_some() { "sentences" } else { "sounds" };
    let _ = writeln!(
        table,
        "{items} {what}, `{}`; marked are the parts that count most and together half as much as all that speak for the \
         answer; in brackets the medians of {} random choices of as many.\n",
        args.model.display(),
        args.random.max(1)
    );
    table.push_str("| method | marked | average drop, only they remain | average increase | average drop, they are gone |\n");
    table.push_str("|---|---|---|---|---|\n");
    for method in methods {
        let own: Vec<&Finding> = findings.iter().filter(|found| found.method == method.written).collect();
        let mean = |value: &dyn Fn(&Finding) -> f64| {
            own.iter().map(|found| value(found)).sum::<f64>() / own.len().max(1) as f64 * 100.0
        };
        let drop = |whole: f64, left: f64| ((whole - left) / whole.max(f64::MIN_POSITIVE)).max(0.0);
        let rise = |whole: f64, left: f64| f64::from(u8::from(left > whole));
        let _ = writeln!(
            table,
            "| {} | {:.0} % | {:.1} % ({:.1} %) | {:.0} % ({:.0} %) | {:.1} % ({:.1} %) |",
            method.written,
            mean(&|f| f.marked as f64 / f.parts.max(1) as f64),
            mean(&|f| drop(f.whole, f.found.only)),
            mean(&|f| drop(f.whole, f.random.only)),
            mean(&|f| rise(f.whole, f.found.only)),
            mean(&|f| rise(f.whole, f.random.only)),
            mean(&|f| drop(f.whole, f.found.gone)),
            mean(&|f| drop(f.whole, f.random.gone)),
        );
    }
    table
}

//! Images x models x methods x metrics: a table with a row for each, which grows while it is measured and goes on where
//! it stopped.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet, HashSet},
    fs::{self, OpenOptions},
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use adversight::{
    Control, Device, Error, ExplainOptions, Explainer, Explanation, HostTensor, Input, Photograph,
    Preprocessing,
    attribution::registry as methods,
    input::{image::Region, layout::Layout},
    metric::{
        self, Assessment, Chance, Measurement, randomise,
        registry::{self as metrics, Better, Need},
    },
    statistics::{mean, mean_interval, variance},
};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value, json};

use crate::{CliResult, On, open, parse_pairs, pretty, read, read_npy, say, table, text, write};

/// What is measured on what.
#[derive(Args)]
pub struct EvaluateArgs {
    /// A folder of JPEG, PNG or float32 .npy files.
    #[arg(long)]
    pub images: PathBuf,
    /// An ONNX model; may be repeated. Its preprocessing is read from the .json file of the same name, its
    /// masker for RT-Sal, where there is one, from the .masker.onnx file.
    #[arg(long = "model", required = true)]
    pub models: Vec<PathBuf>,
    /// A method with its parameters, as name or name:parameter=value,parameter=value; may be repeated.
    #[arg(long = "method", required = true)]
    pub methods: Vec<String>,
    /// A metric with its parameters, written as a method is; may be repeated. `adversight metrics` lists them.
    #[arg(long = "metric", required = true)]
    pub metrics: Vec<String>,
    /// A table of the images' classes with the columns file and class_index [default: labels.csv in the folder].
    #[arg(long)]
    pub labels: Option<PathBuf>,
    /// A table of the objects' boxes in the photographs' pixels with the columns file, x, y, width and height.
    #[arg(long)]
    pub objects: Option<PathBuf>,
    /// A method with its parameters whose map the comparing metrics compare with.
    #[arg(long)]
    pub reference: Option<String>,
    /// The class that is explained.
    #[arg(long, value_enum, default_value_t = Target::Predicted)]
    pub target: Target,
    /// Takes this many images, evenly spread over the folder.
    #[arg(long)]
    pub limit: Option<usize>,
    /// Measures each metric on so many random maps beside each explanation, at least 20, and says where it is no better than chance.
    /// Each row then takes as many times as long, and one more.
    #[arg(long, default_value_t = 0)]
    pub chance: usize,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    pub seed: u32,
    /// The device that computes.
    #[arg(long, value_enum, default_value_t = On::Cpu)]
    pub device: On,
    /// The table; where it exists, what it holds is not measured again.
    #[arg(long)]
    pub out: PathBuf,
    /// Writes means and intervals as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// The class that is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The class that the network predicts.
    Predicted,
    /// The class of the table of classes.
    Label,
}

/// A method or a metric with parameters, as the user wrote it.
#[derive(Debug, Clone)]
pub struct Spec {
    /// As written; it names the row.
    pub written: String,
    /// The name in the registry.
    pub name: String,
    /// The parameters, by their kinds.
    pub params: Map<String, Value>,
}

impl Spec {
    fn split(written: &str) -> (&str, Vec<String>) {
        let (name, params) = written.split_once(':').unwrap_or((written, ""));
        let mut pairs: Vec<String> = Vec::new();
        for part in params.split(',').filter(|part| !part.is_empty()) {
            match pairs.last_mut() {
                // A list's further items: classes=0,250,500.
                Some(last) if !part.contains('=') => *last = format!("{last},{part}"),
                _ => pairs.push(part.to_owned()),
            }
        }
        (name, pairs)
    }

    /// Reads a method.
    pub fn method(written: &str) -> CliResult<Self> {
        let (name, pairs) = Self::split(written);
        let known = methods::find(name).map_err(say)?.describe().params;
        Ok(Self { written: written.into(), name: name.into(), params: parse_pairs(name, &known, &pairs)? })
    }

    /// How a map of class `target` is asked for by this method.
    pub fn options(&self, target: usize, seed: u32) -> ExplainOptions {
        ExplainOptions {
            method: self.name.clone(),
            target: Some(target.into()),
            params: self.params.clone(),
            seed,
            ..Default::default()
        }
    }

    /// Reads a metric.
    pub fn metric(written: &str) -> CliResult<Self> {
        let (name, pairs) = Self::split(written);
        let known = metrics::find(name).map_err(say)?.describe().params;
        Ok(Self { written: written.into(), name: name.into(), params: parse_pairs(name, &known, &pairs)? })
    }
}

const COLUMNS: [&str; 15] = [
    "image",
    "model",
    "method",
    "metric",
    "target",
    "seed",
    "class",
    "predicted",
    "label",
    "value",
    "parts",
    "chance",
    "explain_ms",
    "metric_ms",
    "error",
];
/// A row of the table; its fields are the columns, in this order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The image's file name.
    pub image: String,
    /// The model's name.
    pub model: String,
    /// The method as written.
    pub method: String,
    /// The metric as written.
    pub metric: String,
    /// Which class was explained.
    pub target: String,
    /// The seed.
    pub seed: u32,
    /// The explained class.
    pub class: Option<usize>,
    /// The predicted class.
    pub predicted: Option<usize>,
    /// The class of the table of classes.
    pub label: Option<usize>,
    /// The metric's value.
    #[serde(serialize_with = "plain")]
    pub value: Option<f64>,
    /// The figures beside it, as JSON.
    #[serde(serialize_with = "as_json", deserialize_with = "from_json")]
    pub parts: BTreeMap<String, f64>,
    /// The values of random maps, as JSON, where they were asked for.
    #[serde(serialize_with = "as_json", deserialize_with = "from_json")]
    pub chance: Vec<f64>,
    /// How long the explanation took.
    #[serde(serialize_with = "rounded")]
    pub explain_ms: Option<f64>,
    /// How long the metric took.
    #[serde(serialize_with = "rounded")]
    pub metric_ms: Option<f64>,
    /// Why there is no value.
    pub error: String,
}

impl Row {
    /// The row of one map of the predicted class, still empty.
    pub fn of(network: &Network, image: &Path, method: &str, metric: String, seed: u32) -> Self {
        Self {
            image: file_name(image),
            model: network.name.clone(),
            method: method.to_owned(),
            metric,
            target: "predicted".into(),
            seed,
            ..Self::default()
        }
    }

    /// What names the row.
    pub fn key(&self) -> Vec<String> {
        let Self { image, model, method, metric, target, seed, .. } = self;
        [image, model, method, metric, target, &seed.to_string()].map(String::clone).to_vec()
    }

    /// The row as the line of a table that it is, whatever a message says: the file is read up to its last whole line where a run was ended.
    fn line(&self) -> CliResult<String> {
        let one_line = |text: &String| text.replace(['\n', '\r'], " ");
        let Self { image, model, method, metric, target, error, .. } = self;
        let [image, model, method, metric, target, error] =
            [image, model, method, metric, target, error].map(one_line);
        table::written(&Self { image, model, method, metric, target, error, ..self.clone() })
    }
}

/// A number as Rust writes it: without an exponent, and whole numbers without a point.
fn plain<S: Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&value.map(|value| value.to_string()).unwrap_or_default())
}

fn rounded<S: Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    plain(&value.map(f64::round), to)
}

fn as_json<T: Serialize, S: Serializer>(parts: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&serde_json::to_string(parts).map_err(serde::ser::Error::custom)?)
}

fn from_json<'de, T: de::DeserializeOwned, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    serde_json::from_str(&String::deserialize(from)?).map_err(de::Error::custom)
}

/// The table on the disk.
pub struct Results {
    path: PathBuf,
    /// The rows that were asked for, those of earlier runs first.
    pub rows: Vec<Row>,
    done: HashSet<Vec<String>>,
}

impl Results {
    /// Opens a table, or begins one. A line that a run has left unfinished at the end when it was ended is cut off.
    pub fn open(path: &Path) -> CliResult<Self> {
        let header = table::written(&COLUMNS)?;
        let mut rows: Vec<Row> = Vec::new();
        let mut whole = header.clone();
        if path.exists() {
            let found = text(path)?;
            let columns = found.lines().next().unwrap_or_default().trim_start_matches('\u{feff}');
            if columns != header.trim_end() {
                return Err(format!(
                    "{} is not a table of this command (or of another version). Choose another --out.",
                    path.display()
                ));
            }
            // All rows are written with their line's end.
            let (found, cut) = found.rsplit_once('\n').unwrap_or((&found, ""));
            if !cut.is_empty() {
                eprintln!("The last line of {} was cut off: it is measured again.", path.display());
            }
            let kept = table::read(found, path, &COLUMNS)?;
            for (_, row) in kept {
                let row: Row = row;
                whole.push_str(&row.line()?);
                rows.push(row);
            }
        }
        // A new file in its place, so that a crash now loses nothing.
        let part = path.with_extension("csv.part");
        write(&part, whole.as_bytes())?;
        fs::rename(&part, path).map_err(|error| format!("{} cannot be written: {error}.", path.display()))?;
        let done = rows.iter().map(Row::key).collect();
        Ok(Self { path: path.to_owned(), rows, done })
    }

    /// Whether the table holds this row.
    pub fn has(&self, row: &Row) -> bool {
        self.done.contains(&row.key())
    }

    /// Leaves the rows that are not asked for out of account; the table on the disk keeps them.
    pub fn keep(&mut self, asked: impl Fn(&Row) -> bool) {
        self.rows.retain(asked);
    }

    /// Adds a row, on the disk too.
    pub fn add(&mut self, row: Row) -> CliResult {
        let fault = |error: std::io::Error| format!("{} cannot be written: {error}.", self.path.display());
        let mut file = OpenOptions::new().append(true).open(&self.path).map_err(fault)?;
        file.write_all(row.line()?.as_bytes()).map_err(fault)?;
        self.done.insert(row.key());
        self.rows.push(row);
        Ok(())
    }
}

/// How long a log stays quiet between two lines of progress.
const QUIET: Duration = Duration::from_secs(10);

/// How far it is, and how long it will still take.
pub struct Clock {
    started: Instant,
    said: Option<Instant>,
    /// Rows that are done.
    pub done: usize,
    total: usize,
}

impl Clock {
    /// A clock that starts now.
    pub fn new(total: usize) -> Self {
        Self { started: Instant::now(), said: None, done: 0, total }
    }

    /// Says how far it is, and what is done now.
    ///
    /// On a terminal it is one line that changes; elsewhere a line now and then.
    pub fn show(&mut self, what: &str) {
        let terminal = io::stderr().is_terminal();
        if !terminal && self.said.is_some_and(|said| said.elapsed() < QUIET) {
            return;
        }
        self.said = Some(Instant::now());
        let left = match self.done {
            0 => "?".to_owned(),
            done => shown(self.started.elapsed().mul_f64((self.total - done) as f64 / done as f64)),
        };
        let line = format!("{}/{}, {left} left: {what}", self.done, self.total);
        if terminal { eprint!("\r\x1b[2K{line}") } else { eprintln!("{line}") }
    }
}

fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// A loaded model, and the same with random weights once it is asked for.
pub struct Network {
    /// The model.
    pub explainer: Explainer,
    /// The file's name without its ending.
    pub name: String,
    onnx: Vec<u8>,
    path: PathBuf,
    randomised: OnceCell<Explainer>,
}

impl Network {
    /// Reads a model, and its preprocessing and its masker from the files beside it.
    pub fn load(path: &Path, device: &Device) -> CliResult<Self> {
        let onnx = read(path)?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let explainer = Self::explainer(&onnx, path, device)?.with_name(&name);
        Ok(Self { explainer, name, onnx, path: path.to_owned(), randomised: OnceCell::new() })
    }

    fn explainer(onnx: &[u8], path: &Path, device: &Device) -> CliResult<Explainer> {
        let mut explainer = Explainer::load(onnx, device).map_err(say)?;
        let masker = path.with_extension("masker.onnx");
        if masker.exists() {
            explainer = explainer.with_masker(&read(&masker)?.as_slice().into()).map_err(say)?;
        }
        let beside = path.with_extension("json");
        if !beside.exists() {
            return Ok(explainer);
        }
        let preprocessing = Preprocessing::from_json(&text(&beside)?).map_err(say)?;
        explainer.with_preprocessing(preprocessing).map_err(say)
    }

    /// An image or a tensor as the network takes it, and the part of the photograph that it shows.
    pub fn prepare(&self, path: &Path) -> CliResult<(HostTensor, Option<Region>)> {
        if path.extension().is_some_and(|extension| extension == "npy") {
            return Ok((read_npy(path)?, None));
        }
        let photograph = Photograph::decode(&read(path)?).map_err(say)?;
        self.explainer.prepare(&Input::Photograph(&photograph)).map_err(say)
    }

    /// An explanation of one input.
    pub async fn explain(&self, input: &HostTensor, options: &ExplainOptions) -> CliResult<Explanation> {
        let found = self.explainer.explain(&Input::Tensor(input), options, &Control::default()).await;
        Ok(found.map_err(say)?.0)
    }

    /// The declared preprocessing.
    pub fn preprocessing(&self) -> CliResult<&Preprocessing> {
        Ok(self.explainer.preprocessing().ok_or("The model's preprocessing is not declared.")?)
    }

    /// How far white is from black in model space.
    pub fn pixel_range(&self) -> CliResult<f32> {
        let preprocessing = self.preprocessing()?;
        Ok(preprocessing.to_model(0, 255.0) - preprocessing.to_model(0, 0.0))
    }

    /// The class that the network predicts.
    pub async fn predicted(&self, input: &HostTensor) -> CliResult<usize> {
        let found = self.explainer.classify(&Input::Tensor(input), 1).await.map_err(say)?;
        Ok(found.top.first().map_or(0, |class| class.index))
    }

    /// All layers randomised.
    fn randomised(&self, seed: u32) -> CliResult<&Explainer> {
        if let Some(randomised) = self.randomised.get() {
            return Ok(randomised);
        }
        let randomised = self.with_random(&self.layers()?, seed)?;
        Ok(self.randomised.get_or_init(|| randomised))
    }

    /// The layers with weights, from the output to the input.
    pub fn layers(&self) -> CliResult<Vec<randomise::Layer>> {
        randomise::layers(&self.onnx).map_err(say)
    }

    /// The same network with random weights in `layers`.
    pub fn with_random(&self, layers: &[randomise::Layer], seed: u32) -> CliResult<Explainer> {
        let onnx = randomise::randomise(&self.onnx, layers, seed).map_err(say)?;
        Self::explainer(&onnx, &self.path, self.explainer.model().device())
    }
}

/// Measures what the table does not hold yet.
pub async fn evaluate(args: &EvaluateArgs) -> CliResult<Results> {
    let plan = Plan::new(args)?;
    let mut results = Results::open(&args.out)?;
    let device = open(args.device).await?;
    let total = plan.images.len() * args.models.len() * plan.methods.len() * plan.metrics.len();
    let names: Vec<String> = args.models.iter().map(|path| stem(path)).collect();
    let known = plan.rows(&names).filter(|row| results.has(row)).count();
    let mut clock = Clock::new(total - known);
    if known > 0 {
        eprintln!("{known} of {total} are in {} already.", args.out.display());
    }
    for path in &args.models {
        let network = Network::load(path, &device)?;
        for image in &plan.images {
            let pending: Vec<Row> =
                plan.rows_of(&network.name, image).filter(|row| !results.has(row)).collect();
            if pending.is_empty() {
                continue;
            }
            let subject = match Subject::new(&plan, &network, image).await {
                Ok(subject) => subject,
                Err(error) => {
                    for row in pending {
                        results.add(Row { error: error.clone(), ..row })?;
                        clock.done += 1;
                    }
                    continue;
                }
            };
            for method in &plan.methods {
                let pending: Vec<&Row> = pending.iter().filter(|row| row.method == method.written).collect();
                if pending.is_empty() {
                    continue;
                }
                clock.show(&format!("{} {} {}", network.name, subject.name, method.written));
                let explained = subject.explain(&network, method, args.seed).await;
                for row in pending {
                    clock.show(&format!(
                        "{} {} {} {}",
                        network.name, subject.name, method.written, row.metric
                    ));
                    let measured = match &explained {
                        Ok(explained) => subject.measure(&plan, &network, explained, &row.metric).await,
                        Err(error) => Err(error.clone()),
                    };
                    results.add(subject.row(row, explained.as_ref().ok(), measured))?;
                    clock.done += 1;
                }
            }
        }
    }
    eprintln!();
    let planned: HashSet<Vec<String>> = plan.rows(&names).map(|row| row.key()).collect();
    results.keep(|row| planned.contains(&row.key()));
    if let Some(json) = &args.json {
        write(json, pretty(&summary(args, &plan, &results, &device))?.as_bytes())?;
    }
    Ok(results)
}

/// Prints a metric's mean for each model and method, and why there is none.
pub fn print(results: &Results) {
    let groups = groups(&results.rows);
    let columns = if groups.iter().any(|group| group.chance.is_some()) { 8 } else { 6 };
    let header = ["model", "method", "metric", "mean", "95 % interval", "n", "of random maps", ""];
    let mut table = vec![header.map(String::from)];
    let mut errors = BTreeSet::new();
    for group in groups {
        let bounds = group.interval.map(|(low, high)| format!("{low:.4} to {high:.4}")).unwrap_or_default();
        let mean = group.mean.map(|mean| format!("{mean:.4}")).unwrap_or_else(|| "-".into());
        errors.extend((!group.errors.is_empty()).then_some(group.errors));
        let (range, standing) = group.chance.map_or_else(Default::default, |chance| {
            (format!("{:.4} to {:.4}", chance.low, chance.high), chance.standing.words().to_owned())
        });
        let n = group.n.to_string();
        table.push([group.model, group.method, group.metric, mean, bounds, n, range, standing]);
    }
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in &table {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    }
    for error in errors {
        println!("{error}");
    }
}

/// What the arguments ask for.
struct Plan {
    images: Vec<PathBuf>,
    methods: Vec<Spec>,
    metrics: Vec<Spec>,
    reference: Option<Spec>,
    labels: BTreeMap<String, usize>,
    objects: BTreeMap<String, Region>,
    target: Target,
    seed: u32,
    chance: usize,
}

impl Plan {
    fn new(args: &EvaluateArgs) -> CliResult<Self> {
        let specs = |written: &[String], read: fn(&str) -> CliResult<Spec>| -> CliResult<Vec<Spec>> {
            written.iter().map(|written| read(written)).collect()
        };
        let plan = Self {
            images: images(&args.images, args.limit)?,
            methods: specs(&args.methods, Spec::method)?,
            metrics: specs(&args.metrics, Spec::metric)?,
            reference: args.reference.as_deref().map(Spec::method).transpose()?,
            labels: labels(&args.images, args.labels.as_deref())?,
            objects: args.objects.as_deref().map(objects).transpose()?.unwrap_or_default(),
            target: args.target,
            seed: args.seed,
            chance: args.chance,
        };
        for metric in &plan.metrics {
            let needs = metrics::find(&metric.name).map_err(say)?.describe().needs;
            if needs.contains(&Need::Reference) && plan.reference.is_none() {
                return Err(format!(
                    "{} compares with a second map: name its method by --reference.",
                    metric.name
                ));
            }
            if needs.contains(&Need::Object) && plan.objects.is_empty() {
                return Err(format!("{} needs the objects' boxes: give them by --objects.", metric.name));
            }
        }
        Ok(plan)
    }

    /// The rows of one model and one image, still empty.
    fn rows_of<'a>(&'a self, model: &'a str, image: &'a Path) -> impl Iterator<Item = Row> + 'a {
        let target = match self.target {
            Target::Predicted => "predicted",
            Target::Label => "label",
        };
        self.methods.iter().flat_map(move |method| {
            self.metrics.iter().map(move |metric| Row {
                image: file_name(image),
                model: model.to_owned(),
                method: method.written.clone(),
                metric: metric.written.clone(),
                target: target.to_owned(),
                seed: self.seed,
                label: self.labels.get(&file_name(image)).copied(),
                ..Row::default()
            })
        })
    }

    fn rows<'a>(&'a self, models: &'a [String]) -> impl Iterator<Item = Row> + 'a {
        models
            .iter()
            .flat_map(move |model| self.images.iter().flat_map(move |image| self.rows_of(model, image)))
    }
}

/// An image on a network.
struct Subject {
    name: String,
    tensor: HostTensor,
    object: Option<Vec<bool>>,
    predicted: usize,
    target: usize,
    reference: OnceCell<HostTensor>,
}

/// An explanation, and how it was asked for.
struct Explained {
    explanation: adversight::Explanation,
    options: ExplainOptions,
}

impl Subject {
    async fn new(plan: &Plan, network: &Network, path: &Path) -> CliResult<Self> {
        let name = file_name(path);
        let (tensor, region) = network.prepare(path)?;
        let predicted = network.predicted(&tensor).await?;
        let label = plan.labels.get(&name).copied();
        let target = match (plan.target, label) {
            (Target::Predicted, _) => predicted,
            (Target::Label, Some(label)) => label,
            (Target::Label, None) => return Err(format!("{name} has no class in the table of classes.")),
        };
        let object = match (plan.objects.get(&name), region) {
            (Some(object), Some(region)) => {
                let size = match (network.explainer.model().info().layout, &tensor.shape[..]) {
                    (Layout::PictureChannelsLast, &[_, height, width, _]) | (_, &[.., height, width]) => {
                        [height, width]
                    }
                    _ => return Err(format!("{name} has become no picture.")),
                };
                Some(inside(object, &region, size))
            }
            _ => None,
        };
        Ok(Self { name, tensor, object, predicted, target, reference: OnceCell::new() })
    }

    async fn explain(&self, network: &Network, method: &Spec, seed: u32) -> CliResult<Explained> {
        let options = method.options(self.target, seed);
        Ok(Explained { explanation: network.explain(&self.tensor, &options).await?, options })
    }

    async fn measure(
        &self,
        plan: &Plan,
        network: &Network,
        explained: &Explained,
        metric: &str,
    ) -> CliResult<Measurement> {
        let control = Control::default();
        let spec = plan
            .metrics
            .iter()
            .find(|spec| spec.written == metric)
            .ok_or_else(|| say(Error::Internal(format!("{metric} is not planned"))))?;
        let needs = metrics::find(&spec.name).map_err(say)?.describe().needs;
        let Explained { explanation, options } = explained;
        let mut assessment =
            Assessment::of(&network.explainer, &self.tensor, explanation, options, &control).map_err(say)?;
        if let (true, Some(reference)) = (needs.contains(&Need::Reference), &plan.reference) {
            let map = match self.reference.get() {
                Some(map) => map,
                None => {
                    let made = self.explain(network, reference, plan.seed).await?.explanation.attribution;
                    self.reference.get_or_init(|| made)
                }
            };
            assessment = assessment.with_reference(map).map_err(say)?;
        }
        if let Some(object) = &self.object {
            assessment = assessment.with_object(object).map_err(say)?;
        }
        if needs.contains(&Need::Randomised) {
            assessment = assessment.with_randomised(network.randomised(plan.seed)?);
        }
        assessment = assessment.with_chance(plan.chance).map_err(say)?;
        metric::measure(&assessment, &spec.name, &spec.params).await.map_err(say)
    }

    fn row(&self, row: &Row, explained: Option<&Explained>, measured: CliResult<Measurement>) -> Row {
        let mut row = Row {
            class: Some(self.target),
            predicted: Some(self.predicted),
            explain_ms: explained.map(|explained| explained.explanation.info.milliseconds),
            ..row.clone()
        };
        match measured {
            Ok(measured) => {
                row.value = Some(measured.finding.value);
                row.parts = measured
                    .finding
                    .parts
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect();
                row.chance = measured.chance.map(|chance| chance.values).unwrap_or_default();
                row.metric_ms = Some(measured.milliseconds);
            }
            Err(error) => row.error = error,
        }
        row
    }
}

/// The pixels of the network's input that show a box of the photograph.
fn inside(object: &Region, region: &Region, [height, width]: [usize; 2]) -> Vec<bool> {
    let hit = |at: f64, start: f64, size: f64| at >= start && at < start + size;
    (0..height * width)
        .map(|pixel| {
            let x = region.x + ((pixel % width) as f64 + 0.5) * region.width / width as f64;
            let y = region.y + ((pixel / width) as f64 + 0.5) * region.height / height as f64;
            hit(x, object.x, object.width) && hit(y, object.y, object.height)
        })
        .collect()
}

/// The name of an image in the table.
fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The images of a folder, by name.
pub fn images(folder: &Path, limit: Option<usize>) -> CliResult<Vec<PathBuf>> {
    let fault = |error: std::io::Error| format!("{} cannot be read: {error}.", folder.display());
    let mut images = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        if matches!(extension.as_deref(), Some("jpg" | "jpeg" | "png" | "npy")) {
            images.push(path);
        }
    }
    images.sort();
    if let Some(limit) = limit.filter(|&limit| limit < images.len()) {
        // Sorted by name, neighbours are often of one class.
        images = (0..limit).map(|i| images[i * images.len() / limit].clone()).collect();
    }
    if images.is_empty() {
        return Err(format!("{} holds no .jpg, .jpeg, .png or .npy file.", folder.display()));
    }
    Ok(images)
}

/// The classes of a folder's images.
pub fn labels(folder: &Path, given: Option<&Path>) -> CliResult<BTreeMap<String, usize>> {
    let beside = folder.join("labels.csv");
    let path = match given {
        Some(path) => path,
        None if beside.exists() => &beside,
        None => return Ok(BTreeMap::new()),
    };
    let rows = table::read(&text(path)?, path, &["file", "class_index"])?;
    let mut classes = BTreeMap::new();
    for (line, Labelled { file, class_index }) in rows {
        if classes.insert(file.clone(), class_index).is_some_and(|before| before != class_index) {
            return Err(format!(
                "{}, line {line}: {file} has another class in a line before.",
                path.display()
            ));
        }
    }
    Ok(classes)
}

/// A row of the table of classes.
#[derive(Deserialize)]
struct Labelled {
    file: String,
    class_index: usize,
}

/// A row of the table of boxes.
#[derive(Deserialize)]
struct Boxed {
    file: String,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

fn objects(path: &Path) -> CliResult<BTreeMap<String, Region>> {
    let rows = table::read(&text(path)?, path, &["file", "x", "y", "width", "height"])?;
    let mut objects = BTreeMap::new();
    for (line, Boxed { file, x, y, width, height }) in rows {
        let fault = |what: &str| format!("{}, line {line}: {file} {what}.", path.display());
        let size = |side: f64| side.is_finite() && side > 0.0;
        if !(x.is_finite() && y.is_finite() && size(width) && size(height)) {
            return Err(fault(
                "has a box without an area: give its left upper corner, its width and its height in pixels",
            ));
        }
        if objects.contains_key(&file) {
            return Err(fault("has a box in a line before, and one is all that is compared with"));
        }
        objects.insert(file, Region { x, y, width, height });
    }
    Ok(objects)
}

/// A metric's values for one model and one method.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// The model's name.
    pub model: String,
    /// The method as written.
    pub method: String,
    /// The metric as written.
    pub metric: String,
    /// Which values are good.
    pub better: Option<Better>,
    /// Images with a value.
    pub n: usize,
    /// Images without.
    pub failed: usize,
    /// The first reason for a missing value.
    pub errors: String,
    /// The mean.
    pub mean: Option<f64>,
    /// The standard deviation.
    pub deviation: Option<f64>,
    /// The interval of the mean at 95 %.
    pub interval: Option<(f64, f64)>,
    /// The means of the figures beside the value.
    pub parts: BTreeMap<String, f64>,
    /// The same mean of random maps, where all images have them.
    pub chance: Option<Chance>,
    /// The mean time of an explanation.
    pub explain_ms: Option<f64>,
    /// The part of the images whose label was predicted.
    pub accuracy: Option<f64>,
}

/// The rows by model, method and metric, in their order.
pub fn groups(rows: &[Row]) -> Vec<Group> {
    let mut order = Vec::new();
    let mut sorted: BTreeMap<(String, String, String), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let key = (row.model.clone(), row.method.clone(), row.metric.clone());
        if !sorted.contains_key(&key) {
            order.push(key.clone());
        }
        sorted.entry(key).or_default().push(row);
    }
    order.iter().map(|key| group(key, &sorted[key])).collect()
}

fn group((model, method, metric): &(String, String, String), rows: &[&Row]) -> Group {
    let values: Vec<f64> = rows.iter().filter_map(|row| row.value).collect();
    let mut parts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, &value) in rows.iter().flat_map(|row| &row.parts) {
        parts.entry(name.clone()).or_default().push(value);
    }
    let times: Vec<f64> = rows.iter().filter_map(|row| row.explain_ms).collect();
    let right = |row: &&Row| Some(f64::from(u8::from(row.predicted? == row.label?)));
    let right: Vec<f64> = rows.iter().filter_map(right).collect();
    let name = metric.split(':').next().unwrap_or_default();
    let better = metrics::find(name).ok().map(|entry| entry.describe().better);
    Group {
        model: model.clone(),
        method: method.clone(),
        metric: metric.clone(),
        better,
        chance: by_chance(rows, better),
        n: values.len(),
        failed: rows.len() - values.len(),
        errors: rows.iter().map(|row| row.error.clone()).find(|error| !error.is_empty()).unwrap_or_default(),
        mean: mean(&values),
        deviation: variance(&values).map(f64::sqrt),
        interval: mean_interval(&values, 0.95).map(|interval| (interval.low, interval.high)),
        parts: parts.into_iter().filter_map(|(name, values)| Some((name, mean(&values)?))).collect(),
        explain_ms: mean(&times),
        accuracy: mean(&right),
    }
}

/// What the mean over the images comes to where each has a random map: the first of each, the second, and so on.
fn by_chance(rows: &[&Row], better: Option<Better>) -> Option<Chance> {
    let measured: Vec<&&Row> = rows.iter().filter(|row| row.value.is_some()).collect();
    let maps = measured.iter().map(|row| row.chance.len()).min()?;
    let of_each = |map: usize| mean(&measured.iter().map(|row| row.chance[map]).collect::<Vec<_>>());
    let means = (0..maps).map(of_each).collect::<Option<Vec<f64>>>()?;
    let value = mean(&measured.iter().filter_map(|row| row.value).collect::<Vec<_>>())?;
    Chance::of(value, means, better?)
}

fn summary(args: &EvaluateArgs, plan: &Plan, results: &Results, device: &Device) -> Value {
    let specs = |specs: &[Spec]| -> Vec<Value> {
        specs
            .iter()
            .map(|spec| json!({ "name": spec.name, "params": spec.params, "as": spec.written }))
            .collect()
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "images": plan.images.len(),
        "models": args.models.iter().map(|path| stem(path)).collect::<Vec<_>>(),
        "methods": specs(&plan.methods),
        "metrics": specs(&plan.metrics),
        "target": plan.target,
        "seed": plan.seed,
        "device": device.report(),
        "results": groups(&results.rows),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_its_commas() {
        let spec = Spec::method("agi:mode=reference,classes=0,250,500,steps=3").unwrap();
        assert_eq!(spec.params["classes"], json!([0, 250, 500]));
        assert_eq!(spec.params["steps"], 3);
        assert!(Spec::method("agi:speed=3").unwrap_err().contains("[parameter_invalid]"));
        assert!(Spec::metric("beauty").unwrap_err().contains("[metric_unknown]"));
    }

    fn scratch(name: &str, text: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("adversight-evaluate-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn row() -> Row {
        Row {
            image: "a, b.png".into(),
            model: "tiny".into(),
            method: "agi:steps=3,classes=1,2".into(),
            metric: "insertion".into(),
            target: "predicted".into(),
            seed: 7,
            class: Some(3),
            value: Some(0.000_000_25),
            parts: BTreeMap::from([("auc".to_owned(), 1.0)]),
            chance: vec![0.5, 0.25],
            explain_ms: Some(12.4),
            error: "of \"two\"\nlines".into(),
            ..Row::default()
        }
    }

    #[test]
    fn a_row_is_one_line_of_the_columns_and_comes_back() {
        assert_eq!(
            row().line().unwrap(),
            "\"a, b.png\",tiny,\"agi:steps=3,classes=1,2\",insertion,predicted,7,3,,,0.00000025,\"{\"\"auc\"\":1.0}\",\"[0.5,0.25]\",12,,\"of \"\"two\"\" lines\"\n"
        );
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.serialize(row()).unwrap();
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        assert_eq!(text.lines().next().unwrap(), COLUMNS.join(","));
        let path = scratch("rows.csv", &text);
        let read = Results::open(&path).unwrap().rows.remove(0);
        assert_eq!(read, Row { explain_ms: Some(12.0), ..row() });
    }

    #[test]
    fn a_line_that_was_cut_off_is_measured_again_and_one_that_is_wrong_is_an_error() {
        let header = table::written(&COLUMNS).unwrap();
        let line = row().line().unwrap();
        let rows = |text: &str| Results::open(&scratch("cut.csv", text)).map(|results| results.rows.len());
        assert_eq!(rows(&header), Ok(0));
        assert_eq!(rows(&format!("{header}{line}{line}")), Ok(2));
        for cut in [5, line.len() / 2, line.len() - 30] {
            assert_eq!(rows(&format!("{header}{line}{}", &line[..cut])), Ok(1), "{cut}");
        }
        let wrong = line.replace(",7,", ",seven,");
        let error = rows(&format!("{header}{line}{wrong}{line}")).unwrap_err();
        assert!(error.contains("line 3: \"seven\" in the column seed"), "{error}");
        let error = rows(&format!("{header}{wrong}{}", &line[..5])).unwrap_err();
        assert!(error.contains("line 2"), "{error}");
        let error = rows(&format!("{header}a,b\n{line}")).unwrap_err();
        assert!(error.contains("line 2: the row has 2 fields and the header 15"), "{error}");
    }

    #[test]
    fn tables_of_classes_and_boxes_are_read_whole_or_not_at_all() {
        let classes = |text: &str| labels(Path::new("."), Some(&scratch("labels.csv", text)));
        let found = classes("class_name,file,class_index\n\"a\nb\",a.png,6\nc,b.png,7\n").unwrap();
        assert_eq!(found, BTreeMap::from([("a.png".into(), 6), ("b.png".into(), 7)]));
        for (text, said) in [
            ("file,class\na,1\n", "needs the columns file and class_index"),
            ("file,class_index\na,1\nb,cat\n", "line 3: \"cat\" in the column class_index"),
            ("file,class_index\na,1\na,2\n", "line 3: a has another class"),
            ("file,class_index\na\n", "line 2"),
        ] {
            let error = classes(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let boxes = |rows: &str| objects(&scratch("boxes.csv", &format!("file,x,y,width,height\n{rows}")));
        assert_eq!(boxes("a.png,0,-1,2.5,3\n").unwrap()["a.png"].width, 2.5);
        for (rows, said) in [
            ("a,0,0,wide,1\n", "line 2: \"wide\" in the column width"),
            ("a,0,0,1,NaN\n", "without an area"),
            ("a,0,0,1,0\n", "without an area"),
            ("a,0,0,1,1\na,1,1,1,1\n", "line 3: a has a box"),
        ] {
            let error = boxes(rows).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_mean_stands_beside_the_means_of_random_maps() {
        let rows = [(0.9, [0.1, 0.3]), (0.7, [0.3, 0.3])].map(|(value, chance)| Row {
            value: Some(value),
            chance: chance.to_vec(),
            ..row()
        });
        let chance = groups(&rows)[0].chance.clone().unwrap();
        assert!((chance.values[0] - 0.2).abs() < 1e-12 && (chance.values[1] - 0.3).abs() < 1e-12);
        assert_eq!(chance.standing.words(), "better than chance");
        let without = [rows[0].clone(), Row { chance: Vec::new(), ..rows[1].clone() }];
        assert_eq!(groups(&without)[0].chance, None);
    }

    #[test]
    fn a_box_is_found_again_in_the_networks_input() {
        let region = Region { x: 10.0, y: 0.0, width: 40.0, height: 40.0 };
        let object = Region { x: 30.0, y: 0.0, width: 100.0, height: 10.0 };
        let mask = inside(&object, &region, [4, 4]);
        let hit: Vec<usize> = (0..16).filter(|&pixel| mask[pixel]).collect();
        assert_eq!(hit, [2, 3]);
    }

    #[test]
    fn times_are_said_in_words() {
        assert_eq!(shown(Duration::from_secs(59)), "59 s");
        assert_eq!(shown(Duration::from_secs(3600 + 120)), "1 h 2 min");
    }
}

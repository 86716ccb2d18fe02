//! The tables and figures of the three papers that our networks and images allow, with the papers' own numbers beside
//! them. What is not in this build, or not to be had, is named as missing.

mod agi;
mod attack;
mod axai;
mod referee;
mod relex;

use std::{collections::BTreeSet, path::PathBuf};

use adversight::{Device, attribution::registry as methods};
use clap::{Args, ValueEnum};

use crate::{
    CliResult, On,
    evaluate::{EvaluateArgs, Group, Network, Row, Target, images},
    open,
    report::Report,
};

/// What is reproduced, on what.
#[derive(Args)]
pub struct ReproduceArgs {
    /// The paper.
    #[arg(value_enum)]
    paper: Paper,
    /// A folder of photographs; the papers' thousands of ImageNet images, as far as they are to be had.
    #[arg(long)]
    images: PathBuf,
    /// An ONNX model with its preprocessing in the .json file of the same name; may be repeated.
    #[arg(long = "model", required = true)]
    models: Vec<PathBuf>,
    /// Takes this many images, evenly spread over the folder; a brief run takes 24 for AXAI, 10 for AGI, 4 for RelEx
    /// and 3 for the referee unless told.
    #[arg(long)]
    limit: Option<usize>,
    /// How thorough.
    #[arg(long, value_enum, default_value_t = Extent::Brief)]
    extent: Extent,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// The device that computes.
    #[arg(long, value_enum, default_value_t = On::Cpu)]
    device: On,
    /// The folder for report.md, report.html, the plots and the tables; what its tables hold is not measured again.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Paper {
    /// Explanations via adversarial attacks.
    Axai,
    /// Building reliable explanations of unreliable neural networks.
    Relex,
    /// Adversarial gradient integration.
    Agi,
    /// No paper: which metrics tell maps from noise, and keep their order of methods under another rule.
    Referee,
}

impl Paper {
    /// Images of a brief run: half an hour on two cores where they are photographs and the networks two.
    fn few(self) -> usize {
        match self {
            Self::Axai => 24,
            Self::Agi => 10,
            Self::Relex => 4,
            Self::Referee => 3,
        }
    }
}

/// How much is computed for each image.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Extent {
    /// Coarser curves and fewer samples, said in the report: a photograph takes minutes.
    Brief,
    /// The papers' own settings: minutes for a small picture, hours for a photograph.
    Full,
}

impl Extent {
    /// How many parts the pixels are taken out in by the games; the papers' 224 pixels a step make 224 of a photograph.
    fn parts(self) -> usize {
        match self {
            Self::Brief => 28,
            Self::Full => 224,
        }
    }

    /// `brief`, or `full`.
    fn choose<T>(self, brief: T, full: T) -> T {
        match self {
            Self::Brief => brief,
            Self::Full => full,
        }
    }
}

/// Measures, and writes the report.
pub async fn reproduce(args: &ReproduceArgs) -> CliResult {
    std::fs::create_dir_all(&args.out)
        .map_err(|error| format!("{} cannot be made: {error}.", args.out.display()))?;
    let report = match args.paper {
        Paper::Axai => axai::report(args).await?,
        Paper::Relex => relex::report(args).await?,
        Paper::Agi => agi::report(args).await?,
        Paper::Referee => referee::report(args).await?,
    };
    report.write(&args.out)?;
    println!("{}", args.out.join("report.html").display());
    Ok(())
}

impl ReproduceArgs {
    /// How many images are taken.
    fn limit(&self) -> Option<usize> {
        self.limit.or(self.extent.choose(Some(self.paper.few()), None))
    }

    /// An evaluation on the same images and models, with its table in the report's folder.
    fn evaluation(&self, table: &str, methods: &[String], metrics: &[String]) -> EvaluateArgs {
        EvaluateArgs {
            chance: 0,
            images: self.images.clone(),
            models: self.models.clone(),
            methods: methods.to_vec(),
            metrics: metrics.to_vec(),
            labels: None,
            objects: None,
            reference: None,
            target: Target::Predicted,
            limit: self.limit(),
            seed: self.seed,
            device: self.device,
            out: self.out.join(format!("{table}.csv")),
            json: Some(self.out.join(format!("{table}.json"))),
        }
    }

    fn is_brief(&self) -> bool {
        self.extent == Extent::Brief
    }

    /// How many images a table has rows of.
    fn images_in(&self, rows: &[Row]) -> usize {
        rows.iter().map(|row| &row.image).collect::<BTreeSet<_>>().len()
    }

    /// Pixels that the games move at a step, in the pictures that these networks take.
    fn pixels_a_step(&self, networks: &[Network]) -> CliResult<usize> {
        let [network, ..] = networks else { return Ok(1) };
        let image = &images(&self.images, Some(1))?[0];
        let shape = network.prepare(image)?.0.shape;
        let pixels: usize = shape.iter().skip(2).product();
        Ok((pixels / self.extent.parts()).max(1))
    }

    async fn networks(&self) -> CliResult<Vec<Network>> {
        let device: Device = open(self.device).await?;
        self.models.iter().map(|path| Network::load(path, &device)).collect()
    }
}

/// The written methods whose method this build has; the report names the others.
fn available(report: &mut Report, written: &[&str]) -> Vec<String> {
    let name = |written: &str| written.split(':').next().unwrap_or_default().to_owned();
    let (here, missing): (Vec<&str>, Vec<&str>) =
        written.iter().partition(|written| methods::find(&name(written)).is_ok());
    if !missing.is_empty() {
        report.say(format!("Not in this build, so left out: {}.", missing.join(", ")));
    }
    here.into_iter().map(str::to_owned).collect()
}

/// A number of the table, or a dash.
fn shown(value: Option<f64>, digits: usize) -> String {
    value.map(|value| format!("{value:.digits$}")).unwrap_or_else(|| "-".into())
}

/// The mean of a metric.
fn mean_of(groups: &[Group], model: &str, method: &str, metric: &str) -> Option<f64> {
    find(groups, model, method, metric)?.mean
}

fn find<'a>(groups: &'a [Group], model: &str, method: &str, metric: &str) -> Option<&'a Group> {
    groups.iter().find(|group| group.model == model && group.method == method && group.metric == metric)
}

/// The names of the models, in their order.
fn models(groups: &[Group]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for Group { model, .. } in groups {
        if !names.contains(model) {
            names.push(model.clone());
        }
    }
    names
}

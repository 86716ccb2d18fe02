//! Lim, Lee, Kim: Building Reliable Explanations of Unreliable Neural Networks (2021).

mod classes;
mod measure;

use adversight::attribution::registry as methods;

use super::{Extent, ReproduceArgs, find, models, shown};
use crate::{
    CliResult,
    evaluate::{Group, Network, Spec, groups},
    report::{Report, Series},
};
use measure::Scene;

/// The epsilons of figures 3 and 5, in units of ImageNet's standard deviation. Table 1 has the first four.
const EPSILONS: [f32; 7] = [0.07, 0.1, 0.3, 1.0, 2.0, 4.0, 8.0];
/// Those of a brief run.
const FEW_EPSILONS: [f32; 4] = [0.07, 0.3, 1.0, 8.0];
const STEP: f32 = 0.01;
const STEPS: usize = 40;
/// Images of a brief run whose maps are attacked, which costs a gradient three times a step and every map once more.
const FEW_MAPS: usize = 2;

/// A method of the paper, as it is written here; `few` where a brief run takes less of it; table 1's R of the natural and
/// of the robust ResNet-50 at the first four epsilons.
struct Entry {
    name: &'static str,
    method: &'static str,
    few: &'static str,
    natural: Option<[f64; 4]>,
    robust: Option<[f64; 4]>,
}

const fn entry(
    name: &'static str,
    method: &'static str,
    few: &'static str,
    natural: [f64; 4],
    robust: Option<[f64; 4]>,
) -> Entry {
    Entry { name, method, few, natural: Some(natural), robust }
}

const fn variant(name: &'static str, method: &'static str) -> Entry {
    Entry { name, method, few: "", natural: None, robust: None }
}

/// Table 1, and the variants of figure 3 after it, which a brief run leaves out.
const ENTRIES: [Entry; 11] = [
    entry("SimGrad", "saliency", "saliency", [0.03, 0.03, 0.04, 0.03], Some([0.40, 0.37, 0.22, 0.14])),
    entry(
        "IntGrad",
        "integrated_gradients",
        "integrated_gradients",
        [0.07, 0.07, 0.06, 0.03],
        Some([0.35, 0.30, 0.13, 0.07]),
    ),
    entry("SmoothGrad", "smoothgrad", "smoothgrad", [0.18, 0.17, 0.12, 0.04], Some([0.38, 0.33, 0.15, 0.10])),
    entry("DeepLIFT", "deep_lift", "deep_lift", [0.04, 0.04, 0.04, 0.04], Some([0.48, 0.43, 0.20, 0.12])),
    entry("GradCAM", "grad_cam", "grad_cam", [0.14, 0.11, 0.08, 0.03], Some([0.58, 0.45, 0.39, 0.16])),
    entry("RT-Sal", "rt_sal", "rt_sal", [0.12, 0.10, 0.06, 0.02], None),
    entry("MASK", "mask", "mask:iterations=100", [0.05, 0.04, 0.03, 0.01], Some([0.40, 0.32, 0.15, 0.14])),
    entry("RelEx", "relex", "relex:samples=10", [0.94, 0.95, 0.96, 0.97], Some([0.78, 0.66, 0.60, 0.56])),
    variant("RelEx w/o batch", "relex:samples=1,noise_level=0"),
    variant("RelEx (100)", "relex:iterations=100"),
    variant("RelEx, lambda 2 = 0", "relex:deletion=0"),
];

impl Entry {
    /// What an extent takes of it.
    fn written(&self, extent: Extent) -> Option<&'static str> {
        Some(extent.choose(self.few, self.method)).filter(|written| !written.is_empty())
    }
}

/// A method that is measured: its name in the paper and in the tables, and what it is here.
#[derive(Clone)]
struct Measured {
    name: &'static str,
    spec: Spec,
    /// Of figure 3 only.
    variant: bool,
}

pub async fn report(args: &ReproduceArgs) -> CliResult<Report> {
    let mut report = Report::new("RelEx: the paper's numbers and ours");
    let extent = args.extent;
    let networks = args.networks().await?;
    let named = |entry: &Entry| extent.choose(entry.few, entry.method).split(':').next().unwrap_or_default();
    let mut measured = Vec::new();
    for entry in ENTRIES.iter().filter(|entry| methods::find(named(entry)).is_ok()) {
        if let Some(written) = entry.written(extent) {
            measured.push(Measured {
                name: entry.name,
                spec: Spec::method(written)?,
                variant: entry.natural.is_none(),
            });
        }
    }
    let scenes = scenes(extent);
    report.say(format!(
        "The attack is untargeted PGD in the largest norm, {STEPS} steps of {STEP}, epsilon in units of ImageNet's standard \
         deviation, from a random start inside the ball (the default of the library that the authors used: {STEPS} steps \
         reach 0.4 at most, so larger epsilons mean anything only with it), clipped to the valid range. All maps explain the class \
         that the clean picture is given. The paper: 4000 images, natural and robust ResNet-50. The networks here are others."
    ));
    report.say(extent.choose(
        "A brief run: RelEx with 10 noisy copies a step instead of 50, MASK with 100 steps instead of 300, curves of 28 points \
         instead of 224, four of the seven epsilons, and few attacks on maps.",
        "A full run: the settings of the paper.",
    ));
    let results = measure::measure(args, &networks, &measured, &scenes).await?;
    let found = groups(&results.rows);
    let models = models(&found);
    let table = Table { found: &found, measured: &measured, models: &models };
    report.say(format!("Pictures: {}.", table.counts()));

    report.heading("Table 1: the feature relevance R of attacked pictures");
    for (i, epsilon) in
        EPSILONS[..4].iter().enumerate().filter(|(_, epsilon)| scenes.contains(&Scene::Pixels(**epsilon)))
    {
        report.say(format!("Epsilon {epsilon}:"));
        let mut header = ["method", "paper: natural", "paper: robust"].map(String::from).to_vec();
        header.extend(models.iter().cloned());
        let rows = ENTRIES.iter().filter(|entry| entry.natural.is_some()).map(|entry| {
            let paper = [entry.natural, entry.robust].map(|paper| shown(paper.map(|paper| paper[i]), 2));
            let ours = models
                .iter()
                .map(|model| shown(table.at(model, entry.name, "relevance", Scene::Pixels(*epsilon)), 2));
            std::iter::once(entry.name.to_owned()).chain(paper).chain(ours).collect()
        });
        report.table(header, rows.collect());
    }

    report.heading("Figure 3: is the class found again?");
    report.say(
        "How often the network finds the clean picture's class in the attacked picture multiplied with its own map; in brackets, \
         with the clean picture's map. The paper's figure: RelEx near 1 at all epsilons with its own map, and up to epsilon 1 \
         with the clean one; all others far below.",
    );
    for model in &models {
        report.table(table.header(model, &scenes), table.retrieval(model, &scenes));
    }
    let figures = [
        (
            "retrieval",
            "class retrieval",
            "Figure 3: how often the class is found again in the attacked picture times its own map",
        ),
        ("retrieval_clean_map", "class retrieval", "Figure 3: the same with the clean picture's map"),
        (
            "norm",
            "l1 norm",
            "Figure 3, top right: the l1 norm of the attacked picture's map in units of the clean one's",
        ),
        (
            "rank_correlation",
            "rank correlation",
            "Figure 5: the rank correlation of the attacked picture's map with the clean one's",
        ),
        (
            "top",
            "top intersection",
            "Supplement: the part of the most important 2 % of the pixels (the paper: 1000) that both maps share",
        ),
    ];
    for (what, axis, caption) in figures {
        for model in &models {
            let series: Vec<Series> =
                measured.iter().map(|method| table.series(model, method.name, what)).collect();
            let name = format!("{what}_{model}");
            report.plot(&name, &format!("{caption}; {model}."), ("log10 epsilon", axis), &series)?;
        }
    }

    report.heading("Figure 4 and 5 (b): attacks on the map, the class kept");
    report.say(format!(
        "Structured: the map becomes that of the next picture of another class. Unstructured: the 2 % most important \
         features lose their weight. The attacked map is the plain gradient's, for all methods; the paper attacks several methods \
         in turn, found no attack on RelEx, and reports that the attacks carry over: retrieval close to 1 for RelEx, \
         0.83 for Grad-CAM and 0.60 for RT-Sal. Largest change {}, {} steps.",
        measure::MAP_ATTACK.epsilon, measure::MAP_ATTACK.steps
    ));
    let attacks = [("structured", Scene::Structured), ("unstructured", Scene::Unstructured)];
    let mut header = vec!["method".to_owned()];
    for model in &models {
        for (name, _) in attacks {
            header.push(format!("{model}, {name}: class found (rank correlation)"));
        }
    }
    let rows = measured.iter().map(|method| {
        let cells = models.iter().flat_map(|model| {
            attacks.map(|(_, scene)| {
                let of = |what| shown(table.at(model, method.name, what, scene), 2);
                format!("{} ({})", of("retrieval"), of("rank_correlation"))
            })
        });
        std::iter::once(method.name.to_owned()).chain(cells).collect()
    });
    report.table(header, rows.collect());

    classes::report(&mut report, args, &networks, &measured).await?;
    report.heading("Not reproduced");
    report.say("Natural and robust ResNet-50, and ResNet-18 on CIFAR-10, whose weights are not to be had.");
    Ok(report)
}

/// What is done to the pictures.
fn scenes(extent: Extent) -> Vec<Scene> {
    let epsilons: &[f32] = extent.choose(&FEW_EPSILONS, &EPSILONS);
    epsilons
        .iter()
        .map(|&epsilon| Scene::Pixels(epsilon))
        .chain([Scene::Structured, Scene::Unstructured])
        .collect()
}

/// The methods that apply to a network; RT-Sal does where a masker lies beside it.
fn applicable(network: &Network, measured: &[Measured]) -> Vec<Measured> {
    let support = network.explainer.info().methods;
    let applies = |method: &str| support.iter().any(|known| known.name == method && known.applies);
    measured.iter().filter(|method| applies(&method.spec.name)).cloned().collect()
}

/// What was measured.
struct Table<'a> {
    found: &'a [Group],
    measured: &'a [Measured],
    models: &'a [String],
}

impl Table<'_> {
    fn group(&self, model: &str, name: &str, what: &str, scene: Scene) -> Option<&Group> {
        let method = self.measured.iter().find(|method| method.name == name)?;
        find(self.found, model, &method.spec.written, &scene.metric(what))
    }

    fn at(&self, model: &str, name: &str, what: &str, scene: Scene) -> Option<f64> {
        self.group(model, name, what, scene)?.mean
    }

    /// Pictures of each model, attacked and with attacked maps.
    fn counts(&self) -> String {
        let of = |model: &String| {
            let n = |scene| {
                self.measured
                    .iter()
                    .find_map(|method| Some(self.group(model, method.name, "retrieval", scene)?.n))
                    .unwrap_or(0)
            };
            let attacked = self
                .found
                .iter()
                .filter(|group| group.model == *model && group.metric.starts_with("retrieval@"));
            let attacked = attacked.map(|group| group.n).max().unwrap_or(0);
            format!("{model} {attacked}, {} with an attacked map", n(Scene::Structured))
        };
        self.models.iter().map(of).collect::<Vec<_>>().join("; ")
    }

    fn header(&self, model: &str, scenes: &[Scene]) -> Vec<String> {
        let epsilons = scenes.iter().filter_map(|scene| scene.epsilon());
        std::iter::once(model.to_owned())
            .chain(epsilons.map(|epsilon| format!("epsilon {epsilon}")))
            .collect()
    }

    fn retrieval(&self, model: &str, scenes: &[Scene]) -> Vec<Vec<String>> {
        let cell = |method: &Measured, scene: Scene| {
            let of = |what| shown(self.at(model, method.name, what, scene), 2);
            format!("{} ({})", of("retrieval"), of("retrieval_clean_map"))
        };
        let row = |method: &Measured| {
            let cells =
                scenes.iter().filter(|scene| scene.epsilon().is_some()).map(|&scene| cell(method, scene));
            std::iter::once(method.name.to_owned()).chain(cells).collect()
        };
        self.measured.iter().map(row).collect()
    }

    /// A quantity along the epsilons.
    fn series(&self, model: &str, name: &str, what: &str) -> Series {
        let point = |&epsilon: &f32| {
            Some((f64::from(epsilon).log10(), self.at(model, name, what, Scene::Pixels(epsilon))?))
        };
        Series { name: name.to_owned(), points: EPSILONS.iter().filter_map(point).collect(), joined: true }
    }
}

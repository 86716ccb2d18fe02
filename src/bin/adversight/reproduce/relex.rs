//! Lim, Lee, Kim: Building Reliable Explanations of Unreliable Neural Networks (2021).

use std::collections::BTreeMap;

use adversight::{
    Control, ExplainOptions, HostTensor, Input,
    attack::{Attack, Norm},
    attribution::registry as methods,
    metric::{self, Assessment},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::{
    ReproduceArgs,
    attack::{Terms, changes, moved},
    find, models, shown,
};
use crate::{
    CliResult,
    evaluate::{Clock, Network, Results, Row, groups, images},
    report::{Report, Series},
    say,
};

const EPSILONS: [f32; 4] = [0.07, 0.1, 0.3, 1.0];
const STEP: f32 = 0.01;
const STEPS: usize = 40;
/// The mean standard deviation of ImageNet's channels: the paper measures perturbations in units of it.
const IMAGENET_STD: f32 = 0.226;

/// Table 1, natural ResNet-50: name, the method's names here, R at each epsilon.
const TABLE_1: [(&str, &[&str], [f64; 4]); 8] = [
    ("SimGrad", &["saliency"], [0.03, 0.03, 0.04, 0.03]),
    ("IntGrad", &["integrated_gradients"], [0.07, 0.07, 0.06, 0.03]),
    ("SmoothGrad", &["smoothgrad"], [0.18, 0.17, 0.12, 0.04]),
    ("DeepLIFT", &["deep_lift", "deeplift"], [0.04, 0.04, 0.04, 0.04]),
    ("GradCAM", &["grad_cam"], [0.14, 0.11, 0.08, 0.03]),
    ("RT-Sal", &["rt_sal", "real_time_saliency"], [0.12, 0.10, 0.06, 0.02]),
    ("MASK", &["mask"], [0.05, 0.04, 0.03, 0.01]),
    ("RelEx", &["relex"], [0.94, 0.95, 0.96, 0.97]),
];

/// What is measured at each epsilon: the metric's name, how it is written in the table, and what it is applied to.
const MEASURED: [(&str, &str, Applied); 5] = [
    ("feature_relevance", "relevance", Applied::Attacked),
    ("class_retrieval", "retrieval", Applied::Attacked),
    ("class_retrieval", "retrieval_clean_map", Applied::CleanMap),
    ("spearman", "rank_correlation", Applied::Compared),
    ("top_k_intersection", "top_1000", Applied::Compared),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Applied {
    /// The attacked picture with its own map.
    Attacked,
    /// The attacked picture with the clean picture's map.
    CleanMap,
    /// Both maps.
    Compared,
}

pub async fn report(args: &ReproduceArgs) -> CliResult<Report> {
    let mut report = Report::new("RelEx: the paper's numbers and ours");
    report.heading("Table 1 and figures 3 and 5: maps of attacked pictures");
    report.say(format!(
        "The attack is untargeted PGD in the largest norm, {STEPS} steps of {STEP}, epsilon in units of ImageNet's standard \
         deviation, from a random start inside the ball (the default of the library that the authors used: {STEPS} steps \
         reach 0.4 at most, so larger epsilons mean anything only with it), clipped to the valid range. All maps explain the class \
         that the clean picture is given. The paper: 4000 images, ResNet-50. The networks here are others."
    ));
    let mut present: Vec<(&str, String)> = Vec::new();
    let mut missing = Vec::new();
    for (name, candidates, _) in TABLE_1 {
        match candidates.iter().find(|candidate| methods::find(candidate).is_ok()) {
            Some(found) => present.push((name, (*found).to_owned())),
            None => missing.push(name),
        }
    }
    if !missing.is_empty() {
        report.say(format!("Not in this build, so left out: {}.", missing.join(", ")));
    }
    let results = measure(args, &present).await?;
    let found = groups(&results.rows);
    let models = models(&found);
    let at = |model: &str, method: &str, what: &str, epsilon: f32| {
        find(&found, model, method, &written(what, epsilon)).and_then(|group| group.mean)
    };

    let mut header = vec!["method".to_owned()];
    header.extend(EPSILONS.map(|epsilon| format!("paper: R at {epsilon}")));
    for model in &models {
        header.extend(EPSILONS.map(|epsilon| format!("{model}: R at {epsilon}")));
    }
    let mut rows = Vec::new();
    for (name, _, paper) in TABLE_1 {
        let mut row = vec![name.to_owned()];
        row.extend(paper.map(|value| shown(Some(value), 2)));
        let method = present.iter().find(|(known, _)| *known == name).map(|(_, method)| method.as_str());
        for model in &models {
            let ours = |epsilon| at(model, method.unwrap_or_default(), "relevance", epsilon);
            row.extend(EPSILONS.map(|epsilon| shown(ours(epsilon), 2)));
        }
        rows.push(row);
    }
    report.table(header, rows);

    let figures = [
        (
            "retrieval",
            "class retrieval",
            "Figure 3: how often the class is found again in the attacked picture times its own map",
        ),
        ("retrieval_clean_map", "class retrieval", "Figure 3: the same with the clean picture's map"),
        (
            "rank_correlation",
            "rank correlation",
            "Figure 5: the rank correlation of the attacked picture's map with the clean one's",
        ),
        (
            "top_1000",
            "top-1000 intersection",
            "Supplement: the part of the 1000 most important pixels that both maps share",
        ),
    ];
    for (what, axis, caption) in figures {
        for model in &models {
            let series: Vec<Series> = present
                .iter()
                .map(|(name, method)| Series {
                    name: (*name).to_owned(),
                    points: EPSILONS
                        .iter()
                        .filter_map(|&epsilon| {
                            Some((f64::from(epsilon).log10(), at(model, method, what, epsilon)?))
                        })
                        .collect(),
                    joined: true,
                })
                .collect();
            let name = format!("{what}_{model}");
            report.plot(&name, &format!("{caption}; {model}."), ("log10 epsilon", axis), &series)?;
        }
    }
    report.heading("Not reproduced");
    report.say(
        "The robust ResNet-50 of table 1, whose weights are not to be had; figure 4's attacks on the maps themselves; epsilons \
         above 1; figure 6 (CIFAR-10).",
    );
    Ok(report)
}

fn written(what: &str, epsilon: f32) -> String {
    format!("{what}@{epsilon}")
}

/// The methods that apply to a network; RT-Sal does where a masker lies beside it. The others stay a dash in the table.
fn applicable<'a>(network: &Network, present: &[(&'a str, String)]) -> Vec<(&'a str, String)> {
    let support = network.explainer.info().methods;
    let applies = |method: &str| support.iter().any(|known| known.name == method && known.applies);
    present.iter().filter(|(_, method)| applies(method)).cloned().collect()
}

/// Attacks every picture at every epsilon and measures every method's maps.
async fn measure(args: &ReproduceArgs, present: &[(&str, String)]) -> CliResult<Results> {
    let mut results = Results::open(&args.out.join("relex.csv"))?;
    let images = images(&args.images, args.limit)?;
    let row = |model: &str, image: &str, method: &str, metric: String| Row {
        image: image.to_owned(),
        model: model.to_owned(),
        method: method.to_owned(),
        metric,
        target: "predicted".into(),
        seed: args.seed,
        ..Row::default()
    };
    let networks = args.networks().await?;
    let methods: usize = networks.iter().map(|network| applicable(network, present).len()).sum();
    let mut clock = Clock::new(images.len() * methods);
    for network in &networks {
        let present = applicable(network, present);
        for (number, path) in images.iter().enumerate() {
            let image = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let pending = |method: &str, results: &Results| -> bool {
                EPSILONS.iter().any(|&epsilon| {
                    MEASURED.iter().any(|(_, what, _)| {
                        !results.has(&row(&network.name, &image, method, written(what, epsilon)))
                    })
                })
            };
            if !present.iter().any(|(_, method)| pending(method, &results)) {
                clock.done += present.len();
                continue;
            }
            clock.show(&format!("{} {image}: attack", network.name));
            let clean = network.prepare(path)?.0;
            let class = network.predicted(&clean).await?;
            let attacked =
                attacked(network, &clean, class, u64::from(args.seed) << 32 | number as u64).await?;
            for (_, method) in &present {
                clock.show(&format!("{} {image} {method}", network.name));
                if pending(method, &results) {
                    let clean_map = explain(network, &clean, method, class, args.seed).await?;
                    for (&epsilon, x) in EPSILONS.iter().zip(&attacked) {
                        let map = explain(network, x, method, class, args.seed).await?;
                        for (name, what, applied) in MEASURED {
                            let row = row(&network.name, &image, method, written(what, epsilon));
                            if results.has(&row) {
                                continue;
                            }
                            let maps = (&map, &clean_map);
                            let (value, parts) =
                                judge(network, x, maps, method, class, name, applied).await?;
                            results.add(Row {
                                class: Some(class),
                                predicted: Some(class),
                                value: Some(value),
                                parts,
                                ..row
                            })?;
                        }
                    }
                }
                clock.done += 1;
            }
        }
    }
    eprintln!();
    results.keep(|row| images.iter().any(|path| path.ends_with(&row.image)) && row.seed == args.seed);
    Ok(results)
}

/// The picture attacked at every epsilon.
async fn attacked(
    network: &Network,
    clean: &HostTensor,
    class: usize,
    seed: u64,
) -> CliResult<Vec<HostTensor>> {
    let preprocessing =
        network.explainer.preprocessing().ok_or("The model's preprocessing is not declared.")?;
    // The paper's unit in this network's space.
    let unit = IMAGENET_STD * (preprocessing.to_model(0, 255.0) - preprocessing.to_model(0, 0.0));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut attacked = Vec::with_capacity(EPSILONS.len());
    for epsilon in EPSILONS {
        let attack = Attack::pgd(Norm::Linf, STEP * unit, epsilon * unit, STEPS);
        let start = Some(attack.random_start(1, clean.data.len(), &mut random));
        let terms = Terms { start, valid: true, ..Terms::default() };
        let found = changes(&network.explainer, clean, class, attack, terms).await?;
        attacked.extend(found.iter().map(|change| moved(clean, &change.delta)));
    }
    Ok(attacked)
}

fn options(method: &str, class: usize, seed: u32) -> ExplainOptions {
    ExplainOptions { method: method.to_owned(), target: Some(class), seed, ..Default::default() }
}

async fn explain(
    network: &Network,
    x: &HostTensor,
    method: &str,
    class: usize,
    seed: u32,
) -> CliResult<HostTensor> {
    let options = options(method, class, seed);
    let found = network.explainer.explain(&Input::Tensor(x), &options, &Control::default()).await;
    Ok(found.map_err(say)?.0.attribution)
}

async fn judge(
    network: &Network,
    x: &HostTensor,
    (map, clean_map): (&HostTensor, &HostTensor),
    method: &str,
    class: usize,
    metric: &str,
    applied: Applied,
) -> CliResult<(f64, BTreeMap<String, f64>)> {
    let control = Control::default();
    let options = options(method, class, 0);
    let judged = if applied == Applied::CleanMap { clean_map } else { map };
    let mut assessment = Assessment::new(&network.explainer, x, judged, class, &control)
        .map_err(say)?
        .with_method(&options)
        .map_err(say)?;
    if applied == Applied::Compared {
        assessment = assessment.with_reference(clean_map).map_err(say)?;
    }
    // RelEx learns a mask, and RT-Sal's network gives one; other maps are scaled to one.
    let params: Map<String, Value> = match (metric, method) {
        ("class_retrieval", "relex" | "rt_sal") => [("mask".to_owned(), json!("raw"))].into_iter().collect(),
        _ => Map::new(),
    };
    let found = metric::measure(&assessment, metric, &params).await.map_err(say)?.finding;
    let parts = found.parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok((found.value, parts))
}

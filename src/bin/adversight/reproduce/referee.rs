//! The referee: which metrics tell a map from noise, and which keep their order of methods where pixels are ranked, or filled, by another
//! rule? No paper's table, but what decides how far any of them can be believed.

use std::collections::BTreeSet;

use adversight::{
    metric::{
        Chance, Standing, chance,
        registry::{MetricDescription, Need, metrics},
    },
    statistics::spearman,
};

use super::{ReproduceArgs, available, mean_of, models, shown};
use crate::{
    CliResult,
    evaluate::{Group, Row, evaluate, groups},
    report::Report,
};

/// Methods of different kinds: gradients, paths, feature maps, perturbations.
const METHODS: [&str; 6] = [
    "saliency",
    "input_x_gradient",
    "integrated_gradients:steps=32",
    "smoothgrad:samples=16",
    "grad_cam",
    "occlusion",
];

/// The rules that are compared with a metric's own.
const RULES: [(&str, &[&str]); 2] =
    [("ranking", &["as_shown", "mean", "sum_abs"]), ("substrate", &["blank", "blur"])];

pub async fn report(args: &ReproduceArgs) -> CliResult<Report> {
    let mut report = Report::new("The referee: can the metrics be believed?");
    let methods = available(&mut report, &METHODS);
    let judged: Vec<MetricDescription> = metrics().into_iter().filter(suits).collect();
    let names: Vec<String> = judged.iter().map(|metric| written(metric, args, None)).collect();
    let mut asked = args.evaluation("chance", &methods, &names);
    asked.chance = chance::FEWEST;
    let against = evaluate(&asked).await?;
    report.heading("Against chance");
    report.say(format!(
        "Each map of {} images by {} methods beside {} random maps: the same values at random places. A value within what 95 % of them \
         reach says nothing.",
        args.images_in(&against.rows),
        methods.len(),
        chance::FEWEST
    ));
    let errors: BTreeSet<&String> = against.rows.iter().map(|row| &row.error).collect();
    for error in errors.into_iter().filter(|error| !error.is_empty()) {
        report.say(format!("Not measured: {error}"));
    }
    for model in models(&groups(&against.rows)) {
        report.say(format!("{model}:"));
        let header =
            ["metric", "better than chance", "no better", "worse", "maps"].map(String::from).to_vec();
        let mut rows: Vec<(f64, Vec<String>)> = Vec::new();
        for (metric, name) in judged.iter().zip(&names) {
            let of = |row: &&Row| row.model == model && row.metric == *name;
            let found: Vec<Standing> = against
                .rows
                .iter()
                .filter(of)
                .filter_map(|row| Some(Chance::of(row.value?, row.chance.clone(), metric.better)?.standing))
                .collect();
            let part = |standings: &[Standing]| {
                let hits = found.iter().filter(|standing| standings.contains(standing)).count();
                (!found.is_empty()).then(|| hits as f64 / found.len() as f64)
            };
            let better = part(&[Standing::Better, Standing::Other]);
            let percent =
                |part: Option<f64>| part.map_or("-".into(), |part| format!("{:.0} %", 100.0 * part));
            rows.push((
                better.unwrap_or(-1.0),
                vec![
                    metric.name.clone(),
                    percent(better),
                    percent(part(&[Standing::NoBetter])),
                    percent(part(&[Standing::Worse])),
                    found.len().to_string(),
                ],
            ));
        }
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        report.table(header, rows.into_iter().map(|(_, row)| row).collect());
    }
    for (rule, values) in RULES {
        order(&mut report, args, &methods, &judged, (rule, values)).await?;
    }
    Ok(report)
}

/// How the order of methods changes with a rule.
async fn order(
    report: &mut Report,
    args: &ReproduceArgs,
    methods: &[String],
    judged: &[MetricDescription],
    (rule, values): (&str, &[&str]),
) -> CliResult {
    let has = |metric: &&MetricDescription| metric.params.iter().any(|param| param.name == rule);
    let judged: Vec<&MetricDescription> = judged.iter().filter(has).collect();
    let with = |metric: &MetricDescription, value: &str| written(metric, args, Some((rule, value)));
    let asked: Vec<String> =
        judged.iter().flat_map(|metric| values.iter().map(|value| with(metric, value))).collect();
    let found = groups(&evaluate(&args.evaluation(rule, methods, &asked)).await?.rows);
    report.heading(format!("The order of methods under another {rule}"));
    report.say(format!(
        "The rank correlation of the methods' means under two rules: 1 where the order of the {} methods stays, -1 where it is turned around.",
        methods.len()
    ));
    let pairs: Vec<(&str, &str)> =
        values.iter().enumerate().flat_map(|(i, a)| values[i + 1..].iter().map(|b| (*a, *b))).collect();
    for model in models(&found) {
        report.say(format!("{model}:"));
        let header: Vec<String> = std::iter::once("metric".to_owned())
            .chain(pairs.iter().map(|(a, b)| format!("{a} and {b}")))
            .collect();
        let mut rows = Vec::new();
        for metric in &judged {
            let means = |value: &str| means(&found, &model, methods, &with(metric, value));
            let alike = |(a, b): &(&str, &str)| -> Option<f64> {
                let (a, b) = (means(a), means(b));
                let both: Vec<(f64, f64)> =
                    a.into_iter().zip(b).filter_map(|(a, b)| Some((a?, b?))).collect();
                let (a, b): (Vec<f64>, Vec<f64>) = both.into_iter().unzip();
                spearman(&a, &b)
            };
            let cells = pairs.iter().map(|pair| shown(alike(pair), 2));
            rows.push(std::iter::once(metric.name.clone()).chain(cells).collect());
        }
        report.table(header, rows);
    }
    Ok(())
}

fn means(found: &[Group], model: &str, methods: &[String], metric: &str) -> Vec<Option<f64>> {
    methods.iter().map(|method| mean_of(found, model, method, metric)).collect()
}

/// Metrics that need no more than a map and the network.
fn suits(metric: &MetricDescription) -> bool {
    metric.needs.iter().all(|need| matches!(need, Need::Predictions | Need::Image))
}

/// A metric with what a brief run asks for, as the command line takes it.
fn written(metric: &MetricDescription, args: &ReproduceArgs, rule: Option<(&str, &str)>) -> String {
    let brief = [("samples", 50), ("groups", 20), ("step", 28), ("sizes", 4)];
    let has = |name: &str| metric.params.iter().any(|param| param.name == name);
    let mut params: Vec<String> = match args.is_brief() {
        true => brief
            .iter()
            .filter(|(name, _)| has(name) && metric.name != "saco")
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        false => Vec::new(),
    };
    params.extend(rule.map(|(name, value)| format!("{name}={value}")));
    match params.is_empty() {
        true => metric.name.clone(),
        false => format!("{}:{}", metric.name, params.join(",")),
    }
}

//! Pan, Li, Zhu: Explaining Deep Neural Network Models with Adversarial Gradient Integration (2021).

use std::path::Path;

use adversight::{
    Control, ExplainOptions, Explainer, Input,
    metric::{self, Assessment},
};

use super::{ReproduceArgs, available, mean_of, models, shown};
use crate::{
    CliResult,
    evaluate::{Clock, Group, Network, Results, Row, evaluate, groups, images},
    report::{Report, Series},
    say,
};

/// Table 1: name, method, deletion and insertion of InceptionV3, then of ResNet152.
const TABLE_1: [(&str, &str, [f64; 4]); 6] = [
    ("IG", "integrated_gradients", [0.032, 0.294, 0.030, 0.262]),
    ("SM", "saliency", [0.036, 0.537, 0.056, 0.407]),
    ("AGI-1", "agi:samples=1", [0.043, 0.408, 0.044, 0.405]),
    ("AGI-5", "agi:samples=5", [0.043, 0.503, 0.052, 0.475]),
    ("AGI-10", "agi:samples=10", [0.046, 0.532, 0.056, 0.489]),
    ("AGI-20", "agi", [0.048, 0.561, 0.060, 0.503]),
];
const DELETION: &str = "deletion";
const INSERTION: &str = "insertion:substrate=blank";

/// Which maps change with the weights (section 5.2), and which ones should not.
const SANITY: [&str; 4] = ["saliency", "integrated_gradients", "agi", "guided_backprop"];
/// Pictures whose maps are followed while the weights are randomised layer by layer.
const FOLLOWED: usize = 5;
/// How many depths they are followed at.
const DEPTHS: usize = 8;

pub async fn report(args: &ReproduceArgs) -> CliResult<Report> {
    let mut report = Report::new("Adversarial gradient integration: the paper's numbers and ours");
    report.heading("Table 1: deletion (lower is better) and insertion (higher is better)");
    report.say(
        "The paper: 1000 ImageNet images, pixels put into and taken out for a blank picture. Here: 224 pixels a step, the \
         area under the probability of the predicted class. The networks are others than the paper's, so the order of the \
         methods is to be compared, not the level.",
    );
    let methods = available(&mut report, &TABLE_1.map(|(_, method, _)| method));
    let results = evaluate(&args.evaluation("table_1", &methods, &[DELETION, INSERTION])).await?;
    let found = groups(&results.rows);
    let models = models(&found);
    let mut header: Vec<String> = [
        "method",
        "paper: InceptionV3 deletion",
        "paper: InceptionV3 insertion",
        "paper: ResNet152 deletion",
        "paper: ResNet152 insertion",
    ]
    .map(String::from)
    .to_vec();
    for model in &models {
        header.extend([format!("{model} deletion"), format!("{model} insertion")]);
    }
    let mut rows = Vec::new();
    for (name, method, paper) in TABLE_1 {
        let mut row = vec![name.to_owned()];
        row.extend(paper.map(|value| shown(Some(value), 3)));
        for model in &models {
            row.extend([DELETION, INSERTION].map(|metric| shown(mean_of(&found, model, method, metric), 3)));
        }
        rows.push(row);
    }
    report.table(header, rows);
    let samples = [("agi:samples=1", 1.0), ("agi:samples=5", 5.0), ("agi:samples=10", 10.0), ("agi", 20.0)];
    let mut series = vec![
        Series { name: "paper: InceptionV3".into(), points: paper(1), joined: true },
        Series { name: "paper: ResNet152".into(), points: paper(3), joined: true },
    ];
    for model in &models {
        let point = |&(method, x): &(&str, f64)| Some((x, mean_of(&found, model, method, INSERTION)?));
        series.push(Series {
            name: model.clone(),
            points: samples.iter().filter_map(point).collect(),
            joined: true,
        });
    }
    report.plot(
        "class_sampling",
        "Insertion with the number of sampled false classes (section 5.4)",
        ("false classes", "insertion"),
        &series,
    )?;

    report.heading("Sanity check (section 5.2): the weights are randomised");
    report.say(
        "The rank correlation of magnitudes between the map and that of the same network with random weights in all layers: \
         near 0 for a method that explains the network. The paper shows pictures and says that AGI passes and that guided \
         backpropagation fails.",
    );
    let methods = available(&mut report, &SANITY);
    let results = evaluate(&args.evaluation("sanity", &methods, &["randomisation"])).await?;
    let found = groups(&results.rows);
    let mut header = vec!["method".to_owned()];
    header.extend(models.iter().cloned());
    let row = |method: &String| {
        let ours = models.iter().map(|model| shown(mean_of(&found, model, method, "randomisation"), 3));
        std::iter::once(method.clone()).chain(ours).collect()
    };
    report.table(header, methods.iter().map(row).collect());
    let cascade = groups(&cascade(args, &methods).await?.rows);
    for model in &models {
        let series: Vec<Series> = methods
            .iter()
            .map(|method| {
                let of = |group: &&Group| group.model == *model && group.method == *method;
                let point = |group: &Group| {
                    let part = group.metric.split_once('@')?.1.parse().ok()?;
                    Some((part, group.mean?))
                };
                let points = cascade.iter().filter(of).filter_map(point).collect();
                Series { name: method.clone(), points, joined: true }
            })
            .collect();
        report.plot(
            &format!("cascade_{model}"),
            &format!("Weights randomised from the output to the input, mean of at most {FOLLOWED} pictures; {model}."),
            ("randomised layers, %", "rank correlation with the map"),
            &series,
        )?;
    }
    report.heading("Not reproduced");
    report.say(
        "The pictures of figures 1 to 6. InceptionV3 and ResNet152, whose \
         weights are not to be had here.",
    );
    Ok(report)
}

/// The rank correlation of every method's map with that of the network whose last layers, more and more of them, have
/// random weights (Adebayo et al. 2018, cascading randomisation).
async fn cascade(args: &ReproduceArgs, methods: &[String]) -> CliResult<Results> {
    let mut results = Results::open(&args.out.join("cascade.csv"))?;
    let images = images(&args.images, Some(args.limit.unwrap_or(FOLLOWED).min(FOLLOWED)))?;
    let networks = args.networks().await?;
    let mut clock = Clock::new(networks.len() * images.len() * methods.len());
    let mut asked = Vec::new();
    for network in &networks {
        let layers = network.layers()?;
        let part = |depth: usize| &layers[..(layers.len() * depth).div_ceil(DEPTHS)];
        let randomised: Vec<Explainer> = (1..=DEPTHS)
            .map(|depth| network.with_random(part(depth), args.seed))
            .collect::<CliResult<_>>()?;
        for path in &images {
            for method in methods {
                let rows: Vec<Row> =
                    (1..=DEPTHS).map(|depth| row(args, network, path, method, depth)).collect();
                clock.show(&format!("{} {} {method}, random layers", network.name, path.display()));
                follow(args, network, path, method, rows.iter().zip(&randomised), &mut results).await?;
                asked.extend(rows.iter().map(Row::key));
                clock.done += 1;
            }
        }
    }
    eprintln!();
    results.keep(|row| asked.contains(&row.key()));
    Ok(results)
}

fn row(args: &ReproduceArgs, network: &Network, path: &Path, method: &str, depth: usize) -> Row {
    Row {
        image: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        model: network.name.clone(),
        method: method.to_owned(),
        metric: format!("randomisation@{}", 100 * depth / DEPTHS),
        target: "predicted".into(),
        seed: args.seed,
        ..Row::default()
    }
}

/// Fills the rows of one picture and one method that the table does not hold yet.
async fn follow(
    args: &ReproduceArgs,
    network: &Network,
    path: &Path,
    method: &str,
    rows: impl Iterator<Item = (&Row, &Explainer)>,
    results: &mut Results,
) -> CliResult {
    let pending: Vec<(&Row, &Explainer)> = rows.filter(|(row, _)| !results.has(row)).collect();
    if pending.is_empty() {
        return Ok(());
    }
    let input = network.prepare(path)?.0;
    let class = network.predicted(&input).await?;
    let options = ExplainOptions {
        method: method.to_owned(),
        target: Some(class),
        seed: args.seed,
        ..Default::default()
    };
    let control = Control::default();
    let explained = network.explainer.explain(&Input::Tensor(&input), &options, &control).await;
    let explanation = explained.map_err(say)?.0;
    for (row, randomised) in pending {
        let assessment =
            Assessment::of(&network.explainer, &input, &explanation, &options, &control).map_err(say)?;
        let assessment = assessment.with_randomised(randomised);
        let found = metric::measure(&assessment, "randomisation", &Default::default()).await.map_err(say)?;
        let value = Some(found.finding.value);
        results.add(Row { class: Some(class), predicted: Some(class), value, ..row.clone() })?;
    }
    Ok(())
}

/// The paper's insertion with 1, 5, 10 and 20 classes.
fn paper(column: usize) -> Vec<(f64, f64)> {
    [1.0, 5.0, 10.0, 20.0].into_iter().zip(TABLE_1[2..].iter().map(|(_, _, values)| values[column])).collect()
}

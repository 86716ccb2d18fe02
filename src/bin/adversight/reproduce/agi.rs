//! Pan, Li, Zhu: Explaining Deep Neural Network Models with Adversarial Gradient Integration (2021).

use std::path::Path;

use adversight::{
    Control, ExplainOptions, Explainer, Explanation, HostTensor,
    metric::{self, Assessment},
    statistics::mean,
};

use super::{Extent, ReproduceArgs, available, mean_of, models, shown};
use crate::{
    CliResult,
    evaluate::{Clock, Group, Network, Results, Row, Spec, evaluate, groups, images},
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
/// Which maps change with the weights (section 5.6), and which ones should not.
fn sanity(extent: Extent) -> [&'static str; 4] {
    ["saliency", "integrated_gradients", extent.choose("agi:samples=5,steps=10", "agi"), "guided_backprop"]
}

/// Pictures whose maps are followed while the weights are randomised layer by layer.
fn followed(extent: Extent) -> usize {
    extent.choose(2, 10)
}

/// How many depths they are followed at.
fn depths(extent: Extent) -> usize {
    extent.choose(4, 8)
}

pub async fn report(args: &ReproduceArgs) -> CliResult<Report> {
    let mut report = Report::new("Adversarial gradient integration: the paper's numbers and ours");
    report.heading("Table 1: deletion (lower is better) and insertion (higher is better)");
    report.say(
        "The paper: 1000 ImageNet images, pixels put into and taken out for a blank picture. Here: the \
         area under the probability of the predicted class. The networks are others than the paper's, so the order of the \
         methods is to be compared, not the level.",
    );
    let networks = args.networks().await?;
    let methods = available(&mut report, &TABLE_1.map(|(_, method, _)| method));
    let pixels = args.pixels_a_step(&networks)?;
    let [games, signed] = ["", ",ranking=mean"].map(|rule| {
        ["deletion:", "insertion:substrate=blank,"].map(|kind| format!("{kind}step={pixels}{rule}"))
    });
    let all = [&games[..], &signed].concat();
    let results = evaluate(&args.evaluation("table_1", &methods, &all)).await?;
    let found = groups(&results.rows);
    let models = models(&found);
    let pictures = found.iter().map(|group| group.n).max().unwrap_or(0);
    report.say(format!(
        "{pictures} pictures, {pixels} pixels a step{}.",
        args.extent.choose(" (a brief run; the paper's 224 make the curve eight times as fine)", "")
    ));
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
    let mut table = |games: &[String; 2]| {
        let rows = TABLE_1.map(|(name, method, paper)| {
            let papers = paper.map(|value| shown(Some(value), 3));
            let ours = models.iter().flat_map(|model| {
                games.each_ref().map(|game| shown(mean_of(&found, model, method, game), 3))
            });
            std::iter::once(name.to_owned()).chain(papers).chain(ours).collect()
        });
        report.table(header.clone(), rows.to_vec());
    };
    table(&games);
    table(&signed);
    report.say(
        "The first table ranks pixels by what each method shows: AGI by the mean over the channels, signs included, the others by magnitudes. The second ranks all by that mean. The paper does not say which it does.",
    );
    let samples = [("agi:samples=1", 1.0), ("agi:samples=5", 5.0), ("agi:samples=10", 10.0), ("agi", 20.0)];
    let mut series = vec![
        Series { name: "paper: InceptionV3".into(), points: paper(1), joined: true },
        Series { name: "paper: ResNet152".into(), points: paper(3), joined: true },
    ];
    for model in &models {
        let point = |&(method, x): &(&str, f64)| Some((x, mean_of(&found, model, method, &games[1])?));
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

    sparsity(&mut report, args).await?;
    discrimination(&mut report, args).await?;
    weights(&mut report, args, &networks).await?;
    labels(&mut report, args, &networks).await?;
    report.heading("Not reproduced");
    report.say(
        "The pictures of figures 1 to 3 and 5, which the page shows for any photograph. InceptionV3, ResNet152 and VGG19, whose \
         weights are not to be had here.",
    );
    Ok(report)
}

/// Figure 4: how sparse the maps are.
async fn sparsity(report: &mut Report, args: &ReproduceArgs) -> CliResult {
    report.heading("Figure 4: sparse maps come from straight paths");
    let written =
        [("AGI", "agi"), ("AGI, straight path", "agi:mode=straight"), ("IG", "integrated_gradients")];
    let methods = available(report, &written.map(|(_, method)| method));
    let results = evaluate(&args.evaluation("sparsity", &methods, &["sparseness".to_owned()])).await?;
    let found = groups(&results.rows);
    let models = models(&found);
    let mut header = vec!["Gini coefficient of the map".to_owned()];
    header.extend(models.iter().cloned());
    let rows = written.iter().map(|(name, method)| {
        let ours = models.iter().map(|model| shown(mean_of(&found, model, method, "sparseness"), 3));
        std::iter::once((*name).to_owned()).chain(ours).collect()
    });
    report.table(header, rows.collect());
    report.say(
        "The paper shows pictures: the straight path's maps are as sparse as those of IG, AGI's are not.",
    );
    Ok(())
}

/// Figure 7: how much the map depends on the class that it discriminates from.
async fn discrimination(report: &mut Report, args: &ReproduceArgs) -> CliResult {
    report.heading("Figure 7: the map depends on the class that it discriminates from");
    let methods = available(report, &["agi:samples=1,sampling=probable", "agi:samples=1,sampling=random"]);
    let [probable, random] = methods.as_slice() else { return Ok(()) };
    let mut evaluation =
        args.evaluation("discrimination", std::slice::from_ref(probable), &["spearman".to_owned()]);
    evaluation.reference = Some(random.clone());
    let found = groups(&evaluate(&evaluation).await?.rows);
    let ours = models(&found).into_iter().map(|model| {
        let mean = mean_of(&found, &model, probable, "spearman");
        format!("{model} {}", shown(mean, 2))
    });
    report.say(format!(
        "The rank correlation of the map against the most probable false class with that against one at random, mean of the \
         pictures: {}. The paper shows a koala, of which the trunk counts only against the polecat. 1 would mean that the false class \
         does not matter.",
        ours.collect::<Vec<_>>().join(", ")
    ));
    Ok(())
}

/// Figure 8 and section 5.6, first test: the weights are randomised.
async fn weights(report: &mut Report, args: &ReproduceArgs, networks: &[Network]) -> CliResult {
    report.heading("Figure 8, sanity check: the weights are randomised");
    report.say(
        "The rank correlation of magnitudes between the map and that of the same network with random weights in all layers: \
         near 0 for a method that explains the network. The paper shows pictures and says that AGI passes.",
    );
    if args.extent == Extent::Brief {
        report.say("AGI with 5 false classes and 10 steps here, since random networks are never left early.");
    }
    let methods = available(report, &sanity(args.extent));
    let metric = "randomisation";
    let results = evaluate(&args.evaluation("sanity", &methods, &[metric.to_owned()])).await?;
    let found = groups(&results.rows);
    let models = models(&found);
    let mut header = vec!["method".to_owned()];
    header.extend(models.iter().cloned());
    let row = |method: &String| {
        let ours = models.iter().map(|model| shown(mean_of(&found, model, method, metric), 3));
        std::iter::once(method.clone()).chain(ours).collect()
    };
    report.table(header, methods.iter().map(row).collect());
    let cascade = groups(&cascade(args, &methods, networks).await?.rows);
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
            &format!(
                "Weights randomised from the output to the input, mean of at most {} pictures; {model}.",
                followed(args.extent)
            ),
            ("randomised layers, %", "rank correlation with the map"),
            &series,
        )?;
    }
    Ok(())
}

/// Figure 8 and section 5.6, second test: the network learned other labels.
async fn labels(report: &mut Report, args: &ReproduceArgs, networks: &[Network]) -> CliResult {
    let [network, others @ ..] = networks else { return Ok(()) };
    let same = |other: &&Network| {
        let [one, two] = [network, other].map(|network| network.explainer.model());
        one.classes() == two.classes() && one.info().input.shape == two.info().input.shape
    };
    let others: Vec<&Network> = others.iter().filter(same).collect();
    if others.is_empty() {
        return Ok(());
    }
    report.heading("Figure 8, sanity check: the labels are randomised");
    report.say(format!(
        "The rank correlation of magnitudes between the map of {} and that of another network of its kind for the same \
         class, which learned something else: random labels, or to withstand an attack. The paper shows pictures and says that AGI passes \
         and that guided backpropagation fails, its map being the same.",
        network.name
    ));
    let methods = available(report, &sanity(Extent::Full));
    let images = images(&args.images, args.limit())?;
    let mut rows = Vec::new();
    for method in &methods {
        let spec = Spec::method(method)?;
        let mut found = vec![Vec::new(); others.len()];
        for path in &images {
            let input = network.prepare(path)?.0;
            let options = spec.options(network.predicted(&input).await?, args.seed);
            let explanation = network.explain(&input, &options).await?;
            for (found, other) in found.iter_mut().zip(&others) {
                let value = correlation(network, &input, &explanation, &options, &other.explainer).await?;
                // A constant map has none.
                found.extend(Some(value).filter(|value| value.is_finite()));
            }
        }
        let means = found.iter().map(|found| shown(mean(found), 3));
        rows.push(std::iter::once(method.clone()).chain(means).collect());
    }
    let mut header = vec!["method".to_owned()];
    header.extend(others.iter().map(|other| other.name.clone()));
    report.table(header, rows);
    Ok(())
}

/// The rank correlation of the magnitudes of a map and of that of another network, for the same class.
async fn correlation(
    network: &Network,
    input: &HostTensor,
    explanation: &Explanation,
    options: &ExplainOptions,
    other: &Explainer,
) -> CliResult<f64> {
    let control = Control::default();
    let assessment =
        Assessment::of(&network.explainer, input, explanation, options, &control).map_err(say)?;
    let assessment = assessment.with_randomised(other);
    let found = metric::measure(&assessment, "randomisation", &Default::default()).await;
    Ok(found.map_err(say)?.finding.value)
}

/// The rank correlation of every method's map with that of the network whose last layers, more and more of them, have
/// random weights (Adebayo et al. 2018, cascading randomisation).
async fn cascade(args: &ReproduceArgs, methods: &[String], networks: &[Network]) -> CliResult<Results> {
    let mut results = Results::open(&args.out.join("cascade.csv"))?;
    let (followed, depths) = (followed(args.extent), depths(args.extent));
    let images = images(&args.images, Some(args.limit().unwrap_or(followed).min(followed)))?;
    let mut clock = Clock::new(networks.len() * images.len() * methods.len());
    let mut asked = Vec::new();
    for network in networks {
        let layers = network.layers()?;
        let part = |depth: usize| &layers[..(layers.len() * depth).div_ceil(depths)];
        let randomised: Vec<Explainer> = (1..=depths)
            .map(|depth| network.with_random(part(depth), args.seed))
            .collect::<CliResult<_>>()?;
        for path in &images {
            for method in methods {
                let rows: Vec<Row> = (1..=depths)
                    .map(|depth| {
                        let percent = 100 * depth / depths;
                        Row::of(network, path, method, format!("randomisation@{percent}"), args.seed)
                    })
                    .collect();
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
    let options = Spec::method(method)?.options(class, args.seed);
    let explanation = network.explain(&input, &options).await?;
    for (row, randomised) in pending {
        let value = Some(correlation(network, &input, &explanation, &options, randomised).await?);
        results.add(Row { class: Some(class), predicted: Some(class), value, ..row.clone() })?;
    }
    Ok(())
}

/// The paper's insertion with 1, 5, 10 and 20 classes.
fn paper(column: usize) -> Vec<(f64, f64)> {
    [1.0, 5.0, 10.0, 20.0].into_iter().zip(TABLE_1[2..].iter().map(|(_, _, values)| values[column])).collect()
}

//! AXAI: Explanations via Adversarial Attacks (2021).

use std::path::PathBuf;

use adversight::{
    HostTensor,
    attack::{Attack, Norm},
    statistics::{
        Pair, anova, fit_beta, mann_whitney, mean, mean_interval, pairwise, qq_normal, quantile, skewness,
        t_test, variance,
    },
};

use super::{
    ReproduceArgs,
    attack::{Change, Terms, changes, unit},
    available, find, mean_of, models, shown,
};
use crate::{
    CliResult,
    evaluate::{Clock, Network, Spec, evaluate, groups, images},
    report::{Report, Series},
};

/// What is estimated of each input's changes: the mean and these quantiles.
const ESTIMATES: [(&str, Option<f64>); 6] = [
    ("15th quantile", Some(0.15)),
    ("25th quantile", Some(0.25)),
    ("mean", None),
    ("median", Some(0.5)),
    ("75th quantile", Some(0.75)),
    ("85th quantile", Some(0.85)),
];

/// What the paper says of the changes of one network's inputs.
struct Published {
    title: &'static str,
    inputs: &'static str,
    /// The part whose skewness lies outside of -0.5 to 0.5.
    skewed: &'static str,
    /// The 95 % intervals of the estimates.
    estimates: [(f64, f64); 6],
    beta: [&'static str; 2],
    t_test: &'static str,
    mann_whitney: &'static str,
    anova: &'static str,
}

/// Figure 2 and tables 1 to 3.
const PHOTOGRAPHS: [Published; 1] = [Published {
    title: "paper: ResNet34, ImageNet",
    inputs: "50,000",
    skewed: "1.9 %",
    estimates: [
        (-1.785e-3, -1.777e-3),
        (-1.015e-3, -1.101e-3),
        (-1.09e-7, -6e-8),
        (-2.155e-7, -9.381e-8),
        (1.011e-3, 1.016e-3),
        (1.777e-3, 1.785e-3),
    ],
    beta: ["130.6 to 132.9", "130.3 to 132.6"],
    t_test: "0.64",
    mann_whitney: "0.55",
    anova: "0.94",
}];

/// Figure 14 and tables 6 to 8.
const WORDS: [Published; 2] = [
    Published {
        title: "paper: LeNet, Speech Commands",
        inputs: "-",
        skewed: "0 %",
        estimates: [
            (-4.110e-3, -4.049e-3),
            (-1.150e-3, -1.109e-3),
            (1.749e-5, 2.245e-5),
            (-4.181e-9, 1.356e-9),
            (1.145e-3, 1.204e-3),
            (4.153e-3, 4.220e-3),
        ],
        beta: ["52.8 to 54.5", "51.4 to 53.1"],
        t_test: "0.30",
        mann_whitney: "0.25",
        anova: "-",
    },
    Published {
        title: "paper: CNN, Sentence Polarity",
        inputs: "-",
        skewed: "0 %",
        estimates: [
            (-2.753e-1, -2.673e-1),
            (-1.472e-1, -1.414e-1),
            (-4.165e-3, -2.492e-3),
            (-2.142e-3, -6.219e-4),
            (1.365e-1, 1.421e-1),
            (2.599e-1, 2.677e-1),
        ],
        beta: ["13.2 to 13.7", "13.5 to 13.9"],
        t_test: "0.47",
        mann_whitney: "0.42",
        anova: "-",
    },
];

/// Table 4: the attacked percentiles of the clean attack's changes, and the adversarial accuracy of AlexNet on CIFAR-10
/// and of ResNet34 on ImageNet.
const BANDS: [(&str, f64, bool, f64, f64); 8] = [
    ("15 % to 85 %", 15.0, false, 0.78, 0.88),
    ("10 % to 90 %", 10.0, false, 0.26, 0.79),
    ("5 % to 95 %", 5.0, false, 0.50, 0.63),
    ("1 % to 99 %", 1.0, false, 0.07, 0.12),
    ("0 % to 15 %, 85 % to 100 %", 15.0, true, 0.16, 0.07),
    ("0 % to 10 %, 90 % to 100 %", 10.0, true, 0.26, 0.13),
    ("0 % to 5 %, 95 % to 100 %", 5.0, true, 0.45, 0.25),
    ("0 % to 1 %, 99 % to 100 %", 1.0, true, 0.92, 0.80),
];

/// The percentages at which section 3.3 asks whether the tails alone turn the label.
const ALPHAS: [f64; 12] = [1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0];

const STEPS: usize = 20;
/// The Euclidean length that the paper's quantiles mean: 85 % lie below 1.78e-3 where the deviation of 150528 values is
/// 1.7e-3. (Its code's step of 0.001 makes 0.02 of 20 steps.)
const LENGTH: f32 = 0.66;
/// What takes its place for small pictures, whose networks it does not fool.
const SMALL_LENGTH: f32 = 6.6;
/// The length for inputs that are no pictures, of which nobody knows what their numbers mean: this part of the input's own, which
/// fools the networks of sentences and of words at every input (docs/models.md).
const OWN_LENGTH: f32 = 0.5;
/// Pictures with a side up to this are small.
const SMALL: usize = 64;
/// Pictures whose changes are compared pair by pair.
const COMPARED: usize = 20;

/// Pictures whose explanations are timed.
const TIMED: usize = 3;
/// The part of a picture that must be black for E.5.
const BACKGROUND: f64 = 0.2;

/// Whether the networks take small pictures.
fn small(networks: &[Network], images: &[PathBuf]) -> CliResult<bool> {
    let Some(network) = networks.first() else { return Ok(false) };
    Ok(network.prepare(&images[0])?.0.shape.last().is_some_and(|&side| side <= SMALL))
}

/// One model's attacks.
struct Attacks {
    model: String,
    /// In units of ImageNet's standard deviation, a list a picture.
    deltas: Vec<Vec<f64>>,
    fooled: usize,
    /// How many of the fooled pictures keep their label in each band.
    kept: [usize; BANDS.len()],
    /// The smallest percentage that turns the label, for each fooled picture.
    alphas: Vec<f64>,
}

pub async fn report(args: &ReproduceArgs) -> CliResult<Report> {
    let mut report = Report::new("AXAI: the paper's numbers and ours");
    let images = images(&args.images, args.limit())?;
    let networks = args.networks().await?;
    if networks.iter().all(|network| network.explainer.preprocessing().is_none()) {
        report.say(format!(
            "The attack is PGD in the Euclidean norm, {STEPS} steps to {OWN_LENGTH} times the length of the input itself. The networks \
             take no pictures but tensors: tables 6 to 8 of appendix C."
        ));
        let all = attacks(&networks, &images, None).await?;
        distributions(&mut report, &all, "Appendix C.4: figure 14, tables 6 to 8", &WORDS)?;
        return Ok(report);
    }
    let (length, axai) = if small(&networks, &images)? {
        (SMALL_LENGTH, "axai:segmentation=quickshift,kernel_size=1,max_dist=3")
    } else {
        (LENGTH, "axai:segmentation=quickshift")
    };
    report.say(format!(
        "The attack is PGD in the Euclidean norm, {STEPS} steps to a length of {length} in units of ImageNet's standard \
         deviation. The length that the paper's quantiles mean is {LENGTH}; the networks of small pictures take {SMALL_LENGTH} \
         to be fooled. The paper: ResNet34 on ImageNet (50,000 pictures). The networks here are others."
    ));
    let all = attacks(&networks, &images, Some(length)).await?;
    distributions(&mut report, &all, "Section 3.2: figure 2, tables 1 to 3", &PHOTOGRAPHS)?;
    bands(&mut report, &all);
    times(&mut report, args).await?;
    convergence(&mut report, args, axai).await?;
    ablation(&mut report, args, axai).await?;
    background(&mut report, args, &networks, axai).await?;
    report.heading("Not reproduced");
    report.say(
        "AlexNet on CIFAR-10, VGG16 on CIFAR-100 and ResNet34 on ImageNet, whose weights are not to be had; the pictures. Tables 6 to 8 are \
         another report's: they ask for networks of sounds and sentences.",
    );
    Ok(report)
}

/// Attacks every input of every network, to a length in units of ImageNet's standard deviation, or else to a part of the input's own.
async fn attacks(networks: &[Network], images: &[PathBuf], length: Option<f32>) -> CliResult<Vec<Attacks>> {
    let mut clock = Clock::new(networks.len() * images.len());
    let mut all = Vec::new();
    for network in networks {
        let mut attacks = Attacks {
            model: network.name.clone(),
            deltas: Vec::new(),
            fooled: 0,
            kept: [0; BANDS.len()],
            alphas: Vec::new(),
        };
        for image in images {
            clock.show(&format!("{} {}: attacks", network.name, image.display()));
            let input = network.prepare(image)?.0;
            let found = attack(network, &input, length).await?;
            attacks.fooled += usize::from(found.fools);
            // Table 4 is of pictures.
            if length.is_some() && found.fools {
                attack_parts(network, &input, &found, &mut attacks).await?;
            }
            attacks.deltas.push(found.delta);
            clock.done += 1;
        }
        all.push(attacks);
    }
    eprintln!();
    Ok(all)
}

/// An attack on one whole input.
struct Whole {
    class: usize,
    pgd: Attack,
    /// In the unit of the changes.
    delta: Vec<f64>,
    fools: bool,
}

async fn attack(network: &Network, input: &HostTensor, length: Option<f32>) -> CliResult<Whole> {
    let (unit, length) = match length {
        Some(length) => {
            let unit = unit(network)?;
            (unit, length * unit)
        }
        None => (1.0, OWN_LENGTH * input.data.iter().map(|value| value * value).sum::<f32>().sqrt()),
    };
    let class = network.predicted(input).await?;
    let pgd = Attack::pgd(Norm::L2, length / STEPS as f32, length, STEPS);
    let whole = changes(network, input, class, pgd, Terms::default()).await?;
    let [Change { delta, predicted }] = &whole[..] else { return Err("The attack has no result.".into()) };
    let delta = delta.iter().map(|&change| f64::from(change / unit)).collect();
    Ok(Whole { class, pgd, delta, fools: *predicted != class })
}

/// Attacks by parts an input whose label the whole attack has turned.
async fn attack_parts(
    network: &Network,
    input: &HostTensor,
    whole: &Whole,
    attacks: &mut Attacks,
) -> CliResult {
    let bands = BANDS.iter().map(|&(_, percent, tails, ..)| band(&whole.delta, percent, tails));
    let tails = ALPHAS.iter().map(|&alpha| band(&whole.delta, alpha, true));
    let terms = Terms { masks: bands.chain(tails).collect(), ..Terms::default() };
    let parts = changes(network, input, whole.class, whole.pgd, terms).await?;
    for (kept, part) in attacks.kept.iter_mut().zip(&parts) {
        *kept += usize::from(part.predicted == whole.class);
    }
    let turned = ALPHAS.iter().zip(&parts[BANDS.len()..]).find(|(_, part)| part.predicted != whole.class);
    attacks.alphas.extend(turned.map(|(&alpha, _)| alpha));
    Ok(())
}

/// 1 at the features whose change lies in the tails of `percent` on both sides, or between them, and 0 elsewhere.
fn band(delta: &[f64], percent: f64, tails: bool) -> Vec<f32> {
    let bound = |p: f64| quantile(delta, p).unwrap_or(0.0);
    let (low, high) = (bound(percent / 100.0), bound(1.0 - percent / 100.0));
    let inside = |change: f64| (change <= low || change >= high) == tails;
    delta.iter().map(|&change| f32::from(u8::from(inside(change)))).collect()
}

fn distributions(report: &mut Report, all: &[Attacks], tables: &str, published: &[Published]) -> CliResult {
    report.heading(format!("The distribution of the changes ({tables})"));
    let mut header = vec![String::new()];
    header.extend(published.iter().map(|published| published.title.to_owned()));
    header.extend(all.iter().map(|attacks| attacks.model.clone()));
    let over = |attacks: &Attacks, of: &dyn Fn(&[f64]) -> Option<f64>| -> Vec<f64> {
        attacks.deltas.iter().filter_map(|delta| of(delta)).collect()
    };
    let mut rows = Vec::new();
    let mut add = |name: &str, paper: &dyn Fn(&Published) -> String, ours: &dyn Fn(&Attacks) -> String| {
        let mut row = vec![name.to_owned()];
        row.extend(published.iter().map(paper));
        row.extend(all.iter().map(ours));
        rows.push(row);
    };
    add("inputs", &|paper| paper.inputs.into(), &|attacks| attacks.deltas.len().to_string());
    add("of them fooled", &|_| "-".into(), &|attacks| attacks.fooled.to_string());
    add("skewness outside -0.5 to 0.5", &|paper| paper.skewed.into(), &|attacks| {
        let found = over(attacks, &skewness);
        let outside = found.iter().filter(|g| g.abs() > 0.5).count();
        format!("{:.1} %", 100.0 * outside as f64 / found.len().max(1) as f64)
    });
    for (index, (name, p)) in ESTIMATES.into_iter().enumerate() {
        let of = |delta: &[f64]| p.map_or_else(|| mean(delta), |p| quantile(delta, p));
        let exponent = |(low, high): (f64, f64)| format!("{low:.3e} to {high:.3e}");
        add(&format!("{name}, 95 % interval"), &|paper| exponent(paper.estimates[index]), &|attacks| {
            let found = mean_interval(&over(attacks, &of), 0.95);
            found.map_or_else(|| "-".into(), |found| exponent((found.low, found.high)))
        });
    }
    for (index, name) in ["beta p", "beta q"].into_iter().enumerate() {
        let of = |delta: &[f64]| {
            let (low, high) = (quantile(delta, 0.0)?, quantile(delta, 1.0)?);
            fit_beta(delta, low, high).map(|fit| [fit.p, fit.q][index])
        };
        add(&format!("{name}, 95 % interval"), &|paper| paper.beta[index].into(), &|attacks| {
            let found = mean_interval(&over(attacks, &of), 0.95);
            found.map_or_else(|| "-".into(), |found| format!("{:.1} to {:.1}", found.low, found.high))
        });
    }
    type Test = fn(&[f64], &[f64]) -> Option<adversight::statistics::TestResult>;
    type Told = fn(&Published) -> &'static str;
    let tests: [(&str, Told, Test); 2] = [
        ("t-test, mean p-value of pairs", |paper| paper.t_test, t_test),
        ("Mann-Whitney U, mean p-value of pairs", |paper| paper.mann_whitney, mann_whitney),
    ];
    for (name, told, test) in tests {
        add(name, &|paper| told(paper).into(), &|attacks| {
            let p: Vec<f64> =
                pairwise(&compared(attacks), test).iter().map(|pair: &Pair| pair.result.p_value).collect();
            shown(mean(&p), 2)
        });
    }
    add("analysis of variance, p-value", &|paper| paper.anova.into(), &|attacks| {
        shown(anova(&compared(attacks)).map(|result| result.p_value), 2)
    });
    report.table(header, rows);
    report.say(format!(
        "Pairs are of the first {COMPARED} inputs. The level of the quantiles follows from the attack's length; their \
         ratios, their symmetry and the beta parameters do not."
    ));
    for attacks in all {
        let series: Vec<Series> =
            attacks.deltas.iter().take(3).enumerate().map(|(i, delta)| qq(i, delta)).collect();
        report.plot(
            &format!("qq_{}", attacks.model),
            &format!(
                "Figure 3: Q-Q plot of three inputs' changes against the normal distribution; {}.",
                attacks.model
            ),
            ("theoretical quantiles", "sample quantiles in standard deviations"),
            &series,
        )?;
    }
    Ok(())
}

fn compared(attacks: &Attacks) -> Vec<&[f64]> {
    attacks.deltas.iter().take(COMPARED).map(Vec::as_slice).collect()
}

/// About 200 points of a Q-Q plot, evenly along its theoretical axis, so that the tails are seen.
fn qq(number: usize, delta: &[f64]) -> Series {
    let deviation = variance(delta).map(f64::sqrt).filter(|&deviation| deviation > 0.0).unwrap_or(1.0);
    let all = qq_normal(delta);
    let width = all.last().zip(all.first()).map_or(0.0, |(last, first)| last.theoretical - first.theoretical);
    let mut points: Vec<(f64, f64)> = Vec::new();
    for point in &all {
        let previous = points.last().map_or(f64::NEG_INFINITY, |point| point.0);
        if point.theoretical >= previous + width / 200.0 {
            points.push((point.theoretical, point.sample / deviation));
        }
    }
    Series { name: format!("input {}", number + 1), points, joined: false }
}

fn bands(report: &mut Report, all: &[Attacks]) {
    report.heading("Section 3.3: which changes turn the label");
    let mut header = ["attacked percentiles", "paper: AlexNet, CIFAR-10", "paper: ResNet34, ImageNet"]
        .map(String::from)
        .to_vec();
    header
        .extend(all.iter().map(|attacks| format!("{} ({} fooled pictures)", attacks.model, attacks.fooled)));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (i, (name, _, _, alexnet, resnet)) in BANDS.iter().enumerate() {
        let mut row = vec![(*name).to_owned(), shown(Some(*alexnet), 2), shown(Some(*resnet), 2)];
        row.extend(all.iter().map(|attacks| {
            shown((attacks.fooled > 0).then(|| attacks.kept[i] as f64 / attacks.fooled as f64), 2)
        }));
        rows.push(row);
    }
    let mut row =
        vec!["mean of the smallest tails that turn the label, %".to_owned(), "15".into(), "15".into()];
    row.extend(all.iter().map(|attacks| shown(mean(&attacks.alphas), 1)));
    rows.push(row);
    report.table(header, rows);
    report.say(
        "Table 4: the part of the pictures that keep their label where only those features are attacked, of the pictures that the \
         whole attack fools. The last line is figure 4's; it asks at 1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 40 and 50 %.",
    );
}

/// Table 5: how long an explanation takes.
async fn times(report: &mut Report, args: &ReproduceArgs) -> CliResult {
    report.heading("Table 5: time of an explanation");
    let timed = [
        ("LIME", "lime", "105 s", "5.8 s"),
        ("SHAP (GradientExplainer)", "expected_gradients", "35 s", "3.8 s"),
        ("AXAI", "axai", "6.6 s", "1.7 s"),
    ];
    let methods = available(report, &timed.map(|(_, method, ..)| method));
    let mut evaluation = args.evaluation("table_5", &methods, &["sparseness".to_owned()]);
    evaluation.limit = Some(args.limit().unwrap_or(TIMED).min(TIMED));
    let found = groups(&evaluate(&evaluation).await?.rows);
    let models = models(&found);
    let time = |model: &str, method: &str| {
        find(&found, model, method, "sparseness").and_then(|group| group.explain_ms)
    };
    let mut header = ["method", "paper: Core i5-7360U", "paper: V100"].map(String::from).to_vec();
    header.extend(models.iter().map(|model| format!("{model} (times AXAI's)")));
    let rows = timed.iter().map(|(name, method, cpu, gpu)| {
        let ours = models.iter().map(|model| {
            let cell = |ms: f64, axai: f64| format!("{:.2} s ({:.1})", ms / 1e3, ms / axai);
            let cell = time(model, method).zip(time(model, "axai")).map(|(ms, axai)| cell(ms, axai));
            cell.unwrap_or_else(|| "-".into())
        });
        [*name, *cpu, *gpu].into_iter().map(str::to_owned).chain(ours).collect()
    });
    report.table(header, rows.collect());
    report.say(
        "The paper's ratios on the CPU are 16 and 5. LIME's 1000 samples and SHAP's 200 gradients are the packages' defaults, as \
         are AXAI's 20 steps its paper's; all three use the same network code here.",
    );
    Ok(())
}

/// Figure 13: the explanation by one step and by many.
async fn convergence(report: &mut Report, args: &ReproduceArgs, axai: &str) -> CliResult {
    report.heading("Figure 13: FGM, 10 and 40 steps of PGD explain alike");
    let with = |params: &str| format!("{axai},{params}");
    // The length that 40 steps of the default reach, for each of them.
    let written = [
        ("FGM", with("attack=fgm,epsilon=0.04")),
        ("PGD, 10 steps", with("steps=10,alpha=0.004,epsilon=0.04")),
    ];
    let methods = available(report, &written.each_ref().map(|(_, method)| method.as_str()));
    let mut evaluation = args.evaluation("figure_13", &methods, &["spearman".to_owned()]);
    evaluation.reference = Some(with("steps=40,alpha=0.001,epsilon=0.04"));
    let found = groups(&evaluate(&evaluation).await?.rows);
    let models = models(&found);
    let mut header = vec!["against PGD with 40 steps".to_owned()];
    header.extend(models.iter().map(|model| format!("{model}: rank correlation")));
    let rows = written.iter().map(|(name, method)| {
        let ours = models.iter().map(|model| shown(mean_of(&found, model, method, "spearman"), 2));
        std::iter::once((*name).to_owned()).chain(ours).collect()
    });
    report.table(header, rows.collect());
    report.say("The paper shows pictures that look exactly the same. Here the maps of densities are compared, the attacks being of one length.");
    Ok(())
}

/// Table E.4: what blurring the explanation does to the label.
async fn ablation(report: &mut Report, args: &ReproduceArgs, axai: &str) -> CliResult {
    report.heading("E.4: blurring the explanation's segments");
    let method = format!("{axai},k=10");
    let methods = available(report, &[&method]);
    let metrics = ["ablation".to_owned(), "convergence".to_owned()];
    let results = evaluate(&args.evaluation("ablation", &methods, &metrics)).await?;
    let found = groups(&results.rows);
    let models = models(&found);
    let part = |model: &str, name: &str| {
        find(&found, model, &method, "ablation").and_then(|group| group.parts.get(name).copied())
    };
    let percent = |value: Option<f64>| {
        value.map(|value| format!("{:.0} %", 100.0 * value)).unwrap_or_else(|| "-".into())
    };
    let mut header = ["blurred", "paper: accuracy after"].map(String::from).to_vec();
    header.extend(models.iter().map(|model| format!("{model}: keep their label")));
    let row = |name: &str, paper: &str, of: &str| -> Vec<String> {
        [name, paper]
            .into_iter()
            .map(str::to_owned)
            .chain(models.iter().map(|model| percent(part(model, of))))
            .collect()
    };
    report.table(
        header,
        vec![row("1st to 5th segment", "43 %", "kept_first"), row("6th to 10th", "22 % less", "kept_second")],
    );
    report.say(
        "The paper says how far the accuracy falls; here the part of the pictures that keep the predicted class. The paper does not \
         name the blur; here a Gaussian of 10 pixels.",
    );
    let half = models.iter().map(|model| {
        let mean = find(&found, model, &method, "convergence").and_then(|group| group.mean);
        format!("{model} {}", shown(mean, 3))
    });
    report.say(format!(
        "Appendix B: the rank correlation of the map with that of half the steps is {}.",
        half.collect::<Vec<_>>().join(", ")
    ));
    Ok(())
}

/// E.5: how much of the explanation is background, for networks that withstand attacks and for others.
async fn background(
    report: &mut Report,
    args: &ReproduceArgs,
    networks: &[Network],
    axai: &str,
) -> CliResult {
    let spec = Spec::method(&format!("{axai},k=5"))?;
    let images = images(&args.images, args.limit())?;
    let mut rows = Vec::new();
    for network in networks {
        let preprocessing = network.preprocessing()?;
        let mut parts = Vec::new();
        for path in &images {
            let input = network.prepare(path)?.0;
            let channels = input.shape.get(1).copied().unwrap_or(1);
            let pixels = input.data.len() / channels.max(1);
            let black = |pixel: usize| {
                (0..channels).all(|c| input.data[c * pixels + pixel] <= preprocessing.to_model(c, 2.0))
            };
            let background: Vec<bool> = (0..pixels).map(black).collect();
            let whole = background.iter().filter(|black| **black).count() as f64 / pixels as f64;
            if whole < BACKGROUND {
                continue;
            }
            let options = spec.options(network.predicted(&input).await?, args.seed);
            let Some(segments) = network.explain(&input, &options).await?.segments else { continue };
            let chosen: Vec<bool> = (segments.labels.iter().zip(&background))
                .filter(|(label, _)| segments.chosen.contains(label))
                .map(|(_, black)| *black)
                .collect();
            let within = chosen.iter().filter(|black| **black).count() as f64;
            parts.push(within / (chosen.len().max(1) as f64) / whole);
        }
        if let Some(mean) = mean(&parts) {
            rows.push(vec![network.name.clone(), parts.len().to_string(), shown(Some(mean), 2)]);
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    report.heading("E.5: networks that withstand attacks");
    let header = ["network", "pictures on black", "background in the explanation, 1 as by chance"];
    report.table(header.map(String::from).to_vec(), rows);
    report.say(
        "The paper shows one picture of a deer: the explanation of a robust AlexNet holds less of the background. Here, on \
         pictures whose background is black: the part of the five densest segments that is black, divided by that of the \
         whole picture.",
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_shows_the_tails() {
        let delta: Vec<f64> = (0..100_000).map(f64::from).collect();
        let points = qq(0, &delta).points;
        assert!(points.len() > 150 && points.len() <= 201, "{}", points.len());
        assert!(points.iter().filter(|point| point.0.abs() > 2.0).count() > 80);
    }

    #[test]
    fn bands_and_tails_share_out_the_features() {
        let delta: Vec<f64> = (0..101).map(f64::from).collect();
        let (tails, middle) = (band(&delta, 10.0, true), band(&delta, 10.0, false));
        assert!(tails.iter().zip(&middle).all(|(a, b)| a != b));
        assert_eq!(tails.iter().sum::<f32>(), 22.0);
    }
}

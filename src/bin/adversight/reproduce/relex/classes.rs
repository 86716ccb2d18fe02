//! Figure 6: explanations of all classes of one picture.

use adversight::{
    Control,
    attack::{Attack, Norm},
    metric::{self, Assessment},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{
    Measured, applicable,
    measure::{mask, pixels_attacked},
};
use crate::{
    CliResult,
    evaluate::{Clock, Network, Results, Row, groups, images},
    report::Report,
    reproduce::{ReproduceArgs, find, models, shown},
    say,
};

/// More classes than this are not gone through.
const CLASSES: usize = 20;
/// Pictures whose classes are explained.
const PICTURES: usize = 5;
/// The attack's largest change, of the range of a pixel, and its steps.
const EPSILON: f32 = 8.0 / 255.0;
const STEPS: usize = 40;

/// The mean probability of the explained class in the picture multiplied with its map, for every class.
pub async fn report(
    report: &mut Report,
    args: &ReproduceArgs,
    networks: &[Network],
    measured: &[Measured],
) -> CliResult {
    let measured: Vec<Measured> = measured.iter().filter(|method| !method.variant).cloned().collect();
    let few: Vec<&Network> =
        networks.iter().filter(|network| network.explainer.model().classes() <= CLASSES).collect();
    if few.is_empty() {
        return Ok(());
    }
    let mut results = Results::open(&args.out.join("classes.csv"))?;
    let images = images(&args.images, Some(PICTURES.min(args.limit().unwrap_or(PICTURES))))?;
    let methods: usize = few.iter().map(|network| applicable(network, &measured).len()).sum();
    let mut clock = Clock::new(images.len() * methods);
    for network in few {
        for (number, path) in images.iter().enumerate() {
            let clean = network.prepare(path)?.0;
            let class = network.predicted(&clean).await?;
            let epsilon = EPSILON * network.pixel_range()?;
            let attack = Attack::pgd(Norm::Linf, epsilon * 2.5 / STEPS as f32, epsilon, STEPS);
            let mut random = ChaCha8Rng::seed_from_u64(u64::from(args.seed) << 32 | number as u64);
            let attacked = pixels_attacked(network, &clean, class, attack, &mut random).await?;
            for method in applicable(network, &measured) {
                clock.show(&format!(
                    "{} {}: all classes by {}",
                    network.name,
                    path.display(),
                    method.spec.written
                ));
                clock.done += 1;
                for (scene, x) in [("clean", Some(&clean)), ("attacked", attacked.as_ref())] {
                    let Some(x) = x else { continue };
                    for target in 0..network.explainer.model().classes() {
                        let row = Row {
                            target: target.to_string(),
                            class: Some(target),
                            predicted: Some(class),
                            ..Row::of(network, path, &method.spec.written, scene.into(), args.seed)
                        };
                        if results.has(&row) {
                            continue;
                        }
                        let options = method.spec.options(target, args.seed);
                        let map = network.explain(x, &options).await?.attribution;
                        let control = Control::default();
                        let assessment =
                            Assessment::new(&network.explainer, x, &map, target, &control).map_err(say)?;
                        let found =
                            metric::measure(&assessment, "class_retrieval", &mask(&options.method)).await;
                        let value = found.map_err(say)?.finding.parts.get("probability").copied();
                        results.add(Row { value, ..row })?;
                    }
                }
            }
        }
    }
    eprintln!();
    results.keep(|row| images.iter().any(|path| path.ends_with(&row.image)) && row.seed == args.seed);
    let found = groups(&results.rows);
    let models = models(&found);
    report.heading("Figure 6: explanations of every class");
    report.say(format!(
        "The mean probability that the network gives the explained class in the picture multiplied with that class's map, over all \
         classes and {} pictures, clean and attacked (largest change 8/255). The paper's figure, ResNet-18 on CIFAR-10: near 1 for \
         RelEx at every class, low for the others.",
        images.len()
    ));
    let mut header = vec!["method".to_owned()];
    for model in &models {
        header.extend([format!("{model}: clean"), format!("{model}: attacked")]);
    }
    let rows = measured.iter().map(|method| {
        let cells = models.iter().flat_map(|model| {
            ["clean", "attacked"].map(|scene| {
                shown(find(&found, model, &method.spec.written, scene).and_then(|group| group.mean), 2)
            })
        });
        std::iter::once(method.name.to_owned()).chain(cells).collect()
    });
    report.table(header, rows.collect());
    Ok(())
}

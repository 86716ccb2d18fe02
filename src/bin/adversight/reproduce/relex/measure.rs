//! Every method's maps of attacked pictures.

use std::{collections::BTreeMap, path::PathBuf};

use adversight::{
    Control, ExplainOptions, HostTensor, Score,
    attack::{Attack, Norm, SaliencyMapAttack},
    metric::{self, Assessment},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::{FEW_MAPS, Measured, STEP, STEPS, applicable};
use crate::{
    CliResult,
    evaluate::{Clock, Network, Results, Row, images},
    reproduce::{
        Extent, ReproduceArgs,
        attack::{MapGoal, Terms, changes, map_attacked, moved, unit},
    },
    say,
};

/// The attack on maps, in units of ImageNet's standard deviation.
pub const MAP_ATTACK: SaliencyMapAttack =
    SaliencyMapAttack { step: 0.01, epsilon: 0.1, steps: 40, reach: 0.01, score: adversight::Score::Logit };
/// The part of the features that the unstructured attack takes out of the top, and of the pixels that are compared:
/// about the paper's 1000 of a photograph.
const TOP: f64 = 0.02;

/// What was done to a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scene {
    /// Untargeted PGD.
    Pixels(f32),
    /// The map was led towards another picture's.
    Structured,
    /// The most important features were led out of the top.
    Unstructured,
}

impl Scene {
    /// The name of a measured quantity in the table.
    pub fn metric(self, what: &str) -> String {
        match self {
            Self::Pixels(epsilon) => format!("{what}@{epsilon}"),
            Self::Structured => format!("{what}@structured"),
            Self::Unstructured => format!("{what}@unstructured"),
        }
    }

    pub fn epsilon(self) -> Option<f32> {
        match self {
            Self::Pixels(epsilon) => Some(epsilon),
            _ => None,
        }
    }
}

/// What is measured in each scene: the metric, how it is written in the table, and what it is applied to.
const QUANTITIES: [(&str, &str, Applied); 6] = [
    ("feature_relevance", "relevance", Applied::Attacked),
    ("class_retrieval", "retrieval", Applied::Attacked),
    ("class_retrieval", "retrieval_clean_map", Applied::CleanMap),
    ("spearman", "rank_correlation", Applied::Compared),
    ("top_k_intersection", "top", Applied::Compared),
    ("", "norm", Applied::Norms),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Applied {
    /// The attacked picture with its own map.
    Attacked,
    /// The attacked picture with the clean picture's map.
    CleanMap,
    /// Both maps.
    Compared,
    /// The l1 norms of both maps.
    Norms,
}

/// Attacks every picture in every scene and measures every method's maps.
pub async fn measure(
    args: &ReproduceArgs,
    networks: &[Network],
    measured: &[Measured],
    scenes: &[Scene],
) -> CliResult<Results> {
    let mut results = Results::open(&args.out.join("relex.csv"))?;
    let images = images(&args.images, args.limit())?;
    let methods: usize = networks.iter().map(|network| applicable(network, measured).len()).sum();
    let mut clock = Clock::new(images.len() * methods);
    let pixels = args.pixels_a_step(networks)?;
    for network in networks {
        let measured = applicable(network, measured);
        for (number, path) in images.iter().enumerate() {
            let row = |method: &str, scene: Scene, what: &str| {
                Row::of(network, path, method, scene.metric(what), args.seed)
            };
            let attacks_maps = args.extent == Extent::Full || number < FEW_MAPS;
            let scenes: Vec<Scene> =
                scenes.iter().copied().filter(|scene| scene.epsilon().is_some() || attacks_maps).collect();
            let pending = |method: &str, results: &Results| -> bool {
                scenes.iter().any(|scene| {
                    QUANTITIES.iter().any(|(_, what, _)| !results.has(&row(method, *scene, what)))
                })
            };
            if !measured.iter().any(|method| pending(&method.spec.written, &results)) {
                clock.done += measured.len();
                continue;
            }
            clock.show(&format!("{} {}: attack", network.name, path.display()));
            let clean = network.prepare(path)?.0;
            let class = network.predicted(&clean).await?;
            let seed = u64::from(args.seed) << 32 | number as u64;
            let attacked = attacked(network, &clean, class, &scenes, &images, number, seed).await?;
            for method in &measured {
                let written = &method.spec.written;
                clock.show(&format!("{} {} {written}", network.name, path.display()));
                if pending(written, &results) {
                    let options = method.spec.options(class, args.seed);
                    let clean_map = network.explain(&clean, &options).await?.attribution;
                    for (scene, x) in &attacked {
                        let map = network.explain(x, &options).await?.attribution;
                        for (name, what, applied) in QUANTITIES {
                            let row = row(written, *scene, what);
                            if results.has(&row) {
                                continue;
                            }
                            let (value, parts) = if applied == Applied::Norms {
                                (norm(&map) / norm(&clean_map), BTreeMap::new())
                            } else {
                                let judged =
                                    Judged { x, map: &map, clean_map: &clean_map, options: &options };
                                judged.judge(network, class, name, applied, pixels).await?
                            };
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
    let asked: Vec<&str> = measured.iter().map(|method| method.spec.written.as_str()).collect();
    results.keep(|row| {
        images.iter().any(|path| path.ends_with(&row.image))
            && row.seed == args.seed
            && asked.contains(&row.method.as_str())
    });
    Ok(results)
}

fn norm(map: &HostTensor) -> f64 {
    map.data.iter().map(|value| f64::from(value.abs())).sum::<f64>().max(f64::MIN_POSITIVE)
}

/// The picture attacked in every scene.
async fn attacked(
    network: &Network,
    clean: &HostTensor,
    class: usize,
    scenes: &[Scene],
    images: &[PathBuf],
    number: usize,
    seed: u64,
) -> CliResult<Vec<(Scene, HostTensor)>> {
    let unit = unit(network)?;
    let on_map = SaliencyMapAttack {
        step: MAP_ATTACK.step * unit,
        epsilon: MAP_ATTACK.epsilon * unit,
        reach: MAP_ATTACK.reach * unit,
        ..MAP_ATTACK
    };
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut attacked = Vec::with_capacity(scenes.len());
    for &scene in scenes {
        let goal = match scene {
            Scene::Pixels(epsilon) => {
                let attack = Attack::pgd(Norm::Linf, STEP * unit, epsilon * unit, STEPS);
                let found = pixels_attacked(network, clean, class, attack, &mut random).await?;
                attacked.extend(found.map(|x| (scene, x)));
                continue;
            }
            Scene::Unstructured => MapGoal::Away((TOP * clean.data.len() as f64).ceil() as usize),
            Scene::Structured => match other_map(network, class, images, number).await? {
                Some(map) => MapGoal::Towards(map),
                None => continue,
            },
        };
        attacked.push((scene, map_attacked(network, clean, class, on_map, goal).await?));
    }
    Ok(attacked)
}

/// The picture after PGD from a random start, between black and white.
pub async fn pixels_attacked(
    network: &Network,
    clean: &HostTensor,
    class: usize,
    attack: Attack,
    random: &mut ChaCha8Rng,
) -> CliResult<Option<HostTensor>> {
    let start = Some(attack.random_start(1, clean.data.len(), random));
    let terms = Terms { start, valid: true, ..Terms::default() };
    let found = changes(network, clean, class, attack, terms).await?;
    Ok(found.first().map(|change| moved(clean, &change.delta)))
}

/// The gradient's map of the next picture of another class, where there is one.
async fn other_map(
    network: &Network,
    class: usize,
    images: &[PathBuf],
    number: usize,
) -> CliResult<Option<HostTensor>> {
    for step in 1..images.len() {
        let other = network.prepare(&images[(number + step) % images.len()])?.0;
        let its = network.predicted(&other).await?;
        if its != class {
            let gradient = network.explainer.input_gradient(&other, its, Score::Logit).await;
            return gradient.map(Some).map_err(say);
        }
    }
    Ok(None)
}

/// How a method's map becomes a mask: RelEx learns one, and RT-Sal's network gives one; others are scaled to one.
pub fn mask(method: &str) -> Map<String, Value> {
    match method {
        "relex" | "rt_sal" => [("mask".to_owned(), json!("raw"))].into_iter().collect(),
        _ => Map::new(),
    }
}

/// An attacked picture, its map and the clean picture's.
struct Judged<'a> {
    x: &'a HostTensor,
    map: &'a HostTensor,
    clean_map: &'a HostTensor,
    options: &'a ExplainOptions,
}

impl Judged<'_> {
    async fn judge(
        &self,
        network: &Network,
        class: usize,
        metric: &str,
        applied: Applied,
        pixels: usize,
    ) -> CliResult<(f64, BTreeMap<String, f64>)> {
        let control = Control::default();
        let map = if applied == Applied::CleanMap { self.clean_map } else { self.map };
        let mut assessment = Assessment::new(&network.explainer, self.x, map, class, &control)
            .map_err(say)?
            .with_method(self.options)
            .map_err(say)?;
        if applied == Applied::Compared {
            assessment = assessment.with_reference(self.clean_map).map_err(say)?;
        }
        let params = match metric {
            "class_retrieval" => mask(&self.options.method),
            "feature_relevance" => [("step".to_owned(), json!(pixels))].into_iter().collect(),
            "top_k_intersection" => {
                let pixels: usize = self.x.shape.iter().skip(2).product();
                let k = (TOP * pixels as f64).ceil() as usize;
                [("k".to_owned(), json!(k))].into_iter().collect()
            }
            _ => Map::new(),
        };
        let found = metric::measure(&assessment, metric, &params).await.map_err(say)?.finding;
        let parts = found.parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok((found.value, parts))
    }
}

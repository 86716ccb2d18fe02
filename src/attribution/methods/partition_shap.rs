//! SHAP's partition explainer: Owen values on a hierarchy of the input's parts, the most promising branches first.
//!
//! Owen: Values of games with a priori unions (1977). A group of parts and its two halves play for what the group adds, once with
//! nothing else shown that it has been told apart from and once with all of it; what the budget leaves in one piece is shared out evenly.

use std::{cmp::Ordering, collections::BinaryHeap, rc::Rc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Completeness, Subject,
    baseline::{BACKGROUND, BASELINE, Baseline, COVERS},
    display::{Channels, Display},
    hidden::Hiding,
    method::{Cost, Given, Method, Need},
    partition::{Algorithm, DENSITY_NOISE, Partition, SEGMENTS, fitted},
    read,
};
use crate::{Result, model::Score, segment::Segments};

/// SHAP's partition explainer.
pub struct PartitionShap;

/// Parameters of the partition explainer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Inputs that the network is asked about, at most. Each split of a group takes two.
    #[schemars(range(min = 4, max = 100000))]
    pub samples: usize,
    /// Inputs that are asked about at once; which groups are split next is decided from one such batch to the next.
    #[schemars(range(min = 2, max = 1000))]
    pub batch: usize,
    /// What is shown in place of a hidden part.
    #[schemars(extend("choices" = COVERS))]
    pub hidden: Baseline,
    /// Segments that make up the explanation, where there are any: the highest positive values.
    #[schemars(range(min = 1, max = 1000))]
    pub k: usize,
    /// The score that is shared out.
    pub score: Score,
    /// How the input is cut, where it is no picture: the hierarchy halves the parts in their order. A picture is halved across its
    /// longer side down to its pixels, unless a segmentation is named or given.
    #[serde(flatten)]
    pub partition: Partition,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            samples: 500,
            batch: 10,
            hidden: Baseline::Auto,
            k: 5,
            score: Score::Probability,
            partition: Partition { kernel_size: 4.0, max_dist: 200.0, ratio: 0.2, ..Partition::default() },
        }
    }
}

impl Method for PartitionShap {
    type Config = Config;
    const NAME: &'static str = "partition_shap";
    const TITLE: &'static str = "Partition SHAP";
    const SUMMARY: &'static str = "Halves the picture again and again where the score changes most, and shares the score out fairly between the halves. The shares add up to the score.";
    const PAPER: &'static str =
        "Owen: Values of games with a priori unions (1977); SHAP's PartitionExplainer (Lundberg, Lee)";
    const NEEDS: &'static [Need] = &[Need::Predictions, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 50.0, high: 99.0 };
    const GIVEN: &'static [Given] = &[SEGMENTS, DENSITY_NOISE, BASELINE, BACKGROUND];

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.samples, backward: 0 }
    }

    fn quick() -> Config {
        Config { samples: 250, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let places = subject.places();
        let by_pixels = places.layout.is_picture()
            && config.partition.segmentation == Algorithm::Auto
            && subject.given(SEGMENTS.name).is_none();
        let (segments, grid) = match by_pixels {
            true => {
                let pixels = Segments::new(&(0..places.count()).collect::<Vec<_>>());
                (pixels, [places.height, places.width])
            }
            false => {
                let segments = config.partition.cut(subject).await?;
                let count = segments.count;
                (segments, [1, count])
            }
        };
        let hidden = config.hidden.cover(subject, (!by_pixels).then_some(&segments))?;
        let hiding = Hiding::new(subject, &segments, hidden);
        let leaves = grid[0] * grid[1];
        let ends = [vec![0.0; leaves], vec![1.0; leaves]].concat();
        let mut asked = 2;
        let ends = answers(subject, &hiding, ends, config.score).await?;
        let ends = [ends[0], ends[1]];
        let (mut queue, mut values) = (BinaryHeap::new(), vec![0.0f64; leaves]);
        let mut order = 0;
        let whole = Group { top: 0, left: 0, height: grid[0], width: grid[1] };
        queue.push(Branch { urgency: 0.0, order, group: whole, shown: Rc::new(vec![0; leaves]), ends, weight: 1.0 });
        while !queue.is_empty() {
            subject.checkpoint(asked.min(config.samples), config.samples, "asking about inputs with hidden parts").await?;
            let mut splits = Vec::new();
            while 2 * splits.len() < config.batch && asked + 2 * splits.len() < config.samples {
                let Some(branch) = queue.pop() else { break };
                match branch.group.halves() {
                    None => branch.shares(grid[1], &mut values),
                    Some(halves) => {
                        let with = halves.map(|half| half.shown_in(&branch.shown, grid[1]));
                        splits.push((branch, halves, with));
                    }
                }
            }
            if splits.is_empty() {
                // What is left stays in one piece.
                queue.drain().for_each(|branch: Branch| branch.shares(grid[1], &mut values));
                break;
            }
            let rows = splits.iter().flat_map(|(_, _, with)| with).flat_map(|shown| shown.iter().map(|&shown| shown.into()));
            let found = answers(subject, &hiding, rows.collect(), config.score).await?;
            asked += found.len();
            for ((branch, [left, right], [with_left, with_right]), found) in splits.into_iter().zip(found.chunks_exact(2)) {
                let (weight, [none, all]) = (branch.weight / 2.0, branch.ends);
                let [only_left, only_right] = [found[0], found[1]];
                // Each half, shown before the other one and after it.
                for (group, shown, ends) in [
                    (left, branch.shown.clone(), [none, only_left]),
                    (right, branch.shown, [none, only_right]),
                    (left, with_right, [only_right, all]),
                    (right, with_left, [only_left, all]),
                ] {
                    order += 1;
                    let urgency = (ends[1] - ends[0]).abs() * weight;
                    queue.push(Branch { urgency, order, group, shown, ends, weight });
                }
            }
        }
        let change = (ends[1] - ends[0]) as f32;
        let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        let gap = values.iter().sum::<f32>() - change;
        let number = |value| subject.tensor(vec![value], [1, 1]).reshape([1]);
        let completeness = Some(Completeness { gap: number(gap), change: number(change), start: None });
        let attribution = match by_pixels {
            true => Attribution::new(subject.tensor(values, [1, leaves]), asked),
            false => fitted(subject, segments, values, config.k, asked),
        };
        Ok(Attribution { completeness, ..attribution })
    }
}

/// The score for each row of `shown`, 1 for a leaf that is shown and 0 for one that is hidden.
async fn answers(subject: &Subject<'_>, hiding: &Hiding, shown: Vec<f32>, score: Score) -> Result<Vec<f64>> {
    let scores = read(hiding.scores(subject, &shown, score)?).await?;
    Ok(scores.into_iter().map(f64::from).collect())
}

/// A rectangle of leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
}

impl Group {
    /// Its halves across the longer side, the first not the smaller, as SHAP's image masker has them; nothing of a single leaf.
    fn halves(self) -> Option<[Self; 2]> {
        let Self { top, left, height, width } = self;
        if height >= width && height > 1 {
            let half = height.div_ceil(2);
            return Some([Self { height: half, ..self }, Self { top: top + half, height: height - half, ..self }]);
        }
        let half = width.div_ceil(2);
        (width > 1).then_some([Self { width: half, ..self }, Self { left: left + half, width: width - half, ..self }])
    }

    fn leaves(self, wide: usize) -> impl Iterator<Item = usize> {
        let Self { top, left, height, width } = self;
        (top..top + height).flat_map(move |row| (left..left + width).map(move |column| row * wide + column))
    }

    /// What is shown with this group besides.
    fn shown_in(self, before: &[u8], wide: usize) -> Rc<Vec<u8>> {
        let mut shown = before.to_vec();
        self.leaves(wide).for_each(|leaf| shown[leaf] = 1);
        Rc::new(shown)
    }
}

/// A group whose share is known as a whole: what it adds to what is shown.
struct Branch {
    urgency: f64,
    /// Of equally urgent ones, the first comes first.
    order: usize,
    group: Group,
    shown: Rc<Vec<u8>>,
    /// The score without the group and with it.
    ends: [f64; 2],
    weight: f64,
}

impl Branch {
    /// Shares out what the group adds evenly to its leaves.
    fn shares(&self, wide: usize, values: &mut [f64]) {
        let Group { height, width, .. } = self.group;
        let share = (self.ends[1] - self.ends[0]) * self.weight / (height * width) as f64;
        self.group.leaves(wide).for_each(|leaf| values[leaf] += share);
    }
}

impl Ord for Branch {
    fn cmp(&self, other: &Self) -> Ordering {
        self.urgency.total_cmp(&other.urgency).then(other.order.cmp(&self.order))
    }
}

impl PartialOrd for Branch {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Branch {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Branch {}

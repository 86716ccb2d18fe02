//! What the metrics share that hide parts of an input and look at what the network loses: the parts, what takes their place, and
//! the one loop that makes the pictures and asks the network.

use std::{cmp::Ordering, ops::Range};

use burn::tensor::Tensor;
use rand::{Rng, RngExt, seq::index};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Assessment, Finding, Substrate, assessment::First, curve::Ranking, similarity};
use crate::{Result, Score, segment};

/// What is hidden or shown as one: pixels, squares of them, segments, or the words of a text.
pub(super) struct Parts {
    /// The part of every place; no part has this number where the place always stays as it is.
    pub labels: Vec<u32>,
    /// What the map says of each part.
    pub values: Vec<f64>,
}

impl Parts {
    /// The parts that `labels` numbers, each with the sum of the map's values there.
    pub fn sums(labels: Vec<u32>, places: &[f64]) -> Self {
        let count = labels.iter().max().map_or(0, |&last| last as usize + 1);
        let mut values = vec![0.0; count];
        for (&label, value) in labels.iter().zip(places) {
            values[label as usize] += value;
        }
        Self { labels, values }
    }

    /// Squares of `side` pixels, from the upper left corner; those at the other ends may be smaller.
    pub fn squares(assessment: &Assessment<'_>, ranking: Ranking, side: usize) -> Result<Self> {
        let [_, height, width] = assessment.image()?;
        Ok(Self::cells(assessment, ranking, [height, width].map(|length| length.div_ceil(side)), |at, _| {
            at / side
        }))
    }

    /// A grid of `count` times `count` cells over a picture: each pixel has the cell whose enlargement, by the nearest neighbour,
    /// it would be.
    pub fn grid(assessment: &Assessment<'_>, ranking: Ranking, count: usize) -> Result<Self> {
        assessment.image()?;
        Ok(Self::cells(assessment, ranking, [count; 2], |at, length| {
            ((at as f64 + 0.5) * count as f64 / length as f64) as usize
        }))
    }

    fn cells(
        assessment: &Assessment<'_>,
        ranking: Ranking,
        [_, columns]: [usize; 2],
        cell: impl Fn(usize, usize) -> usize,
    ) -> Self {
        let [height, width] = assessment.size();
        let label = |at: usize| cell(at / width, height) * columns + cell(at % width, width);
        let labels = segment::Segments::new(&(0..height * width).map(label).collect::<Vec<_>>()).labels;
        Self::sums(labels, &assessment.ranked(ranking))
    }

    /// The number of parts.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// The turn of each part where `size` of them change at once.
    pub fn turns(&self, first: First, size: usize) -> Vec<usize> {
        let mut turns = vec![0; self.count()];
        for (rank, &part) in first.order(&self.values).iter().enumerate() {
            turns[part] = rank / size;
        }
        turns
    }

    /// What the map says of a choice of parts.
    pub fn sum(&self, chosen: impl Fn(usize) -> bool) -> f64 {
        (0..self.count()).filter(|&part| chosen(part)).map(|part| self.values[part]).sum()
    }
}

/// `groups` groups of parts one after the other in the map's order, which change together.
pub(super) struct Groups {
    pub parts: Parts,
    /// The group of each part.
    turns: Vec<usize>,
    /// The number of groups.
    pub count: usize,
}

impl Groups {
    /// Of equal sizes, the last one with what is left.
    pub fn of(parts: Parts, first: First, groups: usize) -> Self {
        // A text may have no words.
        let size = parts.count().div_ceil(groups.max(1)).max(1);
        let turns = parts.turns(first, size);
        Self { turns, count: parts.count().div_ceil(size), parts }
    }

    /// Whether the part called `label` is in a group.
    pub fn is_in(&self, label: u32, group: usize) -> bool {
        self.turns.get(label as usize) == Some(&group)
    }

    /// What the map says of each group.
    pub fn values(&self) -> Vec<f64> {
        (0..self.count).map(|group| self.parts.sum(|part| self.turns[part] == group)).collect()
    }

    /// The target's score where each group alone is hidden, after that where nothing is.
    pub async fn hidden_alone(
        &self,
        assessment: &Assessment<'_>,
        substrate: Substrate,
        score: Score,
    ) -> Result<(Vec<f64>, f64)> {
        let mut scores = hidden(assessment, &self.parts, substrate, score, self.count + 1, |row| {
            move |part: usize| self.turns[part] == row
        })
        .await?;
        let whole = scores.pop().unwrap_or_default();
        Ok((scores, whole))
    }

    /// The target's score where no group is hidden, the first one, the first two, and so on to all of them.
    pub async fn hidden_in_turn(
        &self,
        assessment: &Assessment<'_>,
        substrate: Substrate,
        score: Score,
        most: usize,
    ) -> Result<Vec<f64>> {
        let rows = self.count.min(most) + 1;
        hidden(assessment, &self.parts, substrate, score, rows, |row| {
            move |part: usize| self.turns[part] < row
        })
        .await
    }
}

/// The target's score of `rows` inputs, in each of which the parts are hidden that `chosen` says.
pub(super) async fn hidden<F: Fn(usize) -> bool>(
    assessment: &Assessment<'_>,
    parts: &Parts,
    substrate: Substrate,
    score: Score,
    rows: usize,
    chosen: impl Fn(usize) -> F,
) -> Result<Vec<f64>> {
    let empty = substrate.picture(assessment)?;
    let places = parts.labels.len();
    mixed(assessment, [assessment.input_row(), empty], rows, score, "inputs with parts hidden", |rows| {
        let count = rows.len();
        let mask = rows.flat_map(|row| {
            let chosen = chosen(row);
            let hidden: Vec<bool> = (0..parts.count()).map(chosen).collect();
            let place = |&label: &u32| hidden.get(label as usize).copied().unwrap_or(false);
            parts.labels.iter().map(|label| f32::from(u8::from(place(label)))).collect::<Vec<_>>()
        });
        assessment.tensor(mask.collect(), [count, 1, places])
    })
    .await
}

/// The target's score of `rows` mixtures `from (1 - m) + to m`, where `mask` makes m, one value a place, `[n, 1, places]`. All
/// pictures are made on the device, and the scores are read back once.
pub(super) async fn mixed(
    assessment: &Assessment<'_>,
    [from, to]: [Tensor<2>; 2],
    rows: usize,
    score: Score,
    stage: &str,
    mask: impl Fn(Range<usize>) -> Tensor<3>,
) -> Result<Vec<f64>> {
    let (channels, places) = (assessment.input_channels(), assessment.positions());
    let (from, to) = (from.reshape([1, channels, places]), to.reshape([1, channels, places]));
    assessment
        .scores(rows, score, stage, |rows| {
            let count = rows.len();
            // Products with 0 and 1 are exact, so unchanged places stay as they are.
            let changed = mask(rows);
            let kept = changed.ones_like() - changed.clone();
            (from.clone() * kept + to.clone() * changed).reshape([count, channels * places])
        })
        .await
}

/// Parameters of the metrics that hide the parts of an input in groups, in the map's order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InGroups {
    /// Into how many groups of equal size the pixels, or the words of a text, are cut.
    #[schemars(range(min = 2, max = 1000000))]
    pub groups: usize,
    /// What takes the place of a pixel.
    pub substrate: Substrate,
    /// How the channels of a pixel become its value; the mean keeps the sign.
    pub ranking: Ranking,
    /// The score that is followed.
    pub score: Score,
}

impl Default for InGroups {
    fn default() -> Self {
        Self { groups: 50, substrate: Substrate::Blank, ranking: Ranking::Mean, score: Score::Logit }
    }
}

impl InGroups {
    pub(super) fn cut(&self, assessment: &Assessment<'_>, first: First) -> Result<Groups> {
        Ok(Groups::of(assessment.parts(self.ranking)?, first, self.groups))
    }
}

/// Parameters of the metrics that hide squares of a picture, the most important first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InSquares {
    /// Side of a square in pixels. What is no picture is hidden pixel by pixel, a text word by word.
    #[schemars(range(min = 1, max = 1000))]
    pub side: usize,
    /// How many squares are hidden at most.
    #[schemars(range(min = 1, max = 1000000))]
    pub regions: usize,
    /// What takes the place of a pixel.
    pub substrate: Substrate,
    /// How the channels of a pixel become the value that it is ranked by.
    pub ranking: Ranking,
    /// The score that is followed.
    pub score: Score,
}

impl Default for InSquares {
    fn default() -> Self {
        Self {
            side: 8,
            regions: 100,
            substrate: Substrate::Blank,
            ranking: Ranking::AsShown,
            score: Score::Probability,
        }
    }
}

impl InSquares {
    /// The score before any square is hidden, after the first, and so on.
    pub(super) async fn followed(&self, assessment: &Assessment<'_>) -> Result<Vec<f64>> {
        let parts = match assessment.is_picture() {
            true => Parts::squares(assessment, self.ranking, self.side)?,
            false => assessment.parts(self.ranking)?,
        };
        let count = parts.count();
        Groups::of(parts, First::Most, count)
            .hidden_in_turn(assessment, self.substrate, self.score, self.regions)
            .await
    }
}

/// How a choice of parts is drawn.
pub(super) enum Choice {
    /// So many of them, each choice as likely as any other.
    Exactly(usize),
    /// Each by itself with this probability.
    Each(f64),
}

impl Choice {
    fn draw(&self, parts: usize, random: &mut impl Rng) -> Vec<bool> {
        match *self {
            Self::Exactly(size) => {
                let mut chosen = vec![false; parts];
                for part in index::sample(random, parts, size.min(parts)) {
                    chosen[part] = true;
                }
                chosen
            }
            Self::Each(probability) => (0..parts).map(|_| random.random_bool(probability)).collect(),
        }
    }
}

/// What the map says of choices of parts, and how much the score falls where they are hidden.
pub(super) struct Subsets {
    pub said: Vec<f64>,
    pub falls: Vec<f64>,
}

impl Subsets {
    /// Hides choices of parts, drawn from the assessment's seed by `choice` of the sample's number. Knows the given tensor
    /// `subsets`: a row for each sample, not 0 for the parts that are hidden.
    pub async fn hide(
        assessment: &Assessment<'_>,
        parts: &Parts,
        (substrate, score): (Substrate, Score),
        samples: usize,
        choice: impl Fn(usize) -> Choice,
    ) -> Result<Self> {
        let given = assessment.given_lists("subsets", parts.count())?;
        let samples = given.as_ref().map_or(samples, Vec::len);
        let chosen = |number: usize| -> Vec<bool> {
            match &given {
                Some(given) => given[number].iter().map(|&value| value != 0.0).collect(),
                None => choice(number).draw(parts.count(), &mut assessment.random_of(number)),
            }
        };
        let said = (0..samples).map(|number| {
            let chosen = chosen(number);
            parts.sum(|part| chosen[part])
        });
        let said: Vec<f64> = said.collect();
        let mut scores = hidden(assessment, parts, substrate, score, samples + 1, |row| {
            let chosen = if row < samples { chosen(row) } else { vec![false; parts.count()] };
            move |part: usize| chosen[part]
        })
        .await?;
        let whole = scores.pop().unwrap_or_default();
        Ok(Self { said, falls: scores.iter().map(|score| whole - score).collect() })
    }
}

/// Whether the score rises, or stays, at every step: 1 or 0; beside it the part of the steps where it does.
pub(super) fn never_falls(scores: &[f64]) -> Finding {
    let steps = scores.len().saturating_sub(1).max(1);
    let kept = scores.windows(2).filter(|pair| pair[1] >= pair[0]).count();
    let all = scores.windows(2).all(|pair| pair[1].partial_cmp(&pair[0]) != Some(Ordering::Less));
    Finding::new(f64::from(u8::from(all))).with("kept", kept as f64 / steps as f64)
}

/// The correlation of two lists with that of their ranks beside it.
pub(super) fn correlated(a: &[f64], b: &[f64]) -> Finding {
    Finding::new(similarity::pearson(a, b)).with("spearman", similarity::spearman(a, b))
}

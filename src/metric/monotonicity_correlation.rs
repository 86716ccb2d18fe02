//! Monotonicity (Nguyen and Martinez 2020): what the map finds important must make the score uncertain where it is not known.

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    assessment::First,
    curve::Ranking,
    definition::{Better, Metric, Need},
    hiding::Groups,
    similarity,
};
use crate::{Result, Score};

/// Monotonicity correlation.
pub struct MonotonicityCorrelation;

/// Parameters of the correlation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Into how many groups of equal size the pixels, or the words of a text, are cut, in the map's order.
    #[schemars(range(min = 2, max = 1000000))]
    pub groups: usize,
    /// How often random values, evenly from the input's range, stand in the place of a group.
    #[schemars(range(min = 1, max = 1000))]
    pub samples: usize,
    /// How the channels of a pixel become its value.
    pub ranking: Ranking,
    /// The score whose change is looked at.
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { groups: 20, samples: 10, ranking: Ranking::AsShown, score: Score::Logit }
    }
}

impl Metric for MonotonicityCorrelation {
    type Config = Config;
    const NAME: &'static str = "monotonicity_correlation";
    const TITLE: &'static str = "Monotonicity correlation";
    const SUMMARY: &'static str = "The rank correlation between what the map says of a group of pixels and the mean squared change \
                                   of the score where random values stand in their place.";
    const PAPER: &'static str = "Nguyen, Martinez: On Quantitative Aspects of Model Interpretability (2020)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "groups * samples + 1 forward passes";

    /// Knows the given tensor `fills`: rows of values that stand in the place of the input's.
    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let x = &assessment.input.data;
        let given = assessment.given_rows("fills")?;
        let samples = given.as_ref().map_or(config.samples, Vec::len);
        let low = x.iter().copied().fold(f32::INFINITY, f32::min);
        let width = assessment.width_of_range();
        let groups = Groups::of(assessment.parts(config.ranking)?, First::Least, config.groups);
        let rows = groups.count * samples;
        let (places, parts) = (assessment.positions(), &groups.parts);
        let filled = |row: usize| -> Vec<f32> {
            let (group, sample) = (row / samples, row % samples);
            let mut random = assessment.random_of(row);
            let mut fill = |at: usize| match &given {
                Some(given) => given[sample][at],
                None => low + width * random.random_range(0.0..1.0),
            };
            let hit = |at: usize| groups.is_in(parts.labels[at % places], group);
            (0..x.len()).map(|at| if row < rows && hit(at) { fill(at) } else { x[at] }).collect()
        };
        let scores = assessment
            .scores(rows + 1, config.score, "inputs with random parts", |rows| {
                assessment.upload(&rows.map(filled).collect::<Vec<_>>())
            })
            .await?;
        let whole = scores[rows];
        let squares = |chunk: &[f64]| chunk.iter().map(|score| (score - whole).powi(2)).sum::<f64>();
        let changes: Vec<f64> =
            scores[..rows].chunks(samples).map(|chunk| squares(chunk) / samples as f64).collect();
        Ok(Finding::new(similarity::spearman(&groups.values(), &changes)))
    }
}

//! Stability under seeds: does a method with chance in it say the same twice?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
    similarity,
};
use crate::Result;

/// Stability under seeds.
pub struct Stability;

/// Parameters of stability.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many maps are made, with the judged map's seed and those after it.
    #[schemars(range(min = 2, max = 100))]
    pub seeds: usize,
    /// How many of the most important pixels are compared.
    #[schemars(range(min = 1, max = 1000000))]
    pub k: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { seeds: 5, k: 1000 }
    }
}

impl Metric for Stability {
    type Config = Config;
    const NAME: &'static str = "stability";
    const TITLE: &'static str = "Stability under seeds";
    const SUMMARY: &'static str =
        "The mean rank correlation between maps made with different seeds: 1 where chance has no part.";
    const PAPER: &'static str =
        "Alvarez-Melis, Jaakkola: On the Robustness of Interpretability Methods (2018)";
    const NEEDS: &'static [Need] = &[Need::Method];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "seeds explanations";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let mut maps = Vec::with_capacity(config.seeds);
        for i in 0..config.seeds {
            assessment.checkpoint(i, config.seeds, "explaining with other seeds").await?;
            let seed = assessment.seed().wrapping_add(i as u32);
            let map = assessment
                .explain(assessment.explainer, &assessment.input, |options| options.seed = seed)
                .await?;
            maps.push(assessment.aggregate(&map));
        }
        let (mut sum, mut least, mut shared, mut pairs) = (0.0, 1.0f64, 0.0, 0.0);
        for (i, first) in maps.iter().enumerate() {
            for second in &maps[i + 1..] {
                let correlation = similarity::spearman(first, second);
                sum += correlation;
                least = least.min(correlation);
                shared += similarity::top_k(first, second, config.k);
                pairs += 1.0;
            }
        }
        Ok(Finding::new(sum / pairs).with("least", least).with("top_k_intersection", shared / pairs))
    }
}

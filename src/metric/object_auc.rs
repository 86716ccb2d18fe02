//! The area under the ROC curve of the map as a finder of the object's pixels (Fawcett 2006).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    curve::Ranking,
    definition::{Better, Metric, Need},
};
use crate::{Result, statistics};

/// Area under the ROC curve.
pub struct ObjectAuc;

/// Parameters of the area.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the channels of a pixel become the value that it is ranked by.
    pub ranking: Ranking,
}

impl Default for Config {
    fn default() -> Self {
        Self { ranking: Ranking::AsShown }
    }
}

impl Metric for ObjectAuc {
    type Config = Config;
    const NAME: &'static str = "object_auc";
    const TITLE: &'static str = "Area under the ROC curve";
    const SUMMARY: &'static str = "How likely a pixel of the object has a higher value than one beside it: 1 where all have, 0.5 \
                                   where the map does not know.";
    const PAPER: &'static str =
        "Fawcett: An Introduction to ROC Analysis (2006); Arras, Osman, Samek: CLEVR-XAI (2022)";
    const NEEDS: &'static [Need] = &[Need::Object];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "0 to 1";
    const COST: &'static str = "none";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let object = assessment.object()?;
        let ranks = statistics::ranks(&assessment.ranked(config.ranking));
        let inside = object.iter().filter(|&&hit| hit).count() as f64;
        let pairs = inside * (object.len() as f64 - inside);
        if pairs == 0.0 {
            return Err(assessment.unsuited("the object covers all of the picture, or nothing of it"));
        }
        let sum: f64 = ranks.iter().zip(object).filter(|(_, hit)| **hit).map(|(rank, _)| rank).sum();
        Ok(Finding::new((sum - inside * (inside + 1.0) / 2.0) / pairs))
    }
}

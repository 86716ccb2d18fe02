//! Random logit (Sixt et al. 2020): the map of another class must be another one.

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
};
use crate::{ExplainOptions, Result};

/// Map of another class.
pub struct RandomLogit;

/// Parameters of the comparison.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The other class. Left out: any, drawn from the seed.
    #[schemars(range(min = 0, max = 1000000))]
    pub other: Option<usize>,
    /// Compare magnitudes instead of signed values.
    pub magnitudes: bool,
}

impl Metric for RandomLogit {
    type Config = Config;
    const NAME: &'static str = "random_logit";
    const TITLE: &'static str = "Map of another class";
    const SUMMARY: &'static str = "The rank correlation between the map and that of another class, drawn from the seed. A method \
                                   whose map hardly changes does not explain the class.";
    const PAPER: &'static str =
        "Sixt, Granz, Landgraf: When Explanations Lie: Why Many Modified BP Attributions Fail (2020)";
    const NEEDS: &'static [Need] = &[Need::Method];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "1 explanation";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let classes = assessment.explainer.model().classes();
        let other = match config.other {
            Some(other) => {
                assessment.explainer.model().check_target(other)?;
                other
            }
            None if classes < 2 => return Err(assessment.unsuited("the network knows no other class")),
            None => {
                let drawn = assessment.random().random_range(0..classes - 1);
                drawn + usize::from(drawn >= assessment.target)
            }
        };
        assessment.checkpoint(0, 1, "explaining another class").await?;
        let change = |options: &mut ExplainOptions| options.target = Some(other.into());
        let map = assessment.explain(assessment.explainer, &assessment.input, change).await?;
        Ok(assessment.compared(&assessment.map, &map, config.magnitudes).with("class", other as f64))
    }
}

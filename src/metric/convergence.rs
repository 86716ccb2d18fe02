//! Convergence with steps: would a method have said the same with less work?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Curve, Finding,
    definition::{Better, Metric, Need},
    similarity,
};
use crate::{
    Result,
    attribution::registry::{ParamKind, find},
};

/// Convergence with steps.
pub struct Convergence;

/// The parameters of methods that say how much work is done, the first that a method has.
const WORK: [&str; 4] = ["steps", "iterations", "samples", "masks"];

/// Parameters of convergence.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The method's parameter that is varied; where it is empty, the first of steps, iterations, samples and masks
    /// that the method has.
    pub parameter: String,
}

impl Metric for Convergence {
    type Config = Config;
    const NAME: &'static str = "convergence";
    const TITLE: &'static str = "Convergence with steps";
    const SUMMARY: &'static str = "The rank correlation of the map with one from half the steps; the curve shows an eighth, a \
                                   quarter, a half and all of them.";
    const PAPER: &'static str = "AXAI: Explanations via Adversarial Attacks (2021), appendix B";
    const NEEDS: &'static [Need] = &[Need::Method];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "-1 to 1";
    const COST: &'static str = "explanations of 15 / 8 of the method's steps";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let options = assessment.method()?;
        let params = find(&options.method)?.describe().params;
        let named =
            |name: &str| params.iter().find(|param| param.name == name && param.kind == ParamKind::Integer);
        let varied = match config.parameter.as_str() {
            "" => WORK.iter().find_map(|name| named(name)),
            name => named(name),
        };
        let varied = varied.ok_or_else(|| {
            assessment.unsuited("the method has no such whole number of steps; name one of its parameters")
        })?;
        let given = options.params.get(&varied.name).unwrap_or(&varied.default).as_u64();
        let all = given.ok_or_else(|| assessment.unsuited("the number of steps is left to the method"))?;
        let fewest = varied.minimum.unwrap_or(1.0) as u64;
        let mut counts: Vec<u64> = [8, 4, 2, 1].iter().map(|part| (all / part).max(fewest)).collect();
        counts.dedup();
        let mut maps = Vec::new();
        for (i, &count) in counts.iter().enumerate() {
            assessment.checkpoint(i, counts.len(), "explaining with fewer steps").await?;
            let fewer = assessment
                .explain(assessment.explainer, &assessment.input, |options| {
                    options.params.insert(varied.name.clone(), count.into());
                })
                .await?;
            maps.push(assessment.aggregate(&fewer));
        }
        let last = &maps[maps.len() - 1];
        let y: Vec<f64> = maps.iter().map(|map| similarity::spearman(map, last)).collect();
        let half = y[y.len().saturating_sub(2)];
        let x = counts.iter().map(|&count| count as f64).collect();
        Ok(Finding::new(half).along(Curve { x, y }))
    }
}

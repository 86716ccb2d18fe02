//! Complexity (Bhatt et al. 2020): the entropy of the magnitudes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
    share,
};
use crate::Result;

/// Complexity.
pub struct Complexity;

/// It has no parameters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl Metric for Complexity {
    type Config = Config;
    const NAME: &'static str = "complexity";
    const TITLE: &'static str = "Complexity";
    const SUMMARY: &'static str = "The entropy in nats of the pixels' parts of all magnitudes: 0 where one counts alone, the \
                                   logarithm of their number where all count the same. An empty map has 0.";
    const PAPER: &'static str =
        "Bhatt, Weller, Moura: Evaluating and Aggregating Feature-Based Model Explanations (2020)";
    const NEEDS: &'static [Need] = &[];
    const BETTER: Better = Better::Neither;
    const RANGE: &'static str = "0 to the logarithm of the number of pixels";
    const COST: &'static str = "none";

    async fn measure(assessment: &Assessment<'_>, _: &Config) -> Result<Finding> {
        let pixels = assessment.pixels();
        let entropy = entropy(&pixels);
        let most = (pixels.len() as f64).ln();
        Ok(Finding::new(entropy).with("relative", share(entropy, most)))
    }
}

/// `-sum p ln p` with `p = |x| / sum |x|`.
pub(super) fn entropy(values: &[f64]) -> f64 {
    let sum: f64 = values.iter().map(|x| x.abs()).sum();
    let terms = values.iter().map(|x| share(x.abs(), sum)).filter(|&p| p > 0.0);
    terms.map(|p| -p * p.ln()).sum::<f64>().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::entropy;

    #[test]
    fn one_pixel_is_simple_and_a_plain_map_is_not() {
        assert_eq!(entropy(&[0.0, 3.0, 0.0]), 0.0);
        assert_eq!(entropy(&[0.0; 3]), 0.0);
        assert!((entropy(&[-2.0; 8]) - 8f64.ln()).abs() < 1e-12);
    }
}

//! Sparseness (Chalasani et al. 2020): the Gini index of the magnitudes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
};
use crate::Result;

/// Sparseness.
pub struct Sparseness;

/// It has no parameters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl Metric for Sparseness {
    type Config = Config;
    const NAME: &'static str = "sparseness";
    const TITLE: &'static str = "Sparseness";
    const SUMMARY: &'static str = "The Gini index of the pixels' magnitudes: 0 where all count the same, near 1 where one counts \
                                   alone.";
    const PAPER: &'static str =
        "Chalasani, Chen, Chowdhury, Jha, Wu: Concise Explanations of Neural Networks (2020)";
    const NEEDS: &'static [Need] = &[];
    const BETTER: Better = Better::Neither;
    const RANGE: &'static str = "0 to 1";
    const COST: &'static str = "none";

    async fn measure(assessment: &Assessment<'_>, _: &Config) -> Result<Finding> {
        Ok(Finding::new(gini(assessment.pixels())))
    }
}

/// `sum (2 i - n - 1) |x_i| / (n sum |x_i|)` over the magnitudes in rising order, `i` from 1; 0 for an empty map.
fn gini(values: Vec<f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().map(f64::abs).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let weighted: f64 = sorted.iter().enumerate().map(|(i, x)| (2.0 * (i + 1) as f64 - n - 1.0) * x).sum();
    super::share(weighted, n * sorted.iter().sum::<f64>())
}

#[cfg(test)]
mod tests {
    use super::gini;

    #[test]
    fn one_pixel_is_sparse_and_a_plain_map_is_not() {
        assert_eq!(gini(vec![1.0; 8]), 0.0);
        assert_eq!(gini(vec![0.0; 8]), 0.0);
        assert_eq!(gini(vec![0.0, 0.0, 0.0, -2.0]), 0.75);
    }
}

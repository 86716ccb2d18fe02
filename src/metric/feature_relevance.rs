//! Feature relevance R of RelEx (Lim et al. 2021, section 4.2): the harmonic mean of preservation and 1 - deletion.

use super::{
    Assessment, Finding,
    assessment::First,
    curve::{Removal, area, play},
    definition::{Better, Metric, Need},
};
use crate::Result;

/// Feature relevance R.
pub struct FeatureRelevance;

impl Metric for FeatureRelevance {
    type Config = Removal;
    const NAME: &'static str = "feature_relevance";
    const TITLE: &'static str = "Feature relevance R";
    const SUMMARY: &'static str = "High where the important pixels alone keep the class and their loss takes it away: \
                                   the harmonic mean of preservation and 1 - deletion.";
    const PAPER: &'static str =
        "Lim, Lee, Kim: Building Reliable Explanations of Unreliable Neural Networks (2021)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "0 to 1";
    const COST: &'static str = "2 * (pixels / step + 1) forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &Removal) -> Result<Finding> {
        let empty = config.substrate.picture(assessment)?;
        let x = assessment.input_row();
        let (least_first, most_first) =
            (assessment.turns(config.ranking, First::Least)?, assessment.turns(config.ranking, First::Most)?);
        let kept = play(assessment, &least_first, x.clone(), empty.clone(), config.step).await?;
        let lost = play(assessment, &most_first, x, empty, config.step).await?;
        let (p, d) = (area(&kept.y), area(&lost.y));
        Ok(Finding::new(harmonic_mean(p, 1.0 - d)).with("preservation", p).with("deletion", d))
    }
}

/// `1 / R = (1 / P + 1 / (1 - D)) / 2`, and 0 where one of the two is.
fn harmonic_mean(a: f64, b: f64) -> f64 {
    if a > 0.0 && b > 0.0 { 2.0 / (1.0 / a + 1.0 / b) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::harmonic_mean;

    #[test]
    fn both_parts_must_be_good() {
        assert_eq!(harmonic_mean(0.5, 0.5), 0.5);
        assert_eq!(harmonic_mean(1.0, 0.0), 0.0);
        assert!((harmonic_mean(1.0, 0.5) - 2.0 / 3.0).abs() < 1e-12);
    }
}

//! DeepLIFT-SHAP (Lundberg, Lee 2017, section 4.2): DeepLIFT on average over many reference inputs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject, deep_lift,
    display::{Channels, Display},
    expected_gradients::{BACKGROUNDS, backgrounds},
    method::{Cost, Given, Method, Need},
};
use crate::{Error, Result, model::Seed};

/// DeepLIFT-SHAP.
pub struct DeepLiftShap;

/// DeepLIFT-SHAP has no parameters beside the background that is given.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl Method for DeepLiftShap {
    type Config = Config;
    const NAME: &'static str = "deep_lift_shap";
    const TITLE: &'static str = "DeepLIFT-SHAP";
    const SUMMARY: &'static str = "DeepLIFT on average over several empty pictures, so that none of them decides (SHAP's DeepExplainer); the parts sum to the change of the score.";
    const PAPER: &'static str = "Lundberg, Lee: A Unified Approach to Interpreting Model Predictions (2017)";
    const NEEDS: &'static [Need] = &[Need::BackwardRule, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::SumAbs, low: 0.0, high: 99.0 };
    const GIVEN: &'static [Given] = &[BACKGROUNDS];
    const SHORTFALL: &'static str = <deep_lift::DeepLift as Method>::SHORTFALL;

    fn cost(_: &Config) -> Cost {
        // Of the default backgrounds.
        Cost { forward: 6, backward: 3 }
    }

    async fn attribute(subject: &Subject<'_>, _: &Config) -> Result<Attribution> {
        let backgrounds = backgrounds(subject)?;
        let [count, features] = backgrounds.dims();
        deep_lift::tell_without_rule(subject);
        let x = subject.input();
        let mut sum = x.zeros_like();
        let mut change = None;
        for number in 0..count {
            subject.checkpoint(number, count, "backward passes from each background").await?;
            let background = backgrounds.clone().slice([number..number + 1, 0..features]);
            let found = subject.walk(Some(background.clone()), Seed::One, &deep_lift::rule)?;
            sum = sum + found.arrived * (x.clone() - background);
            let reference = found.reference_score;
            let reference = reference.ok_or_else(|| Error::Internal("a reference without a score".into()))?;
            let part = found.score - reference;
            change = Some(match change {
                Some(before) => before + part,
                None => part,
            });
        }
        let change = change.ok_or_else(|| Error::Internal("no background".into()))?;
        // SHAP section 4.2: the mean over the background.
        Ok(Attribution::complete(sum / count as f32, count, change / count as f32))
    }
}

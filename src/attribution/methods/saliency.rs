//! Saliency: the gradient of the class score (Simonyan et al. 2013, equation 3).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    display::{Channels, Display},
    method::{Cost, End, Method, Need},
};
use crate::{Model, Result, input::parts::Joined, model::Score};

/// Saliency.
pub struct Saliency;

/// Parameters of saliency.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The score whose gradient is taken.
    pub score: Score,
}

impl Method for Saliency {
    type Config = Config;
    const NAME: &'static str = "saliency";
    const TITLE: &'static str = "Saliency";
    const SUMMARY: &'static str = "How strongly the score reacts to a small change of each pixel. The quickest method, and the noisiest.";
    const PAPER: &'static str = "Simonyan, Vedaldi, Zisserman: Deep Inside Convolutional Networks (2013)";
    const NEEDS: &'static [Need] = &[Need::Gradient];
    const DISPLAY: Display = Display { channels: Channels::MaxAbs, low: 0.0, high: 99.0 };
    const JOINED: Joined = Joined::Magnitudes;

    fn cost(_: &Config) -> Cost {
        Cost { forward: 0, backward: 1 }
    }

    fn first_gradient(_: &Config, _: &Model) -> Option<End> {
        Some(End::Input)
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        subject.checkpoint(0, 1, "gradient").await?;
        // Saliency eq. 3.
        Ok(Attribution::new(subject.gradient_here(subject.target(), config.score)?, 1))
    }
}

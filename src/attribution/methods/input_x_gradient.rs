//! Input x gradient (Shrikumar et al. 2016): the score's first-order change between an input of zeros and the input.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    display::{Channels, Display},
    method::{Cost, End, Method, Need},
};
use crate::{Model, Result, model::Score};

/// Input x gradient.
pub struct InputXGradient;

/// Parameters of input x gradient.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The score whose gradient is taken.
    pub score: Score,
}

impl Method for InputXGradient {
    type Config = Config;
    const NAME: &'static str = "input_x_gradient";
    const TITLE: &'static str = "Input x gradient";
    const SUMMARY: &'static str = "The gradient times the network's input, in which 0 is the mean of the training pictures: what each value adds, were the network linear.";
    const PAPER: &'static str =
        "Shrikumar, Greenside, Shcherbina, Kundaje: Not Just a Black Box (2016), section 3.2";
    const NEEDS: &'static [Need] = &[Need::Gradient];
    const DISPLAY: Display = Display { channels: Channels::SumAbs, low: 0.0, high: 99.0 };

    fn cost(_: &Config) -> Cost {
        Cost { forward: 0, backward: 1 }
    }

    fn first_gradient(_: &Config, _: &Model) -> Option<End> {
        Some(End::Input)
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        subject.checkpoint(0, 1, "gradient").await?;
        let gradient = subject.gradient_here(subject.target(), config.score)?;
        Ok(Attribution::new(subject.input() * gradient, 1))
    }
}

//! Class retrieval (Lim et al. 2021, section 4.1): is the class found again in what the map leaves of the picture?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    definition::{Better, Metric, Need},
};
use crate::{
    HostTensor, Result,
    attribution::display::{self, Channels, Display},
};

/// Class retrieval.
pub struct ClassRetrieval;

/// How a map becomes a mask from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// The sum of magnitudes over the channels, its smallest value as 0 and its 99th percentile as 1, as in RelEx's code.
    #[default]
    Scaled,
    /// As it is, cut off at 0 and 1: for methods that learn a mask, such as RelEx.
    Raw,
}

/// Parameters of class retrieval.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the map becomes a mask: its magnitudes scaled, or its values as they are.
    pub mask: Mask,
}

impl Default for Config {
    fn default() -> Self {
        Self { mask: Mask::Scaled }
    }
}

impl Metric for ClassRetrieval {
    type Config = Config;
    const NAME: &'static str = "class_retrieval";
    const TITLE: &'static str = "Class retrieval";
    const SUMMARY: &'static str = "1 where the network finds the class in the picture multiplied with the map, else 0. For \
                                   an attacked picture, the class is that of the clean one.";
    const PAPER: &'static str =
        "Lim, Lee, Kim: Building Reliable Explanations of Unreliable Neural Networks (2021)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "0 or 1";
    const COST: &'static str = "1 forward pass";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let logits = retrieve(assessment, config.mask).await?.logits;
        let retrieved = assessment.explainer.model().predicted(&logits) == assessment.target;
        Ok(Finding::new(f64::from(u8::from(retrieved))).with(
            "probability",
            f64::from(assessment.explainer.model().probabilities(&logits)[assessment.target]),
        ))
    }
}

/// What a map leaves of its input, and what the network makes of that.
#[derive(Debug, Clone, PartialEq)]
pub struct Retrieval {
    /// The input multiplied with the mask, `m * x`, in the input's shape. What the mask hides is 0, the data set's mean.
    pub masked: HostTensor,
    /// The network's logits for it.
    pub logits: Vec<f32>,
}

/// Shows the network the input multiplied with the judged map: `f(m * x)`.
///
/// # Errors
/// [`crate::Error::Cancelled`], and those of the network.
pub async fn retrieve(assessment: &Assessment<'_>, mask: Mask) -> Result<Retrieval> {
    let mask: Vec<f32> = match mask {
        Mask::Scaled => {
            let rule = Display { channels: Channels::SumAbs, low: 0.0, high: 99.0 };
            let map = &assessment.map.data;
            display::scaled(&display::planes_aggregated(map, assessment.positions(), rule.channels), rule)
        }
        Mask::Raw => assessment.map.data.iter().map(|value| value.clamp(0.0, 1.0)).collect(),
    };
    let data: Vec<f32> = assessment.input.data.iter().zip(mask.iter().cycle()).map(|(x, m)| x * m).collect();
    let logits = assessment.logits_of(std::slice::from_ref(&data), "the masked picture").await?.concat();
    Ok(Retrieval { masked: assessment.in_order(&data), logits })
}

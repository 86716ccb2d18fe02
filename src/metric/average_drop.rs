//! Average drop, increase and gain (Chattopadhay et al. 2018; Zhang et al. 2024): what does the network say of what the map leaves of the input?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    curve::Substrate,
    definition::{Better, Metric, Need},
    hiding::mixed,
    share,
};
use crate::{
    Result, Score,
    attribution::display::{self, Channels, Display, planes_aggregated},
};

/// Average drop.
pub struct AverageDrop;

/// Parameters of the drop.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What shows where the map hides.
    pub substrate: Substrate,
}

impl Default for Config {
    fn default() -> Self {
        Self { substrate: Substrate::Blank }
    }
}

impl Metric for AverageDrop {
    type Config = Config;
    const NAME: &'static str = "average_drop";
    const TITLE: &'static str = "Average drop";
    const SUMMARY: &'static str = "The part of the class's probability that is lost where the input is multiplied with the map's \
                                   magnitudes, from 0 to 1; 0 where it rises. Beside it whether it rises (increase) and by which \
                                   part of what was left to 1 (gain).";
    const PAPER: &'static str = "Chattopadhay, Sarkar, Howlader, Balasubramanian: Grad-CAM++ (2018); Zhang et al.: Opti-CAM \
                                   (2024)";
    const NEEDS: &'static [Need] = &[Need::Predictions];
    const BETTER: Better = Better::Lower;
    const RANGE: &'static str = "0 to 1";
    const COST: &'static str = "2 forward passes";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let map = &assessment.map.data;
        let rule = Display { channels: Channels::SumAbs, low: 0.0, high: 100.0 };
        let shown = display::scaled(&planes_aggregated(map, assessment.positions(), rule.channels), rule);
        let hidden = shown.iter().map(|value| 1.0 - value).collect::<Vec<_>>();
        let empty = config.substrate.picture(assessment)?;
        let places = hidden.len();
        let mask = [hidden, vec![0.0; places]];
        let from_to = [assessment.input_row(), empty];
        let score = Score::Probability;
        let scores = mixed(assessment, from_to, 2, score, "the masked input", |rows| {
            let count = rows.len();
            assessment.tensor(mask[rows].concat(), [count, 1, places])
        })
        .await?;
        let (masked, whole) = (scores[0], scores[1]);
        Ok(Finding::new(share((whole - masked).max(0.0), whole))
            .with("increase", f64::from(u8::from(masked > whole)))
            .with("gain", share((masked - whole).max(0.0), 1.0 - whole))
            .with("probability", masked))
    }
}

//! D-RISE (Petsiuk et al. 2021): the mean of many random soft masks, each weighted with how like the explained box the best is that the detector
//! finds on the picture behind it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    baseline::BASELINE,
    display::{Channels, Display},
    method::{Cost, Given, Method, Need},
    rise::{self, GRIDS, MASKS, Masks, SHIFTS, masked_mean},
};
use crate::{Model, Result, input::{layout::Places, parts::Joined}};

/// D-RISE.
pub struct DRise;

/// Parameters of D-RISE.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Random masks.
    #[schemars(range(min = 1, max = 100000))]
    pub samples: usize,
    /// Cells of a mask along each side of the picture.
    #[schemars(range(min = 2, max = 100))]
    pub grid: usize,
    /// Probability that a cell is shown.
    #[schemars(range(min = 0.001, max = 1.0))]
    pub probability: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { samples: 5000, grid: 16, probability: 0.5 }
    }
}

impl Method for DRise {
    type Config = Config;
    const NAME: &'static str = "d_rise";
    const TITLE: &'static str = "D-RISE";
    const SUMMARY: &'static str = "Shows a detector thousands of randomly masked copies and averages the masks by how like the explained box the \
         best is that it finds: overlap times likeness of the classes times objectness. It needs the answers alone, and time.";
    const PAPER: &'static str =
        "Petsiuk et al.: Black-box Explanation of Object Detectors via Saliency Maps (2021)";
    const NEEDS: &'static [Need] = &[Need::Predictions, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;
    const ANYTIME: Anytime = Anytime::Settles;
    const GIVEN: &'static [Given] = &[GRIDS, SHIFTS, MASKS, BASELINE];

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.samples, backward: 0 }
    }

    fn quick() -> Config {
        Config { samples: 500, ..Config::default() }
    }

    fn unsuited(model: &Model) -> Option<String> {
        (!model.is_detector()).then(|| "it explains a box, and the network is not seen to be a detector".to_owned())
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        if !subject.explains_a_box() {
            return Err(subject.unsuited("it explains a box: name one as the target (`box`)"));
        }
        let &Places { height, width, .. } = subject.places();
        let &Config { samples, grid, probability } = config;
        let masks = Masks::new(subject, &rise::Config { samples, grid, probability }, height, width)?;
        // D-RISE leaves the mean as it is: it compares places, and divides by no probability.
        let likeness = |points| subject.box_likeness(points);
        masked_mean(subject, &masks, 1.0, "asking about masked pictures", likeness).await
    }
}

//! The pointing game (Zhang et al. 2018): does the highest value lie on the object?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Assessment, Finding,
    assessment::descending,
    definition::{Better, Metric, Need},
};
use crate::Result;

/// Pointing game.
pub struct PointingGame;

/// Parameters of the pointing game.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many pixels beside the object still count as a hit.
    #[schemars(range(min = 0, max = 1000))]
    pub tolerance: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { tolerance: 15 }
    }
}

impl Metric for PointingGame {
    type Config = Config;
    const NAME: &'static str = "pointing_game";
    const TITLE: &'static str = "Pointing game";
    const SUMMARY: &'static str = "1 where the most important pixel lies on the object or beside it, else 0. A constant map \
                                   points nowhere.";
    const PAPER: &'static str =
        "Zhang, Bargal, Lin, Brandt, Shen, Sclaroff: Top-Down Neural Attention by Excitation Backprop (2018)";
    const NEEDS: &'static [Need] = &[Need::Image, Need::Object];
    const BETTER: Better = Better::Higher;
    const RANGE: &'static str = "0 or 1";
    const COST: &'static str = "none";

    async fn measure(assessment: &Assessment<'_>, config: &Config) -> Result<Finding> {
        let [_, _, width] = assessment.image()?;
        let object = assessment.object()?;
        let pixels = assessment.pixels();
        let order = descending(&pixels);
        let (highest, lowest) = (order[0], order[order.len() - 1]);
        let points = pixels[highest] > pixels[lowest];
        let place = |pixel: usize| ((pixel / width) as f64, (pixel % width) as f64);
        let (row, column) = place(highest);
        let reach = (config.tolerance * config.tolerance) as f64;
        let near = |(r, c): (f64, f64)| (r - row).powi(2) + (c - column).powi(2) <= reach;
        let hit = points && object.iter().enumerate().any(|(pixel, &inside)| inside && near(place(pixel)));
        Ok(Finding::new(f64::from(u8::from(hit))).with("row", row).with("column", column))
    }
}

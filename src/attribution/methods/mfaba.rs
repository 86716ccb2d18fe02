//! MFABA (Zhu et al. 2024): what the class's probability gives up on the way across the nearest boundary, at one gradient a
//! step.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    cam,
    display::{Channels, Display},
    method::{Cost, Method, Need},
    predicts,
};
use crate::{Result, model::Score};

/// MFABA.
pub struct Mfaba;

/// How a step is made, by the names of the authors' program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Down the gradient, by a fixed length.
    #[default]
    Sharp,
    /// Down the gradient's sign, by as much in every pixel.
    Smooth,
}

/// Parameters of MFABA.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How a step is made.
    pub mode: Mode,
    /// Steps at most; it ends where another class is predicted.
    #[schemars(range(min = 1, max = 1000))]
    pub steps: usize,
    /// Length of a step of mode sharp in all pixels together (l2), where black is 0 and white is 1.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub step_length: f32,
    /// Length of a step of mode smooth in every pixel.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub step_size: f32,
    /// How far mode smooth may go in every pixel.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub epsilon: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { mode: Mode::Sharp, steps: 50, step_length: 0.1, step_size: 0.001, epsilon: 0.3 }
    }
}

impl Method for Mfaba {
    type Config = Config;
    const NAME: &'static str = "mfaba";
    const TITLE: &'static str = "MFABA";
    const SUMMARY: &'static str = "Walks the picture across the nearest boundary to another class and adds up what the class's probability gives up on the way. One gradient a step, and no baseline.";
    const PAPER: &'static str = "Zhu et al.: MFABA: A More Faithful and Accelerated Boundary-based Attribution Method for Deep Neural Networks (2024)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 80.0, high: 99.0 };
    const ANYTIME: Anytime = Anytime::Shows;

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.steps + 1, backward: config.steps }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let Config { mode, steps, step_length, step_size, epsilon } = *config;
        let target = [subject.target()];
        let space = subject.pixel_space()?;
        let x0 = space.pixels(subject.input());
        let [_, features] = x0.dims();
        let mut x = x0.clone();
        let mut map = x0.zeros_like();
        let mut taken = 0;
        for step in 0..steps {
            subject.checkpoint(step, steps, "walking across the nearest boundary").await?;
            let mut pass = subject.pass(space.model(x.clone()))?;
            // The first step is made from wherever the input lies.
            let still = predicts(pass.logits(), &target);
            let still = if step == 0 { still.ones_like() } else { still };
            // Where finding out would mean waiting for a GPU, a row that has arrived stays where it is and counts nothing.
            if subject.peek(&still).await?.is_some_and(|rows| rows.iter().all(|&row| row == 0.0)) {
                break;
            }
            let gradient = space.gradient(pass.gradient(&target, Score::Probability)?);
            let next = match mode {
                Mode::Sharp => {
                    // Scaled first, since squares of small gradients are lost in 32 bits.
                    let most = gradient.clone().abs().max_dim(1).repeat_dim(1, features);
                    let scaled = cam::quotient(gradient.clone(), most);
                    let length = (scaled.clone() * scaled.clone()).sum_dim(1).sqrt().repeat_dim(1, features);
                    x.clone() - cam::quotient(scaled, length) * step_length
                }
                Mode::Smooth => {
                    let moved = x.clone() - gradient.clone().sign() * step_size;
                    x0.clone() + (moved - x0.clone()).clamp(-epsilon, epsilon)
                }
            };
            let delta = (next.clamp(0.0, 1.0) - x.clone()) * still.repeat_dim(1, features);
            // MFABA's first order: minus the gradient times the step, added up.
            map = map - gradient * delta.clone();
            x = x + delta;
            taken = step + 1;
            subject.so_far(taken, steps, || map.clone()).await?;
        }
        Ok(Attribution::new(map, taken))
    }
}

//! LeGrad (Bousselham et al. 2024, section 3): how each block's own score depends on its own attention.

use burn::tensor::{Tensor, activation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    display::{Channels, Display},
    method::{Cost, Method, Need},
    tokens,
};
use crate::{Model, Result, input::parts::Joined};

/// LeGrad.
pub struct LeGrad;

/// LeGrad has no parameters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl Method for LeGrad {
    type Config = Config;
    const NAME: &'static str = "legrad";
    const TITLE: &'static str = "LeGrad";
    const SUMMARY: &'static str = "Asks at every block of a transformer how the score of what this block leaves depends on its attention, and takes the mean over blocks.";
    const PAPER: &'static str = "Bousselham et al.: LeGrad: An Explainability Method for Vision Transformers via Feature Formation \
         Sensitivity (2024)";
    const NEEDS: &'static [Need] = &[Need::Gradient];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;

    fn cost(_: &Config) -> Cost {
        Cost { forward: 1, backward: 1 }
    }

    fn unsuited(model: &Model) -> Option<String> {
        model.without_blocks().map(str::to_owned)
    }

    async fn attribute(subject: &Subject<'_>, _: &Config) -> Result<Attribution> {
        subject.checkpoint(0, 1, "the gradient at each block").await?;
        let (gradients, axis) = subject.attended_by_block()?;
        let blocks = gradients.len();
        let mut sum: Option<Tensor<2>> = None;
        for gradient in gradients {
            // The positive part of the gradient, its mean over heads and queries, and the mean of that over blocks.
            let block = tokens::over_heads(activation::relu(gradient)).mean_dim(0);
            sum = Some(match sum {
                Some(sum) => sum + block,
                None => block,
            });
        }
        let Some(sum) = sum else { return Err(subject.unsuited("this network has no attention")) };
        tokens::placed(subject, axis, sum / blocks as f32, blocks)
    }
}

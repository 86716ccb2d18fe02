//! Attention rollout (Abnar, Zuidema 2020, section 3).

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    display::{Channels, Display},
    method::{Cost, Method, Need},
    tokens,
};
use crate::{Model, Result, input::parts::Joined};

/// Attention rollout.
pub struct AttentionRollout;

/// Attention rollout has no parameters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl Method for AttentionRollout {
    type Config = Config;
    const NAME: &'static str = "attention_rollout";
    const TITLE: &'static str = "Attention rollout";
    const SUMMARY: &'static str = "Follows a transformer's attention through all its blocks back to the patches or words. It tells where the network looks, whatever the class.";
    const PAPER: &'static str = "Abnar, Zuidema: Quantifying Attention Flow in Transformers (2020)";
    const NEEDS: &'static [Need] = &[Need::Gradient];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;

    fn cost(_: &Config) -> Cost {
        // The gradient says which tokens the scores are read from, and nothing else.
        Cost { forward: 1, backward: 1 }
    }

    fn unsuited(model: &Model) -> Option<String> {
        model.transformer().err().map(str::to_owned)
    }

    async fn attribute(subject: &Subject<'_>, _: &Config) -> Result<Attribution> {
        subject.checkpoint(0, 1, "attention").await?;
        let (attended, axis) = subject.attended()?;
        let mut joint: Option<Tensor<2>> = None;
        for block in &attended.blocks {
            let attention = tokens::over_heads(block.probabilities.clone());
            let residual = tokens::identity(axis.count(), &attention);
            // Section 3: A = 0.5 W_att + 0.5 I, with rows that add up to 1.
            let mixed = (attention + residual) * 0.5;
            let mixed = mixed.clone() / mixed.sum_dim(1);
            // Equation 1: A~(l) = A(l) A~(l - 1).
            joint = Some(match joint {
                Some(joint) => mixed.matmul(joint),
                None => mixed,
            });
        }
        let (Some(joint), Some(last)) = (joint, attended.blocks.last()) else {
            return Err(subject.unsuited("this network has no attention"));
        };
        let row = match attended.pool {
            Some(pool) => tokens::over_heads(pool.probabilities).matmul(joint),
            None => tokens::read_out(joint, last),
        };
        tokens::placed(subject, axis, row, 1)
    }
}

//! Generic attention explainability, the rule for self-attention (Chefer, Gur, Wolf 2021, equations 1, 5 and 6).

use burn::tensor::{Tensor, activation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    display::{Channels, Display},
    method::{Cost, Method, Need},
    tokens,
};
use crate::{Model, Result, input::parts::Joined, model::Weighing};

/// Generic attention explainability.
pub struct GenericAttention;

/// Generic attention explainability has no parameters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// Equation 5: the mean over heads of the positive part of gradient times attention.
fn weighed(attention: &Weighing) -> Tensor<2> {
    tokens::over_heads(activation::relu(attention.gradient.clone() * attention.probabilities.clone()))
}

impl Method for GenericAttention {
    type Config = Config;
    const NAME: &'static str = "generic_attention";
    const TITLE: &'static str = "Generic attention explainability";
    const SUMMARY: &'static str = "Follows the part of a transformer's attention that raised the score through all its blocks back to the patches or words.";
    const PAPER: &'static str = "Chefer, Gur, Wolf: Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder \
         Transformers (2021)";
    const NEEDS: &'static [Need] = &[Need::Gradient];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;

    fn cost(_: &Config) -> Cost {
        Cost { forward: 1, backward: 1 }
    }

    fn unsuited(model: &Model) -> Option<String> {
        model.transformer().err().map(str::to_owned)
    }

    async fn attribute(subject: &Subject<'_>, _: &Config) -> Result<Attribution> {
        subject.checkpoint(0, 1, "attention and its gradient").await?;
        let (attended, axis) = subject.attended()?;
        let mut relevance: Option<Tensor<2>> = None;
        for block in &attended.blocks {
            let attention = weighed(block);
            // Equation 1: each token is relevant to itself.
            let so_far = relevance.unwrap_or_else(|| tokens::identity(axis.count(), &attention));
            // Equation 6: R = R + A R.
            relevance = Some(so_far.clone() + attention.matmul(so_far));
        }
        let (Some(relevance), Some(last)) = (relevance, attended.blocks.last()) else {
            return Err(subject.unsuited("this network has no attention"));
        };
        let row = match attended.pool {
            Some(pool) => weighed(&pool).matmul(relevance),
            None => tokens::read_out(relevance, last),
        };
        tokens::placed(subject, axis, row, 1)
    }
}

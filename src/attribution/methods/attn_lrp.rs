//! AttnLRP (Achtibat et al. 2024): layer-wise relevance propagation with rules for transformers.
//!
//! Relevance is handed back as what a value is multiplied with to have it: under the epsilon rule (eq. 8) with an epsilon that
//! vanishes this is the gradient at whatever is linear, and nothing is divided by a sum that may be near 0.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    display::{Channels, Display},
    method::{Cost, Method, Need},
};
use crate::{
    Error, Model, Result,
    model::{
        Seed, Share,
        backward::{Flow, Visit},
        ratio,
    },
};

/// AttnLRP.
pub struct AttnLrp;

/// AttnLRP has no parameters: its rule at layers with weights is epsilon with a vanishing epsilon, as its authors have it for language
/// models.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

fn handed_back(node: &Visit<'_>, shares: &HashMap<usize, Share>) -> Result<Option<Flow>> {
    let share = node.output_slot().and_then(|slot| shares.get(&slot)).copied();
    let halves = |flow: Flow| flow.into_iter().map(|to| to.map(|to| to * 0.5)).collect();
    Ok(match share {
        // Linear layers, eq. 8; softmax, eq. 13: R_i = x_i (R_i - s_i sum_j R_j), which is x_i times the gradient.
        Some(Share::Gradient) => None,
        // Products of two values, eq. 15.
        Some(Share::Halves) => Some(halves(node.plain()?)),
        // Layer and RMS norm, eq. 18: as linear, with the deviation held.
        Some(Share::Held) => Some(node.held()?),
        // Functions of one number, eq. 9.
        Some(Share::Unchanged) => {
            let ratio = ratio(node.here.input(0)?, node.here.output()?);
            Some(node.only(0, node.gradient()? * ratio))
        }
        // The same two, where they are written in several nodes.
        Some(Share::Only(place)) => {
            let at = node.plain()?.swap_remove(place);
            Some(node.only(place, at.ok_or_else(|| Error::Internal("relevance was lost at a node".into()))?))
        }
        None => return Err(Error::Internal("a node has no rule".into())),
    })
}

impl Method for AttnLrp {
    type Config = Config;
    const NAME: &'static str = "attn_lrp";
    const TITLE: &'static str = "AttnLRP";
    const SUMMARY: &'static str = "Distributes the score from layer to layer down to pixels or words, with rules for a transformer's attention and normalisations. \
         LRP is patented; its authors let it be used freely for personal and scientific purposes.";
    const PAPER: &'static str =
        "Achtibat et al.: AttnLRP: Attention-Aware Layer-Wise Relevance Propagation for Transformers (2024)";
    const NEEDS: &'static [Need] = &[Need::BackwardRule];
    const DISPLAY: Display = Display { channels: Channels::SumAbs, low: 0.0, high: 99.0 };

    const SHORTFALL: &'static str = "Biases take their share.";

    fn cost(_: &Config) -> Cost {
        Cost { forward: 1, backward: 1 }
    }

    fn unsuited(model: &Model) -> Option<String> {
        model.shares().err()
    }

    async fn attribute(subject: &Subject<'_>, _: &Config) -> Result<Attribution> {
        subject.checkpoint(0, 1, "backward pass").await?;
        let shares = subject.model().shares().map_err(|reason| subject.unsuited(&reason))?;
        let found = subject.walk(None, Seed::One, &|node: &Visit<'_>| handed_back(node, &shares))?;
        Ok(Attribution::complete(subject.input() * found.arrived, 1, found.score))
    }
}

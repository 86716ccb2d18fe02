//! What a metric is: its name, its paper, what it needs, and the formula itself.

use std::future::Future;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use super::{Assessment, Finding};
use crate::Result;

/// What a metric needs beside the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// The network's scores.
    Predictions,
    /// A picture: an input of channels, height and width.
    Image,
    /// A second map.
    Reference,
    /// The pixels of the object: a box or a mask.
    Object,
    /// The segments that the method worked on.
    Segments,
    /// The method, to make the map again.
    Method,
    /// The same network with random weights.
    Randomised,
}

/// Which values are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// High ones.
    Higher,
    /// Low ones.
    Lower,
    /// Neither: it describes.
    Neither,
}

/// A metric. `measure` reads like the paper's formula, on an [`Assessment`].
pub trait Metric {
    /// The parameters; `Default` is the paper's setting.
    type Config: Default + Serialize + DeserializeOwned + JsonSchema;
    /// The name in every interface.
    const NAME: &'static str;
    /// The name for people.
    const TITLE: &'static str;
    /// One or two sentences: what the value means.
    const SUMMARY: &'static str;
    /// The paper.
    const PAPER: &'static str;
    /// What it needs beside the map.
    const NEEDS: &'static [Need];
    /// Which values are good.
    const BETTER: Better;
    /// The values that it can have, in words.
    const RANGE: &'static str;
    /// The work that it takes, in words: passes through the network, and maps that are made again.
    const COST: &'static str;

    /// Measures; the caller has checked `config` against the declared ranges.
    ///
    /// # Errors
    /// [`crate::Error::MetricUnsuited`] where the assessment lacks what the metric needs, [`crate::Error::Cancelled`], and
    /// those of the network.
    fn measure(assessment: &Assessment<'_>, config: &Self::Config) -> impl Future<Output = Result<Finding>>;
}

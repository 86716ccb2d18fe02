//! Metrics: how good is an explanation?
//!
//! A metric is one file: a `Config` whose `Default` is the paper's setting, and a `measure` that reads like the
//! paper's formula. It works on an [`Assessment`], which holds the map that is judged, the input that it explains and
//! the network, and whatever else a metric may ask for: a second map, the object's pixels, the way in which the map
//! was made. One line in [`registry`] makes a metric known to the command line and the docs.

pub mod ablation;
mod assessment;
pub mod average_drop;
pub mod average_sensitivity;
pub mod chance;
pub mod class_retrieval;
pub mod completeness;
pub mod complexity;
pub mod convergence;
mod curve;
pub mod definition;
pub mod deletion;
pub mod diff_id;
pub mod effective_complexity;
pub mod efficient_randomisation;
pub mod faithfulness_correlation;
pub mod faithfulness_estimate;
pub mod feature_relevance;
mod game;
mod hiding;
pub mod infidelity;
pub mod insertion;
pub mod irof;
pub mod local_lipschitz;
pub mod mask_overlap;
pub mod max_sensitivity;
pub mod monotonicity;
pub mod monotonicity_correlation;
pub mod mu_fidelity;
mod neighbours;
pub mod non_sensitivity;
pub mod object_auc;
pub mod pearson;
pub mod pointing_game;
pub mod preservation;
pub mod random_logit;
pub mod randomisation;
pub mod randomise;
pub mod region_perturbation;
pub mod registry;
pub mod relative_input_stability;
pub mod relative_output_stability;
pub mod relative_representation_stability;
pub mod road;
pub mod saco;
pub mod selectivity;
pub mod sensitivity_n;
mod similarity;
pub mod smooth_randomisation;
pub mod sparseness;
pub mod spearman;
pub mod ssim;
pub mod stability;
pub mod top_k;

use std::collections::BTreeMap;

use serde::Serialize;

pub use assessment::Assessment;
pub use chance::{Chance, Standing};
pub use class_retrieval::{Mask, Retrieval, retrieve};
pub use curve::Substrate;
pub use game::{Game, GameKind, GameOptions, Order, game};

use crate::Result;

/// What a metric found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The metric's value; its description says whether a high one is good.
    pub value: f64,
    /// Figures beside it, by name.
    pub parts: BTreeMap<&'static str, f64>,
    /// How the value came about, for metrics that follow something.
    pub curve: Option<Curve>,
}

impl Finding {
    /// A value without figures beside it.
    pub fn new(value: f64) -> Self {
        Self { value, parts: BTreeMap::new(), curve: None }
    }

    fn with(mut self, name: &'static str, value: f64) -> Self {
        self.parts.insert(name, value);
        self
    }

    fn along(mut self, curve: Curve) -> Self {
        self.curve = Some(curve);
        self
    }
}

/// A quantity that is followed, point by point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// How far: the part of the pixels, from 0 to 1, or a method's steps.
    pub x: Vec<f64>,
    /// The quantity there.
    pub y: Vec<f64>,
}

/// A finding, and what was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measurement {
    /// Name of the metric.
    pub metric: String,
    /// All parameters in force.
    pub params: serde_json::Map<String, serde_json::Value>,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
    /// The same of random maps, where [`Assessment::with_chance`] asked for it.
    pub chance: Option<Chance>,
    /// Samples that went through the network for it, those of maps that were made again and of random ones left out.
    pub forward_passes: usize,
    /// Wall time.
    pub milliseconds: f64,
}

/// Measures one explanation by the metric called `name`.
///
/// # Errors
/// [`crate::Error::MetricUnknown`], [`crate::Error::ParameterInvalid`], [`crate::Error::MetricUnsuited`] where the
/// assessment lacks what the metric needs, [`crate::Error::Cancelled`], and those of the network.
pub async fn measure(
    assessment: &Assessment<'_>,
    name: &str,
    params: &serde_json::Map<String, serde_json::Value>,
) -> Result<Measurement> {
    registry::find(name)?.measure(assessment, params).await
}

/// `part / whole`, and 0 of nothing.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

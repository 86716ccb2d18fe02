//! The metrics, each by one line; whoever lists, describes or measures reads them from here.

use std::{future::Future, pin::Pin};

use serde::Serialize;
use serde_json::{Map, Value};
use web_time::Instant;

pub use super::definition::{Better, Metric, Need};
use super::{
    Assessment, Chance, Finding, Measurement, ablation, average_drop, average_sensitivity, chance,
    class_retrieval, completeness, complexity, convergence, deletion, diff_id, effective_complexity,
    efficient_randomisation, faithfulness_correlation, faithfulness_estimate, feature_relevance, infidelity,
    insertion, irof, local_lipschitz, mask_overlap, max_sensitivity, monotonicity, monotonicity_correlation,
    mu_fidelity, non_sensitivity, object_auc, pearson, pointing_game, preservation, random_logit,
    randomisation, region_perturbation, relative_input_stability, relative_output_stability,
    relative_representation_stability, road, saco, selectivity, sensitivity_n, smooth_randomisation,
    sparseness, spearman, ssim, stability, top_k,
};
use crate::{
    Error, Result,
    attribution::params::{ParamDescription, configure, params_of},
};

type Measuring<'a> = Pin<Box<dyn Future<Output = Result<(Finding, Map<String, Value>)>> + 'a>>;

/// A registered metric.
pub struct Entry {
    describe: fn() -> MetricDescription,
    measure: for<'a> fn(&'a Assessment<'a>, &'a Map<String, Value>) -> Measuring<'a>,
    name: &'static str,
}

impl Entry {
    /// A metric of one's own, for [`Entry::measure`].
    pub const fn of<M: Metric>() -> Self {
        Self {
            describe: describe::<M>,
            measure: |assessment, params| {
                Box::pin(async move {
                    let (config, in_force) = configure::<M::Config>(M::NAME, params)?;
                    Ok((M::measure(assessment, &config).await?, in_force))
                })
            },
            name: M::NAME,
        }
    }
}

static METRICS: &[Entry] = &[
    Entry::of::<insertion::Insertion>(),
    Entry::of::<deletion::Deletion>(),
    Entry::of::<diff_id::DiffId>(),
    Entry::of::<preservation::Preservation>(),
    Entry::of::<feature_relevance::FeatureRelevance>(),
    Entry::of::<class_retrieval::ClassRetrieval>(),
    Entry::of::<average_drop::AverageDrop>(),
    Entry::of::<road::Road>(),
    Entry::of::<ablation::Ablation>(),
    Entry::of::<irof::Irof>(),
    Entry::of::<region_perturbation::RegionPerturbation>(),
    Entry::of::<selectivity::Selectivity>(),
    Entry::of::<saco::Saco>(),
    Entry::of::<faithfulness_correlation::FaithfulnessCorrelation>(),
    Entry::of::<mu_fidelity::MuFidelity>(),
    Entry::of::<sensitivity_n::SensitivityN>(),
    Entry::of::<faithfulness_estimate::FaithfulnessEstimate>(),
    Entry::of::<monotonicity::Monotonicity>(),
    Entry::of::<monotonicity_correlation::MonotonicityCorrelation>(),
    Entry::of::<infidelity::Infidelity>(),
    Entry::of::<completeness::Completeness>(),
    Entry::of::<non_sensitivity::NonSensitivity>(),
    Entry::of::<max_sensitivity::MaxSensitivity>(),
    Entry::of::<average_sensitivity::AverageSensitivity>(),
    Entry::of::<local_lipschitz::LocalLipschitz>(),
    Entry::of::<relative_input_stability::RelativeInputStability>(),
    Entry::of::<relative_output_stability::RelativeOutputStability>(),
    Entry::of::<relative_representation_stability::RelativeRepresentationStability>(),
    Entry::of::<stability::Stability>(),
    Entry::of::<convergence::Convergence>(),
    Entry::of::<randomisation::Randomisation>(),
    Entry::of::<smooth_randomisation::SmoothRandomisation>(),
    Entry::of::<efficient_randomisation::EfficientRandomisation>(),
    Entry::of::<random_logit::RandomLogit>(),
    Entry::of::<spearman::Spearman>(),
    Entry::of::<top_k::TopK>(),
    Entry::of::<pearson::Pearson>(),
    Entry::of::<ssim::Ssim>(),
    Entry::of::<pointing_game::PointingGame>(),
    Entry::of::<mask_overlap::MaskOverlap>(),
    Entry::of::<object_auc::ObjectAuc>(),
    Entry::of::<sparseness::Sparseness>(),
    Entry::of::<complexity::Complexity>(),
    Entry::of::<effective_complexity::EffectiveComplexity>(),
];

/// The description of every metric: faithfulness first, then robustness, randomisation, comparison, localisation, simplicity.
pub fn metrics() -> Vec<MetricDescription> {
    METRICS.iter().map(Entry::describe).collect()
}

/// The metric called `name`.
///
/// # Errors
/// [`Error::MetricUnknown`].
pub fn find(name: &str) -> Result<&'static Entry> {
    METRICS.iter().find(|entry| entry.name == name).ok_or_else(|| Error::MetricUnknown {
        name: name.to_owned(),
        known: METRICS.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", "),
    })
}

impl Entry {
    /// Title, parameters and so on.
    pub fn describe(&self) -> MetricDescription {
        (self.describe)()
    }

    /// Measures one explanation.
    ///
    /// # Errors
    /// Those of [`super::measure`].
    pub async fn measure(
        &self,
        assessment: &Assessment<'_>,
        params: &Map<String, Value>,
    ) -> Result<Measurement> {
        let started = Instant::now();
        assessment.begin(self.name);
        let (finding, params) = (self.measure)(assessment, params).await?;
        let all = finding.parts.values().chain([&finding.value]);
        if let Some(value) = all.copied().find(|value| !value.is_finite()) {
            return Err(Error::Internal(format!("{} comes to {value}", self.name)));
        }
        let forward_passes = assessment.forward_passes();
        let chance = match assessment.beside() {
            0 => None,
            maps => {
                let asked = &params;
                let random = chance::values(assessment, maps, async |random: &Assessment<'_>| {
                    Ok((self.measure)(random, asked).await?.0.value)
                });
                Chance::of(finding.value, random.await?, self.describe().better)
            }
        };
        Ok(Measurement {
            metric: self.name.to_owned(),
            params,
            finding,
            chance,
            forward_passes,
            milliseconds: started.elapsed().as_secs_f64() * 1e3,
        })
    }
}

/// A metric, as the command line and the docs show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricDescription {
    /// The name in every interface.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// One or two sentences: what the value means.
    pub summary: String,
    /// The paper that defines it.
    pub paper: String,
    /// What it needs beside the map.
    pub needs: Vec<Need>,
    /// Which values are good.
    pub better: Better,
    /// The values that it can have, in words.
    pub range: String,
    /// The work that it takes, in words.
    pub cost: String,
    /// Its parameters.
    pub params: Vec<ParamDescription>,
}

fn describe<M: Metric>() -> MetricDescription {
    MetricDescription {
        name: M::NAME.into(),
        title: M::TITLE.into(),
        summary: M::SUMMARY.into(),
        paper: M::PAPER.into(),
        needs: M::NEEDS.to_vec(),
        better: M::BETTER,
        range: M::RANGE.into(),
        cost: M::COST.into(),
        params: params_of::<M::Config>(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::attribution::registry::ParamKind;

    #[test]
    fn every_metric_and_parameter_is_described() {
        let known = metrics();
        let names: HashSet<&str> = known.iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(names.len(), known.len());
        for metric in &known {
            assert!(metric.summary.ends_with('.') && !metric.paper.is_empty(), "{}", metric.name);
            for param in &metric.params {
                assert!(!param.description.is_empty(), "{}.{}", metric.name, param.name);
                let numeric = matches!(param.kind, ParamKind::Integer | ParamKind::Number);
                assert_eq!(numeric, param.maximum.is_some(), "{}.{}", metric.name, param.name);
            }
        }
        assert_eq!(find("beauty").err().unwrap().code(), "metric_unknown");
    }

    #[test]
    fn the_papers_settings_are_the_defaults() {
        let default = |metric: &str, name: &str| {
            let params = find(metric).unwrap().describe().params;
            params.into_iter().find(|param| param.name == name).unwrap().default
        };
        assert_eq!(default("insertion", "step"), Value::Null);
        assert_eq!(default("insertion", "substrate"), "blur");
        assert_eq!(default("deletion", "substrate"), "blank");
        assert_eq!(default("top_k_intersection", "k"), 1000);
        assert_eq!(default("ablation", "first"), 5);
    }
}

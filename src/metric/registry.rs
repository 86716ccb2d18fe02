//! The metrics, each by one line; whoever lists, describes or measures reads them from here.

use std::{future::Future, pin::Pin};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use web_time::Instant;

use super::{
    Assessment, Finding, Measurement, ablation, class_retrieval, completeness, complexity, convergence,
    deletion, feature_relevance, infidelity, insertion, mask_overlap, max_sensitivity, pearson,
    pointing_game, preservation, randomisation, road, sparseness, spearman, ssim, stability, top_k,
};
use crate::{
    Error, Result,
    attribution::registry::{ParamDescription, configure, params_of},
};

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

/// A metric.
pub(super) trait Metric {
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

    /// Measures; the caller has checked `config` against the declared ranges.
    fn measure(assessment: &Assessment<'_>, config: &Self::Config) -> impl Future<Output = Result<Finding>>;
}

type Measuring<'a> = Pin<Box<dyn Future<Output = Result<(Finding, Map<String, Value>)>> + 'a>>;

/// A registered metric.
pub struct Entry {
    describe: fn() -> MetricDescription,
    measure: for<'a> fn(&'a Assessment<'a>, &'a Map<String, Value>) -> Measuring<'a>,
    name: &'static str,
}

const fn entry<M: Metric>() -> Entry {
    Entry {
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

static METRICS: &[Entry] = &[
    entry::<insertion::Insertion>(),
    entry::<deletion::Deletion>(),
    entry::<preservation::Preservation>(),
    entry::<feature_relevance::FeatureRelevance>(),
    entry::<class_retrieval::ClassRetrieval>(),
    entry::<road::Road>(),
    entry::<ablation::Ablation>(),
    entry::<infidelity::Infidelity>(),
    entry::<completeness::Completeness>(),
    entry::<max_sensitivity::MaxSensitivity>(),
    entry::<stability::Stability>(),
    entry::<convergence::Convergence>(),
    entry::<randomisation::Randomisation>(),
    entry::<spearman::Spearman>(),
    entry::<top_k::TopK>(),
    entry::<pearson::Pearson>(),
    entry::<ssim::Ssim>(),
    entry::<pointing_game::PointingGame>(),
    entry::<mask_overlap::MaskOverlap>(),
    entry::<sparseness::Sparseness>(),
    entry::<complexity::Complexity>(),
];

/// The description of every metric: faithfulness first, then robustness, comparison, localisation, simplicity.
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

    pub(super) async fn measure(
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
        Ok(Measurement {
            metric: self.name.to_owned(),
            params,
            finding,
            forward_passes: assessment.forward_passes(),
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
        assert_eq!(default("insertion", "step"), 224);
        assert_eq!(default("insertion", "substrate"), "blur");
        assert_eq!(default("deletion", "substrate"), "blank");
        assert_eq!(default("top_k_intersection", "k"), 1000);
        assert_eq!(default("ablation", "first"), 5);
    }
}

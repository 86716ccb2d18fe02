//! Finer-CAM (Zhang et al. 2025): Grad-CAM of what tells the class from those that look most like it.

use burn::tensor::{Int, Tensor, activation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    cam::{self, FeatureMaps},
    display::{Channels, Display},
    grad_cam,
    method::{Cost, End, Method, Need},
    read,
};
use crate::{Model, Result, input::parts::Joined, model::Score};

/// Finer-CAM.
pub struct FinerCam;

/// Parameters of Finer-CAM.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the node whose output is looked at, or of that output; where none is named, the last convolution
    /// with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1.
    #[schemars(extend("format" = "layer"))]
    pub layer: String,
    /// The classes that the explained one is told from; where none is given, as many as `comparisons` says, those with the
    /// logits nearest to its own.
    pub classes: Vec<usize>,
    /// Classes to compare with.
    #[schemars(range(min = 1, max = 100))]
    pub comparisons: usize,
    /// How much of the other classes is taken off: 0 is Grad-CAM.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub alpha: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { layer: String::new(), classes: Vec::new(), comparisons: 3, alpha: 1.0 }
    }
}

impl Method for FinerCam {
    type Config = Config;
    const NAME: &'static str = "finer_cam";
    const TITLE: &'static str = "Finer-CAM";
    const SUMMARY: &'static str = "Grad-CAM of the difference between the class and those most like it: the traits that tell them apart.";
    const PAPER: &'static str = "Zhang et al.: Finer-CAM: Spotting the Difference Reveals Finer Details for Visual Explanation (2025)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::Activations, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;

    fn cost(config: &Config) -> Cost {
        let classes = if config.classes.is_empty() { config.comparisons } else { config.classes.len() };
        let gradients = cam::count(&config.layer) * (1 + classes);
        Cost { forward: gradients - 1, backward: gradients }
    }

    fn first_gradient(config: &Config, model: &Model) -> Option<End> {
        cam::first_gradient(&config.layer, model)
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let layers = cam::layers(subject, &config.layer)?;
        let classes = alike(subject, config).await?;
        let shares = shares(subject, &classes, config.alpha);
        let gradients = layers.len() * (1 + classes.len());
        let mut sums = Vec::with_capacity(layers.len());
        for (at, layer) in layers.iter().enumerate() {
            let done = at * (1 + classes.len());
            subject.checkpoint(done, gradients, "gradients at a layer").await?;
            let FeatureMaps { maps, mut gradient } = FeatureMaps::of(subject, layer, Score::Logit)?;
            for (place, &class) in classes.iter().enumerate() {
                subject.checkpoint(done + place + 1, gradients, "gradients at a layer").await?;
                let other = FeatureMaps::towards(subject, layer, class, Score::Logit)?.gradient;
                let share = shares.clone().slice(place..place + 1).reshape([1, 1, 1, 1]);
                gradient = gradient - other * share;
            }
            sums.push(grad_cam::weighted(&FeatureMaps { maps, gradient }));
        }
        let attribution = cam::attribution(subject, sums, gradients)?;
        Ok(Attribution { against: classes, ..attribution })
    }
}

/// The classes to compare with.
async fn alike(subject: &Subject<'_>, config: &Config) -> Result<Vec<usize>> {
    let target = subject.target();
    for &class in &config.classes {
        subject.check_target(class)?;
        if class == target {
            return Err(subject.parameter_invalid("classes", &format!("{class} is the explained class itself")));
        }
    }
    if !config.classes.is_empty() {
        return Ok(config.classes.clone());
    }
    let count = subject.classes();
    if count < 2 {
        return Err(subject.unsuited("it tells a class from others, and the network has one score alone"));
    }
    let logits = read(subject.clean().reshape([count])).await?;
    let apart = |class: usize| (logits[class] - logits[target]).abs();
    let mut others: Vec<usize> = (0..count).filter(|&class| class != target).collect();
    others.sort_by(|&a, &b| apart(a).total_cmp(&apart(b)));
    others.truncate(config.comparisons);
    Ok(others)
}

/// By how much each class's logit lowers the compared score `sum of w_d (y_c - alpha y_d)`, where the weights `w` are the
/// classes' probabilities among each other: `[classes]`. They follow the logits, as in the authors' program, so that
/// each share is `alpha w_d (1 + y_d - sum of w y)`.
fn shares(subject: &Subject<'_>, classes: &[usize], alpha: f32) -> Tensor<1> {
    let chosen: Vec<i64> = classes.iter().map(|&class| class as i64).collect();
    let clean = subject.clean();
    let chosen = Tensor::<1, Int>::from_data(chosen.as_slice(), &clean.device());
    let logits = clean.select(1, chosen);
    let weights = activation::softmax(logits.clone(), 1);
    let mean = (weights.clone() * logits.clone()).sum_dim(1);
    let shares = weights * (logits - mean + 1.0) * alpha;
    shares.reshape([classes.len()])
}

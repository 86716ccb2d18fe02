//! Ablation-CAM (Desai, Ramaswamy 2020): feature maps weighed by what the score loses without each.

use std::ops::Range;

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject, cam,
    display::{Channels, Display},
    method::{Cost, End, Method, Need},
    read,
};
use crate::{
    Error, Model, Result,
    input::parts::Joined,
    model::{Score, value::Ranked},
};

/// Ablation-CAM.
pub struct AblationCam;

/// Parameters of Ablation-CAM.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the node whose output is looked at, or of that output; where none is named, the last convolution
    /// with its activation.
    #[schemars(extend("format" = "layer"))]
    pub layer: String,
    /// The score that is compared.
    pub score: Score,
    /// Feature maps to take away one by one, at most; where the layer has more, those that vary most. The others weigh
    /// nothing.
    #[schemars(range(min = 1, max = 4096))]
    pub channels: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { layer: String::new(), score: Score::Logit, channels: 2048 }
    }
}

impl Method for AblationCam {
    type Config = Config;
    const NAME: &'static str = "ablation_cam";
    const TITLE: &'static str = "Ablation-CAM";
    const SUMMARY: &'static str =
        "Takes the feature maps of a layer away one by one, and weighs each by what the score loses without it.";
    const PAPER: &'static str = "Desai, Ramaswamy: Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free Localization (2020)";
    const NEEDS: &'static [Need] = &[Need::Predictions, Need::Activations, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;

    fn cost(config: &Config) -> Cost {
        Cost { forward: config.channels, backward: 1 }
    }

    fn first_gradient(config: &Config, model: &Model) -> Option<End> {
        cam::first_gradient(&config.layer, model)
    }

    fn quick() -> Config {
        Config { channels: 64, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let layer = cam::layer(subject, &config.layer)?;
        // The gradient is not needed, only the value that comes with it.
        let found = subject.gradient_at_here(&layer, subject.target(), config.score)?;
        let maps = cam::viewed(subject, &layer, found.value.clone());
        let maps = maps.ok_or_else(|| cam::no_map(subject, &layer))?;
        let channels = maps.dims()[1];
        let chosen = cam::most_varying(&maps, config.channels).await?;
        let chosen = chosen.unwrap_or_else(|| (0..channels).collect());
        let value = Ablated::of(subject, &layer, &found.value, channels)?;
        let mut without = Vec::new();
        let mut batches = subject.batches(chosen.len(), "asking without each feature map");
        while let Some(Range { start, end }) = batches.next().await? {
            let rows = value.without(subject, &chosen[start..end])?;
            without.push(subject.scores(subject.logits_with(&layer, rows)?, config.score));
        }
        let score = subject.scores(found.logits, config.score);
        // Ablation-CAM's weights; their sum with a ReLU is `cam::attribution`.
        let weights = (score.clone() - Tensor::cat(without, 0)) / score.clone();
        let weights = weights.reshape([1, chosen.len(), 1, 1]);
        let kept: Vec<i64> = chosen.iter().map(|&channel| channel as i64).collect();
        let kept = burn::tensor::Tensor::<1, burn::tensor::Int>::from_data(kept.as_slice(), &maps.device());
        let attribution =
            cam::attribution(subject, vec![(weights * maps.select(1, kept)).sum_dim(1)], chosen.len())?;
        if read(score).await?.first().is_some_and(|&score| score < 0.0) {
            subject.note(
                "The score is below zero, and Ablation-CAM's weights are parts of it: what they show is what \
                 lowers the score."
                    .into(),
            );
        }
        Ok(attribution)
    }
}

/// The value of a layer, `[1, before, channels, after]`.
struct Ablated {
    value: Tensor<4>,
    dims: Vec<usize>,
}

impl Ablated {
    fn of(subject: &Subject<'_>, layer: &str, value: &Ranked<burn::tensor::Float>, channels: usize) -> Result<Self> {
        let axis = match subject.model().map_view(layer) {
            Some(view) => view.channel_axis(),
            None => Some(1),
        };
        let dims = value.dims();
        let Some(axis) = axis.filter(|&axis| dims[axis] == channels) else {
            return Err(subject.unsuited(&format!(
                "the channels of \"{layer}\" lie where samples do; choose one of the model's other layers"
            )));
        };
        let (before, after) = (dims[..axis].iter().product(), dims[axis + 1..].iter().product());
        let value = value.clone().reshape(&[1, before, channels, after]).and_then(|value| value.get::<4>());
        let value = value.ok_or_else(|| Error::Internal("a layer's value could not be reshaped".into()))?;
        Ok(Self { value, dims })
    }

    /// A row for each of `channels`, of which that one is zero.
    fn without(&self, subject: &Subject<'_>, channels: &[usize]) -> Result<Ranked<burn::tensor::Float>> {
        let [_, _, count, _] = self.value.dims();
        let mut shown = vec![1.0; channels.len() * count];
        for (row, &channel) in shown.chunks_exact_mut(count).zip(channels) {
            row[channel] = 0.0;
        }
        let shown = subject.tensor(shown, [channels.len(), count]).reshape([channels.len(), 1, count, 1]);
        let mut dims = self.dims.clone();
        dims[0] = channels.len();
        let rows = self.value.clone().repeat_dim(0, channels.len()) * shown;
        let rows = Ranked::from(rows).reshape(&dims);
        rows.ok_or_else(|| Error::Internal("a layer's value could not be reshaped".into()))
    }
}

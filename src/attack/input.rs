//! An attack on one input from its start to its end: what was asked for, the attacked input, and what the network makes
//! of it.

use std::{cell::Cell, collections::BTreeMap};

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use web_time::Instant;

use super::{
    AttackedText, Gradients, Network, Norm, Rows,
    registry::{self, Params},
    victim::Victim,
    words,
};
use crate::{ClassScore, Control, Error, Explainer, HostTensor, Input, Result, Score, attribution::read};

/// Where the size of a change is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// Pixels from 0, black, to 1, white; the attacked picture stays between them.
    Pixel,
    /// The network's input as it is, without limits.
    Model,
}

/// How an input is attacked, by which attack of [`registry::attacks`]. The default is projected gradient descent (Madry et al. 2017) by 2 of 255 grey levels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct AttackOptions {
    /// The attack, of [`registry::attacks`].
    pub attack: String,
    /// The attack's own parameters.
    pub params: Params,
    /// How the size of the change is measured.
    pub norm: Norm,
    /// The largest change in all.
    pub epsilon: f32,
    /// The length of a step; by default `2.5 * epsilon / steps` as in Madry et al., and `epsilon` for a single step: the
    /// fast gradient method.
    pub step: Option<f32>,
    /// Number of steps, each of which takes one gradient.
    pub steps: usize,
    /// The class that the attack leads to; by default it leads away from the predicted one.
    pub towards: Option<usize>,
    /// Start at a random change within the ball instead of at the input.
    pub random_start: bool,
    /// Seed of the start.
    pub seed: u32,
    /// Where the change is measured; by default in pixels where a preprocessing is declared.
    pub space: Option<Space>,
    /// Tensors in place of what an attack would draw; each documents the names that it knows.
    #[serde(skip)]
    pub given: BTreeMap<String, HostTensor>,
}

impl Default for AttackOptions {
    fn default() -> Self {
        Self {
            attack: "pgd".into(),
            params: Params::new(),
            norm: Norm::Linf,
            epsilon: 2.0 / 255.0,
            step: None,
            steps: 10,
            towards: None,
            random_start: false,
            seed: 0,
            space: None,
            given: BTreeMap::new(),
        }
    }
}

/// An attacked input.
#[derive(Debug, Clone, PartialEq)]
pub struct Attacked {
    /// The attacked input, in model space and in the input's shape.
    pub input: HostTensor,
    /// What was added to the input, in `space`.
    pub change: HostTensor,
    /// Where the change is measured.
    pub space: Space,
    /// The largest change of a value, in `space`.
    pub linf: f64,
    /// The length of the change, in `space`.
    pub l2: f64,
    /// The most probable classes before.
    pub before: Vec<ClassScore>,
    /// The most probable classes after.
    pub after: Vec<ClassScore>,
    /// The class that the network gave before, as it scores now.
    pub original: ClassScore,
    /// What happened to the words, where a text was attacked.
    pub text: Option<AttackedText>,
    /// Whether the network now says what the attack was for: another class than before, or the one that it led to.
    pub turned: bool,
    /// The length of a step that was taken; 0 for attacks that have none.
    pub step: f32,
    /// Samples of which an attack asked for the scores alone.
    pub forward_passes: usize,
    /// Gradients that were taken.
    pub backward_passes: usize,
    /// Wall time.
    pub milliseconds: f64,
}

/// Attacks one input `[1, …]` in model space, and lists the `top` classes before and after.
///
/// # Errors
/// [`Error::ParameterInvalid`], [`Error::TargetOutOfRange`], [`Error::PreprocessingInvalid`] for pixels without a declared
/// preprocessing, [`Error::Cancelled`], and those of the input and of the network.
pub async fn attack(
    explainer: &Explainer,
    input: &HostTensor,
    options: &AttackOptions,
    top: usize,
    control: &Control<'_>,
) -> Result<Attacked> {
    let started = Instant::now();
    let entry = registry::find(&options.attack)?;
    check(options)?;
    entry.check(options)?;
    if let Some(class) = options.towards {
        explainer.model().check_target(class)?;
    }
    let before = explainer.classify(&Input::Tensor(input), top).await?.top;
    let predicted = before.first().map_or(0, |class| class.index);
    let network = Scaled::new(explainer, input, options.space, control)?;
    let x = network.inside(network.rows.rows(input.data.clone())?);
    let features = input.data.len();
    let flat = |rows: Tensor<2>| rows.reshape([features]);
    let range = match network.range(&x) {
        None => None,
        Some((low, high)) => {
            let both = read(Tensor::cat(vec![flat(low), flat(high)], 0)).await?;
            let (low, high) = both.split_at(features);
            Some([low.to_vec(), high.to_vec()])
        }
    };
    let victim = Victim {
        network: &network,
        explainer,
        places: explainer.model().places()?,
        x: read(flat(x.clone())).await?,
        range,
        class: options.towards.unwrap_or(predicted),
        targeted: options.towards.is_some(),
        options,
        forward: Cell::new(0),
        backward: Cell::new(0),
    };
    let found = entry.run(&victim, options).await?;
    let change = &found.change;
    let data = read(flat(network.outside(x + network.rows.rows(change.clone())?))).await?;
    let shaped = |values: &[f32]| HostTensor { data: values.to_vec(), shape: input.shape.clone() };
    let attacked = shaped(&data);

    let mut after = explainer.classify(&Input::Tensor(&attacked), explainer.model().classes()).await?.top;
    let winner = after.first().map_or(predicted, |class| class.index);
    let original = after.iter().find(|class| class.index == predicted).cloned();
    let original = original.ok_or_else(|| Error::Internal("the predicted class has no score".into()))?;
    after.truncate(top.max(1));
    let text = words::told(explainer, input, &attacked, predicted, top).await?;
    Ok(Attacked {
        text,
        after,
        original,
        input: attacked,
        linf: change.iter().fold(0.0, |most, v| f64::from(v.abs()).max(most)),
        l2: change.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt(),
        change: shaped(change),
        space: network.space(),
        before,
        turned: match options.towards {
            Some(class) => winner == class,
            None => winner != predicted,
        },
        step: found.step,
        forward_passes: victim.forward.get(),
        backward_passes: victim.backward.get(),
        milliseconds: started.elapsed().as_secs_f64() * 1e3,
    })
}

fn check(options: &AttackOptions) -> Result<()> {
    let invalid = |name: &str, reason: &str| {
        Err(Error::ParameterInvalid { method: "attack".into(), name: name.into(), reason: reason.into() })
    };
    let positive = |value: f32| value.is_finite() && value > 0.0;
    if !positive(options.epsilon) {
        return invalid("epsilon", "it must be above 0");
    }
    if !options.step.is_none_or(positive) {
        return invalid("step", "it must be above 0");
    }
    if !(1..=1000).contains(&options.steps) {
        return invalid("steps", "it must be from 1 to 1000");
    }
    Ok(())
}

/// A network whose inputs are measured in another space than its own: `model = (point - offset) / factor`.
pub(super) struct Scaled<'a> {
    rows: Rows<'a>,
    /// The factor and the offset of each feature, `[1, features]`; nothing in model space.
    pixels: Option<(Tensor<2>, Tensor<2>)>,
}

impl<'a> Scaled<'a> {
    fn new(
        explainer: &'a Explainer,
        input: &HostTensor,
        space: Option<Space>,
        control: &'a Control<'a>,
    ) -> Result<Self> {
        let rows = Rows::new(explainer.model(), control)?;
        // What is explained at a node is no picture, whatever the model is given.
        let known = explainer.preprocessing().filter(|_| !explainer.model().explains_a_node());
        let preprocessing = match (space, known) {
            (Some(Space::Model), _) | (None, None) => return Ok(Self { rows, pixels: None }),
            (_, Some(known)) => known,
            (Some(Space::Pixel), None) => {
                return Err(Error::PreprocessingInvalid(
                    "none is declared, so it is not known what a pixel is; attack in model space".into(),
                ));
            }
        };
        let features = input.data.len();
        let places = explainer.model().places()?;
        if places.channels != preprocessing.mean.len() {
            return Err(Error::PreprocessingInvalid(format!(
                "it has {} channels, the input {}; attack in model space",
                preprocessing.mean.len(),
                places.channels
            )));
        }
        let each = |part: fn((f32, f32)) -> f32| {
            rows.rows((0..features).map(|i| part(preprocessing.to_pixel(places.channel(i)))).collect())
        };
        let pixels = Some((each(|(factor, _)| factor)?, each(|(_, offset)| offset)?));
        Ok(Self { rows, pixels })
    }

    pub(super) fn rows(&self) -> &Rows<'a> {
        &self.rows
    }

    fn space(&self) -> Space {
        if self.pixels.is_some() { Space::Pixel } else { Space::Model }
    }

    /// From model space.
    fn inside(&self, model: Tensor<2>) -> Tensor<2> {
        match &self.pixels {
            None => model,
            Some((factor, offset)) => model * factor.clone() + offset.clone(),
        }
    }

    /// To model space.
    fn outside(&self, points: Tensor<2>) -> Tensor<2> {
        match &self.pixels {
            None => points,
            Some((factor, offset)) => (points - offset.clone()) / factor.clone(),
        }
    }

    /// Black and white; an input that rounding has put beyond them may stay there.
    fn range(&self, x: &Tensor<2>) -> Option<(Tensor<2>, Tensor<2>)> {
        self.pixels.as_ref().map(|_| (x.clone().clamp_max(0.0), x.clone().clamp_min(1.0)))
    }
}

impl Network for Scaled<'_> {
    fn gradients(&self, points: Tensor<2>, targets: &[usize], score: Score) -> Result<Gradients> {
        let found = self.rows.gradients(self.outside(points), targets, score)?;
        let gradient = match &self.pixels {
            None => found.gradient,
            Some((factor, _)) => found.gradient / factor.clone(),
        };
        Ok(Gradients { gradient, ..found })
    }

    fn logits(&self, points: Tensor<2>) -> Result<Tensor<2>> {
        self.rows.logits(self.outside(points))
    }

    async fn checkpoint(&self, done: usize, total: usize, stage: &str) -> Result<()> {
        self.rows.checkpoint(done, total, stage).await
    }
}

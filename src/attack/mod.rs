//! Adversarial attacks: the smallest change of an input that turns a network, or a map, to the attacker's end.
//!
//! [`Attack`] and [`SaliencyMapAttack`] work on rows of features, `[N, features]`, on the device, and read nothing back; [`attack`]
//! goes from one input on the host to the attacked one, by any attack of the [`registry`], and measures the change in pixels.

mod apgd;
mod carlini_wagner;
mod deep_fool;
mod explanation;
mod input;
mod mi_fgsm;
mod pgd;
pub mod registry;
mod saliency_map;
mod square;
mod victim;
mod words;

use std::future::Future;

use burn::tensor::{Tensor, TensorData};

use crate::{Control, Error, Model, Preprocessing, Result, Score, attribution};

pub use attribution::Gradients;
pub use input::{AttackOptions, Attacked, Space, attack};
pub use pgd::{Attack, Norm, Within};
pub use saliency_map::{Goal, SaliencyMapAttack};
pub use words::{AttackedText, MovedToken, Reread};

/// What an attack needs of a network.
pub trait Network {
    /// The gradient of each row's score of its class in `targets`, `[N, features]`, and the logits.
    ///
    /// # Errors
    /// Those of [`Model::gradient`].
    fn gradients(&self, points: Tensor<2>, targets: &[usize], score: Score) -> Result<Gradients>;

    /// The logits of points, `[N, classes]`.
    ///
    /// # Errors
    /// Those of [`Model::logits`].
    fn logits(&self, points: Tensor<2>) -> Result<Tensor<2>> {
        let rows = points.dims()[0];
        Ok(self.gradients(points, &vec![0; rows], Score::Logit)?.logits)
    }

    /// Reports progress between steps, lets the host breathe, and ends the attack where it was cancelled.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    fn checkpoint(&self, done: usize, total: usize, stage: &str) -> impl Future<Output = Result<()>>;
}

/// A model whose inputs are rows of features.
pub struct Rows<'a> {
    model: &'a Model,
    control: &'a Control<'a>,
    sample: Vec<usize>,
}

impl<'a> Rows<'a> {
    /// Attacks on `model`, watched by `control`.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the model leaves the size of its input open.
    pub fn new(model: &'a Model, control: &'a Control<'a>) -> Result<Self> {
        Ok(Self { model, control, sample: model.sample_shape()? })
    }

    /// Rows of features on the model's device.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where `values` do not fill whole rows.
    pub fn rows(&self, values: Vec<f32>) -> Result<Tensor<2>> {
        let features: usize = self.sample.iter().product();
        if values.is_empty() || !values.len().is_multiple_of(features) {
            return Err(Error::InputInvalid(format!(
                "{} values do not fill rows of {features} features.",
                values.len()
            )));
        }
        let dims = [values.len() / features, features];
        Ok(Tensor::from_data(TensorData::new(values, dims), self.model.device().burn()))
    }

    /// What black and white pixels are in model space, `[1, features]` each: the limits of what a picture can become,
    /// for [`Within::range`].
    ///
    /// # Errors
    /// [`Error::PreprocessingInvalid`] where `preprocessing` is for another number of channels.
    pub fn valid_range(&self, preprocessing: &Preprocessing) -> Result<(Tensor<2>, Tensor<2>)> {
        let features: usize = self.sample.iter().product();
        let channels = preprocessing.mean.len();
        let places = self.model.places()?;
        if places.channels != channels {
            return Err(Error::PreprocessingInvalid(format!(
                "it declares {channels} channels, and the model takes samples of shape {:?}",
                self.sample
            )));
        }
        let at = |pixel| {
            self.rows((0..features).map(|i| preprocessing.to_model(places.channel(i), pixel)).collect())
        };
        Ok((at(0.0)?, at(255.0)?))
    }
}

impl Network for Rows<'_> {
    fn gradients(&self, points: Tensor<2>, targets: &[usize], score: Score) -> Result<Gradients> {
        attribution::gradients(self.model, &self.sample, points, targets, score)
    }

    fn logits(&self, points: Tensor<2>) -> Result<Tensor<2>> {
        self.model.logits(attribution::rows_to(points, &self.sample)?)
    }

    async fn checkpoint(&self, done: usize, total: usize, stage: &str) -> Result<()> {
        self.control.checkpoint(self.model.device(), done, total, stage).await
    }
}

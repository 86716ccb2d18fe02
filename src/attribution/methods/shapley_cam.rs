//! Shapley-CAM (Cai 2025): Grad-CAM whose weights also count how the gradient itself depends on the feature maps.

use burn::tensor::Float;

use super::{
    Attribution, Subject,
    cam::{self, FeatureMaps},
    display::{Channels, Display},
    grad_cam::{self, Config},
    method::{Cost, End, Method, Need},
};
use crate::{Model, Result, input::parts::Joined, model::value::Ranked};

/// Shapley-CAM.
pub struct ShapleyCam;

/// How far the feature maps are moved along themselves to see how their gradient bends.
const MOVE: f32 = 0.02;

impl Method for ShapleyCam {
    type Config = Config;
    const NAME: &'static str = "shapley_cam";
    const TITLE: &'static str = "Shapley-CAM";
    const SUMMARY: &'static str = "Grad-CAM with weights that come closer to shares of a game: the gradient less half of what its bend adds. Behind ReLUs alone it is Grad-CAM.";
    const PAPER: &'static str =
        "Cai: CAMs as Shapley Value-based Explainers (2025)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::Activations, Need::Image];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;

    fn cost(config: &Config) -> Cost {
        let layers = cam::count(&config.layer);
        Cost { forward: 9 * layers - 1, backward: 5 * layers }
    }

    fn first_gradient(config: &Config, model: &Model) -> Option<End> {
        cam::first_gradient(&config.layer, model)
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let layers = cam::layers(subject, &config.layer)?;
        let mut sums = Vec::with_capacity(layers.len());
        for (at, layer) in layers.iter().enumerate() {
            subject.checkpoint(5 * at, 5 * layers.len(), "gradient at a layer").await?;
            let found = subject.gradient_at_here(layer, subject.target(), config.score)?;
            let mut along = [0.0; 4].map(|_| None);
            for (step, (place, by)) in along.iter_mut().zip([-2.0, -1.0, 1.0, 2.0]).enumerate() {
                let done = 5 * at + step + 1;
                subject.checkpoint(done, 5 * layers.len(), "how the gradient bends").await?;
                let moved = found.value.clone() * (1.0 + by * MOVE);
                *place = Some(subject.gradient_with(layer, moved, found.value.clone(), config.score)?);
            }
            let [Some(far_below), Some(below), Some(above), Some(far_above)] = along else { continue };
            // The Hessian times the feature maps: the derivative of the gradient along them, by five points.
            let bend: Ranked<Float> =
                ((above - below) * 8.0 - (far_above - far_below)) * (1.0 / (12.0 * MOVE));
            // Shapley-CAM: the gradient less half of it, averaged over places.
            let gradient = found.gradient - bend * 0.5;
            let (maps, gradient) =
                (cam::viewed(subject, layer, found.value), cam::viewed(subject, layer, gradient));
            let (Some(maps), Some(gradient)) = (maps, gradient) else {
                return Err(cam::no_map(subject, layer));
            };
            sums.push(grad_cam::weighted(&FeatureMaps { maps, gradient }));
        }
        cam::attribution(subject, sums, 5 * layers.len())
    }
}
